"""What a zip of a bundle may look like, judged entry by entry before anything is written, and read within limits."""

from __future__ import annotations

import os
import re
import stat
import struct
import unicodedata
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import BinaryIO

from .findings import SharingFinding

_END = struct.Struct("<4s4H2LH")  # the record at the end of a zip
_LOCATOR = struct.Struct("<4sLQL")
_END64 = struct.Struct("<4sQ2H2L4Q")
_LOCAL = struct.Struct("<4s5H3L2H")  # the header before each entry
_ENCRYPTED = 0x1 | 0x40 | 0x2000
_DESCRIPTOR = 24  # the most bytes that may follow an entry's data
_CHUNK = 2**20
_RESERVED = {"con", "prn", "aux", "nul", *(f"{name}{number}" for name in ("com", "lpt") for number in range(1, 10))}
_NAME_RULES = (
    (re.compile(r"^/|^[A-Za-z]:|^\\"), "an absolute path"),
    (re.compile(r"(^|[/\\])\.\.([/\\]|$)"), "a path that leaves the folder"),
    (re.compile(r"\\"), "a backslash, which some systems read as a folder"),
    (re.compile(r"[\x00-\x1f\x7f]"), "a control character in a name"),
    (re.compile(r"[<>:\"|?*]"), "a character that some systems refuse in a name"),
    (re.compile(r"(^|/)\.?(/|$)(?<!^.)"), "an empty part in a path"),
    (re.compile(r"[. ](/|$)"), "a name that ends in a dot or a space"),
)
_MAGIC = {
    b"\x1f\x8b": "gzip",
    b"BZh": "bzip2",
    b"\xfd7zXZ\x00": "xz",
    b"7z\xbc\xaf\x27\x1c": "7-Zip",
    b"Rar!": "RAR",
    b"\x28\xb5\x2f\xfd": "Zstandard",
    b"MSCF": "cabinet",
}
ZIP_MAGIC = b"PK\x03\x04"
PROGRAM_ENDINGS = (".pt", ".pth", ".ts", ".pt2")  # torch writes these as zips
HEAD = 265  # bytes from which `archive_kind` knows an archive


@dataclass(frozen=True)
class Limits:
    """How much an archive may hold.

    Attributes:
        entries: files and folders.
        total: bytes when unpacked.
        ratio: bytes of an entry for each byte in the archive.
        directory: bytes of the archive's own directory.
    """

    entries: int = 2_000
    total: int = 2 * 2**30
    ratio: int = 100
    directory: int = 4 * 2**20


LIMITS = Limits()
# A zip that torch writes has an entry a tensor.
PROGRAM_LIMITS = Limits(entries=20_000)


class ArchiveFault(Exception):  # noqa: N818  what was found, caught within this package
    """Something in an archive that ends its reading."""

    def __init__(self, file: str, found: str, why: str) -> None:
        super().__init__(f"{file}: {found}")
        self.finding = SharingFinding(file, "", found, why)


def archive_findings(file: BinaryIO, name: str, limits: Limits = LIMITS) -> list[SharingFinding]:
    """Everything about a zip's structure that is refused; nothing is unpacked for it.

    Args:
        file: the zip, opened for reading.
        name: what to call the zip itself in a finding.
        limits: how much it may hold.
    """
    try:
        entries, start = read_directory(file, name, limits)
        findings = [finding for entry in entries for finding in _entry_findings(entry, limits)]
        findings += [*_name_clashes(entries), *_layout_findings(file, entries, start)]
        total = sum(entry.file_size for entry in entries)
    except ArchiveFault as fault:
        return [fault.finding]
    except (OSError, ValueError, struct.error, zipfile.BadZipFile, NotImplementedError) as error:
        return [SharingFinding(name, "", f"a damaged zip ({error})", "It cannot be read safely; fetch it again.")]
    if total > limits.total:
        why = f"At most {limits.total} bytes are unpacked."
        findings.insert(0, SharingFinding(name, "", f"{total} bytes when unpacked", why))
    return findings


def read_directory(file: BinaryIO, name: str, limits: Limits) -> tuple[list[zipfile.ZipInfo], int]:
    """The entries of a zip and where its directory begins; a fault if there are too many to even look at."""
    size = file.seek(0, os.SEEK_END)
    if size > limits.total:
        raise ArchiveFault(name, f"{size} bytes", f"At most {limits.total} bytes are unpacked.")
    count, length, start, end = _end_record(file, name, size)
    if count > limits.entries or length > limits.directory:
        raise ArchiveFault(name, f"{count} entries in {length} bytes", f"At most {limits.entries} entries are read.")
    if start + length != end:
        raise ArchiveFault(name, "bytes beside its directory", "Other programs would unpack other files.")
    with zipfile.ZipFile(file) as archive:
        entries = archive.infolist()
    if len(entries) != count:
        raise ArchiveFault(name, f"{len(entries)} entries, announced {count}", "The directory does not agree.")
    return entries, start


