"""From what a layout's `find` learned to a data set: names, links or copies, the split, and `dataset.json`."""

import inspect
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...errors import InputError
from ...keys import IMAGE, LABEL, SECTIONS, SUBJECT
from ..codes import NAMED_MAPS
from ..datalist import FILE_NAME, write_dataset_json
from ..findings import FileError
from ..naming import canonical_contrast, safe_subject
from ..splits import SPLIT_SECTIONS, split_subjects
from . import bids, brats, brats2015, dicom, folder, iseg, mrbrains13, mrbrains18, msd
from .cases import Case, Source
from .place import Placer

_FINDERS: dict[str, Callable[..., Source]] = {
    "brats2015": brats2015.find,
    "brats": brats.find,
    "msd": msd.find,
    "iseg2017": iseg.find_2017,
    "iseg2019": iseg.find_2019,
    "mrbrains13": mrbrains13.find,
    "mrbrains18": mrbrains18.find,
    "bids": bids.find,
    "dicom": dicom.find,
    "folder": folder.find,
}
LAYOUTS = tuple(_FINDERS)


@dataclass(frozen=True)
class Conversion:
    """What `convert` did.

    Attributes:
        path: the `dataset.json` written.
        contrasts: names of the channels in order.
        counts: list name -> number of subjects.
        label_map: code in the files -> Ganglion's code, None if they agree.
        notes: what the user should know.
    """

    path: Path
    contrasts: tuple[str, ...]
    counts: dict[str, int]
    label_map: dict[int, int] | None
    notes: tuple[str, ...]

    def summary(self) -> str:
        """A few lines for the user, the next command last."""
        counts = ", ".join(f"{count} {name}" for name, count in self.counts.items() if count)
        lines = [f"{self.path}: {counts}; contrasts {', '.join(self.contrasts)}"]
        if self.label_map:
            lines.append(
                "label codes mapped on loading: " + ", ".join(f"{a} -> {b}" for a, b in self.label_map.items())
            )
        return "\n".join([*lines, *self.notes, f"next: python -m ganglion data check {self.path.parent}"])


def convert(
    layout: str,
    src: str | Path,
    dst: str | Path,
    seed: int = 0,
    fractions: Sequence[float] = (0.8, 0.1, 0.1),
    copy: bool = False,
    contrasts: Sequence[str] | str | None = None,
    label_map: Mapping[Any, int] | str | None = None,
    sections: Mapping[str, Sequence[str] | str] | None = None,
    resample_to: str | None = None,
    overwrite: bool = False,
    **options: Any,
) -> Conversion:
    """Make a data set from a folder in a known layout.

    Images stay where they are: files below `dst` are named as they are, others get a link in `dst/<subject>/`. What no
    file holds in a form that can be read (DICOM series, Analyze pairs) is written there as NIfTI.

    Args:
        layout: one of `LAYOUTS`.
        src: the source folder.
        dst: the data set's folder; may be `src` itself.
        seed: of the split, recorded.
        fractions: shares of training, validation and test; subjects without a label go to "unlabeled".
        copy: copy the images into `dst` instead of linking to them.
        contrasts: contrasts to take, in order; the layout's own by default.
        label_map: code in the files -> Ganglion's, as "4:3,1:1", or a name of `NAMED_MAPS`.
        sections: list name -> subjects, instead of a drawn split; subjects that are not named are left out.
        resample_to: "first" writes files on another grid anew on the grid of their subject's first contrast.
        overwrite: replace a `dataset.json` that was made otherwise, and files in the way of copies.
        options: of some layouts alone; None and False mean the same as leaving one out.
            label_name ("folder", "bids", "mrbrains13"): how a label's name ends.
            contrast_map ("dicom", "bids"): contrast -> pattern of its series' description or its files' names, also as
            "T1=*MPRAGE*,FLAIR=*dark?fluid*".
            subjects ("dicom"): table patient,subject that names the subjects; written, with numbers, if there is none.
            remove ("mrbrains13", "mrbrains18"): set cerebellum, brain stem and what else is not scored to 0 in the
            images.

    Raises:
        InputError: telling what is wrong and how to mend it.
    """
    if layout not in _FINDERS:
        raise InputError(f"layout {layout!r} is not known, expected one of {', '.join(LAYOUTS)}.")
    if resample_to not in (None, "first"):
        raise InputError(f"resample_to: found {resample_to!r}, expected 'first' or nothing.")
    source_dir, folder_dir = Path(src), Path(dst)
    if not source_dir.is_dir():
        raise FileError(source_dir, "no such folder", f"images in layout '{layout}'", "Correct SRC.")
    _keep_foreign_json(folder_dir / FILE_NAME, layout, overwrite)
    source = _find(layout, source_dir, folder_dir, _names(contrasts), _map_of(label_map), options)
    cases = _by_safe_name(source_dir, source.cases)
    lists = _lists(cases, fractions, seed, sections)
    for subject in (subject for own in lists.values() for subject in own):
        _judge(cases[subject])
    placer = Placer(folder_dir, source.contrasts, copy, overwrite, resample_to == "first")
    entries = {name: [_entry(placer, cases[subject], subject) for subject in own] for name, own in lists.items()}
    name = folder_dir.resolve().name
    content = _content(layout, source, entries, seed, fractions, sections is not None, name)
    path = write_dataset_json(folder_dir, content)
    counts = {name: len(own) for name, own in entries.items()}
    return Conversion(path, source.contrasts, counts, source.label_map, (*source.notes, *placer.notes))


