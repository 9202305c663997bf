"""What a converter finds in a source folder: cases, and the steps that several layouts share."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ...keys import TUMOUR
from ..findings import FileError
from ..naming import is_volume, parse

TUMOUR_LABELS = {name: code for code, name in TUMOUR.items()}


@dataclass(frozen=True)
class Case:
    """One subject's files.

    Attributes:
        subject: name, not yet made safe.
        images: one file a contrast, or a single 4-D file.
        label: label file, if there is one.
        stratum: what a split is balanced by, such as the grade.
        patient: shared by several time points of one patient; else the subject.
    """

    subject: str
    images: tuple[Path, ...]
    label: Path | None = None
    stratum: str = ""
    patient: str = ""


@dataclass
class Source:
    """All that a layout's `find` learned.

    Attributes:
        description: one sentence for `dataset.json`.
        contrasts: names of the channels in order.
        cases: the subjects.
        labels: names and codes, after mapping.
        label_map: code in the files -> Ganglion's code; None if they agree.
        stratified_by: what the strata are, "" if there are none.
        notes: what the user should know.
    """

    description: str
    contrasts: tuple[str, ...]
    cases: list[Case]
    labels: dict[str, int] = field(default_factory=lambda: dict(TUMOUR_LABELS))
    label_map: dict[int, int] | None = None
    stratified_by: str = ""
    notes: list[str] = field(default_factory=list)


def volumes_in(src: Path, leave_out: Path | None = None) -> list[Path]:
    """All image files below a folder, sorted; hidden ones and those below `leave_out` are left out."""
    found = []
    for path in sorted(src.rglob("*")):
        hidden = any(part.startswith(".") for part in path.relative_to(src).parts)
        if is_volume(path) and not hidden and not (leave_out and path.is_relative_to(leave_out)):
            found.append(path)
    return found


def one_file_each(where: Path, subject: str, images: Iterable[Path], contrasts: Sequence[str]) -> tuple[Path, ...]:
    """The files of `contrasts`, in that order, told by the files' names.

    Raises:
        FileError: if one is missing or there twice.
    """
    by_contrast: dict[str, list[Path]] = {}
    for image in images:
        by_contrast.setdefault(parse(image).contrast or "", []).append(image)
    for contrast in contrasts:
        found = by_contrast.get(contrast, [])
        if len(found) != 1:
            state = f"{len(found)} files of contrast {contrast}" if found else f"no {contrast}"
            names = f" ({', '.join(file.name for file in found)})" if found else ""
            have = ", ".join(sorted(by_contrast)) or "none"
            mend = (
                f"Complete or take out the subject, or choose the contrasts that all have (--contrasts; here: {have})."
            )
            raise FileError(where, f"{state}{names} of subject {subject}", "one file a contrast", mend)
    return tuple(by_contrast[contrast][0] for contrast in contrasts)


def one_label(where: Path, subject: str, labels: Sequence[Path]) -> Path | None:
    """The only label, or None; several are refused."""
    if len(labels) > 1:
        names = ", ".join(label.name for label in labels)
        mend = "Say which with --label-name, the ending of its name (such as lesion or tumour-auto)."
        raise FileError(where, f"{len(labels)} labels of subject {subject} ({names})", "one", mend)
    return labels[0] if labels else None


def nothing_found(src: Path, layout: str, example: str) -> FileError:
    """The error of a folder that does not have the layout."""
    mend = "Correct SRC, or use another layout; 'folder' takes any files whose names tell contrast and subject."
    return FileError(src, f"no subject of layout '{layout}'", f"files such as {example}", mend)
