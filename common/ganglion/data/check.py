"""The doctor: what is wrong with a data set, all of it at once.

It asks what loading asks, by the same functions, and beyond: subjects in two lists, one content in two files.
"""

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

from ..errors import InputError
from ..keys import IMAGE, LABEL, SUBJECT, TUMOUR
from .codes import background_only, codes_found, coding_for
from .datalist import FILE_NAME, DataList, held_contrasts, inside, read_dataset_json
from .findings import ERROR, NOTE, WARNING, FileError, Finding
from .inputs import open_label, require_channels, require_one_channel
from .naming import contrast_of, safe_subject, subject_of
from .volumes import MAX_VOXELS, Volume, open_volume, read_voxels, require_finite, require_same_grid

_T = TypeVar("_T")
_MEND_TWICE = "Keep one of them, so that no list is scored on what another was trained on."


def check_dataset(
    dataset_dir: str | Path,
    allow_outside: bool = False,
    workers: int = 1,
    progress: bool = False,
    max_voxels: int = MAX_VOXELS,
) -> list[Finding]:
    """Check every file of a data set without stopping at the first fault.

    Args:
        dataset_dir: folder with `dataset.json`.
        allow_outside: whether paths may leave the folder.
        workers: subjects checked at a time; each takes the memory of one volume.
        progress: whether to draw a progress bar.
        max_voxels: how many voxels a file may claim; more is refused from the header.

    Returns:
        What was found, in the order of the lists; empty for a flawless data set.
    """
    return examine(dataset_dir, allow_outside, workers, progress, max_voxels).findings


@dataclass(frozen=True)
class Examination:
    """What a check learned, subject by subject.

    Attributes:
        data: the `dataset.json`, None if it cannot be read.
        subjects: one check for each entry of each list.
        across: findings about the data set as a whole.
        twins: pairs of subjects that share an image's voxels, the former first.
    """

    data: DataList | None
    subjects: "list[SubjectCheck]"
    across: list[Finding]
    twins: "list[tuple[SubjectCheck, SubjectCheck]]"

    @property
    def findings(self) -> list[Finding]:
        """All findings in the order of the lists."""
        return [*(finding for subject in self.subjects for finding in subject.findings), *self.across]


def examine(
    dataset_dir: str | Path,
    allow_outside: bool = False,
    workers: int = 1,
    progress: bool = False,
    max_voxels: int = MAX_VOXELS,
) -> Examination:
    """As `check_dataset`, and keep which subject each finding belongs to."""
    try:
        data = read_dataset_json(dataset_dir)
    except FileError as fault:
        return Examination(None, [], [replace(fault.finding, kind="dataset")], [])
    except InputError as error:
        found = Finding(str(dataset_dir), str(error), f"a data set with {FILE_NAME}", "Correct the command.")
        return Examination(None, [], [replace(found, kind="dataset")], [])
    entries = [(name, entry) for name, section in data.sections.items() for entry in section]
    if not entries:
        found = Finding(str(data.folder / FILE_NAME), "no subject in any list", "subjects", "Convert the data again.")
        return Examination(None, [], [replace(found, kind="dataset")], [])
    bar = _progress_bar(len(entries)) if progress else iter

    def check(pair: tuple[str, dict[str, Any]]) -> SubjectCheck:
        return SubjectCheck(data, pair[0], pair[1], allow_outside, max_voxels).check()

    with ThreadPoolExecutor(max_workers=max(1, workers)) as pool:
        subjects = list(bar(pool.map(check, entries)))
    same, twins = _same_content(subjects)
    return Examination(data, subjects, [*_twice_listed(data, subjects), *same, *_links(data, subjects)], twins)


