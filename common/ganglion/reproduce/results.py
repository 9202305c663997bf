"""Read the folders of a table's rows into the one dictionary that the table's files and its page are made from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from pathlib import Path
from typing import Any

from ..data.datalist import FILE_NAME
from ..errors import InputError
from ..metrics import DEFINITIONS, lower_is_better
from ..reports.environment import describe_environment
from ..reports.provenance import describe_data, is_simulated, read_json
from ..reports.scores import read_scores
from ..reports.shell import without_folders
from .place import MARKER
from .record import DONE, FAILED, ROW_FILE
from .statistics import (
    LEVEL,
    TEST,
    Entry,
    Scored,
    compare_order,
    difference,
    judge,
    row_summary,
    shared_subjects,
    smallest_p,
    subject_means,
)
from .table import Row, Table

MISSING, PRINTED_ONLY = "missing", "printed_only"
FEW_SUBJECTS, FEW_SEEDS = 10, 3


@dataclass
class Found:
    """What lies in the folders of one row."""

    row: Row
    scored: dict[str, dict[int, dict[str, float]]] = field(default_factory=dict)  # column, seed, subject
    records: dict[int, Mapping[str, Any]] = field(default_factory=dict)
    reasons: dict[int, str] = field(default_factory=dict)  # seeds without scores
    failed: bool = False
    definitions: dict[str, str] = field(default_factory=dict)
    versions: set[str] = field(default_factory=set)  # of what scored it

    @property
    def seeds_done(self) -> list[int]:
        """Seeds that have scores."""
        return sorted(next(iter(self.scored.values()), {}))

    @property
    def state(self) -> str:
        """One of the four states; `done` only when every seed is."""
        if self.row.printed_only:
            return PRINTED_ONLY
        return FAILED if self.failed else MISSING if self.reasons else DONE


def read_results(table: Table, out: Path, seeds: Sequence[int]) -> dict[str, Any]:
    """Everything that is known about a table, from its definition and the folders of its rows.

    Args:
        table: the table's definition.
        out: folder with `<table>/<row>/seed<N>/` and `reproduce.json`.
        seeds: training seeds that belong to the table, done or not.
    """
    record = read_json(out / MARKER) if (out / MARKER).is_file() else {}
    columns = list(table.columns)
    found = [_find(row, out / table.table, columns, seeds) for row in table.scored]
    data = _describe_data(out, record)
    rows = [_row_entry(item, columns) for item in found]
    _compare(rows, found, table.baseline, columns)
    return {
        "bundle": table.bundle,
        "table": table.table,
        "title": table.title,
        "paper": table.paper,
        "question": table.question,
        "notes": list(table.notes),
        "scale": record.get("scale", ""),
        "seeds": list(seeds),
        "columns": columns,
        "simulated": is_simulated(data) if data else bool(record.get("simulated", False)),
        "data": data,
        "environment": describe_environment(),
        "definitions": next((item.definitions for item in found if item.definitions), dict(DEFINITIONS)),
        "rows": rows,
        "groups": (groups := group_rows(table)),
        "order": {column: _orders(found, groups, column) for column in columns},
        "pairs": _pairs(found, groups, columns[0]),
        "warnings": _warnings(rows, found, columns, seeds),
        "test": TEST,
    }


def _find(row: Row, folder: Path, columns: Sequence[str], seeds: Sequence[int]) -> Found:
    found = Found(row)
    if row.printed_only:
        return found
    for seed in seeds:
        try:
            reason, failed = _take_seed(found, folder / row.row / f"seed{seed}", columns, seed)
        except InputError as error:  # one file that cannot be read costs its row, not the table
            reason, failed = without_folders(str(error)), True
        if reason:
            found.reasons[seed] = reason
            found.failed = found.failed or failed
    return found


def _take_seed(found: Found, place: Path, columns: Sequence[str], seed: int) -> tuple[str, bool]:
    """Take what one training left; gives why there are no scores of it, and whether that is a failure."""
    if not (place / ROW_FILE).is_file():
        return ("not run to its end" if place.is_dir() else "not run"), False
    record = found.records[seed] = read_json(place / ROW_FILE)
    if record.get("state") != DONE:
        return _failure(record), True
    if not (place / "test" / "scores.json").is_file():
        return "said to be done, but its test/scores.json is gone", True
    scores = read_scores(place / "test")
    values = {column: column_values(scores, column, found.row.row) for column in columns}
    found.definitions = found.definitions or dict(scores["definitions"])
    found.versions.add(", ".join(f"{name} {version}" for name, version in scores.get("versions", {}).items()))
    for column in columns:
        found.scored.setdefault(column, {})[seed] = values[column]
    return "", False


def _failure(record: Mapping[str, Any]) -> str:
    last = without_folders(str(record.get("last_line", ""))).strip()
    if not record.get("tries", 1):  # it was never begun, and the line says why
        return last or "not run"
    words = f"failed with exit code {record.get('exit_code', 'unknown')}"
    return f"{words}: {last}" if last else words


def column_values(scores: Mapping[str, Any], column: str, where: str) -> dict[str, float]:
    """The value of each subject in one column; of a volume error its size, since + and - would cancel.

    Args:
        scores: content of scores.json.
        column: `<metric>`, or `<region>/<metric>` where several regions were scored.
        where: named in an error.
    """
    region, _, metric = column.rpartition("/")
    regions = list(dict.fromkeys(row["region"] for row in scores["subjects"]))
    if not region and len(regions) > 1:
        raise InputError(
            f"{where}: scores.json has the regions {', '.join(regions)}, found the column '{column}', expected "
            "'<region>/<metric>' in the table's file."
        )
    rows = [row for row in scores["subjects"] if not region or row["region"] == region]
    if not rows or metric not in rows[0]:
        known = ", ".join(regions)
        raise InputError(f"{where}: found no column '{column}' in scores.json, expected a metric of {known}.")
    size = abs if metric.endswith("_ml") else float
    return {row["subject"]: size(float(row[metric])) for row in rows}


def _describe_data(out: Path, record: Mapping[str, Any]) -> dict[str, str]:
    """What the folder remembers of the data that were scored; else what lies there."""
    told = record.get("data")
    if isinstance(told, dict):
        return {str(name): str(value) for name, value in told.items()}
    return describe_data(out / "data") if (out / "data" / FILE_NAME).is_file() else {}


def _row_entry(found: Found, columns: Sequence[str]) -> Entry:
    row, records = found.row, list(found.records.values())
    metrics, subjects = {}, {}
    for column, scored in found.scored.items():
        summary = row_summary(scored)
        if summary is not None:
            metrics[column] = summary
            subjects[column] = subject_means(scored, shared_subjects(scored))
    seconds = [float(found.records[seed]["seconds"]) for seed in found.seeds_done if "seconds" in found.records[seed]]
    peaks = [float(record["peak_mib"]) for record in records if record.get("peak_mib")]
    return {
        "row": row.row,
        "name": row.name,
        "state": found.state,
        "why": _why(found.reasons),
        "seeds_done": found.seeds_done,
        "metrics": metrics,
        "subjects": subjects,
        "paper": {column: row.paper[column] for column in columns if column in row.paper},
        "where": row.where,
        "baseline": None,
        "differences": {},
        "seconds": sum(seconds) / len(seconds) if seconds else None,
        "peak_mib": max(peaks) if peaks else None,
        "cell": list(row.cell) if row.cell else None,
        "trained": row.train is not None,
        "commands": [without_folders(line) for line in (records[0].get("commands", []) if records else [])],
    }


def _why(reasons: Mapping[int, str]) -> str:
    """The reasons, seeds of one reason together."""
    by_reason: dict[str, list[int]] = {}
    for seed, reason in reasons.items():
        by_reason.setdefault(reason, []).append(seed)
    parts = (f"seed {', '.join(map(str, seeds))}: {reason}" for reason, seeds in by_reason.items())
    return "; ".join(parts)


def _compare(rows: Sequence[Entry], found: Sequence[Found], baseline: str | None, columns: Sequence[str]) -> None:
    """Fill in each row's baseline and its differences to it, judged column by column."""
    known = {item.row.row: item for item in found}
    for entry, item in zip(rows, found, strict=True):
        chosen = item.row.baseline or baseline
        entry["baseline"] = None if chosen == entry["row"] or item.state == PRINTED_ONLY else chosen
    for column in columns:
        pairs = []
        for entry, item in zip(rows, found, strict=True):
            if entry["baseline"] is not None and column in item.scored:
                result = difference(item.scored[column], known[entry["baseline"]].scored.get(column, {}))
                pairs += [(entry, result)] if result is not None else []
        metric = column.rpartition("/")[2]
        for (entry, _), judged in zip(pairs, judge([d for _, d in pairs], lower_is_better(metric)), strict=True):
            entry["differences"][column] = judged


