"""The chapters of a table's page that look into the folders of its rows: curves, signs of trouble, pictures."""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from ..data.datalist import FILE_NAME, load_items, read_dataset_json
from ..errors import InputError
from .charts import Point, line_chart
from .curves import VALIDATION, History, read_history
from .html import Markup, card, image, legend, section, tag
from .overlays import LEGEND, Case, draw, find_cases, largest_slice, pick
from .scores import read_scores, title
from .shell import without_folders
from .table_words import Results, column_title, counted, metric_of, names, number, ranked
from .warning_signs import signs

logger = logging.getLogger(__name__)

OF_THE_TABLE = ("Few test subjects", "One training seed")  # said once for the table, not for each row

Row = Mapping[str, Any]
Histories = dict[str, dict[int, History]]  # row, seed


def seed_folder(rows_dir: Path, row: str, seed: int) -> Path:
    """Where everything of a row with one seed lies."""
    return rows_dir / row / f"seed{seed}"


def read_histories(results: Results, rows_dir: Path) -> Histories:
    """The curves of each training whose folder is there; one that cannot be read is logged and left out."""
    found: Histories = {}
    for row in results["rows"]:
        for seed in results["seeds"]:
            path = seed_folder(rows_dir, row["row"], seed) / "run" / "history.csv"
            if row["trained"] and path.is_file():
                try:
                    found.setdefault(row["row"], {})[seed] = read_history(path)
                except InputError as error:
                    logger.warning("%s, seed %d: %s", row["name"], seed, error)
    return found


def epochs_run(results: Results, histories: Histories) -> dict[str, str]:
    """How many epochs each row was trained, by the curves of its seeds that are done."""
    words = {}
    for row in results["rows"]:
        done = [history for seed, history in histories.get(row["row"], {}).items() if seed in row["seeds_done"]]
        last = {max((points[-1][0] for points in history.values() if points), default=0.0) for history in done}
        if last:
            words[row["row"]] = " to ".join(f"{epoch:.0f}" for epoch in sorted({min(last), max(last)}))
    return words


def unequal_budgets(results: Results, histories: Histories) -> list[tuple[str, str]]:
    """A warning where rows were not trained for as long as each other, since a longer training is no better method."""
    known, run = names(results), epochs_run(results, histories)
    by_epochs: dict[str, list[str]] = {}
    for row, epochs in run.items():
        by_epochs.setdefault(epochs, []).append(known[row])
    if len(by_epochs) < 2:
        return []
    listed = "; ".join(f"{epochs} epochs: {', '.join(rows)}" for epochs, rows in by_epochs.items())
    return [("Unequal budgets", f"{listed}. A row that trains longer may be better for that alone.")]


def curve_section(results: Results, histories: Histories) -> Markup:
    """The validation of each trained row, a line a seed, all on the same axes."""
    drawn = {row: _validation(by_seed) for row, by_seed in histories.items()}
    drawn = {row: lines for row, lines in drawn.items() if lines}
    every = [point for lines in drawn.values() for points in lines.values() for point in points]
    if not every:
        return Markup("")
    corners = [
        (min(x for x, _ in every), min(y for _, y in every)),
        (max(x for x, _ in every), max(y for _, y in every)),
    ]
    known = names(results)
    cards = [card(known[row], line_chart(lines, "epoch", include=corners)) for row, lines in drawn.items()]
    metric = metric_of(next(iter(_metrics(histories[next(iter(drawn))])))).removeprefix("mean_")
    words = f"{title(metric)}, mean of the validation subjects, by epoch; all rows on the same axes."
    return section("Validation during training", tag("p", words, class_="soft"), tag("div", *cards, class_="grid"))


def trouble(results: Results, rows_dir: Path, histories: Histories) -> list[tuple[str, str]]:
    """What looks wrong in the trainings, as (heading, words): each sign once, with the trainings that show it."""
    shown: dict[str, dict[str, dict[int, None]]] = {}
    first: dict[str, str] = {}
    for row in results["rows"]:
        for seed in results["seeds"]:
            history = histories.get(row["row"], {}).get(seed)
            scores = _scores(seed_folder(rows_dir, row["row"], seed) / "test") if seed in row["seeds_done"] else None
            for sentence in signs(history, scores):
                heading, _, words = sentence.partition(": ")
                if heading not in OF_THE_TABLE:
                    shown.setdefault(heading, {}).setdefault(row["name"], {})[seed] = None  # once a training
                    first.setdefault(heading, words)
    return [(heading, _who(by_row, first[heading])) for heading, by_row in shown.items()]


