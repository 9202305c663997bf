"""A mended copy of a data set: what can be mended safely is, what cannot is left out, and each finding is answered.

Nothing is changed in place. Flawless files are linked to (or copied), mended ones are written anew as NIfTI, and the
copy is checked like any other data set before its `dataset.json` stands.
"""

import json
import os
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..errors import InputError
from ..keys import IMAGE, LABEL, SECTIONS, SUBJECT
from .check import Examination, SubjectCheck, check_dataset, examine
from .datalist import FILE_NAME, DataList, write_dataset_json
from .findings import ERROR, NOTE, FileError, Finding
from .mend_subject import SubjectMend
from .remedies import NotSafe
from .volumes import MAX_VOXELS

_MENDED_NOTES = ("codes",)


@dataclass(frozen=True)
class Deed:
    """What was done about one finding.

    Attributes:
        finding: the finding.
        done: whether it was mended.
        what: what was done, or why nothing was.
    """

    finding: Finding
    done: bool
    what: str

    def __str__(self) -> str:
        return (
            f"{'mended' if self.done else 'not mended'}: {self.finding.file}: found {self.finding.found}: {self.what}"
        )


@dataclass
class Mending:
    """The answer to each finding of a check.

    Attributes:
        deeds: one for each error, and for each note that a mended file makes needless.
        kept: subjects in the copy.
        left_out: subjects that are not.
        folder: the copy; None if none was written.
    """

    deeds: list[Deed] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)
    folder: Path | None = None

    @property
    def complete(self) -> bool:
        """Whether every fault was mended."""
        return all(deed.done for deed in self.deeds)

    def report(self) -> str:
        """A line for each finding and one that sums up."""
        if not self.deeds:
            return "nothing to mend: no copy was written."
        done = sum(deed.done for deed in self.deeds)
        counts = f"{done} of {len(self.deeds)} mended"
        if self.folder is None:
            return "\n".join([*map(str, self.deeds), f"{counts}; no subject is left, so no copy was written."])
        out = f", left out: {', '.join(self.left_out)}" if self.left_out else ""
        state = f"{self.folder}: {len(self.kept)} subjects{out}. This copy passes the check."
        return "\n".join([*map(str, self.deeds), f"{counts}; {state}"])


def mend_dataset(
    src: str | Path,
    dst: str | Path,
    copy: bool = False,
    allow_outside: bool = False,
    max_voxels: int = MAX_VOXELS,
    examination: Examination | None = None,
) -> Mending:
    """Write a mended copy of a data set.

    Args:
        src: folder with `dataset.json`; it is only read.
        dst: folder of the copy, new or empty, and apart from `src`.
        copy: copy flawless files instead of linking to them.
        allow_outside: whether paths may leave the folder.
        max_voxels: how many voxels a file may claim.
        examination: what `examine` found in `src`, if that is known already.

    Raises:
        InputError: if `dst` is taken, or `src` has no `dataset.json` that can be read.
    """
    src, dst = Path(src), Path(os.path.abspath(dst))
    require_apart(src, dst)
    seen = examination or examine(src, allow_outside, max_voxels=max_voxels)
    if seen.data is None:
        raise InputError(f"{seen.across[0]} Without it nothing can be mended.")
    if not any(_asks(finding) for finding in seen.findings):
        return Mending()
    existed = dst.exists()
    try:
        mending = _mend(seen, seen.data, dst, copy, max_voxels)
        if mending.folder is None:
            _remove(dst, existed)
        return mending
    except BaseException:
        _remove(dst, existed)
        raise


def require_apart(src: Path, dst: Path) -> None:
    """Raise a `FileError` unless `dst` can take a copy: new or empty, and neither in `src` nor around it."""
    one, other = src.resolve(), dst.resolve()
    if one == other or one.is_relative_to(other) or other.is_relative_to(one):
        raise FileError(
            dst, f"a folder that is, holds or lies in {src}", "a folder apart from it", "Choose another DST."
        )
    if dst.exists() and (not dst.is_dir() or any(dst.iterdir())):
        raise FileError(dst, "a file or a folder that is not empty", "a new folder", "Choose another DST.")


def _remove(folder: Path, keep: bool) -> None:
    """Take back what was written; the folder itself stays if it was there before."""
    if folder.is_dir():
        shutil.rmtree(folder)
    if keep:
        folder.mkdir(parents=True, exist_ok=True)


def _asks(finding: Finding) -> bool:
    return finding.level == ERROR or (finding.level == NOTE and finding.kind in _MENDED_NOTES)


def _mend(seen: Examination, data: DataList, dst: Path, copy: bool, max_voxels: int) -> Mending:
    mending = Mending()
    dropped = _twins_and_doubles(seen, mending)
    sections: dict[str, list[dict[str, Any]]] = {name: [] for name in SECTIONS}
    for check in seen.subjects:
        if id(check) in dropped:
            continue
        with tempfile.TemporaryDirectory() as scratch:
            placed = _mend_subject(check, SubjectMend(check, dst, copy, Path(scratch)), mending)
        if placed is not None:
            sections[placed[0]].append(placed[1])
    content = {**json.loads((data.folder / FILE_NAME).read_text(encoding="utf-8-sig")), **sections}
    _write_passing(dst, content, mending, max_voxels)
    mending.kept = [entry[SUBJECT] for name in SECTIONS for entry in content[name]]
    names = dict.fromkeys(check.subject for check in seen.subjects)
    mending.left_out = [name for name in names if name not in mending.kept]
    if mending.kept:
        mending.folder = dst
    return mending


