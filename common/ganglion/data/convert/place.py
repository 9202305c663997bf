"""Where a case's files stand in the data set: as they are, by a link, as a copy, or resampled."""

import os
import shutil
from collections.abc import Sequence
from pathlib import Path

import nibabel as nib
import numpy as np

from ..findings import FileError
from ..naming import ENDINGS
from ..onto_grid import onto_grid
from ..volumes import Volume, open_volume, read_voxels, same_grid
from ..whole import written_whole
from .cases import Case, Made


class Placer:
    """Makes each file of a case reachable below the data set's folder.

    Args:
        folder: the data set's folder.
        contrasts: names of the channels in order.
        copy: copy instead of linking.
        overwrite: whether a file (not a link) in the way is replaced.
        resample: write what lies on another grid than the subject's first image anew on that grid.
    """

    def __init__(self, folder: Path, contrasts: Sequence[str], copy: bool, overwrite: bool, resample: bool) -> None:
        self.folder = Path(os.path.abspath(folder))
        self.contrasts = tuple(contrasts)
        self.copy = copy
        self.overwrite = overwrite
        self.resample = resample
        self.notes: list[str] = []

    def single(self, case: Case) -> bool:
        """Whether the case's image is one file of all contrasts."""
        return len(case.images) == 1 and len(self.contrasts) > 1

    def place(self, case: Case, subject: str) -> tuple[list[str], str | None]:
        """Paths of the images and the label, POSIX and relative to the data set's folder."""
        suffixes = [""] if self.single(case) else [f"_{contrast}" for contrast in self.contrasts]
        images: list[str] = []
        like: Volume | None = None
        for image, suffix in zip(case.images, suffixes, strict=True):
            images.append(self._place(image, subject, suffix, like, order=1))
            if self.resample and like is None:
                like = open_volume(image if isinstance(image, Path) else self.folder / images[0])
        label = None if case.label is None else self._place(case.label, subject, "_label", like, order=0)
        return images, label

    def _place(self, file: Path | Made, subject: str, suffix: str, like: Volume | None, order: int) -> str:
        if not isinstance(file, Path):
            return self._make(file, subject, suffix, like, order)
        if like is not None and not same_grid(like, volume := open_volume(file)):
            target = self._target(f"{subject}/{subject}{suffix}_resampled.nii.gz", replace=True)
            self._resample(volume, like, target, order)
            return target.relative_to(self.folder).as_posix()
        absolute = Path(os.path.abspath(file))
        if absolute.is_relative_to(self.folder) and not self.copy:
            return absolute.relative_to(self.folder).as_posix()
        ending = next(ending for ending in ENDINGS if file.name.lower().endswith(ending))
        target = self._target(f"{subject}/{subject}{suffix}{ending}", replace=False)
        if self.copy:
            with written_whole(target) as part:
                shutil.copyfile(file, part)
        else:
            self._link(absolute, target)
        return target.relative_to(self.folder).as_posix()

    def _make(self, image: Made, subject: str, suffix: str, like: Volume | None, order: int) -> str:
        target = self._target(f"{subject}/{subject}{suffix}.nii.gz", replace=False)
        with written_whole(target) as part:
            image.write(part)
        if like is not None and not same_grid(like, volume := open_volume(target)):
            self._resample(volume, like, target, order)
        return target.relative_to(self.folder).as_posix()

    def _resample(self, volume: Volume, like: Volume, target: Path, order: int) -> None:
        write_resampled(volume, like, target, order)
        self.notes.append(f"{target.name}: resampled to the grid of {like.path.name}")

    def _target(self, relative: str, replace: bool) -> Path:
        target = self.folder / relative
        target.parent.mkdir(parents=True, exist_ok=True)
        if target.is_symlink():
            target.unlink()
        elif target.exists() and not (self.overwrite or replace):
            raise FileError(target, "a file in the way", "none", "Choose another DST, or pass --overwrite.")
        return target

    def _link(self, file: Path, target: Path) -> None:
        target.unlink(missing_ok=True)
        try:
            target.symlink_to(file.resolve())
        except OSError as error:
            mend = "Pass --copy, or choose SRC or a folder above it as DST."
            raise FileError(
                target, f"a disk or system that makes no links ({error.strerror})", "links", mend
            ) from error


def write_resampled(volume: Volume, like: Volume, target: Path, order: int) -> None:
    """Write a 3-D volume on another's grid: linear for images (`order` 1), nearest for labels (0), 0 outside."""
    if volume.channels > 1:
        raise FileError(volume.path, "a 4-D file on another grid", "a 3-D file", "Split it (nibabel.four_to_three).")
    data = onto_grid(read_voxels(volume), volume, like, order)
    data = data.astype(np.int16) if order == 0 else data.astype(np.float32)
    nib.save(nib.Nifti1Image(data, like.affine), target)
