"""What a converter finds in a source folder: cases, and the steps that several layouts share."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, TypeVar

from ...keys import CONTRASTS, TISSUES, TUMOUR
from ..findings import FileError
from ..naming import is_volume, parse

TUMOUR_LABELS = {name: code for code, name in TUMOUR.items()}
# Words of a label's name -> code here; the first that fits counts.
TUMOUR_WORDS = {"non-enhancing": 1, "necro": 1, "edema": 2, "oedema": 2, "enhancing": 3}
TISSUE_LABELS = {name: code for code, name in TISSUES.items()}


class Made(Protocol):
    """An image that has to be written, since the source holds it in no file that can be read as it stands."""

    @property
    def name(self) -> str:
        """What messages call it."""

    def judge(self) -> None:
        """Raise a `FileError` if its headers show that it cannot be written."""

    def write(self, target: Path) -> None:
        """Write it to a .nii.gz file."""


class _Named(Protocol):
    @property
    def name(self) -> str: ...


_Image = TypeVar("_Image", bound=_Named)


@dataclass(frozen=True)
class Case:
    """One subject's files.

    Attributes:
        subject: name, not yet made safe.
        images: one file a contrast (or what makes it), or a single 4-D file.
        label: label file (or what makes it), if there is one.
        stratum: what a split is balanced by, such as the grade.
        patient: shared by several time points of one patient; else the subject.
    """

    subject: str
    images: tuple[Path | Made, ...]
    label: Path | Made | None = None
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


def volumes_in(src: Path, leave_out: Path | None = None, also: tuple[str, ...] = ()) -> list[Path]:
    """All image files below a folder, sorted; hidden ones and those below `leave_out` are left out.

    Args:
        src: the folder.
        leave_out: a folder below it to leave out.
        also: further endings of files to list.
    """
    found = []
    for path in sorted(src.rglob("*")):
        hidden = any(part.startswith(".") for part in path.relative_to(src).parts)
        known = is_volume(path) or (also and path.name.lower().endswith(also))
        if known and not hidden and not (leave_out and path.is_relative_to(leave_out)):
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
    return one_each(where, subject, by_contrast, contrasts)


def one_each(
    where: Path,
    subject: str,
    by_contrast: Mapping[str, Sequence[_Image]],
    contrasts: Sequence[str],
    mend: str = "",
) -> tuple[_Image, ...]:
    """The image of each of `contrasts`, in that order.

    Raises:
        FileError: if one is missing or there twice.
    """
    for contrast in contrasts:
        found = by_contrast.get(contrast, [])
        if len(found) != 1:
            state = f"{len(found)} files of contrast {contrast}" if found else f"no {contrast}"
            names = f" ({', '.join(file.name for file in found)})" if found else ""
            have = ", ".join(sorted(by_contrast)) or "none"
            usual = (
                f"Complete or take out the subject, or choose the contrasts that all have (--contrasts; here: {have})."
            )
            raise FileError(where, f"{state}{names} of subject {subject}", "one file a contrast", mend or usual)
    return tuple(by_contrast[contrast][0] for contrast in contrasts)


def shared_contrasts(have: Mapping[str, set[str]], notes: list[str]) -> list[str]:
    """The contrasts that every subject has, known ones first in Ganglion's order; what is dropped goes into `notes`."""
    every = set.intersection(*have.values())
    for contrast in sorted(set.union(*have.values()) - every):
        lacking = sorted(subject for subject, own in have.items() if contrast not in own)
        notes.append(f"{contrast} was left out, since {len(lacking)} subjects lack it: {', '.join(lacking[:5])}")
    if not every:
        subject = min(have, key=lambda name: len(have[name]))
        found = f"no contrast that all {len(have)} subjects have"
        raise FileError(subject, found, "at least one", "Complete the subjects, or take some out.")
    return [name for name in CONTRASTS if name in every] + sorted(every - set(CONTRASTS))


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
