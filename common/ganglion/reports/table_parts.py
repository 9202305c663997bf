"""The chapters of a table's page that are tables and sentences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from .forest import verdict_mark
from .html import Markup, card, definitions, escape, facts, folded, join, section, table, tag
from .scores import title
from .table_words import (
    NOTHING,
    Results,
    Said,
    answers,
    column_title,
    counted,
    direction,
    how_sure,
    interval,
    leader,
    metric_of,
    names,
    number,
    order_sentences,
    p_words,
    shows_mean,
    usual_base,
)

STYLE = """
.lead { font-size: 1.12rem; margin-top: .9rem; }
ul.answers { list-style: none; padding: 0; margin: .6rem 0; max-width: 60rem; }
ul.answers li { display: grid; grid-template-columns: 8.2rem 1fr; gap: .6rem; padding: .4rem 0;
  border-top: 1px solid var(--line); }
ul.plain { padding-left: 1.1rem; max-width: 52rem; } ul.plain li { margin: .3rem 0; }
td small, th small { display: block; }
td small { color: var(--soft); font-size: .8rem; } .wide td { vertical-align: top; }
.wide td, .wide th { padding-left: .45rem; padding-right: .45rem; }
.wide td:first-child { white-space: normal; min-width: 11rem; } table .base { font-weight: 600; }
.wide td:first-child, .wide th:first-child { position: sticky; left: 0; background: var(--paper); padding-left: 0; }
.wide th { white-space: normal; vertical-align: bottom; }
@media (max-width: 600px) { ul.answers li { grid-template-columns: 1fr; gap: 0; } .wide td:first-child {
  min-width: 8rem; } }
"""
REASONS = {"printed_only": "not run", "failed": "failed", "missing": "missing", "done": "not shown"}

Row = Mapping[str, Any]


def answer_section(results: Results) -> Markup:
    """The answer in sentences, first the one metric that the table puts first, then all at a glance."""
    column = results["columns"][0]
    if not any(row["metrics"] for row in results["rows"]):
        return section("Answer", tag("p", "No row has a result yet.", class_="lead"))
    sure = join(tag("p", words, class_="soft") for words in how_sure(results))
    parts = [part for group in results["groups"] for part in _group_answers(results, column, group)]
    compared = any(row["differences"] for row in results["rows"])
    glance = _glance(results) if compared and len(results["columns"]) > 1 else ""
    return section("Answer", *parts, sure, glance)


def _group_answers(results: Results, column: str, group: Mapping[str, Any]) -> list[Markup]:
    """The best row of a group, and what is said of each below the words that hold for all of them."""
    best, baseline = leader(results, column, group), group["baseline"]
    parts = [tag("p", best, class_="lead")] if best else []
    if baseline is None:
        return parts
    base = usual_base(results, column, baseline)
    words = join(("Compared with ", tag("b", names(results)[baseline]), f", on {base}:" if base else ":"))
    items = (tag("li", verdict_mark(said.verdict), _named(said)) for said in answers(results, column, baseline))
    return [*parts, tag("p", words), tag("ul", *items, class_="answers")]


def _named(said: Said) -> Markup:
    """A sentence in which the row that it is about stands out."""
    before, name, after = said.text.partition(said.name)
    return tag("span", before, tag("b", name), after)


def _glance(results: Results) -> Markup:
    """Every verdict, a row a line and a metric a column."""
    columns, known = results["columns"], names(results)
    compared = [row for row in results["rows"] if row["baseline"] is not None]
    baselines = {row["baseline"] for row in compared}
    rows = []
    for row in compared:
        small = tag("small", f"to {known[row['baseline']]}") if len(baselines) > 1 else ""
        rows.append((join((row["name"], small)), *(_verdict_cell(row, column) for column in columns)))
    first = "Row" if len(baselines) > 1 else f"Compared with {known[baselines.pop()]}"
    heads = (first, *(join((column_title(c), tag("small", direction(c)))) for c in columns))
    return wide(heads, rows)


def _verdict_cell(row: Row, column: str) -> Markup:
    found = row["differences"].get(column)
    if not shows_mean(found):
        return verdict_mark(NOTHING)
    words = f"{number(found['mean'], column, signed=True)}; p {p_words(found['p_holm'])}"
    return join((verdict_mark(found["verdict"]), tag("small", words)))


def printed_section(results: Results) -> Markup:
    """Our numbers beside the printed ones."""
    cells = {column: [_mean_cell] for column in results["columns"]}
    for row in results["rows"]:
        for column in row["paper"]:
            cells[column] = [_mean_cell, _printed_cell]
    words = {_mean_cell: "here", _printed_cell: "printed"}
    heads = [join((column_title(c), tag("small", words[cell]))) for c in cells for cell in cells[c]]
    rows = []
    for row in results["rows"]:
        numbers = (cell(row, column) for column in cells for cell in cells[column])
        rows.append((_name_cell(results, row), _subjects(row), _seeds(results, row), *numbers))
    note = (
        "Here: the mean, its 95 % interval over subjects, sd between subjects, and sd between the means of the seeds. "
        f"Printed: {results['paper'] or 'the paper'}; without n and spread."
    )
    if results["simulated"]:
        note += (
            " The printed numbers are of the paper's patients, ours of simulated subjects: compare the order of rows "
        )
        note += "and their differences, not the values."
    where = {row["name"]: row["where"] for row in results["rows"] if row["where"]}
    places = folded("Where each number is printed", facts(where)) if where else ""
    return section(
        "Ours and the paper's", wide(("Row", "n", "Seeds", *heads), rows), tag("p", note, class_="soft"), places
    )


def _mean_cell(row: Row, column: str) -> Markup:
    summary = row["metrics"].get(column)
    if not shows_mean(summary) or summary is None:
        return tag("span", REASONS[row["state"]], class_="soft")
    lines = [interval(summary["ci95"], column), f"sd {number(summary['sd'], column)}"]
    lines += [] if summary["seed_sd"] is None else [f"seeds sd {number(summary['seed_sd'], column)}"]
    return join((number(summary["mean"], column), *(tag("small", line) for line in lines)))


def _printed_cell(row: Row, column: str) -> Markup:
    return escape(f"{row['paper'][column]:g}" if column in row["paper"] else "–")


def _name_cell(results: Results, row: Row) -> Markup:
    base = any(row["row"] == group["baseline"] for group in results["groups"])
    return join((row["name"], tag("small", "baseline"))) if base else join((row["name"],))


def _subjects(row: Row) -> str:
    return str(max((summary["n"] for summary in row["metrics"].values()), default="–"))


def _seeds(results: Results, row: Row) -> str:
    if row["state"] == "printed_only":
        return "–"
    return f"{len(row['seeds_done'])} of {len(results['seeds'])}"


def order_section(results: Results) -> Markup:
    """The paper's order of the rows and ours; nothing where too little is printed."""
    said = {column: order_sentences(results, column) for column in results["columns"]}
    first, *others = said
    rest = [sentence for column in others for sentence in said[column]]
    more = folded("The other metrics", sentences(rest)) if rest else ""
    return section("The paper's order and ours", sentences(said[first]), more) if any(said.values()) else Markup("")