def _end_record(file: BinaryIO, name: str, size: int) -> tuple[int, int, int, int]:
    """Entries, length and start of the directory, and where it has to end."""
    tail_size = min(size, _END.size + 0xFFFF + _LOCATOR.size + _END64.size)
    file.seek(size - tail_size)
    tail = file.read(tail_size)
    place = len(tail) - _END.size if tail[-_END.size :][:4] == b"PK\x05\x06" else tail.rfind(b"PK\x05\x06")
    if place < 0 or len(tail) - place < _END.size:
        raise ArchiveFault(name, "no zip", "Expected a zip that is whole; fetch it again.")
    _, disk, first, here, count, length, start, comment = _END.unpack_from(tail, place)
    whole = (disk, first, here) == (0, 0, count) and place + _END.size + comment == len(tail)
    end = place
    if tail[max(0, place - _LOCATOR.size) : place].startswith(b"PK\x06\x07"):  # the large form, which torch writes
        end = place - _LOCATOR.size - _END64.size
        record = _END64.unpack_from(tail, end) if end >= 0 else (b"",) * 10
        _, rest, _, _, disk, first, here, count, length, start = record
        whole = (
            whole and record[0] == b"PK\x06\x06" and rest == _END64.size - 12 and (disk, first, here) == (0, 0, count)
        )
    if not whole:
        raise ArchiveFault(name, "an end that is not that of one whole zip", "Other programs would unpack other files.")
    return count, length, start, size - tail_size + end


def _entry_findings(entry: zipfile.ZipInfo, limits: Limits) -> Iterator[SharingFinding]:
    """What is wrong with one entry, from its line in the directory alone."""
    name = entry.orig_filename
    for found in filter(None, (_name_fault(name), _kind_fault(entry))):
        yield SharingFinding(name, "", found, "Only plain files in folders below the zip's own are unpacked.")
    if entry.flag_bits & _ENCRYPTED:
        yield SharingFinding(name, "", "an encrypted entry", "What cannot be read cannot be judged.")
    if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        yield SharingFinding(name, "", f"compression method {entry.compress_type}", "Only stored and deflated entries.")
    if entry.file_size > limits.ratio * max(entry.compress_size, 1):
        found = f"{entry.file_size} bytes from {entry.compress_size}"
        yield SharingFinding(name, "", found, f"At most {limits.ratio} to 1: it would fill the disk.")
    if entry.compress_type == zipfile.ZIP_STORED and entry.file_size != entry.compress_size:
        found = f"{entry.file_size} bytes stored in {entry.compress_size}"
        yield SharingFinding(name, "", found, "The sizes do not agree.")


def _name_fault(name: str) -> str | None:
    """What is wrong with a name, in words."""
    for rule, words in _NAME_RULES:
        if rule.search(name.removesuffix("/") if words.startswith("an empty") else name):
            return words
    parts = name.rstrip("/").split("/")
    if any(part.split(".")[0].lower() in _RESERVED for part in parts):
        return "a name that is a device on some systems"
    if len(name) > 240 or any(len(part.encode()) > 200 for part in parts):
        return "a name that is too long"
    if not all(char.isprintable() for char in name):
        return "a character that does not show"
    return None


def _kind_fault(entry: zipfile.ZipInfo) -> str | None:
    """Links, devices, pipes and sockets, by the mode that the directory gives."""
    kinds = {stat.S_IFLNK: "a link", stat.S_IFCHR: "a device", stat.S_IFBLK: "a device"}
    kinds |= {stat.S_IFIFO: "a pipe", stat.S_IFSOCK: "a socket"}
    kind = stat.S_IFMT(entry.external_attr >> 16)
    if kind in kinds:
        return kinds[kind]
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        return f"a file of kind {kind:#o}"
    if entry.is_dir() and (entry.file_size or kind == stat.S_IFREG):
        return "a folder with content"
    return "a folder that is named as a file" if kind == stat.S_IFDIR and not entry.is_dir() else None


def _name_clashes(entries: Sequence[zipfile.ZipInfo]) -> Iterator[SharingFinding]:
    """Names that are one name on some system, and files that are folders of others."""
    files: dict[str, str] = {}
    folders: dict[str, str] = {}
    for entry in entries:
        name = entry.orig_filename
        spelt = unicodedata.normalize("NFKC", name.rstrip("/")).casefold()
        taken = folders if entry.is_dir() else files
        if spelt in taken:
            same = taken[spelt] == name
            found = "a name that occurs twice" if same else f"a name like {taken[spelt]} but for its case or accents"
            yield SharingFinding(name, "", found, "One would overwrite the other.")
        taken[spelt] = name
    parents = {spelt[:place] for spelt in [*files, *folders] for place in _slashes(spelt)} | set(folders)
    for spelt in sorted(parents & set(files)):
        yield SharingFinding(files[spelt], "", "a file that is a folder as well", "One would overwrite the other.")
    yield from _case_of_folders(entries)


