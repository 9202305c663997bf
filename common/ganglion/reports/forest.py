"""Rows of a table on one axis: mean, interval, a dot for each training; the difference to a baseline; every subject.

Each row is a line of words, which any reader can read, above a strip of drawing, which has words of its own for those
who cannot see it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ..metrics import lower_is_better
from .charts import WIDTH, at, axis, number, rule, text_at
from .html import Markup, card, join, legend, tag
from .table_words import (
    SYMBOLS,
    UNDECIDED,
    WORDS,
    Results,
    column_title,
    interval,
    metric_of,
    names,
    shows_mean,
)
from .table_words import number as shown

EDGE = 12  # from the strip's ends, so that a dot at an end is whole
STRIP, BAR, SEEDS = 24, 8, 18  # height of a strip, of its interval and of its dots

STYLE = """
:root { --good: #14744b; --bad: #a3305c; }
@media (prefers-color-scheme: dark) { :root { --good: #5ecb9a; --bad: #ee88ad; } }
.frow { padding: .35rem 0 .1rem; border-top: 1px solid var(--line); } h3 + .frow { border: 0; }
h3.group { margin: 1.1rem 0 .3rem; }
.fname { display: flex; flex-wrap: wrap; justify-content: space-between; gap: 0 .8rem; font-size: .86rem;
  line-height: 1.3; }
.fname > span:last-child { font-variant-numeric: tabular-nums; color: var(--soft); } .fname .base { font-weight: 600; }
.frow svg, .fscale svg { width: 100%; height: auto; display: block; } .fscale { border-top: 1px solid var(--line); }
.thick { stroke-width: 8; stroke-opacity: .32; } .thin { stroke-width: 1.8; }
.zero { stroke: var(--soft); stroke-width: 1.2; stroke-dasharray: 3 2.5; }
.printed { fill: none; stroke: var(--ink); stroke-width: 1.4; }
.verdict { font-weight: 600; white-space: nowrap; color: var(--soft); }
.verdict.better { color: var(--good); } .verdict.worse { color: var(--bad); }
"""

Row = Mapping[str, Any]
Scale = Callable[[float], float]
COLOURS = {"better": "var(--good)", "worse": "var(--bad)", UNDECIDED: "var(--soft)"}


def forest_cards(results: Results, group: Mapping[str, Any], column: str) -> list[Markup]:
    """Two cards for the rows of a group: means, and differences to the baseline where there are any."""
    rows = _rows_of(results, group)
    cards = [_means_card(results, rows, column, group["baseline"])]
    compared = [row for row in _compared(rows, group) if shows_mean(row["differences"].get(column))]
    if compared:
        cards.append(_differences_card(results, compared, column, group["baseline"]))
    return cards


def subject_cards(results: Results, group: Mapping[str, Any], column: str) -> list[Markup]:
    """Two cards: the value of every subject in each row, and its difference to the same subject in the baseline."""
    rows = [row for row in _rows_of(results, group) if row["subjects"].get(column)]
    values = {row["row"]: row["subjects"][column] for row in rows}
    cards = [_dots_card(f"{column_title(column)} of every subject", rows, values, column, signed=False)] if rows else []
    base = values.get(group["baseline"])
    others = _compared(rows, group)
    if base is not None and others:
        paired = {
            row["row"]: {s: value - base[s] for s, value in values[row["row"]].items() if s in base} for row in others
        }
        title = f"Difference of every subject to {names(results)[group['baseline']]}"
        cards.append(_dots_card(title, others, paired, column, signed=True))
    return cards


def forest_legend(results: Results) -> Markup:
    """What the marks mean."""
    entries = [("mean and its 95 % interval over subjects", "var(--c1)"), ("mean of one training seed", "var(--c0)")]
    entries += [(f"difference: {SYMBOLS[key]} {WORDS[key]}", colour) for key, colour in COLOURS.items()]
    marks = legend(entries)
    words = (
        "Hollow diamond: the number that the paper prints, without n and spread. Dashed: the baseline. The thin line "
        "of a difference is its 95 % interval, the pale bar that over subjects alone."
    )
    return join((marks, tag("p", words, class_="soft")))


def _rows_of(results: Results, group: Mapping[str, Any]) -> list[Row]:
    known = {row["row"]: row for row in results["rows"]}
    return [known[name] for name in group["rows"]]


def _compared(rows: Sequence[Row], group: Mapping[str, Any]) -> list[Row]:
    """Those whose baseline is the group's; a group's baseline may have another one itself."""
    return [row for row in rows if row["baseline"] is not None and row["baseline"] == group["baseline"]]


def _means_card(results: Results, rows: Sequence[Row], column: str, baseline: str | None) -> Markup:
    to_x, marks = axis(_all_values(results, column), EDGE, WIDTH - EDGE)
    base = next((row["metrics"].get(column) for row in rows if row["row"] == baseline), None)
    line = to_x(base["mean"]) if shows_mean(base) and base is not None else None
    parts = [_mean_row(row, column, row["row"] == baseline, to_x, marks, line) for row in rows]
    return card(f"{column_title(column)}, means", *parts, _scale(to_x, marks), caption=_direction_words(column))


def _mean_row(
    row: Row, column: str, is_baseline: bool, to_x: Scale, marks: Sequence[float], line: float | None
) -> Markup:
    summary, printed = row["metrics"].get(column), row["paper"].get(column)
    drawn, alt = [], []
    if shows_mean(summary) and summary is not None:
        drawn.append(_bar(summary["ci95"], to_x, "var(--c1)", "thin"))
        drawn += [_dot(to_x(value), SEEDS, 2.8, "var(--c0)") for value in summary["seed_means"]]
        drawn.append(_dot(to_x(summary["mean"]), BAR, 4.5, "var(--c1)"))
        words = f"{shown(summary['mean'], column)} ({interval(summary['ci95'], column)})"
        alt.append(f"mean {words}, seeds {', '.join(shown(v, column) for v in summary['seed_means'])}")
    else:
        words = {"printed_only": "printed only", "failed": "failed", "missing": "missing"}.get(
            row["state"], "no result"
        )
    if printed is not None:
        drawn.append(_diamond(to_x(printed), BAR))
        alt.append(f"printed {printed}")
    name = f"{row['name']} (baseline)" if is_baseline else row["name"]
    return _row(name, words, _strip(drawn, to_x, marks, line, "; ".join(alt) or words), is_baseline)


def _differences_card(results: Results, rows: Sequence[Row], column: str, baseline: str) -> Markup:
    printed = _printed_differences(results, column)
    every = [0.0, *printed.values()]
    for row in results["rows"]:
        found = row["differences"].get(column)
        if shows_mean(found):
            every += [*found["ci95"], *found["ci95_subjects"], *found["seed_differences"]]
    to_x, marks = axis(every, EDGE, WIDTH - EDGE)
    parts = [_difference_row(row, column, printed.get(row["row"]), to_x, marks) for row in rows]
    title = f"{column_title(column)}, difference to {names(results)[baseline]}"
    return card(title, *parts, _scale(to_x, marks), caption=_direction_words(column))


def _difference_row(row: Row, column: str, printed: float | None, to_x: Scale, marks: Sequence[float]) -> Markup:
    found = row["differences"][column]
    colour = COLOURS[found["verdict"]]
    drawn = [_bar(found["ci95"], to_x, colour, "thin"), _bar(found["ci95_subjects"], to_x, colour, "thick")]
    drawn += [_dot(to_x(value), SEEDS, 2.8, "var(--c0)") for value in found["seed_differences"]]
    drawn.append(_dot(to_x(found["mean"]), BAR, 4.5, colour))
    seeds = ", ".join(shown(value, column, signed=True) for value in found["seed_differences"])
    alt = f"{WORDS[found['verdict']]}; seeds {seeds}; p {found['p_holm']:.2g} after Holm"
    if printed is not None:
        drawn.append(_diamond(to_x(printed), BAR))
        alt += f"; printed difference {shown(printed, column, signed=True)}"
    numbers = f"{shown(found['mean'], column, signed=True)} ({interval(found['ci95'], column, signed=True)}) "
    words = join((numbers, verdict_mark(found["verdict"])))
    return _row(row["name"], words, _strip(drawn, to_x, marks, to_x(0.0), alt), False)


def verdict_mark(verdict: str) -> Markup:
    """The verdict as sign and word, so that nobody needs to see its colour."""
    return tag("span", f"{SYMBOLS[verdict]} {WORDS[verdict]}", class_=f"verdict {verdict}")


def _dots_card(
    title: str, rows: Sequence[Row], values: Mapping[str, Mapping[str, float]], column: str, signed: bool
) -> Markup:
    every = [value for row in values.values() for value in row.values()]
    to_x, marks = axis([*every, 0.0] if signed else every, EDGE, WIDTH - EDGE)
    parts = []
    for row in rows:
        dots = values[row["row"]]
        if not dots:
            continue
        ordered = sorted(dots.values())
        words = f"{shown(ordered[0], column, signed)} to {shown(ordered[-1], column, signed)}"
        drawn = [_dot(to_x(value), 12, 3.6, "var(--c0)", 0.55, subject) for subject, value in dots.items()]
        strip = _strip(drawn, to_x, marks, to_x(0.0) if signed else None, f"one dot for each of {len(dots)} subjects")
        parts.append(_row(row["name"], words, strip, False))
    return card(title, *parts, _scale(to_x, marks), caption=_direction_words(column))


def _all_values(results: Results, column: str) -> list[float]:
    """Everything that has to have a place on the axis of a column, the same in each group."""
    values = [row["paper"][column] for row in results["rows"] if column in row["paper"]]
    for row in results["rows"]:
        summary = row["metrics"].get(column)
        if shows_mean(summary):
            values += [*summary["ci95"], *summary["seed_means"]]
    return values or [0.0, 1.0]


def _printed_differences(results: Results, column: str) -> dict[str, float]:
    """What the paper's own numbers differ by, for the rows that are compared here."""
    printed = {row["row"]: row["paper"][column] for row in results["rows"] if column in row["paper"]}
    compared = [row for row in results["rows"] if column in row["differences"]]
    return {
        row["row"]: printed[row["row"]] - printed[row["baseline"]]
        for row in compared
        if row["row"] in printed and row["baseline"] in printed
    }


def _direction_words(column: str) -> str:
    lower = lower_is_better(metric_of(column))
    return "Further left is better." if lower else "Further right is better."


def _row(name: str, words: object, strip: Markup, is_baseline: bool) -> Markup:
    label = tag("span", name, class_="base") if is_baseline else tag("span", name)
    return tag("div", tag("div", label, tag("span", words), class_="fname"), strip, class_="frow")


def _strip(parts: Sequence[Markup], to_x: Scale, marks: Sequence[float], line: float | None, alt: str) -> Markup:
    grid = [rule(to_x(mark), 0, to_x(mark), STRIP) for mark in marks]
    if line is not None:
        grid.append(tag("line", class_="zero", x1=at(line), x2=at(line), y1=0, y2=STRIP))
    return tag("svg", *grid, *parts, viewBox=f"0 0 {WIDTH} {STRIP}", role="img", aria_label=alt)


def _scale(to_x: Scale, marks: Sequence[float]) -> Markup:
    numbers = [text_at(to_x(mark), 13, number(mark), "middle") for mark in marks]
    return tag("div", tag("svg", *numbers, viewBox=f"0 0 {WIDTH} 16", aria_hidden="true"), class_="fscale")


def _bar(ends: Sequence[float], to_x: Scale, colour: str, class_: str) -> Markup:
    low, high = (to_x(end) for end in ends)
    return tag(
        "line",
        x1=at(low),
        x2=at(max(high, low + 1)),
        y1=BAR,
        y2=BAR,
        stroke=colour,
        stroke_linecap="round",
        class_=class_,
    )


def _dot(x: float, y: float, radius: float, colour: str, opacity: float = 1.0, title: str = "") -> Markup:
    inside = [tag("title", title)] if title else []
    clear = {"fill_opacity": opacity} if opacity < 1 else {}
    return tag("circle", *inside, cx=at(x), cy=y, r=radius, fill=colour, **clear)


def _diamond(x: float, y: float) -> Markup:
    points = " ".join(f"{at(x + dx)},{at(y + dy)}" for dx, dy in ((0, -5), (5, 0), (0, 5), (-5, 0)))
    return tag("polygon", points=points, class_="printed")