def pairs_section(results: Results) -> Markup:
    """Any two rows of a group, for questions that the baseline does not answer."""
    pairs = results["pairs"]
    compared = {(row["row"], row["baseline"]) for row in results["rows"]}
    if all((pair["of"], pair["to"]) in compared for pair in pairs):
        return Markup("")
    column, known = results["columns"][0], names(results)
    rows = []
    for pair in pairs:
        if shows_mean(pair):
            numbers = (number(pair["mean"], column, signed=True), interval(pair["ci95"], column, signed=True))
            pieces = (known[pair["of"]], tag("small", f"to {known[pair['to']]}"))
            rows.append(
                (join(pieces), *numbers, str(pair["n"]), p_words(pair["p_holm"]), verdict_mark(pair["verdict"]))
            )
    heads = ("Row", f"{column_title(column)}, difference", "95 % interval", "n", "p (Holm)", "Verdict")
    words = (
        "Corrected by Holm over the pairs of rows that belong together. These comparisons were not planned beforehand."
    )
    inside = join((tag("p", words, class_="soft"), wide(heads, rows)))
    return section("Any two rows", folded(f"{counted(len(rows), 'pair')}, {column_title(column)}", inside))


def cost_section(results: Results, epochs: Mapping[str, str]) -> Markup:
    """Time and memory of each row, and what was not done."""
    rows = []
    for row in results["rows"]:
        if row["state"] != "printed_only":
            time = "–" if row["seconds"] is None else duration(row["seconds"])
            peak = "–" if row["peak_mib"] is None else f"{row['peak_mib']:,.0f} MiB"
            trained = epochs.get(row["row"], "–") if row["trained"] else "not trained"
            rows.append((row["name"], _seeds(results, row), trained, time, peak))
    heads = ("Row", "Seeds done", "Epochs", "Time a seed", "Peak memory")
    words = (
        "Wall time of training and scoring, summed over interrupted parts; the largest memory of any of its processes."
    )
    return section("Time and memory", wide(heads, rows), tag("p", words, class_="soft"))


def undone_section(results: Results) -> Markup:
    """Rows that failed or are missing, with the reason; nothing where there are none."""
    rows = [(row["name"], row["state"], row["why"]) for row in results["rows"] if row["why"]]
    words = [f"{name} ({state}): {why}" for name, state, why in rows]
    return section("Not done", sentences(words)) if rows else Markup("")


def how_section(results: Results) -> Markup:
    """How it was tested, on what, with what, and every command."""
    lines = [folded(row["name"], join(tag("pre", line) for line in row["commands"])) for row in results["rows"]]
    commands = join(line for line, row in zip(lines, results["rows"], strict=True) if row["commands"])
    cards = [card("Data", facts({**results["data"], "kind": "simulated" if results["simulated"] else ""}))]
    setting = {"bundle": results["bundle"], "table": results["table"], "scale": results["scale"]}
    cards.append(card("Table", facts({**setting, "training seeds": ", ".join(map(str, results["seeds"]))})))
    cards.append(card("Software and device that wrote this page", facts(results["environment"])))
    sizes = {metric_of(column) for column in results["columns"] if metric_of(column).endswith("_ml")}
    meaning = {
        title(name): f"{words}; this table takes its size, without the sign" if name in sizes else words
        for name, words in results["definitions"].items()
    }
    parts = [tag("p", results["test"]), tag("div", *(c for c in cards if c), class_="grid")]
    parts.append(folded("What the numbers mean", definitions(meaning)))
    if commands:
        first = "As they were typed for the first seed; the others differ in the seed and in the folder."
        parts.append(folded("The commands of each row", join((tag("p", first, class_="soft"), commands))))
    return section("How it was done", *parts)


def sentences(said: Sequence[str]) -> Markup:
    """A list of sentences."""
    return tag("ul", *(tag("li", sentence) for sentence in said), class_="plain")


def wide(heads: Sequence[object], rows: Sequence[Sequence[object]]) -> Markup:
    """A table with names that may wrap."""
    return tag("div", table(heads, rows), class_="wide")


def duration(seconds: float) -> str:
    """Seconds, minutes or hours, whatever reads best."""
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"
