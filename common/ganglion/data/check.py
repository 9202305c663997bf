"""The doctor: what is wrong with a data set, all of it at once.

It asks what loading asks, by the same functions, and beyond: subjects in two lists, one content in two files.
"""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from ..errors import InputError
from ..keys import IMAGE, LABEL, SUBJECT, TUMOUR
from .codes import background_only, codes_found, coding_for
from .datalist import FILE_NAME, DataList, inside, read_dataset_json, wrong_count
from .findings import ERROR, NOTE, WARNING, FileError, Finding
from .inputs import open_label, require_channels, require_one_channel
from .naming import contrast_of, safe_subject, subject_of
from .volumes import Volume, nonfinite_text, open_volume, read_voxels, require_same_grid

_T = TypeVar("_T")
_MEND_TWICE = "Keep one of them, so that no list is scored on what another was trained on."


def check_dataset(
    dataset_dir: str | Path, allow_outside: bool = False, workers: int = 1, progress: bool = False
) -> list[Finding]:
    """Check every file of a data set without stopping at the first fault.

    Args:
        dataset_dir: folder with `dataset.json`.
        allow_outside: whether paths may leave the folder.
        workers: subjects checked at a time; each takes the memory of one volume.
        progress: whether to draw a progress bar.

    Returns:
        What was found, in the order of the lists; empty for a flawless data set.
    """
    try:
        data = read_dataset_json(dataset_dir)
    except FileError as fault:
        return [fault.finding]
    except InputError as error:
        return [Finding(str(dataset_dir), str(error), f"a data set with {FILE_NAME}", "Correct the command.")]
    entries = [(name, entry) for name, section in data.sections.items() for entry in section]
    if not entries:
        return [Finding(str(data.folder / FILE_NAME), "no subject in any list", "subjects", "Convert the data again.")]
    bar = _progress_bar(len(entries)) if progress else iter
    with ThreadPoolExecutor(max_workers=max(1, workers)) as pool:
        checks = list(bar(pool.map(lambda pair: _Subject(data, pair[0], pair[1], allow_outside).check(), entries)))
    findings = [finding for check in checks for finding in check.findings]
    return [*findings, *_twice_listed(data, checks), *_same_content(checks), *_links(data, checks)]


