"""`ganglion unpack`: take a bundle out of a zip of somebody else, or nothing at all."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from ..errors import InputError
from .archive import LIMITS, ArchiveFault, Limits, archive_findings, nested_findings, read_entry
from .findings import Refused, SharingFinding
from .folders import make_folder
from .sums import SUMS_FILE, sums_findings

_TOP = re.compile(r"[A-Za-z0-9][\w.-]*")
_CHUNK = 2**20


@dataclass(frozen=True)
class Unpacked:
    """What came out of a zip.

    Attributes:
        folder: the bundle.
        sha256: of the zip.
        files: how many were written.
        accepted: what was found and accepted because the zip is trusted.
    """

    folder: Path
    sha256: str
    files: int
    accepted: tuple[SharingFinding, ...] = ()

    def __str__(self) -> str:
        lines = [f"accepted: {finding}" for finding in self.accepted]
        return "\n".join([*lines, f"{self.folder}: {self.files} files, sums checked; sha256 of the zip {self.sha256}"])


def unpack(archive: str | Path, directory: str | Path, trust: str | None = None, limits: Limits = LIMITS) -> Unpacked:
    """Unpack a bundle's zip into a folder that holds it under its own name.

    The zip's structure is judged first, then its files are written into a temporary folder, compared with SHA256SUMS
    and scanned; only then the folder gets its name. Whatever is refused leaves nothing behind.

    Args:
        archive: the zip.
        directory: where the bundle's folder is put; made if it does not exist.
        trust: the zip's sha256, as its publisher tells it, if what the scan finds is to be accepted.
        limits: how much the zip may hold.

    Raises:
        Refused: names every reason; a damaged or malformed zip is refused whether it is trusted or not.
    """
    source, target = Path(archive), Path(directory)
    if not source.is_file():
        raise InputError(f"{source}: found no such file, expected a zip of a bundle; name one that exists.")
    with source.open("rb") as file:
        digest = _digest(file)
        if trust is not None and trust.strip().lower() != digest:
            raise InputError(f"{source}: its sha256 is {digest}, --trust names another; it is not the zip you trust.")
        findings = archive_findings(file, source.name, limits)
        if findings:
            raise Refused(f"{source} is not unpacked", findings, "Nothing was written.")
        made = make_folder(target)
        temporary = Path(tempfile.mkdtemp(prefix=".unpacking-", dir=target))
        done = False
        try:
            result = _unpack_into(temporary, target, source, file, digest, trust is not None)
            done = True
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
            for folder in () if done else made:
                os.rmdir(folder)
    return result


def _unpack_into(temporary: Path, target: Path, source: Path, file: BinaryIO, digest: str, trusted: bool) -> Unpacked:
    """Write, check and scan in the temporary folder; move the bundle to its place if it may stay."""
    refusal = f"{source} is not unpacked"
    try:
        count = _write(temporary, file)
        top = _top_folder(temporary, source.name)
    except ArchiveFault as fault:
        raise Refused(refusal, [fault.finding], "Nothing was written.") from fault
    place = target / top.name
    if os.path.lexists(place):
        raise InputError(
            f"{place}: found it there already, expected a free place; name another folder or move it away."
        )
    missing = not (top / SUMS_FILE).is_file()
    if not missing and (wrong := sums_findings(top)):
        raise Refused(refusal, wrong, "Nothing was written.")
    findings = _scan(top)
    if missing:
        why = "Whether it is what was packed cannot be told."
        findings.insert(0, SharingFinding(SUMS_FILE, "", "no such file", why))
    if findings and not trusted:
        mend = "To accept them all the same, give --trust the sha256 that the zip's publisher names."
        raise Refused(refusal, findings, mend)
    os.rename(top, place)
    return Unpacked(place, digest, count, tuple(findings))


def _scan(folder: Path) -> list[SharingFinding]:
    """What the scanner says of the unpacked files; nothing of them is run."""
    from .scan import scan

    return list(scan(folder))


def _write(folder: Path, file: BinaryIO) -> int:
    """Write the entries, each judged as soon as it lies there; returns how many files."""
    count = 0
    with zipfile.ZipFile(file) as archive:
        for entry in archive.infolist():
            path = folder.joinpath(*entry.filename.rstrip("/").split("/"))
            if entry.is_dir():
                path.mkdir(parents=True, exist_ok=True)
                continue
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("xb") as written:
                for piece in read_entry(archive, entry):
                    written.write(piece)
            with path.open("rb") as written:
                for finding in nested_findings(written, entry.filename):
                    raise ArchiveFault(finding.file, finding.found, finding.why)
            count += 1
    return count


def _top_folder(folder: Path, name: str) -> Path:
    """The one folder that a bundle's zip holds."""
    found = sorted(folder.iterdir())
    if len(found) != 1 or not found[0].is_dir() or not _TOP.fullmatch(found[0].name):
        names = ", ".join(path.name for path in found[:3]) or "nothing"
        raise ArchiveFault(name, f"at its top {names}", "A bundle's zip holds one folder, named as the bundle.")
    return found[0]


def _digest(file: BinaryIO) -> str:
    """The sha256 of an open file."""
    digest = hashlib.sha256()
    file.seek(0)
    while piece := file.read(_CHUNK):
        digest.update(piece)
    return digest.hexdigest()
