"""The files of a table: JSON for programs, CSV for spreadsheets, Markdown for documents, and the page for people."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import IO, Any

from ..engines.handlers.checkpoint import write_atomically
from ..reports.table_report import write_table_report
from ..reports.table_words import (
    WORDS,
    answers,
    column_title,
    counted,
    direction,
    interval,
    leader,
    number,
    order_sentences,
    p_words,
    shows_mean,
)

Results = Mapping[str, Any]

CSV_COLUMNS = (
    "row",
    "name",
    "state",
    "why",
    "column",
    "n",
    "seeds",
    "mean",
    "sd",
    "ci95_low",
    "ci95_high",
    "seed_means",
    "seed_sd",
    "printed",
    "where",
    "baseline",
    "difference",
    "difference_ci95_low",
    "difference_ci95_high",
    "difference_covers",
    "p_wilcoxon",
    "p_holm",
    "verdict",
    "seconds",
    "peak_mib",
)


def write_all(results: Results, folder: Path, dataset_dir: Path | None = None) -> list[Path]:
    """Write `table.json`, `table.csv`, `table.md` and `table.html`, each in one step.

    Args:
        results: from `read_results`.
        folder: of the table, `OUT/<table>`, which also holds the rows' folders.
        dataset_dir: the data set that was scored, for pictures; `OUT/data` when None.
    """
    texts = {"json": as_json(results), "csv": as_csv(results), "md": as_markdown(results)}
    paths = []
    for ending, text in texts.items():
        path = folder / f"table.{ending}"
        write_atomically(path, partial(_put, text))
        paths.append(path)
    return [*paths, write_table_report(results, folder / "table.html", rows_dir=folder, dataset_dir=dataset_dir)]


def as_json(results: Results) -> str:
    """Everything, as plain data."""
    return json.dumps(results, indent=1, allow_nan=False, ensure_ascii=False) + "\n"


def as_csv(results: Results) -> str:
    """One line for each row and column, also for rows that have no result."""
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, CSV_COLUMNS, lineterminator="\n", restval="")
    writer.writeheader()
    for row in results["rows"]:
        for column in results["columns"]:
            writer.writerow({**_shared_cells(row), "column": column, **_cells(row, column)})
    return text.getvalue()


def _shared_cells(row: Mapping[str, Any]) -> dict[str, object]:
    plain = {key: row[key] for key in ("row", "name", "state", "why", "where", "baseline", "seconds", "peak_mib")}
    return {key: "" if value is None else value for key, value in plain.items()} | {
        "seeds": " ".join(map(str, row["seeds_done"]))
    }


def _cells(row: Mapping[str, Any], column: str) -> dict[str, object]:
    cells: dict[str, object] = {"printed": row["paper"].get(column, "")}
    summary, found = row["metrics"].get(column), row["differences"].get(column)
    if summary is not None:
        cells["n"] = summary["n"]
    if shows_mean(summary):
        low, high = summary["ci95"]
        cells |= {"mean": summary["mean"], "sd": summary["sd"], "ci95_low": low, "ci95_high": high}
        cells |= {"seed_means": " ".join(repr(value) for value in summary["seed_means"])}
        cells |= {"seed_sd": "" if summary["seed_sd"] is None else summary["seed_sd"]}
    if shows_mean(found):
        low, high = found["ci95"]
        cells |= {"difference": found["mean"], "difference_ci95_low": low, "difference_ci95_high": high}
        cells |= {"difference_covers": found["covers"]}
        cells |= {key: found[key] for key in ("p_wilcoxon", "p_holm", "verdict")}
    return cells


def as_markdown(results: Results) -> str:
    """The answer in sentences, one table a metric, time and memory, and what could not be shown."""
    simulated = "**Simulated data: these numbers say nothing about patients.**" if results["simulated"] else ""
    first = results["columns"][0]
    parts = [f"# {_md(results['title'])}", simulated, _md(results["question"])]
    parts += [_md(leader(results, first, group)) for group in results["groups"]]
    parts += [_bullets(said.text for said in answers(results, first))]
    if results["warnings"]:
        parts += ["## Before you trust it", _bullets(results["warnings"])]
    for column in results["columns"]:
        parts += [f"## {_md(column_title(column))} ({direction(column)})", _metric_table(results, column)]
        parts += [_bullets(order_sentences(results, column))]
    parts += ["## Time and memory", _time_table(results), *_reasons(results), _how(results)]
    return "\n\n".join(part for part in parts if part) + "\n"


def _metric_table(results: Results, column: str) -> str:
    head = (
        "Row",
        "Mean",
        "sd",
        "n",
        "95 % interval",
        "Seeds",
        "sd of seeds",
        "Printed",
        "To baseline",
        "95 % interval",
    )
    lines = [[*head, "p (Holm)", "Verdict"]]
    for row in results["rows"]:
        lines.append([row["name"], *_mean_words(row, column), *_difference_words(row, column)])
    return _table(lines)


def _mean_words(row: Mapping[str, Any], column: str) -> list[str]:
    summary = row["metrics"].get(column)
    printed = str(row["paper"].get(column, ""))
    if not shows_mean(summary):
        reason = {"printed_only": "", "failed": "failed", "missing": "missing"}.get(row["state"], "not shown")
        return [reason, "", str(summary["n"]) if summary else "", "", str(len(row["seeds_done"]) or ""), "", printed]
    means, spread = summary["seed_means"], summary["seed_sd"]
    ours = [number(summary["mean"], column), number(summary["sd"], column), str(summary["n"])]
    ours += [interval(summary["ci95"], column), str(len(means)), "" if spread is None else number(spread, column)]
    return [*ours, printed]


def _difference_words(row: Mapping[str, Any], column: str) -> list[str]:
    found = row["differences"].get(column)
    if not shows_mean(found):
        return ["", "", "", ""]
    ends = interval(found["ci95"], column, signed=True)
    words = WORDS[found["verdict"]]
    return [f"{number(found['mean'], column, signed=True)} ({row['baseline']})", ends, p_words(found["p_holm"]), words]


def _time_table(results: Results) -> str:
    lines = [["Row", "Seeds done", "Seconds a seed", "Peak memory, MiB"]]
    for row in results["rows"]:
        if row["state"] != "printed_only":
            seconds, peak = ("" if row[key] is None else f"{row[key]:.0f}" for key in ("seconds", "peak_mib"))
            lines.append([row["name"], f"{len(row['seeds_done'])} of {len(results['seeds'])}", seconds, peak])
    return _table(lines)


def _reasons(results: Results) -> list[str]:
    without = [f"{row['name']} ({row['state']}): {row['why']}" for row in results["rows"] if row["why"]]
    return ["## Not done", _bullets(without)] if without else []


def _how(results: Results) -> str:
    """How it was tested, on what, and where the printed numbers are from."""
    data = results["data"]
    lines = [results["test"], *results["notes"]]
    lines += [f"Printed: {results['paper']}, without n and spread." if results["paper"] else ""]
    where = [f"{row['name']}: {row['where']}" for row in results["rows"] if row["where"] and row["paper"]]
    lines += [f"Printed at: {'; '.join(where)}." if where else ""]
    lines += [f"Data: {data['data set']}, {data['subjects']}; fingerprint {data['fingerprint']}." if data else ""]
    lines += [f"Scale: {results['scale']}; {counted(len(results['seeds']), 'training seed')}."]
    return "## How it was done\n\n" + _bullets(line for line in lines if line)


def _table(lines: Sequence[Sequence[str]]) -> str:
    rows = ["| " + " | ".join(_md(cell) for cell in line) + " |" for line in lines]
    return "\n".join([rows[0], "|" + " --- |" * len(lines[0]), *rows[1:]])


def _bullets(sentences: Iterable[str]) -> str:
    return "\n".join(f"- {_md(sentence)}" for sentence in sentences)


def _md(text: str) -> str:
    """Text that is neither HTML nor a cell's end, on one line."""
    plain = " ".join(str(text).split())
    for sign, safe in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ("|", "\\|")):
        plain = plain.replace(sign, safe)
    return plain


def _put(text: str, file: IO[bytes]) -> None:
    file.write(text.encode())