def group_rows(table: Table) -> list[dict[str, Any]]:
    """Rows that belong together: a baseline, first, and all that are compared with it; the rest is one more group."""
    groups: dict[str | None, list[str]] = {}
    named = {row.baseline or table.baseline for row in table.scored} - {None}
    for row in table.scored:
        chosen = row.baseline or table.baseline
        if row.row in named:
            groups.setdefault(row.row, []).insert(0, row.row)
        if chosen != row.row and not (chosen is None and row.row in named):
            groups.setdefault(chosen, []).append(row.row)
    return [{"baseline": baseline, "rows": rows} for baseline, rows in groups.items()]


def _orders(found: Sequence[Found], groups: Sequence[Mapping[str, Any]], column: str) -> list[Entry]:
    """The order of the rows of each group that have a printed number and one of ours."""
    orders = []
    for group in groups:
        inside = [item for item in found if item.row.row in group["rows"]]
        scored: dict[str, Scored] = {item.row.row: item.scored[column] for item in inside if column in item.scored}
        printed = {item.row.row: item.row.paper[column] for item in inside if column in item.row.paper}
        order = compare_order(scored, printed, lower_is_better(column.rpartition("/")[2]))
        orders += [order] if order is not None else []
    return orders


def _pairs(found: Sequence[Found], groups: Sequence[Mapping[str, Any]], column: str) -> list[Entry]:
    """Each two rows of a group against each other in one column, judged within the group."""
    scored = {item.row.row: item.scored[column] for item in found if column in item.scored}
    pairs = []
    for group in groups:
        two = list(combinations([name for name in group["rows"] if name in scored], 2))
        each = [(a, b, difference(scored[b], scored[a])) for a, b in two]
        kept = [(a, b, entry) for a, b, entry in each if entry is not None]
        judged = judge([entry for _, _, entry in kept], lower_is_better(column.rpartition("/")[2]))
        named = zip(kept, judged, strict=True)
        pairs += [{"group": group["baseline"], "of": b, "to": a, **entry} for (a, b, _), entry in named]
    return pairs


