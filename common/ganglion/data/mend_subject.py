"""One subject of a mended copy: which of its files can be taken as they are, and what the others need."""

import os
import shutil
from pathlib import Path

import numpy as np

from ..keys import TUMOUR
from .check import SubjectCheck
from .codes import apply_coding, codes_found, coding_for
from .datalist import inside
from .findings import ERROR, FileError, Finding
from .naming import ENDINGS, PAIR, contrast_of
from .nifti import without_loss, write_volume
from .remedies import (
    NotSafe,
    channels_of,
    chosen_by_name,
    merged_label,
    on_grid_of,
    only_volume,
    without_nonfinite,
)
from .volumes import Volume, open_volume, read_voxels, same_grid

_IMAGE_KINDS = {"grid", "channels", "contrasts", "nonfinite", "sform", "packing", "twice"}
_LABEL_KINDS = {"grid", "channels", "codes", "sform", "packing"}


class SubjectMend:
    """Places the files of one subject in the copy, mended where that is safe.

    Args:
        check: the subject as it was checked.
        dst: the copy's folder.
        copy: copy flawless files instead of linking to them.
        scratch: a folder for links that nobody keeps.

    Attributes:
        done: file -> what was done with it.
        general: what was done with the subject's list of files.
        culprit: the file that could not be mended, None if it is not one file.
    """

    def __init__(self, check: SubjectCheck, dst: Path, copy: bool, scratch: Path) -> None:
        self.check = check
        self.dst = dst
        self.copy = copy
        self.done: dict[str, str] = {}
        self.general: list[str] = []
        self.culprit: str | None = None
        self._like: Volume | None = None
        self._scratch = scratch
        self._errors = [finding for finding in check.findings if finding.level == ERROR]

    def images(self) -> list[str]:
        """Paths of the images in the copy, in the order of the data set's contrasts; one for a 4-D file.

        Raises:
            NotSafe: if one of them cannot be mended.
        """
        for finding in self._errors:
            if not self.is_label(finding.file) and finding.kind not in (*_IMAGE_KINDS, "unlabelled"):
                self.culprit = finding.file
                raise NotSafe(_why_not(finding))
        contrasts = self.check.contrasts
        if self.check.single:
            return [self._place_image(self._path(self.check.images[0]), "")]
        files = [self._path(image) for image in self.check.images]
        whole = self._one_file_of_all(files)
        if whole is not None:
            self.done[str(files[0])] = self.general[-1]
            return [self._write(part, whole, f"_{name}") for part, name in zip(*self._split(whole), strict=True)]
        if any(finding.kind == "contrasts" for finding in self._errors):
            self.culprit = None
            files = [files[i] for i in chosen_by_name([contrast_of(file) for file in files], contrasts)]
            self.general.append("files put into the order of channel_names by their names")
            self.done.update({str(file): self.general[-1] for file in files})
        return [self._place_image(file, f"_{name}") for file, name in zip(files, contrasts, strict=True)]

    def label(self) -> str | None:
        """Path of the label in the copy, None if the subject has none and needs none.

        Raises:
            NotSafe: if there should be one, or it cannot be mended.
        """
        if not self.check.label:
            if any(finding.kind == "unlabelled" for finding in self._errors):
                raise NotSafe("it has no label")
            return None
        for finding in self._errors:
            if self.is_label(finding.file) and finding.kind not in _LABEL_KINDS:
                raise NotSafe(_why_not(finding))
        try:
            return self._place_label(self._path(self.check.label))
        except FileError as fault:
            raise NotSafe(fault.finding.found) from fault

    def is_label(self, file: str) -> bool:
        """Whether a finding's file is the subject's label (or what `dataset.json` says of it)."""
        if not self.check.label:
            return False
        try:
            return file == str(self._path(self.check.label))
        except NotSafe:  # a label's path that leaves the folder is told of dataset.json, as an image's would be
            return not any(self._leaves(image) for image in self.check.images)

    def _leaves(self, listed: str) -> bool:
        try:
            self._path(listed)
        except NotSafe:
            return True
        return False

    def _path(self, listed: str) -> Path:
        try:
            return inside(self.check.data.folder, listed, self.check.allow_outside)
        except FileError as fault:
            raise NotSafe(fault.finding.found) from fault

    def _one_file_of_all(self, files: list[Path]) -> Volume | None:
        """The 4-D file that holds all contrasts, if the list names that one file in each place, or alone."""
        contrasts = self.check.contrasts
        if len(set(files)) != 1 or len(contrasts) < 2 or len(files) not in (1, len(contrasts)):
            return None
        volume, _ = self._open(files[0])
        if volume.channels != len(contrasts):
            return None
        parts = f"its {volume.channels} volumes, in the order of channel_names"
        self.general.append(f"{volume.path.name} split into {parts}")
        return volume

    def _split(self, volume: Volume) -> tuple[list[np.ndarray], tuple[str, ...]]:
        contrasts = self.check.contrasts
        voxels, _ = without_nonfinite(read_voxels(volume))
        return channels_of(voxels, len(contrasts)), contrasts

    def _open(self, file: Path) -> tuple[Volume, list[str]]:
        """The volume, with what had to be overlooked to open it."""
        self.culprit = str(file)
        told = [finding.kind for finding in self._errors if finding.file == str(file)]
        words = []
        try:
            if "packing" in told:
                file = self._renamed(file)
                words.append(f"taken for what it is, {file.name}")
            if "sform" in told:
                words.append("its qform taken for the sform")
            return open_volume(file, self.check.max_voxels, use_qform="sform" in told), words
        except FileError as fault:
            raise NotSafe(fault.finding.found) from fault

    def _renamed(self, file: Path) -> Path:
        """A link to the file under the name that its content asks for."""
        name = file.name[: -len(".gz")] if file.name.lower().endswith(".gz") else f"{file.name}.gz"
        link = self._scratch / name
        link.symlink_to(file.resolve())
        return link

    def _place_image(self, file: Path, suffix: str) -> str:
        volume, words = self._open(file)
        voxels = None
        if volume.channels > 1 and not self.check.single:
            voxels, word = only_volume(read_voxels(volume))
            words.append(word)
        if words or any(finding.kind == "nonfinite" and finding.file == str(file) for finding in self._errors):
            voxels, word = without_nonfinite(read_voxels(volume) if voxels is None else voxels)
            words += [word] if word else []
        if self._like is not None and not same_grid(self._like, volume):
            voxels = read_voxels(volume) if voxels is None else voxels
            voxels = on_grid_of(voxels, volume, self._like, is_label=False)
            words.append(f"resampled linearly to the grid of {self._like.path.name}")
        self._like = self._like or volume
        if not words:
            return self._refer(file, suffix)
        return self._finish(file, words, read_voxels(volume) if voxels is None else voxels, self._like, suffix)

    def _place_label(self, file: Path) -> str:
        volume, words = self._open(file)
        codes = sorted(set(self.check.data.labels.values())) or sorted(TUMOUR)
        voxels = read_voxels(volume)
        if volume.channels > 1:
            voxels, word = merged_label(voxels, codes)
            words.append(word)
        stated = self.check.data.label_map
        name, mapping = coding_for(file, codes_found(file, voxels), codes, stated)
        if mapping and stated is None:
            voxels = apply_coding(voxels, mapping)
            words.append(f"codes of {name} mapped: {', '.join(f'{a} -> {b}' for a, b in mapping.items())}")
        if self._like is not None and not same_grid(self._like, volume):
            voxels = on_grid_of(voxels, volume, self._like, is_label=True)
            words.append(f"resampled (nearest) to the grid of {self._like.path.name}")
        if not words:
            return self._refer(file, "_label")
        return self._finish(file, words, np.round(voxels), self._like or volume, "_label")

    def _finish(self, file: Path, words: list[str], voxels: np.ndarray, like: Volume, suffix: str) -> str:
        self.done[str(file)] = "; ".join([*words, *([self.done[str(file)]] if str(file) in self.done else [])])
        return self._write(voxels, like, suffix)

    def _write(self, voxels: np.ndarray, like: Volume, suffix: str) -> str:
        target = self._target(f"{self.check.subject}{suffix}.nii.gz")
        write_volume(target, without_loss(voxels), like.affine)
        return target.relative_to(self.dst).as_posix()

    def _refer(self, file: Path, suffix: str) -> str:
        """Link to a flawless file, or copy it; both halves of a pair."""
        name = file.name.lower()
        ending = next((e for e in ENDINGS if name.endswith(e)), file.suffix)
        halves = [file]
        if file.suffix.lower() in PAIR:
            halves = [half for half in file.parent.iterdir() if half.stem == file.stem and half.suffix.lower() in PAIR]
        for half in halves:
            target = self._target(f"{self.check.subject}{suffix}{ending if half == file else half.suffix}")
            if self.copy:
                shutil.copyfile(half, target)
            else:
                os.symlink(half.resolve(), target)
        return self._target(f"{self.check.subject}{suffix}{ending}").relative_to(self.dst).as_posix()

    def _target(self, name: str) -> Path:
        target = self.dst / self.check.subject / name
        target.parent.mkdir(parents=True, exist_ok=True)
        return target


def _why_not(finding: Finding) -> str:
    reasons = {
        "file": "what is lost cannot be made up",
        "missing": "there is nothing to mend",
        "size": "it may be a trap; allow more voxels if it is not",
        "type": "only you know which part of it is meant",
        "shape": "only you know what its axes are",
        "affine": "nothing else in the header says where it lies",
        "codes": "no known coding has these codes",
        "background": "the label marks nothing",
        "path": "a path out of the folder is not followed",
        "contrasts": "the contrast is not there",
    }
    return reasons.get(finding.kind, finding.mend)