class _Subject:
    """The check of one entry of one list."""

    def __init__(self, data: DataList, section: str, entry: dict[str, Any], allow_outside: bool) -> None:
        self.data = data
        self.section = section
        self.allow_outside = allow_outside
        self.json = data.folder / FILE_NAME
        self.single = isinstance(entry[IMAGE], str)
        self.images: list[str] = [entry[IMAGE]] if self.single else entry[IMAGE]
        self.label: str = entry.get(LABEL) or ""
        self.subject = safe_subject(str(entry.get(SUBJECT) or subject_of(self.images[0])))
        self.findings: list[Finding] = []
        self.hashes: list[tuple[str, str]] = []  # content of an image, the file
        self.outside: set[Path] = set()  # folders outside the data set that links lead to

    def check(self) -> "_Subject":
        """Fill `findings`, `hashes` and `outside`."""
        contrasts = self.data.contrasts
        if not self.single and len(self.images) != len(contrasts):
            self._add(wrong_count(self.json, self.subject, len(self.images), contrasts))
        first: Volume | None = None
        for number, listed in enumerate(self.images):
            volume = self._try(lambda: open_volume(self._path(listed)))  # noqa: B023
            if volume is not None:
                self._check_image(volume, first, contrasts[number] if number < len(contrasts) else None)
                first = first or volume
        if self.label:
            self._check_label(first)
        elif self.section != "unlabeled":
            found = f"subject {self.subject} of '{self.section}' without a label"
            mend = "Add the label, or move the subject to the list 'unlabeled'."
            level = WARNING if self.section == "test" else ERROR
            self.findings.append(Finding(str(self.json), found, "a label file", mend, level))
        return self

    def _check_image(self, volume: Volume, first: Volume | None, contrast: str | None) -> None:
        if self.single:
            self._try(lambda: require_channels(volume, self.data.contrasts))
        else:
            self._try(lambda: require_one_channel(volume))
            told = contrast_of(volume.path)
            if contrast and told in self.data.contrasts and told != contrast:
                mend = "Put the files into the order of channel_names, or rename the file."
                self._add(FileError(volume.path, f"a file named {told}", f"{contrast} in this place", mend))
        if first is not None:
            self._try(lambda: require_same_grid(first, volume))
        voxels = self._try(lambda: read_voxels(volume))
        if voxels is None:
            return
        broken = nonfinite_text(voxels)
        if broken is not None:
            mend = "Mend the file; training refuses it, inference replaces these voxels by 0 and warns."
            self._add(FileError(volume.path, broken, "finite numbers", mend))
        elif np.ptp(voxels) == 0:
            found = f"the same value everywhere ({voxels.flat[0]:g})"
            self._add(FileError(volume.path, found, "an image", "Export the image again."), WARNING)
        self.hashes.append((hashlib.sha256(voxels.tobytes(order="F")).hexdigest(), str(volume.path)))

    def _check_label(self, first: Volume | None) -> None:
        volume = self._try(lambda: open_label(self._path(self.label)))
        if volume is None:
            return
        if first is not None:
            self._try(lambda: require_same_grid(first, volume))
        found = self._try(lambda: codes_found(volume.path, read_voxels(volume)))
        if found is None:
            return
        codes = sorted(set(self.data.labels.values())) or sorted(TUMOUR)
        coding = self._try(lambda: coding_for(volume.path, found, codes, self.data.label_map))
        if coding is not None and coding[1] and self.data.label_map is None:
            mapped = ", ".join(f"{a} -> {b}" for a, b in coding[1].items())
            self._add(
                FileError(volume.path, f"codes of {coding[0]}", f"{codes}", f"Mapped on loading: {mapped}."), NOTE
            )
        if not any(found):
            self._add(background_only(volume.path, codes), ERROR if self.section == "training" else WARNING)

    def _path(self, listed: str) -> Path:
        path = inside(self.data.folder, listed, self.allow_outside)
        real = path.resolve()
        if path.is_symlink() and not real.is_relative_to(self.data.folder.resolve()):
            self.outside.add(real.parent)
        return path

    def _try(self, ask: Callable[[], _T]) -> _T | None:
        try:
            return ask()
        except FileError as fault:
            self._add(fault)
            return None

    def _add(self, fault: FileError, level: str = ERROR) -> None:
        self.findings.append(replace(fault.finding, level=level))


def _twice_listed(data: DataList, checks: Sequence[_Subject]) -> Iterator[Finding]:
    lists: dict[str, list[str]] = {}
    for check in checks:
        lists.setdefault(check.subject, []).append(check.section)
    for subject, sections in lists.items():
        if len(sections) > 1:
            found = f"subject {subject} in {' and '.join(repr(section) for section in sections)}"
            yield Finding(str(data.folder / FILE_NAME), found, "each subject in one list, once", _MEND_TWICE)


def _same_content(checks: Sequence[_Subject]) -> Iterator[Finding]:
    seen: dict[str, tuple[_Subject, str]] = {}
    for check in checks:
        for digest, file in check.hashes:
            former, former_file = seen.setdefault(digest, (check, file))
            if former_file != file:
                found = f"the voxels of {former_file} again ('{former.section}', now '{check.section}')"
                yield Finding(file, found, "each image once", _MEND_TWICE)


def _links(data: DataList, checks: Sequence[_Subject]) -> Iterator[Finding]:
    outside = sorted({str(folder) for check in checks for folder in check.outside})
    if outside:
        shown = ", ".join(outside[:3]) + (", ..." if len(outside) > 3 else "")
        found = f"links to files in {len(outside)} folders outside ({shown})"
        yield Finding(
            str(data.folder), found, "files, or links that you made", "Copy them in with --copy if unsure.", NOTE
        )


def _progress_bar(total: int) -> Callable[[Iterable[_Subject]], Iterable[_Subject]]:
    from tqdm import tqdm

    return lambda checks: tqdm(checks, total=total, unit="subject", desc="check")
