"""`ganglion report DIR`: sees what kind of folder it is, and finds what belongs to it."""

from __future__ import annotations

import json
import logging
import os
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ..data.datalist import FILE_NAME, load_items
from ..errors import InputError
from .provenance import dataset_of, read_json
from .run_report import write_report
from .shell import without_folders

logger = logging.getLogger(__name__)

PathLike = str | os.PathLike[str]

RUN, SCORES, TABLE = "history.csv", "scores.json", "table.json"
KINDS = f"a training run ({RUN}), an evaluation ({SCORES}), a folder with run/ and test/, or a table ({TABLE})"
GENERIC = ("run", "test", "evaluation")  # folders whose name says nothing without their parent's


@dataclass(frozen=True)
class Parts:
    """What a folder holds.

    Attributes:
        run: folder of a training.
        evaluation: folder with scores.json.
        table: folder of a reproduced table.
        commands: the command lines that made it, where the folder remembers them.
        notes: what the folder says of itself that a reader has to know.
    """

    run: Path | None = None
    evaluation: Path | None = None
    table: Path | None = None
    commands: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def find_parts(folder: PathLike) -> Parts:
    """Recognise a training, an evaluation, a row of both, or a table by the files that it holds.

    Raises:
        InputError: if it is none of them.
    """
    place = Path(folder)
    if not place.is_dir():
        raise InputError(f"{place}: found no such folder, expected {KINDS}.")
    if (place / TABLE).is_file():
        return Parts(table=place)
    if (place / RUN).is_file():
        return Parts(run=place, evaluation=place if (place / SCORES).is_file() else None)
    if (place / SCORES).is_file():
        return Parts(evaluation=place)
    run, test = place / "run", place / "test"
    commands, notes = _remembered(place / "row.json")
    parts = Parts(
        run=run if (run / RUN).is_file() else None,
        evaluation=test if (test / SCORES).is_file() else None,
        commands=commands,
        notes=notes,
    )
    if parts.run is None and parts.evaluation is None:
        found = ", ".join(sorted(child.name for child in place.iterdir())[:6]) or "nothing"
        known = (TABLE, RUN, SCORES, f"run/{RUN}", f"test/{SCORES}")
        within = [child for child in sorted(place.iterdir()) if any((child / name).is_file() for name in known)]
        hint = f" Name a folder within it: {within[0]}." if within else ""
        raise InputError(f"{place}: found {found}, expected {KINDS}.{hint}")
    return parts


def report_on(
    folder: PathLike,
    out: PathLike | None = None,
    evaluation: PathLike | None = None,
    dataset: PathLike | None = None,
    section: str = "test",
    compare: PathLike | None = None,
    title: str | None = None,
) -> Path:
    """Write the page of a training, of an evaluation, of both, or of a table.

    Args:
        folder: what to report on, see `find_parts`.
        out: file to write; `folder`/report.html, or table.html of a table, when None.
        evaluation: an evaluation of what was trained in `folder`, where it lies elsewhere.
        dataset: data set that was scored; when None the one that the run, the row or the table names, if it is there.
        section: list of dataset.json that was scored.
        compare: another evaluation of the same subjects, or the folder of its row.
        title: headline; made of the folder's name when None.

    Returns:
        The file.
    """
    place, parts = Path(folder), find_parts(folder)
    if parts.table is not None:
        refused = {"--evaluation": evaluation, "--compare": compare, "--title": title}
        return _table(parts.table, out, dataset, refused)
    scored = parts.evaluation if evaluation is None else _evaluation_of(evaluation, "--evaluation")
    others = {"the other": _evaluation_of(compare, "--compare")} if compare is not None else {}
    if others and scored is None:
        raise InputError(
            f"--compare: {place.name} holds no {SCORES} to compare; name its scores with --evaluation DIR."
        )
    notes = list(parts.notes)
    data = dataset if dataset is not None else _named_dataset(parts, section, scored, notes)
    return write_report(
        out if out is not None else place / "report.html",
        run_dir=parts.run,
        evaluation_dir=scored,
        dataset_dir=data,
        section_name=section,
        title=title or f"Report: {label(place)}",
        compare=others,
        commands=parts.commands,
        notes=notes,
        seeds=1 if parts.run is not None else None,
    )


