"""The report of a run: scores with their spread, pictures of single cases, curves, and what was run on what."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..data.datalist import load_items, read_dataset_json
from ..errors import InputError
from . import scores as tables
from .curves import curve_cards, no_curves, read_history
from .environment import describe_environment
from .html import Markup, card, facts, image, join, legend, page, section, tag, write_page
from .overlays import LEGEND, Case, draw, find_cases, largest_slice, pick
from .provenance import command_of, describe_data, is_simulated, settings_of, warnings_of
from .shell import without_folders

logger = logging.getLogger(__name__)

PathLike = str | os.PathLike[str]

ORIENTATION = "Axial slice with the largest labelled area; the patient's right is on the right, the front is up."


def write_report(
    out_html: PathLike,
    run_dir: PathLike | None = None,
    evaluation_dir: PathLike | None = None,
    dataset_dir: PathLike | None = None,
    section_name: str = "test",
    predictions_dir: PathLike | None = None,
    title: str = "Report",
    name: str = "this run",
    compare: Mapping[str, PathLike] | None = None,
    commands: Sequence[str] = (),
    notes: Sequence[str] = (),
    simulated: bool | None = None,
    contrast: str = "FLAIR",
    logs: Sequence[PathLike] = (),
) -> Path:
    """Write one HTML file that shows a training, an evaluation, or both.

    Args:
        out_html: file to write; its folder is made.
        run_dir: run folder of a training: curves and settings.
        evaluation_dir: folder with scores.json.
        dataset_dir: data set that was scored: fingerprint, and the images behind the pictures.
        section_name: list of dataset.json that was scored.
        predictions_dir: folder with `<subject>_pred.nii.gz`; `evaluation_dir` when None.
        title: headline.
        name: what the scored weights are called where they are compared.
        compare: name and evaluation folder of others, scored on the same subjects.
        commands: the command lines that were run, in order; when empty, the one that the run folder remembers.
        notes: sentences that the reader has to know.
        simulated: whether the data are simulated; None asks the data set's own name and description.
        contrast: contrast to show in the pictures, where there is one.
        logs: further logs whose warnings the reader has to know; the run's own log.txt is read anyway.

    Returns:
        The path of the file.
    """
    if run_dir is None and evaluation_dir is None:
        raise InputError("A report needs the folder of a training or of an evaluation, or both; found neither.")
    data = describe_data(Path(dataset_dir)) if dataset_dir else {}
    simulated = is_simulated(data) if simulated is None and data else bool(simulated)
    remarks = list(notes)
    parts: list[Markup] = []
    if evaluation_dir is not None:
        scores = tables.read_scores(Path(evaluation_dir))
        others = {other: tables.read_scores(Path(folder)) for other, folder in (compare or {}).items()}
        parts.append(_score_section(scores, others, name, simulated))
        if dataset_dir is not None:
            cases = _cases(Path(dataset_dir), section_name, Path(predictions_dir or evaluation_dir), contrast)
            parts.append(_picture_section(scores, cases, simulated, remarks))
    parts.append(section("Curves", _curves(run_dir)))
    known = [Path(log) for log in logs] + ([Path(run_dir) / "log.txt"] if run_dir is not None else [])
    parts.append(_warning_section(warnings_of(known)))
    parts.append(_provenance_section(run_dir, data, commands, simulated))
    warning = "Simulated data: these numbers say nothing about patients" if simulated else ""
    lead = join(tag("p", remark) for remark in remarks)
    return write_page(out_html, page(title, lead, *parts, badge=warning))


def _score_section(scores: tables.Scores, others: Mapping[str, tables.Scores], name: str, simulated: bool) -> Markup:
    kind = "simulated " if simulated else ""
    subjects = len({row["subject"] for row in scores["subjects"]})
    lead = f"{', '.join(scores['summary'])}; {subjects} {kind}subjects, each scored on its whole volume."
    return section(
        "Scores",
        tag("p", lead),
        tables.comparison_table(scores, others, name) if others else tables.summary_table(scores),
        tables.empty_note(scores),
        tag("div", *tables.strip_cards(scores), class_="grid"),
        legend((("one subject", "var(--c0)"), ("mean and its 95 % interval", "var(--c1)"))),
        _folded("Every subject", tables.subject_table(scores)),
        _folded("What the numbers mean", tables.definition_list(scores)),
    )


def _cases(dataset_dir: Path, section_name: str, predictions: Path, contrast: str) -> dict[str, Case]:
    contrasts = read_dataset_json(dataset_dir).contrasts
    items = load_items(dataset_dir, section_name)
    return {case.subject: case for case in find_cases(items, contrasts, predictions, contrast)}


def _picture_section(scores: tables.Scores, cases: Mapping[str, Case], simulated: bool, remarks: list[str]) -> Markup:
    cards = []
    for place, row in pick(scores["subjects"]):
        case = cases.get(row["subject"])
        if case is None:
            remarks.append(f"No picture of {row['subject']} ({place}): its prediction or its label was not found.")
            logger.warning(remarks[-1])
            continue
        cards.append(_picture(place, row, case, simulated))
    kind = "Simulated scans. " if simulated else ""
    intro = tag("p", f"{kind}Chosen by Dice, not by hand. {ORIENTATION}", class_="soft")
    return section("Worst, median and best case", intro, legend(LEGEND), tag("div", *cards, class_="grid"))


def _picture(place: str, row: Mapping[str, Any], case: Case, simulated: bool) -> Markup:
    shown = largest_slice(case)
    kind = "simulated " if simulated else ""
    numbers = f"Dice {row['dice']:.3f}, HD95 {row['hd95_mm']:.1f} mm, volume error {row['volume_error_ml']:+.1f} ml"
    alt = f"{place} case, {kind}subject {row['subject']}: outlines of label and prediction, and their differences"
    caption = f"{kind}{case.contrast}, slice {shown.index + 1}. One subject: {numbers}."
    return card(f"{place.capitalize()}: {row['subject']}", image(draw(shown), alt), caption=caption)


def _curves(run_dir: PathLike | None) -> Markup:
    if run_dir is None:
        return no_curves()
    path = Path(run_dir) / "history.csv"
    if not path.is_file():
        raise InputError(f"history.csv: found none in {path.parent.name}, expected the folder of a training run.")
    return tag("div", *curve_cards(read_history(path)), class_="grid")


def _warning_section(sentences: Sequence[str]) -> Markup:
    """Fallbacks and oddities of the run; nothing where there was none."""
    return section("Warnings", tag("ul", *(tag("li", said) for said in sentences))) if sentences else Markup("")


def _provenance_section(
    run_dir: PathLike | None, data: Mapping[str, str], commands: Sequence[str], simulated: bool
) -> Markup:
    cards: list[Markup] = []
    if run_dir is not None and not commands:
        commands = command_of(Path(run_dir))
    if data:
        kind = "simulated" if simulated else "as the data set describes it"
        cards.append(card("Data", facts({**data, "kind": kind})))
    if run_dir is not None:
        cards.append(card("Settings and seeds of the training", facts(settings_of(Path(run_dir)))))
    cards.append(card("Software and device", facts(describe_environment())))
    lines = [tag("pre", without_folders(command)) for command in commands]
    return section("What was run", *lines, tag("div", *cards, class_="grid"))


def _folded(title: str, content: Markup) -> Markup:
    return tag("details", tag("summary", title), content)