def _warnings(rows: Sequence[Entry], found: Sequence[Found], columns: Sequence[str], seeds: Sequence[int]) -> list[str]:
    """What limits how far the numbers can be trusted, in sentences."""
    said = []
    sizes = {entry["metrics"][c]["n"] for entry in rows for c in columns if c in entry["metrics"]}
    if sizes and min(sizes) < FEW_SUBJECTS:
        least = smallest_p(min(sizes))
        end = ", so no row can be called better or worse" if least >= LEVEL else " before any correction"
        said.append(f"Only {min(sizes)} test subjects: the smallest p that the test can give is {least:.2g}{end}.")
    if len(seeds) < 2:
        said.append(
            "One training seed: nothing is known about how much the result changes when the same training starts from "
            "another seed, so no row is called better or worse; its one network may be."
        )
    elif len(seeds) < FEW_SEEDS:
        said.append(f"Only {len(seeds)} training seeds: intervals for new trainings are wide.")
    versions = sorted({version for item in found for version in item.versions})
    if len(versions) > 1:
        said.append(f"Not everything was scored with the same software: {'; '.join(versions)}.")
    for entry, item in zip(rows, found, strict=True):
        said += _row_warnings(entry, item, seeds)
    return said


def _row_warnings(entry: Entry, item: Found, seeds: Sequence[int]) -> list[str]:
    said = []
    name, done = entry["name"], entry["seeds_done"]
    if done and len(done) < len(seeds):
        listed = ", ".join(map(str, done))
        said.append(f"{name}: {len(done)} of {len(seeds)} seeds are done ({listed}); its numbers are of those alone.")
    scored = next(iter(item.scored.values()), {})
    everyone = {subject for values in scored.values() for subject in values}
    left = len(everyone) - len(shared_subjects(scored))
    if left:
        said.append(f"{name}: {left} subjects were not scored with every seed and are left out of its means.")
    outside = {entry["differences"][c]["left_out"] for c in entry["differences"]} - {0}
    if outside:
        said.append(
            f"{name}: {max(outside)} subjects were scored for only one of it and its baseline ({entry['baseline']}); "
            "the difference is over those that both have."
        )
    fewer = [d for d in entry["differences"].values() if len(d["seeds"]) < len(done)]
    if fewer:
        count = len(fewer[0]["seeds"])
        said.append(f"{name}: the difference to its baseline is over the {count} seeds that both have.")
    return said