def label(folder: PathLike) -> str:
    """A folder's name for people; `reference, seed0` where the last part alone says nothing."""
    names = [part for part in Path(os.path.abspath(folder)).parts if part.strip("/\\")] or ["."]
    kept = names[-1:]
    while len(kept) < len(names) and (kept[0] in GENERIC or kept[0].removeprefix("seed").isdigit()):
        kept.insert(0, names[-len(kept) - 1])
    return ", ".join(kept)


def _table(folder: Path, out: PathLike | None, dataset: PathLike | None, refused: Mapping[str, object]) -> Path:
    given = [name for name, value in refused.items() if value is not None]
    if given:
        raise InputError(f"{', '.join(given)}: found on a table, whose page needs its {TABLE} alone; leave it out.")
    from .table_report import write_table_report

    results = read_json(folder / TABLE)
    if not isinstance(results, dict) or not {"rows", "columns", "table"} <= set(results):
        raise InputError(f"{TABLE}: expected the rows and columns of a table that `reproduce` has run.")
    return write_table_report(results, out if out is not None else folder / "table.html", folder, dataset)


def _evaluation_of(folder: PathLike, option: str) -> Path:
    """The folder with scores.json that an option names, itself or in its test/."""
    for place in (Path(folder), Path(folder) / "test"):
        if (place / SCORES).is_file():
            return place
    raise InputError(f"{option} {folder}: found no {SCORES} in it or in its test/, expected an evaluation.")


def _named_dataset(parts: Parts, section: str, scored: Path | None, notes: list[str]) -> str | None:
    """The data set that a folder names, if it can be used; what is missing is said in the notes."""
    named = _option(parts.commands, "--dataset_dir") or (dataset_of(parts.run) if parts.run is not None else "")
    named = _found_from(named, parts.run or parts.evaluation)
    why = ""
    if not named:
        why = "the folder does not say on which data set it was made"
    elif not (Path(named) / FILE_NAME).is_file():
        why = f"the data set {Path(named).name} that it was made on is not there any more"
    elif scored is not None:
        try:
            load_items(named, section, on_missing="take")
        except InputError as error:
            why = f"the list {section} of {Path(named).name} cannot be used ({without_folders(str(error))})"
    if why:
        shown = "No pictures and no fingerprint of the data" if scored is not None else "No fingerprint of the data"
        notes.append(f"{shown}: {why}. Name it with --dataset DIR.")
        logger.warning(notes[-1])
    return None if why else named


def _found_from(named: str, folder: Path | None) -> str:
    """A data set that was named as seen from another working folder, if that one lies above."""
    if not named or folder is None or os.path.isabs(named) or (Path(named) / FILE_NAME).is_file():
        return named
    above = (parent / named for parent in folder.absolute().parents)
    return next((str(place) for place in above if (place / FILE_NAME).is_file()), named)


def _option(commands: list[str], name: str) -> str:
    """The last value that command lines give to an option."""
    found = ""
    for line in commands:
        try:
            words = shlex.split(line)
        except ValueError:  # no closing quotation
            continue
        found = next((value for word, value in zip(words, [*words[1:], ""], strict=True) if word == name), found)
    return found


def _remembered(row_file: Path) -> tuple[list[str], list[str]]:
    """The commands of a row and, where it failed, that it did, from its row.json."""
    try:
        content = json.loads(row_file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return [], []
    if not isinstance(content, dict):
        return [], []
    commands = content.get("commands")
    lines = [str(line) for line in commands] if isinstance(commands, list) else []
    why = without_folders(f"This row failed: {content.get('last_line') or 'no reason was kept'}")
    return lines, [why] if content.get("state") == "failed" else []