def _who(by_row: Mapping[str, Collection[int]], example: str) -> str:
    """The trainings that show a sign, and what was seen in the first."""
    listed = "; ".join(f"{name}, seed {', '.join(map(str, seeds))}" for name, seeds in by_row.items())
    several = sum(map(len, by_row.values())) > 1
    return f"{listed}. {'In the first of them: ' if several else ''}{example}"


def picture_section(results: Results, rows_dir: Path, dataset_dir: Path) -> Markup:
    """Worst, median and best subject of the best row, and the same subjects in the row that it is compared with."""
    chosen = _two_rows(results)
    if not chosen or not (dataset_dir / FILE_NAME).is_file():
        return Markup("")
    column = results["columns"][0]
    values = chosen[0]["subjects"][column]
    contrast = chosen[0]["cell"][1] if chosen[0]["cell"] else "FLAIR"
    try:
        cases = {row["row"]: _cases(rows_dir, dataset_dir, row, contrast) for row in chosen}
    except InputError as error:
        logger.warning("No pictures: %s", error)
        return Markup("")
    parts = []
    ordered = pick([{"subject": subject, "value": value} for subject, value in values.items()], "value")
    for place, item in ordered:
        cards = [_picture(results, row, cases[row["row"]].get(item["subject"]), place) for row in chosen]
        parts += [
            tag("h3", f"{place.capitalize()}: {item['subject']}", class_="group"),
            tag("div", *cards, class_="grid"),
        ]
    kind = "Simulated scans. " if results["simulated"] else ""
    words = (
        f"{kind}Chosen by {column_title(column)} of \u201c{chosen[0]['name']}\u201d, not by hand; of the first seed. "
        "Axial slice with the largest labelled area; the patient's right is on the right, the front is up."
    )
    return section("The same subjects in two rows", tag("p", words, class_="soft"), legend(LEGEND), *parts)


def _two_rows(results: Results) -> list[Row]:
    """The best row and its baseline; or, where the best row is a baseline, the best of those compared with it."""
    rows = ranked(results, results["columns"][0])
    if not rows:
        return []
    best = rows[0]
    others = [row for row in rows[1:] if row["row"] == best["baseline"]]
    others += [row for row in rows[1:] if row["baseline"] == best["row"]]
    return [best, *others[:1]]


def _cases(rows_dir: Path, dataset_dir: Path, row: Row, contrast: str) -> dict[str, Case]:
    folder = seed_folder(rows_dir, row["row"], row["seeds_done"][0]) / "test"
    items = load_items(dataset_dir, "test", on_missing="take")
    found = find_cases(items, read_dataset_json(dataset_dir).contrasts, folder, contrast)
    return {case.subject: case for case in found}


def _picture(results: Results, row: Row, case: Case | None, place: str) -> Markup:
    if case is None:
        return card(row["name"], tag("p", "Its prediction was not kept.", class_="soft"))
    kind = "simulated " if results["simulated"] else ""
    try:
        shown = largest_slice(case)
    except InputError as error:
        return card(row["name"], tag("p", f"No picture: {without_folders(str(error))}", class_="soft"))
    column = results["columns"][0]
    seeds = counted(len(row["seeds_done"]), "seed")
    value = row["subjects"][column].get(case.subject)
    numbers = "" if value is None else f" One subject: {column_title(column)} {number(value, column)}, mean of {seeds}."
    alt = f"{row['name']}, {place} case, {kind}subject {case.subject}: outlines of label and prediction"
    caption = f"{kind}{case.contrast}, slice {shown.index + 1}.{numbers}"
    return card(row["name"], image(draw(shown), alt), caption=caption)


def _metrics(by_seed: Mapping[int, History]) -> list[str]:
    """Validated metrics, the mean Dice first."""
    every = dict.fromkeys(name for history in by_seed.values() for name, points in history.items() if points)
    found = [name for name in every if name.startswith(f"{VALIDATION}/")]
    return sorted(found, key=lambda name: metric_of(name) != "mean_dice")


def _validation(by_seed: Mapping[int, History]) -> dict[str, Sequence[Point]]:
    metrics = _metrics(by_seed)
    if not metrics:
        return {}
    return {f"seed {seed}": history[metrics[0]] for seed, history in by_seed.items() if history.get(metrics[0])}


def _scores(folder: Path) -> Mapping[str, Any] | None:
    return read_scores(folder) if (folder / "scores.json").is_file() else None
