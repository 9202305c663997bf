"""iSEG-2017 and iSEG-2019: T1 and T2 of six-month-old infants, Analyze pairs or NIfTI, all files in one folder.

`iSeg-2017-Training/subject-1-T1.hdr` and `.img`, `-T2`, `-label`; subjects 11 to 23 of `iSeg-2017-Testing` (in 2019
`iSeg-2019-Validation`, and 24 to 39 of `iSeg-2019-Testing`) have no labels. Copies as NIfTI, also one folder each,
are read too. Label codes: 0, 10 CSF, 150 grey, 250 white matter, or already 0 to 3. Analyze is written anew.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from ..codes import NAMED_MAPS
from ..nifti import without_loss, write_volume
from ..volumes import open_volume, read_voxels
from .cases import TISSUE_LABELS, Case, Made, Source, nothing_found, one_file_each, one_label, volumes_in

_NAME = re.compile(r"(subject-\d+)-(t1|t2|label)\.(?:nii\.gz|nii|hdr)", re.IGNORECASE)


@dataclass(frozen=True)
class AnalyzePair:
    """An Analyze or NIfTI pair, named by its header."""

    path: Path

    @property
    def name(self) -> str:
        """The header's file name."""
        return self.path.name

    def judge(self) -> None:
        """Judge the header against the image beside it."""
        open_volume(self.path)

    def write(self, target: Path) -> None:
        """Write the pair as one NIfTI file."""
        volume = open_volume(self.path)
        write_volume(target, without_loss(read_voxels(volume)), volume.affine)


def find(
    src: Path, contrasts: Sequence[str] | None = None, leave_out: Path | None = None, year: str = "2017"
) -> Source:
    """All subjects of an iSEG folder; those of the test and validation archives have no label."""
    contrasts = tuple(contrasts or ("T1", "T2"))
    other = {"2017": "2019", "2019": "2017"}[year]
    images: dict[str, list[Path]] = {}
    labels: dict[str, list[Path]] = {}
    for file in volumes_in(src, leave_out, also=(".hdr",)):
        name = _NAME.fullmatch(file.name)
        # Both years have a subject-1, and they are the same children: a folder that holds both is read for one year.
        if name and not any(f"iseg-{other}" in part.lower() for part in file.relative_to(src).parts[:-1]):
            where = labels if name[2].lower() == "label" else images
            where.setdefault(name[1].lower(), []).append(file)
    if not images:
        raise nothing_found(src, f"iseg{year}", f"iSeg-{year}-Training/subject-1-T1.hdr and subject-1-label.hdr")
    cases = []
    for subject in sorted(images, key=lambda name: int(name.rpartition("-")[2])):
        chosen = one_file_each(src, subject, images[subject], contrasts)
        label = one_label(src, subject, labels.get(subject, []))
        cases.append(Case(subject, tuple(map(_readable, chosen)), _readable(label) if label else None))
    notes = []
    if any(isinstance(case.images[0], AnalyzePair) for case in cases):
        notes.append("Analyze files were written anew as NIfTI; they do not say which side is left")
    labelled = NAMED_MAPS["iseg"]
    return Source(f"iSEG-{year}, converted.", contrasts, cases, dict(TISSUE_LABELS), labelled, notes=notes)


find_2017 = partial(find, year="2017")
find_2019 = partial(find, year="2019")


def _readable(file: Path) -> Path | Made:
    return AnalyzePair(file) if file.suffix.lower() == ".hdr" else file
