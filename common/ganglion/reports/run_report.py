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
from .curves import History, curve_cards, no_curves, read_history
from .html import Markup, card, folded, image, join, legend, page, section, tag, warn_box, write_page
from .overlays import LEGEND, Case, draw, find_cases, largest_slice, pick
from .provenance import describe_data, is_simulated, warnings_of
from .shell import capital
from .viewer import viewers
from .warning_signs import signs
from .what_was_run import provenance_section

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
    seeds: int | None = None,
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
        seeds: how many trainings the scores come from, where that is known.

    Returns:
        The path of the file.
    """
    if run_dir is None and evaluation_dir is None:
        raise InputError("A report needs the folder of a training or of an evaluation, or both; found neither.")
    data = describe_data(Path(dataset_dir)) if dataset_dir else {}
    simulated = is_simulated(data) if simulated is None and data else bool(simulated)
    remarks = list(notes)
    history = _history(Path(run_dir)) if run_dir is not None else {}
    scores = tables.read_scores(Path(evaluation_dir)) if evaluation_dir is not None else None
    parts: list[Markup] = []
    if scores is not None and evaluation_dir is not None:
        others = {other: tables.read_scores(Path(folder)) for other, folder in (compare or {}).items()}
        parts.append(_score_section(scores, others, name, simulated))
        if dataset_dir is not None:
            cases = _cases(Path(dataset_dir), section_name, Path(predictions_dir or evaluation_dir), contrast)
            parts += _picture_sections(scores, cases, simulated, remarks)
    parts.append(section("Curves", _curves(history) if run_dir is not None else no_curves()))
    known = [Path(log) for log in logs] + ([Path(run_dir) / "log.txt"] if run_dir is not None else [])
    parts.append(_warning_section(warnings_of(known)))
    parts.append(provenance_section(run_dir, scores, data, commands, simulated))
    warning = "Simulated data: these numbers say nothing about patients" if simulated else ""
    lead = join(tag("p", remark) for remark in remarks)
    careful = [tuple(words.split(": ", 1)) for words in signs(history, scores, seeds)]
    box = warn_box("Read this first", [(heading, words) for heading, words in careful])
    return write_page(out_html, page(title, box, lead, *parts, badge=warning, scripts=True))


def _score_section(scores: tables.Scores, others: Mapping[str, tables.Scores], name: str, simulated: bool) -> Markup:
    kind = "simulated " if simulated else ""
    subjects = len({row["subject"] for row in scores["subjects"]})
    lead = f"{capital(', '.join(scores['summary']))}; {subjects} {kind}subjects, each scored on its whole volume."
    return section(
        "Scores",
        tag("p", lead),
        tables.comparison_table(scores, others, name) if others else tables.summary_table(scores),
        tables.empty_note(scores),
        tag("div", *tables.strip_cards(scores), class_="grid"),
        legend((("one subject", "var(--c0)"), ("mean and its 95 % interval", "var(--c1)"))),
        folded("Every subject", tables.subject_table(scores)),
        folded("What the numbers mean", tables.definition_list(scores)),
    )


def _cases(dataset_dir: Path, section_name: str, predictions: Path, contrast: str) -> dict[str, Case]:
    contrasts = read_dataset_json(dataset_dir).contrasts
    items = load_items(dataset_dir, section_name, on_missing="take")
    return {case.subject: case for case in find_cases(items, contrasts, predictions, contrast)}


def _picture_sections(
    scores: tables.Scores, cases: Mapping[str, Case], simulated: bool, remarks: list[str]
) -> list[Markup]:
    """The chosen cases as pictures, and the same to click through."""
    cards, chosen = [], []
    for place, row in pick(scores["subjects"]):
        case = cases.get(row["subject"])
        if case is None:
            remarks.append(f"No picture of {row['subject']} ({place}): its prediction or its label was not found.")
            logger.warning(remarks[-1])
            continue
        cards.append(_picture(place, row, case, simulated))
        chosen.append((f"{place}: {row['subject']}, Dice {row['dice']:.3f}", case))
    kind = "Simulated scans. " if simulated else ""
    intro = tag("p", f"{kind}Chosen by Dice, not by hand. {ORIENTATION}", class_="soft")
    still = section("Worst, median and best case", intro, legend(LEGEND), tag("div", *cards, class_="grid"))
    if not chosen:
        return [still]
    how = f"{kind}Click or drag in a plane, and the other two follow; the slider fades the colours. Coordinates in mm."
    return [still, section("Look around", tag("p", how, class_="soft"), legend(LEGEND), viewers(chosen))]


def _picture(place: str, row: Mapping[str, Any], case: Case, simulated: bool) -> Markup:
    shown = largest_slice(case)
    kind = "simulated " if simulated else ""
    numbers = f"Dice {row['dice']:.3f}, HD95 {row['hd95_mm']:.1f} mm, volume error {row['volume_error_ml']:+.1f} ml"
    alt = f"{place} case, {kind}subject {row['subject']}: outlines of label and prediction, and their differences"
    caption = f"{capital(kind + case.contrast)}, slice {shown.index + 1}. One subject: {numbers}."
    return card(f"{capital(place)}: {row['subject']}", image(draw(shown), alt), caption=caption)


def _history(run_dir: Path) -> History:
    path = run_dir / "history.csv"
    if not path.is_file():
        raise InputError(f"history.csv: found none in {run_dir.name}, expected the folder of a training run.")
    return read_history(path)


def _curves(history: History) -> Markup:
    cards = curve_cards(history)
    return tag("div", *cards, class_="grid") if cards else tag("p", "No epoch was finished.", class_="soft")


def _warning_section(sentences: Sequence[str]) -> Markup:
    """Fallbacks and oddities of the run; nothing where there was none."""
    return section("Warnings", tag("ul", *(tag("li", said) for said in sentences))) if sentences else Markup("")