def _find(
    layout: str,
    src: Path,
    dst: Path,
    contrasts: Sequence[str] | None,
    label_map: dict[int, int] | None,
    options: Mapping[str, Any],
) -> Source:
    # A data set below its source holds links from a conversion before; they are no subjects.
    leave_out = dst if dst.resolve() != src.resolve() and dst.resolve().is_relative_to(src.resolve()) else None
    leave_out = src / dst.resolve().relative_to(src.resolve()) if leave_out else None
    takes = {name: set(inspect.signature(find).parameters) for name, find in _FINDERS.items()}
    given = {name: _OPTIONS.get(name, str)(value) for name, value in options.items() if value}
    for name in given:
        if name not in _OPTIONS or name not in takes[layout]:
            fitting = ", ".join(f"'{other}'" for other in LAYOUTS if name in takes[other]) or "that know it"
            said = name.removeprefix("contrast_")  # --map on the command line
            raise InputError(f"{said} is for the layouts {fitting}, found layout '{layout}'.")
    if "dst" in takes[layout]:
        given["dst"] = dst
    if "label_map" in takes[layout]:
        return _FINDERS[layout](src, contrasts, leave_out, label_map=label_map, **given)
    source = _FINDERS[layout](src, contrasts, leave_out, **given)
    source.label_map = source.label_map if label_map is None else label_map
    return source


def _names(contrasts: Sequence[str] | str | None) -> list[str] | None:
    return [canonical_contrast(name) for name in _listed(contrasts)] if contrasts else None


def _listed(given: Any) -> list[str]:
    """Names from a list, from one name, or from `a,b` as a command line gives it."""
    listed = given.split(",") if isinstance(given, str) else given if isinstance(given, Sequence) else [given]
    return [str(name).strip() for name in listed]


def _map_of(label_map: Mapping[Any, Any] | str | None) -> dict[int, int] | None:
    if label_map is None:
        return None
    if isinstance(label_map, str) and ":" in label_map:
        return _map_of(dict(pair.partition(":")[::2] for pair in label_map.split(",")))
    if isinstance(label_map, str):
        if label_map not in NAMED_MAPS:
            raise InputError(f"label_map {label_map!r} is not known, expected {', '.join(NAMED_MAPS)} or codes.")
        return dict(NAMED_MAPS[label_map])
    try:
        return {int(code): int(ours) for code, ours in label_map.items()}
    except (AttributeError, TypeError, ValueError) as error:
        raise InputError(f"label_map: found {label_map!r}, expected codes such as {{4: 3}} or a name.") from error


