"""The page of a reproduced table: which row is better and how sure one may be, then everything behind it."""

from __future__ import annotations

import os
from pathlib import Path

from . import forest, matrix, table_parts
from .forest import forest_cards, forest_legend, subject_cards
from .html import Markup, folded, join, page, section, tag, warn_box, write_page
from .matrix import has_cells, matrix_table
from .table_parts import (
    answer_section,
    cost_section,
    how_section,
    order_section,
    pairs_section,
    printed_section,
    undone_section,
)
from .table_runs import curve_section, epochs_run, picture_section, read_histories, trouble, unequal_budgets
from .table_words import Results, column_title, names

STYLE = forest.STYLE + matrix.STYLE + table_parts.STYLE


def write_table_report(
    results: Results,
    path: str | os.PathLike[str],
    rows_dir: str | os.PathLike[str] | None = None,
    dataset_dir: str | os.PathLike[str] | None = None,
) -> Path:
    """Write one HTML file that shows a table.

    Args:
        results: the content of a table.json.
        path: file to write.
        rows_dir: folder with `<row>/seed<N>/`, for curves and pictures; left out when None.
        dataset_dir: the data set that was scored, for pictures; `data` beside `rows_dir` when None.

    Returns:
        The path of the file.
    """
    folder = Path(rows_dir) if rows_dir is not None else None
    histories = read_histories(results, folder) if folder is not None else {}
    careful = [("Limits", " ".join(results["warnings"]))] if results["warnings"] else []
    if folder is not None:
        careful += unequal_budgets(results, histories) + trouble(results, folder, histories)
    parts = [
        tag("p", results["question"], class_="lead") if results["question"] else "",
        tag("p", results["paper"], class_="soft") if results["paper"] else "",
        answer_section(results),
        warn_box("Before you trust it", careful),
        _forest_section(results),
        printed_section(results),
        order_section(results),
        _matrix_section(results),
        pairs_section(results),
        _subjects_section(results),
    ]
    if folder is not None:
        data = Path(dataset_dir) if dataset_dir is not None else folder.parent / "data"
        parts += [picture_section(results, folder, data), curve_section(results, histories)]
    parts += [cost_section(results, epochs_run(results, histories)), undone_section(results)]
    parts += [_notes(results), how_section(results)]
    badge = "Simulated data: these numbers say nothing about patients" if results["simulated"] else ""
    return write_page(path, page(results["title"], *parts, badge=badge, style=STYLE))


def _forest_section(results: Results) -> Markup:
    """Means and differences, the first metric open and the others folded."""
    first, *others = results["columns"]
    more = [folded(column_title(column), _forests(results, column)) for column in others]
    return section("Means and differences", forest_legend(results), _forests(results, first), *more)


def _forests(results: Results, column: str) -> Markup:
    return join(
        join(
            (_group_title(results, group["baseline"]), tag("div", *forest_cards(results, group, column), class_="grid"))
        )
        for group in results["groups"]
    )


def _group_title(results: Results, baseline: str | None) -> Markup:
    """Said only where there is more than one group."""
    if len(results["groups"]) < 2:
        return Markup("")
    words = f"Compared with {names(results)[baseline]}" if baseline is not None else "Compared with nothing"
    return tag("h3", words, class_="group")


def _matrix_section(results: Results) -> Markup:
    if not has_cells(results):
        return Markup("")
    first, *others = results["columns"]
    more = [folded(column_title(column), matrix_table(results, column)) for column in others]
    return section("Trained on one, scored on another", matrix_table(results, first), *more)


def _subjects_section(results: Results) -> Markup:
    """A dot for every subject, the first metric open."""
    first, *others = results["columns"]
    words = (
        "One dot a subject, its mean over the seeds. What the test looks at are the differences, subject by subject."
    )
    shown = [(column, _subjects(results, column)) for column in (first, *others)]
    more = [folded(column_title(column), content) for column, content in shown[1:] if content]
    opened = shown[0][1]
    return section("Every subject", tag("p", words, class_="soft"), opened, *more) if opened or more else Markup("")


def _subjects(results: Results, column: str) -> Markup:
    parts = []
    for group in results["groups"]:
        cards = subject_cards(results, group, column)
        if cards:
            parts.append(join((_group_title(results, group["baseline"]), tag("div", *cards, class_="grid"))))
    return join(parts)


def _notes(results: Results) -> Markup:
    return section("Notes", table_parts.sentences(results["notes"])) if results["notes"] else Markup("")
