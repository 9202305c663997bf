"""The files of a bundle, in a zip or in a folder, read one at a time and never written."""

from __future__ import annotations

import os
import re
import stat
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from ...errors import InputError
from ..archive import LIMITS, ArchiveFault, archive_findings, read_entry
from ..findings import SharingFinding

_MOST = 20_000  # files of a folder
_TOP = re.compile(r"[A-Za-z0-9][\w.-]*")  # how a bundle may be named


@dataclass
class Files:
    """What of a bundle can be read.

    Attributes:
        names: paths inside the bundle, sorted; those of a zip without its own folder.
        findings: what is refused about how the files lie there.
        in_zip: whether they lie in a zip.
    """

    names: list[str]
    findings: list[SharingFinding] = field(default_factory=list)
    in_zip: bool = False
    _places: dict[str, Path | zipfile.ZipInfo] = field(default_factory=dict)
    _archive: zipfile.ZipFile | None = None

    def read(self, name: str) -> bytes:
        """The bytes of one file.

        Raises:
            ArchiveFault: an entry is damaged, or holds more than the zip's directory says.
        """
        place = self._places[name]
        if isinstance(place, Path):
            size = place.stat().st_size
            if size > LIMITS.total:
                raise ArchiveFault(name, f"{size} bytes", f"At most {LIMITS.total} bytes are read.")
            return place.read_bytes()
        if self._archive is None:
            raise ArchiveFault(name, "a closed zip", "Scan it again.")
        return b"".join(read_entry(self._archive, place))


def open_files(path: Path) -> Iterator[Files]:
    """Gives the files of a zip or a folder once, and closes what it opened; any other file is given as it is.

    Raises:
        InputError: there is no such zip or folder.
    """
    if path.is_dir():
        yield _folder_files(path)
    elif path.is_file() and path.suffix.lower() == ".zip":
        with path.open("rb") as file:
            yield from _zip_files(path, file)
    elif path.is_file():
        yield Files([path.name], _places={path.name: path})
    else:
        raise InputError(f"{path}: found no such file or folder, expected a zip or the folder of a bundle; name one.")


def _folder_files(root: Path) -> Files:
    """Every plain file below a folder; links and devices are found and never followed."""
    files = Files([])
    for folder, folders, names in os.walk(root, followlinks=False):
        for name in sorted([*folders, *names]):
            place = Path(folder) / name
            inside = place.relative_to(root).as_posix()
            mode = place.lstat().st_mode
            if stat.S_ISREG(mode):
                files._places[inside] = place
            elif not stat.S_ISDIR(mode):
                why = "Only plain files and folders are scanned; it may lead anywhere."
                files.findings.append(SharingFinding(inside, "", "a link or a device", why))
        if len(files._places) > _MOST:
            why = f"At most {_MOST} are scanned."
            files.findings.append(SharingFinding(root.name, "", f"more than {_MOST} files", why))
            break
    files.names = sorted(files._places)
    return files


def _zip_files(path: Path, file: BinaryIO) -> Iterator[Files]:
    """Every file of a zip that is built as bundles are; of another one only what is refused about it."""
    findings = archive_findings(file, path.name)
    if findings:
        yield Files([], findings, in_zip=True)
        return
    with zipfile.ZipFile(file) as archive:
        entries = {entry.filename: entry for entry in archive.infolist() if not entry.is_dir()}
        tops = {name.partition("/")[0] for name in archive.namelist()}
        if len(tops) == 1 and _TOP.fullmatch(min(tops)) and all("/" in name for name in entries):
            places = {name.partition("/")[2]: entry for name, entry in entries.items()}
        else:
            places = entries
            shown = ", ".join(sorted(tops)[:3]) or "nothing"
            why = "A bundle's zip holds one folder, named as the bundle."
            findings = [SharingFinding(path.name, "", f"at its top {shown}", why)]
        yield Files(sorted(places), findings, True, dict(places), archive)