def _mend_subject(check: SubjectCheck, work: SubjectMend, mending: Mending) -> tuple[str, dict[str, Any]] | None:
    """The list and the entry of a subject in the copy; None if it is left out."""
    asked = [finding for finding in check.findings if _asks(finding)]
    try:
        images = work.images()
    except NotSafe as reason:
        for finding in asked:
            own = work.culprit is None or finding.file == work.culprit
            why = str(reason) if own else "its subject is left out because of another file"
            mending.deeds.append(Deed(finding, False, why))
        shutil.rmtree(work.dst / check.subject, ignore_errors=True)
        return None
    section, label, moved = check.section, None, ""
    try:
        label = work.label()
    except NotSafe as reason:
        section, moved = "unlabeled", f"the subject was moved to 'unlabeled' ({reason})"
    for finding in asked:
        if moved and (finding.kind == "unlabelled" or work.is_label(finding.file)):
            mending.deeds.append(Deed(finding, finding.kind in ("unlabelled", "background"), moved))
        else:
            what = work.done.get(finding.file) or "; ".join(work.general) or "mended with the subject's other files"
            mending.deeds.append(Deed(finding, True, what))
    entry = {**check.entry, SUBJECT: check.subject, IMAGE: images[0] if check.single else images}
    entry.pop(LABEL, None)
    return section, ({**entry, LABEL: label} if label else entry)


def _twins_and_doubles(seen: Examination, mending: Mending) -> set[int]:
    """Entries that are left out because of others: of a subject listed twice, the ones in the earlier lists.

    What is scored stays apart from what is trained on if the last list keeps the subject. Of two subjects with the
    same images one is kept in that way too; if they share some images only, neither can be trusted.
    """
    order = {name: place for place, name in enumerate(("unlabeled", "training", "validation", "test"))}
    dropped: dict[int, str] = {}
    by_name: dict[str, list[SubjectCheck]] = {}
    for check in seen.subjects:
        by_name.setdefault(check.subject, []).append(check)
    for checks in by_name.values():
        keep = max(checks, key=lambda check: order[check.section])
        dropped.update({id(check): f"kept in '{keep.section}' only" for check in checks if check is not keep})
    for former, later in seen.twins:
        if former is later:
            dropped[id(former)] = "one of the two files is not what its name says; the subject is left out"
            continue
        if {digest for digest, _ in former.hashes} != {digest for digest, _ in later.hashes}:
            reason = "the subjects share some images only, so one of them is wrong; both are left out"
            dropped.update({id(former): reason, id(later): reason})
        elif id(former) not in dropped and id(later) not in dropped:
            keep = max((former, later), key=lambda check: order[check.section])
            other = later if keep is former else former
            dropped[id(other)] = f"{other.subject} is left out, {keep.subject} is kept in '{keep.section}'"
    for check in seen.subjects:
        if id(check) in dropped:
            gone = "its subject is left out: " + dropped[id(check)]
            mending.deeds += [Deed(finding, False, gone) for finding in check.findings if _asks(finding)]
    _answer_across(seen, dropped, by_name, mending)
    return set(dropped)


def _answer_across(
    seen: Examination, dropped: dict[int, str], by_name: dict[str, list[SubjectCheck]], mending: Mending
) -> None:
    twins = iter(seen.twins)
    doubles = iter([checks for checks in by_name.values() if len(checks) > 1])
    for finding in seen.across:
        if finding.kind == "twice":
            gone = [dropped[id(check)] for check in next(doubles) if id(check) in dropped]
            mending.deeds.append(Deed(finding, True, gone[0]))
        elif finding.kind == "content":
            pair = next(twins)
            reason = next(dropped[id(check)] for check in pair if id(check) in dropped)
            mending.deeds.append(Deed(finding, "is kept" in reason, reason))


def _write_passing(dst: Path, content: dict[str, Any], mending: Mending, max_voxels: int) -> None:
    """Write `dataset.json`, and take out again what does not pass the check after all."""
    if not any(content[name] for name in SECTIONS):
        return
    write_dataset_json(dst, content)
    faults = [finding for finding in check_dataset(dst, max_voxels=max_voxels) if finding.level == ERROR]
    if not faults:
        return
    for name in SECTIONS:
        content[name] = [entry for entry in content[name] if not _concerns(dst, entry, faults, mending)]
    if any(content[name] for name in SECTIONS):
        write_dataset_json(dst, content)


def _concerns(dst: Path, entry: dict[str, Any], faults: Sequence[Finding], mending: Mending) -> bool:
    images = [entry[IMAGE]] if isinstance(entry[IMAGE], str) else entry[IMAGE]
    files = {str(dst / file) for file in [*images, entry.get(LABEL)] if file}
    own = [fault for fault in faults if fault.file in files]
    mending.deeds += [Deed(fault, False, "its subject is left out of the copy") for fault in own]
    return bool(own)
