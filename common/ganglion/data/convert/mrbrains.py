"""What MRBrainS13 and MRBrainS18 share: eight structures merged into three tissues, the rest out of sight.

Cortex and basal ganglia are grey matter, white matter and its lesions white, outer fluid and ventricles CSF (the
challenges' own rule). Cerebellum and brain stem, infarcts and other lesions are not scored there. Here they are
background in the label; `remove` sets their voxels in the images to background as well, so that no network sees them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..codes import NAMED_MAPS, codes_found
from ..inputs import open_label, require_one_channel
from ..nifti import without_loss, write_volume
from ..volumes import Volume, open_volume, read_voxels, require_same_grid
from .cases import TISSUE_LABELS, Case, Made, Source

CONTRASTS = ("T1", "T1-IR", "FLAIR")
NOT_SCORED = tuple(code for code, ours in NAMED_MAPS["mrbrains"].items() if ours == 0)


@dataclass(frozen=True)
class Without:
    """An image in which the voxels that a label gives one of some codes are 0."""

    image: Path
    label: Path
    codes: tuple[int, ...]

    @property
    def name(self) -> str:
        """The image's file name."""
        return self.image.name

    def judge(self) -> None:
        """Judge both headers, and whether they state one grid."""
        self._open()

    def write(self, target: Path) -> None:
        """Write the image without them."""
        volume, label = self._open()
        codes = read_voxels(label)
        codes_found(self.label, codes)
        voxels = np.where(np.isin(np.round(codes), self.codes), np.float32(0), read_voxels(volume))
        write_volume(target, without_loss(voxels), volume.affine)

    def _open(self) -> tuple[Volume, Volume]:
        volume, label = open_volume(self.image), open_label(self.label)
        require_one_channel(volume)
        require_same_grid(volume, label)
        return volume, label


def case_of(subject: str, images: Sequence[Path], label: Path | None, remove: bool) -> Case:
    """A subject, its images without what is not scored if that shall be removed and a label says where it is."""
    files: tuple[Path | Made, ...] = tuple(images)
    if remove and label is not None:
        files = tuple(Without(image, label, NOT_SCORED) for image in images)
    return Case(subject, files, label)


def source_of(
    description: str,
    contrasts: tuple[str, ...],
    cases: list[Case],
    label_map: Mapping[int, int] | None,
    remove: bool,
    notes: list[str],
) -> Source:
    """The source of either year, with notes on what its labels leave out."""
    whole = [case.subject for case in cases if case.label is None]
    if label_map:
        notes.append("cerebellum, brain stem, infarcts and other lesions are background: the challenge scores none")
    if remove and whole:
        notes.append(f"nothing was removed from {len(whole)} subjects without a label: {', '.join(whole[:5])}")
    notes.append("the scans show the whole head: strip the skull before training on them together with other data")
    mapping = dict(label_map) if label_map else None
    return Source(description, contrasts, cases, dict(TISSUE_LABELS), mapping, notes=notes)