def _case_of_folders(entries: Sequence[zipfile.ZipInfo]) -> Iterator[SharingFinding]:
    """Folders that are spelt in two ways, as `Configs/a` and `configs/b`."""
    seen: dict[str, str] = {}
    for entry in entries:
        name = entry.orig_filename
        for place in _slashes(name):
            folder = name[:place]
            spelt = unicodedata.normalize("NFKC", folder).casefold()
            if seen.setdefault(spelt, folder) != folder:
                found = f"a folder spelt like {seen[spelt]} but for its case or accents"
                yield SharingFinding(name, "", found, "One would overwrite the other.")


def _slashes(name: str) -> list[int]:
    return [place for place, char in enumerate(name) if char == "/"]


def _layout_findings(file: BinaryIO, entries: Sequence[zipfile.ZipInfo], start: int) -> Iterator[SharingFinding]:
    """Entries that lie in each other, headers that say otherwise than the directory, and bytes that belong to none."""
    ordered = sorted(entries, key=lambda entry: entry.header_offset)
    after = [*(entry.header_offset for entry in ordered), start][1:]
    expected = 0
    for entry, following in zip(ordered, after, strict=True):
        name = entry.orig_filename
        if not expected <= entry.header_offset <= expected + (_DESCRIPTOR if expected else 0):
            yield SharingFinding(name, "", "bytes before it that belong to no entry", "Something is hidden there.")
        file.seek(entry.header_offset)
        header = file.read(_LOCAL.size)
        magic, _, flags, method, _, _, _, _, _, name_size, extra_size = _LOCAL.unpack(header)
        raw = file.read(name_size)
        known = raw.decode("utf-8" if flags & 0x800 else "cp437", errors="replace")
        if magic != ZIP_MAGIC or known != name or method != entry.compress_type or flags & _ENCRYPTED:
            yield SharingFinding(name, "", "a header that says otherwise than the directory", "Which is meant is open.")
        expected = entry.header_offset + _LOCAL.size + name_size + extra_size + entry.compress_size
        if expected > following:
            yield SharingFinding(name, "", "data that reach into another entry", "Overlapping entries unpack to bombs.")
    if start - expected > _DESCRIPTOR:
        found = "bytes before the directory that belong to no entry"
        yield SharingFinding(ordered[-1].orig_filename if ordered else "", "", found, "Something is hidden there.")


def read_entry(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> Iterator[bytes]:
    """The bytes of an entry in pieces; a fault as soon as there are more than the directory said, or others."""
    left = entry.file_size
    try:
        with archive.open(entry) as stream:
            while piece := stream.read(_CHUNK):
                left -= len(piece)
                if left < 0:
                    raise ArchiveFault(entry.filename, "more bytes than announced", "It would fill the disk.")
                yield piece
    except (zipfile.BadZipFile, EOFError, ValueError, NotImplementedError, RuntimeError, zipfile.zlib.error) as error:  # type: ignore[attr-defined]
        why = "Its bytes are not those that were packed; fetch the zip again."
        raise ArchiveFault(entry.filename, f"a damaged entry ({error})", why) from error
    if left:
        raise ArchiveFault(entry.filename, f"{left} bytes less than announced", "Fetch the zip again.")


def archive_kind(head: bytes) -> str | None:
    """The kind of archive that a file is, by its first bytes; None for anything else."""
    if head.startswith((ZIP_MAGIC, b"PK\x05\x06")):
        return "zip"
    if head[257:262] == b"ustar":
        return "tar"
    return next((kind for magic, kind in _MAGIC.items() if head.startswith(magic)), None)


def nested_findings(file: BinaryIO, name: str) -> list[SharingFinding]:
    """What is refused about an unpacked file that is an archive itself: only torch's own zips may lie in a bundle."""
    kind = archive_kind(file.read(HEAD))
    if kind is None:
        return []
    if kind != "zip" or not name.lower().endswith(PROGRAM_ENDINGS):
        return [SharingFinding(name, "", f"a {kind} archive", "A bundle holds no archives: they hide bombs.")]
    inner = archive_findings(file, name, PROGRAM_LIMITS)
    return [SharingFinding(name, item.file if item.file != name else "", item.found, item.why) for item in inner]
