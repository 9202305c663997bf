"""Rows of a table as a matrix, trained on by scored on, with a number in each cell and a colour that says the same."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..metrics import lower_is_better
from .html import Markup, join, tag
from .table_words import Results, column_title, counted, metric_of, number, shows_mean

# One hue from pale to deep, so that lightness alone tells the order, in either scheme and with any colour vision; the
# colour of the words on it is beside it.
LIGHT = (
    ("#f2f6fa", "#1d2327"),
    ("#d9e7f3", "#1d2327"),
    ("#b5d1e8", "#1d2327"),
    ("#86b4d9", "#1d2327"),
    ("#2f77b1", "#ffffff"),
    ("#17588f", "#ffffff"),
    ("#0b3a63", "#ffffff"),
)
DARK = (
    ("#1b2530", "#e7eaec"),
    ("#1f3346", "#e7eaec"),
    ("#234660", "#e7eaec"),
    ("#2a5c80", "#ffffff"),
    ("#6fa8d6", "#10161a"),
    ("#9cc6e8", "#10161a"),
    ("#cfe5f6", "#10161a"),
)
LEVELS = len(LIGHT)


def _levels(colours: Sequence[tuple[str, str]]) -> str:
    return " ".join(f".h{i} {{ background: {back}; color: {ink}; }}" for i, (back, ink) in enumerate(colours))


STYLE = f"""
table.matrix {{ border-collapse: separate; border-spacing: 3px; font-size: .95rem; }}
table.matrix th {{ text-align: center; border: 0; padding: .3rem .5rem; }}
table.matrix tbody th {{ text-align: right; }}
table.matrix td {{ text-align: center; border: 0; border-radius: .35rem; padding: .4rem .6rem; min-width: 5.2rem; }}
table.matrix td.none {{ border: 1px dashed var(--line); color: var(--soft); }} table.matrix b {{ display: block; }}
table.matrix small {{ display: block; font-size: .78rem; white-space: nowrap; color: inherit; }}
table.matrix caption {{ text-align: left; padding: 0 0 .3rem; }}
{_levels(LIGHT)}
@media (prefers-color-scheme: dark) {{ {_levels(DARK)} }}
"""


def has_cells(results: Results) -> bool:
    """Whether the table's rows have places in a matrix."""
    return any(row["cell"] for row in results["rows"])


def matrix_table(results: Results, column: str) -> Markup:
    """A row for what was trained on, a column for what was scored on; deeper is better."""
    rows = [row for row in results["rows"] if row["cell"]]
    trained, scored = (list(dict.fromkeys(row["cell"][side] for row in rows)) for side in (0, 1))
    shown = [row["metrics"][column]["mean"] for row in rows if shows_mean(row["metrics"].get(column))]
    ends = (min(shown), max(shown)) if shown else (0.0, 1.0)
    corner = tag("th", "trained on / scored on", scope="col")
    head = tag("tr", corner, *(tag("th", name, scope="col") for name in scored))
    body = []
    for name in trained:
        cells = []
        for other in scored:
            here = [row for row in rows if list(row["cell"]) == [name, other]]
            cells.append(_cell(here, column, ends))
        body.append(tag("tr", tag("th", name, scope="row"), *cells))
    caption = tag("caption", _caption(results, rows, column), class_="soft")
    table = tag("table", caption, tag("thead", head), tag("tbody", *body), class_="matrix")
    return tag("div", table, class_="scroll", tabindex="0")


def level(value: float, ends: tuple[float, float], lower: bool) -> int:
    """How deep the colour of a value is: 0 for the worst of the matrix, LEVELS - 1 for the best."""
    low, high = ends
    share = 0.5 if high == low else (value - low) / (high - low)
    return min(LEVELS - 1, int((1 - share if lower else share) * LEVELS))


def _caption(results: Results, rows: Sequence[Mapping[str, Any]], column: str) -> str:
    """What the numbers are, with their n."""
    sizes = sorted({row["metrics"][column]["n"] for row in rows if shows_mean(row["metrics"].get(column))})
    subjects = " or ".join(map(str, sizes)) or "no"
    kind = "simulated " if results["simulated"] else ""
    best = "lowest" if lower_is_better(metric_of(column)) else "highest"
    return (
        f"{column_title(column)}: mean and sd between subjects ({subjects} {kind}subjects, "
        f"{counted(len(results['seeds']), 'training seed')}); the deepest colour is the {best} mean."
    )


def _cell(rows: Sequence[Mapping[str, Any]], column: str, ends: tuple[float, float]) -> Markup:
    """The numbers of all rows with this place, in the colour of the first that has one."""
    shown = [row for row in rows if shows_mean(row["metrics"].get(column))]
    if not shown:
        return tag("td", rows[0]["state"] if rows else "not in the table", class_="none")
    means = [row["metrics"][column] for row in shown]
    depth = level(means[0]["mean"], ends, lower_is_better(metric_of(column)))
    parts = []
    for row, summary in zip(shown, means, strict=True):
        spread = tag("small", f"sd {number(summary['sd'], column)}")
        printed = tag("small", f"printed {row['paper'][column]:g}") if column in row["paper"] else ""
        parts.append(join((tag("b", number(summary["mean"], column)), spread, printed)))
    return tag("td", *parts, class_=f"h{depth}", title="; ".join(row["name"] for row in shown))