def _patterns_of(contrast_map: Mapping[str, str] | str) -> dict[str, str]:
    if isinstance(contrast_map, str):
        pairs = [pair.partition("=")[::2] for pair in contrast_map.split(",")]
    else:
        pairs = [(str(name), str(pattern)) for name, pattern in contrast_map.items()]
    patterns = {canonical_contrast(name): pattern.strip() for name, pattern in pairs}
    if not all(patterns.values()) or not all(patterns) or len(patterns) < len(pairs):
        raise InputError(f"map: found {contrast_map!r}, expected pairs such as T1=*MPRAGE*,FLAIR=*FLAIR*, each once.")
    return patterns


# Options of single layouts, and what reads them.
_OPTIONS: dict[str, Callable[[Any], Any]] = {
    "label_name": str,
    "contrast_map": _patterns_of,
    "subjects": Path,
    "remove": bool,
}


def _by_safe_name(src: Path, cases: Sequence[Case]) -> dict[str, Case]:
    named: dict[str, Case] = {}
    for case in cases:
        subject = safe_subject(case.subject)
        if subject in named:
            found = f"two subjects that are both called {subject}"
            files = f"{named[subject].images[0].name}, {case.images[0].name}"
            raise FileError(src, f"{found} ({files})", "each name once", "Rename one of them.")
        named[subject] = case
    return named


def _lists(
    cases: Mapping[str, Case], fractions: Sequence[float], seed: int, sections: Mapping[str, Sequence[str] | str] | None
) -> dict[str, list[str]]:
    if sections is None:
        labelled = [name for name, case in cases.items() if case.label]
        strata = {name: cases[name].stratum for name in labelled}
        patients = {name: cases[name].patient or name for name in labelled}
        lists = split_subjects(labelled, strata, fractions, seed, patients)
        return {**lists, "unlabeled": sorted(set(cases) - set(labelled))}
    lists = {name: [] for name in SECTIONS}
    for name, subjects in sections.items():
        if name not in SECTIONS:
            raise InputError(f"sections: found list {name!r}, expected {', '.join(SECTIONS)}.")
        lists[name] = _listed(subjects)
        unknown = [subject for subject in lists[name] if subject not in cases]
        if unknown:
            have = ", ".join(list(cases)[:10])
            raise InputError(f"sections: found subjects {', '.join(unknown)}, expected some of {have}.")
    return lists


def _judge(case: Case) -> None:
    """Judge the headers of what has to be written, so that a fault ends the conversion before the first file."""
    for image in (*case.images, case.label):
        if image is not None and not isinstance(image, Path):
            image.judge()


def _entry(placer: Placer, case: Case, subject: str) -> dict[str, Any]:
    images, label = placer.place(case, subject)
    entry: dict[str, Any] = {SUBJECT: subject, IMAGE: images[0] if placer.single(case) else images}
    if label is not None:
        entry[LABEL] = label
    if case.stratum:
        entry["stratum"] = case.stratum
    return entry


def _content(
    layout: str,
    source: Source,
    entries: Mapping[str, list[dict[str, Any]]],
    seed: int,
    fractions: Sequence[float],
    by_hand: bool,
    name: str,
) -> dict[str, Any]:
    content: dict[str, Any] = {
        "name": name,
        "description": source.description,
        "layout": layout,
        "channel_names": {str(i): name for i, name in enumerate(source.contrasts)},
        "labels": source.labels,
        "label_map": {str(code): ours for code, ours in (source.label_map or {}).items()},
        "numTraining": len(entries["training"]),
        "file_ending": ".nii.gz",
        "seed": seed,
        "split": "by hand" if by_hand else dict(zip(SPLIT_SECTIONS, fractions, strict=True)),
        "stratified_by": source.stratified_by,
        **entries,
    }
    return content if source.label_map else {key: value for key, value in content.items() if key != "label_map"}


def _keep_foreign_json(path: Path, layout: str, overwrite: bool) -> None:
    if overwrite or not path.is_file():
        return
    try:
        made_by = json.loads(path.read_text(encoding="utf-8")).get("layout")
    except (OSError, ValueError, AttributeError):
        made_by = None
    if made_by != layout:
        found = f"a {FILE_NAME} that was not made from layout '{layout}'"
        raise FileError(path, found, "none", "Choose another DST, or pass --overwrite.")