class SubjectCheck:
    """The check of one entry of one list.

    Attributes:
        entry: the entry as it stands in `dataset.json`.
        section: the list.
        subject: its name, made safe.
        single: whether its image is one 4-D file.
        images: its images as listed.
        label: its label as listed, "" if there is none.
        contrasts: names of the contrasts that its images are.
        findings: what was found.
        hashes: content and file of each image.
        outside: folders outside the data set that its links lead to.
    """

    def __init__(
        self, data: DataList, section: str, entry: dict[str, Any], allow_outside: bool, max_voxels: int
    ) -> None:
        self.data = data
        self.section = section
        self.entry = entry
        self.allow_outside = allow_outside
        self.max_voxels = max_voxels
        self.json = data.folder / FILE_NAME
        self.single = isinstance(entry[IMAGE], str)
        self.images: list[str] = [entry[IMAGE]] if self.single else entry[IMAGE]
        self.label: str = entry.get(LABEL) or ""
        self.contrasts = data.contrasts
        self.subject = safe_subject(str(entry.get(SUBJECT) or subject_of(self.images[0])))
        self.findings: list[Finding] = []
        self.hashes: list[tuple[str, str]] = []
        self.outside: set[Path] = set()

    def check(self) -> "SubjectCheck":
        """Fill `findings`, `hashes` and `outside`."""
        contrasts = self.contrasts = self._try(lambda: held_contrasts(self.data, self.entry)) or self.data.contrasts
        first: Volume | None = None
        for number, listed in enumerate(self.images):
            volume = self._try(lambda: open_volume(self._path(listed), self.max_voxels))  # noqa: B023
            if volume is not None:
                self._check_image(volume, first, contrasts[number] if number < len(contrasts) else None)
                first = first or volume
        if self.label:
            self._check_label(first)
        elif self.section != "unlabeled":
            found = f"subject {self.subject} of '{self.section}' without a label"
            mend = "Add the label, or move the subject to the list 'unlabeled'."
            level = WARNING if self.section == "test" else ERROR
            self.findings.append(Finding(str(self.json), found, "a label file", mend, level, "unlabelled"))
        return self

    def _check_image(self, volume: Volume, first: Volume | None, contrast: str | None) -> None:
        if self.single:
            self._try(lambda: require_channels(volume, self.data.contrasts))
        else:
            self._try(lambda: require_one_channel(volume))
            told = contrast_of(volume.path)
            if contrast and told in self.data.contrasts and told != contrast:
                mend = "Put the files into the order of channel_names, or rename the file."
                expected = f"{contrast} in this place"
                self._add(FileError(volume.path, f"a file named {told}", expected, mend, "contrasts"))
        if first is not None:
            self._try(lambda: require_same_grid(first, volume))
        elif not volume.oriented:
            found = "a header that does not say where left and front are (a guess is used)"
            mend = "Look at a result beside the image before you trust its sides, or export as NIfTI with an sform."
            self._add(FileError(volume.path, found, "an orientation", mend, "orientation"), WARNING)
        voxels = self._try(lambda: read_voxels(volume))
        if voxels is None:
            return
        faults = len(self.findings)
        self._try(lambda: require_finite(volume.path, voxels))
        if len(self.findings) == faults and voxels.min() == voxels.max():
            found = f"the same value everywhere ({voxels.flat[0]:g})"
            self._add(FileError(volume.path, found, "an image", "Export the image again.", "constant"), WARNING)
            return
        self.hashes.append((hashlib.sha256(voxels.tobytes(order="F")).hexdigest(), str(volume.path)))

    def _check_label(self, first: Volume | None) -> None:
        volume = self._try(lambda: open_label(self._path(self.label), self.max_voxels))
        if volume is None:
            return
        if first is not None:  # named as loading names an image of several files
            image = replace(first, path=Path(f"{self.subject}'s image"))
            self._try(lambda: require_same_grid(image, volume))
        found = self._try(lambda: codes_found(volume.path, read_voxels(volume)))
        if found is None:
            return
        codes = sorted(set(self.data.labels.values())) or sorted(TUMOUR)
        coding = self._try(lambda: coding_for(volume.path, found, codes, self.data.label_map))
        if coding is not None and coding[1] and self.data.label_map is None:
            mapped = ", ".join(f"{a} -> {b}" for a, b in coding[1].items())
            mend = f"Mapped on loading: {mapped}."
            self._add(FileError(volume.path, f"codes of {coding[0]}", f"{codes}", mend, "codes"), NOTE)
        if not any(found):
            self._add(background_only(volume.path, codes), ERROR if self.section == "training" else WARNING)

    def _path(self, listed: str) -> Path:
        path = inside(self.data.folder, listed, self.allow_outside)
        try:
            real = path.resolve()
        except (OSError, RuntimeError) as error:  # a link that leads to itself
            mend = "Mend the link, or convert again."
            raise FileError(path, f"a link that leads nowhere ({error})", "an image file", mend, "missing") from error
        written_inside = path.is_relative_to(os.path.abspath(self.data.folder))
        if written_inside and not real.is_relative_to(self.data.folder.resolve()):
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


def _twice_listed(data: DataList, checks: Sequence[SubjectCheck]) -> Iterator[Finding]:
    lists: dict[str, list[str]] = {}
    for check in checks:
        lists.setdefault(check.subject, []).append(check.section)
    for subject, sections in lists.items():
        if len(sections) > 1:
            found = f"subject {subject} in {' and '.join(repr(section) for section in sections)}"
            expected = "each subject in one list, once"
            yield Finding(str(data.folder / FILE_NAME), found, expected, _MEND_TWICE, kind="twice")


def _same_content(
    checks: Sequence[SubjectCheck],
) -> tuple[list[Finding], list[tuple[SubjectCheck, SubjectCheck]]]:
    seen: dict[str, tuple[SubjectCheck, str]] = {}
    findings, twins = [], []
    for check in checks:
        for digest, file in check.hashes:
            former, former_file = seen.setdefault(digest, (check, file))
            if former_file != file:
                found = f"the voxels of {former_file} again ('{former.section}', now '{check.section}')"
                findings.append(Finding(file, found, "each image once", _MEND_TWICE, kind="content"))
                twins.append((former, check))
    return findings, twins


def _links(data: DataList, checks: Sequence[SubjectCheck]) -> Iterator[Finding]:
    outside = sorted({str(folder) for check in checks for folder in check.outside})
    if outside:
        shown = ", ".join(outside[:3]) + (", ..." if len(outside) > 3 else "")
        found = f"links to files in {len(outside)} folders outside ({shown})"
        mend = "Copy them in with --copy if unsure."
        yield Finding(str(data.folder), found, "files, or links that you made", mend, NOTE, "links")


def _progress_bar(total: int) -> Callable[[Iterable[SubjectCheck]], Iterable[SubjectCheck]]:
    from tqdm import tqdm

    return lambda checks: tqdm(checks, total=total, unit="subject", desc="check")
