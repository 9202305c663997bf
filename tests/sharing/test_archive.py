"""Hostile archives: each is refused, nothing is written outside the folder, and nothing is left behind."""

import hashlib
import io
import os
import stat
import struct
import warnings
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from ganglion.sharing.archive import LIMITS, archive_findings, nested_findings
from ganglion.sharing.findings import Refused, SharingFinding, printable
from ganglion.sharing.sums import SUMS_FILE, format_sums
from ganglion.sharing.unpack import unpack

FILES = {"toy/LICENSE": b"licence", "toy/configs/metadata.json": b"{}"}


def entry(name: str, mode: int = 0o100644, method: int = zipfile.ZIP_STORED) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo("x", (1980, 1, 1, 0, 0, 0))
    info.filename = info.orig_filename = name  # past what the constructor mends
    info.external_attr, info.compress_type, info.create_system = mode << 16, method, 3
    return info


def zipped(*more: tuple[zipfile.ZipInfo, bytes], files: dict[str, bytes] | None = None) -> bytes:
    """A harmless bundle and further entries."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, data in (FILES if files is None else files).items():
            archive.writestr(entry(name), data)
        for info, data in more:
            archive.writestr(info, data)
    return buffer.getvalue()


def named(*names: str, mode: int = 0o100644) -> bytes:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of a name that occurs twice
        return zipped(*((entry(name, mode), b"evil") for name in names))


def central(data: bytes, offset: int, form: str, value: int, name: str | None = None) -> bytes:
    """Change a field in the directory's line of the last entry, or of the one that is named."""
    place = data.rfind(b"PK\x01\x02")
    while name is not None and data[place + 46 : place + 46 + len(name)] != name.encode():
        place = data.rfind(b"PK\x01\x02", 0, place)
    changed = bytearray(data)
    struct.pack_into(form, changed, place + offset, value)
    return bytes(changed)


def deflated(name: str, data: bytes) -> bytes:
    return zipped((entry(name, method=zipfile.ZIP_DEFLATED), data))


def flipped() -> bytes:
    """One bit of a file's content."""
    data = bytearray(named("toy/a.txt"))
    data[data.find(b"evil")] ^= 1
    return bytes(data)


def overlapping() -> bytes:
    """Two entries of the directory lead to the same data."""
    data = named("toy/a.txt", "toy/b.txt")
    first = data.find(b"PK\x03\x04", data.find(b"{}"))
    return central(data, 42, "<L", first)


def hidden_bytes() -> bytes:
    """A program before the zip; offsets mended, so that every program still reads the zip."""
    buffer = io.BytesIO(b"#!/bin/sh\nevil\n" * 10)
    buffer.seek(0, os.SEEK_END)
    with zipfile.ZipFile(buffer, "a") as archive:
        for name, data in FILES.items():
            archive.writestr(entry(name), data)
    return buffer.getvalue()


def other_header() -> bytes:
    """The header before the data names another file than the directory."""
    data = named("toy/a.txt")
    return data.replace(b"toy/a.txt", b"toy/b.txt", 1)


def many_entries() -> bytes:
    return zipped(files={f"toy/{number}": b"" for number in range(LIMITS.entries + 1)})


def many_announced() -> bytes:
    """Entries counted wrongly at the end."""
    data = bytearray(zipped())
    struct.pack_into("<HH", data, len(data) - 14, 3, 3)
    return bytes(data)


ZEROS = b"\0" * 2**20
BOMB = deflated("toy/inner.txt", ZEROS)
HOSTILE = {
    "climbs out": named("toy/../../evil.txt"),
    "climbs out at once": named("../evil.txt"),
    "absolute": named("/tmp/evil.txt"),
    "absolute on Windows": named("C:/evil.txt"),
    "climbs out by backslash": named("toy\\..\\..\\evil.txt"),
    "link": zipped((entry("toy/link", 0o120777), b"/etc/passwd")),
    "link to a folder, then a file in it": zipped(
        (entry("toy/link", 0o120777), b"/tmp"), (entry("toy/link/evil.txt"), b"evil")
    ),
    "device": named("toy/disk", mode=stat.S_IFBLK | 0o666),
    "pipe": named("toy/pipe", mode=stat.S_IFIFO | 0o666),
    "socket": named("toy/socket", mode=stat.S_IFSOCK | 0o666),
    "a name twice": named("toy/a.txt", "toy/a.txt"),
    "case": named("toy/a.txt", "toy/A.txt"),
    "case of a folder": named("toy/x/a.txt", "toy/X/b.txt"),
    "accents written in two ways": named("toy/e\u0301.txt", "toy/\u00e9.txt"),
    "file and folder": named("toy/a", "toy/a/b.txt"),
    "bomb": BOMB,
    "bomb in a bomb": deflated("toy/inner.zip", BOMB * 3),
    "nested zip": zipped((entry("toy/inner.zip"), zipped())),
    "nested zip called weights": zipped((entry("toy/model.pt"), BOMB)),
    "nested gzip": zipped((entry("toy/inner.gz"), b"\x1f\x8b" + b"x" * 300)),
    "nested tar": zipped((entry("toy/inner.txt"), b"\0" * 257 + b"ustar" + b"\0" * 300)),
    "too many entries": many_entries(),
    "entries counted wrongly": many_announced(),
    "terabytes announced": central(named("toy/a.txt"), 24, "<L", 0xFFFFFFF0),
    "less announced than there is": central(deflated("toy/a.txt", os.urandom(4096)), 24, "<L", 16),
    "more announced than there is": central(deflated("toy/a.txt", os.urandom(4096)), 24, "<L", 8192),
    "encrypted": central(named("toy/a.txt"), 8, "<H", 1),
    "unknown compression": central(named("toy/a.txt"), 10, "<H", 97),
    "bzip2": zipped((entry("toy/a.txt", method=zipfile.ZIP_BZIP2), b"evil" * 99)),
    "NUL in a name": named("toy/a.txt").replace(b"toy/a.txt", b"toy/a\0txt"),
    "line feed in a name": named("toy/a\n.txt"),
    "escape sequence in a name": named("toy/\x1b[2J.txt"),
    "text turned round in a name": named("toy/\u202etxt.py"),
    "empty part in a name": named("toy//a.txt"),
    "name of a device": named("toy/nul.txt"),
    "stream of a file": named("toy/a.txt:evil"),
    "name ends in a dot": named("toy/a."),
    "very long name": named("toy/" + "a" * 250),
    "overlapping entries": overlapping(),
    "bytes before the zip": hidden_bytes(),
    "bytes after the zip": zipped() + b"evil",
    "zip after a zip": zipped() + named("toy/a.txt"),
    "header names another file": other_header(),
    "a bit flipped": flipped(),
    "cut short": zipped()[:-30],
    "no zip": b"evil" * 99,
    "empty file": b"",
    "no entry": zipped(files={}),
    "two folders at the top": named("other/a.txt"),
    "no folder at the top": zipped(files={"LICENSE": b"licence"}),
    "a hidden folder at the top": zipped(files={".toy/LICENSE": b"licence"}),
}
# The words that name the fault, so that none is refused for another one's sake.
FAULTS = {
    "climbs out": "leaves the folder",
    "climbs out at once": "leaves the folder",
    "absolute": "absolute",
    "absolute on Windows": "absolute",
    "climbs out by backslash": "leaves the folder",
    "link": "a link",
    "link to a folder, then a file in it": "a link",
    "device": "a device",
    "pipe": "a pipe",
    "socket": "a socket",
    "a name twice": "occurs twice",
    "case": "but for its case",
    "case of a folder": "folder spelt like",
    "accents written in two ways": "accents",
    "file and folder": "a folder as well",
    "bomb": "1048576 bytes from",
    "bomb in a bomb": "a zip archive",
    "nested zip": "a zip archive",
    "nested zip called weights": "1048576 bytes from",
    "nested gzip": "a gzip archive",
    "nested tar": "a tar archive",
    "too many entries": "2001 entries",
    "entries counted wrongly": "announced 3",
    "terabytes announced": "bytes when unpacked",
    "less announced than there is": "damaged entry",
    "more announced than there is": "less than announced",
    "encrypted": "encrypted",
    "unknown compression": "method 97",
    "bzip2": "method 12",
    "NUL in a name": "control character",
    "line feed in a name": "control character",
    "escape sequence in a name": "control character",
    "text turned round in a name": "does not show",
    "empty part in a name": "empty part",
    "name of a device": "device on some systems",
    "stream of a file": "refuse in a name",
    "name ends in a dot": "ends in a dot",
    "very long name": "too long",
    "overlapping entries": "reach into another",
    "bytes before the zip": "belong to no entry",
    "bytes after the zip": "one whole zip",
    "zip after a zip": "beside its directory",
    "header names another file": "says otherwise",
    "a bit flipped": "damaged entry",
    "cut short": "no zip",
    "no zip": "no zip",
    "empty file": "no zip",
    "no entry": "at its top nothing",
    "two folders at the top": "at its top other, toy",
    "no folder at the top": "at its top LICENSE",
    "a hidden folder at the top": "at its top .toy",
}


def everything_below(folder: Path) -> dict[str, bytes | None]:
    return {str(p.relative_to(folder)): p.read_bytes() if p.is_file() else None for p in sorted(folder.rglob("*"))}


@pytest.mark.parametrize("trusted", [False, True], ids=["", "trusted"])
@pytest.mark.parametrize("case", HOSTILE)
def test_a_hostile_archive_is_refused_and_leaves_nothing(case, trusted, tmp_path, counted):
    home = tmp_path / "home"
    home.mkdir()
    (home / "evil.zip").write_bytes(HOSTILE[case])
    before = everything_below(tmp_path)
    trust = hashlib.sha256(HOSTILE[case]).hexdigest() if trusted else None
    with pytest.raises(Refused) as refused:
        unpack(home / "evil.zip", home / "new" / "deep", trust)
    assert everything_below(tmp_path) == before
    assert any(FAULTS[case] in finding.found for finding in refused.value.findings)
    lines = str(refused.value).splitlines()
    assert len(lines) == 1 + len(refused.value.findings) >= 2
    assert all(line.isprintable() and len(line) < 700 for line in lines)
    assert not Path("/tmp/evil.txt").exists()
    if not trusted:
        counted("hostile archives")


def test_the_sweep_is_as_long_as_promised():
    assert len(HOSTILE) == len(FAULTS) >= 14


def test_the_harmless_rest_of_them_would_pass():
    """Each case is refused for its own sake: the bundle that it hides in has no fault of structure."""
    assert archive_findings(io.BytesIO(zipped()), "toy.zip") == []
    assert archive_findings(io.BytesIO(deflated("toy/a.txt", b"quite some text " * 9)), "toy.zip") == []


@pytest.mark.parametrize(
    ("limit", "says"), [({"entries": 1}, "entries"), ({"total": 600}, "bytes"), ({"directory": 99}, "bytes")]
)
def test_limits_hold_at_their_edge(limit, says):
    """What is just allowed passes, and one less is refused."""
    data = zipped((entry("toy/a.txt", method=zipfile.ZIP_DEFLATED), b"x" * 600))
    (finding, *_) = archive_findings(io.BytesIO(data), "toy.zip", replace(LIMITS, **limit))
    assert says in finding.found
    enough = {"entries": 3, "total": sum(map(len, FILES.values())) + 600, "directory": 999}
    assert archive_findings(io.BytesIO(data), "toy.zip", replace(LIMITS, **enough)) == []


def test_the_ratio_is_that_of_each_entry():
    data = deflated("toy/a.txt", b"\0" * 60_000)
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        info = archive.getinfo("toy/a.txt")
    least = -(-info.file_size // info.compress_size)
    assert archive_findings(io.BytesIO(data), "", replace(LIMITS, ratio=least)) == []
    assert archive_findings(io.BytesIO(data), "", replace(LIMITS, ratio=least - 1))


def test_requirements_are_the_limits():
    assert (LIMITS.entries, LIMITS.total, LIMITS.ratio) == (2000, 2 * 2**30, 100)


def test_weights_that_torch_writes_are_no_nested_archive(tmp_path):
    import torch

    torch.save({"a": torch.zeros(9)}, tmp_path / "model.pt")
    torch.jit.script(torch.nn.Linear(2, 2)).save(tmp_path / "model.ts")
    for name in ("model.pt", "model.ts"):
        with (tmp_path / name).open("rb") as file:
            assert nested_findings(file, name) == []
        with (tmp_path / name).open("rb") as file:
            assert nested_findings(file, "model.json") != []


def test_a_finding_is_one_line_whatever_a_file_is_called():
    finding = SharingFinding("a\nb\x1b[2J", "k\u202e", "x" * 999, "why")
    assert str(finding).isprintable()
    assert len(str(finding)) < 600
    assert printable("a\nb") == "a\\nb"


def test_a_bundle_without_fault_comes_out_whole(tmp_path, monkeypatch):
    """The case beside all the others: the same files, byte by byte, without the right to run."""
    monkeypatch.setattr("ganglion.sharing.unpack._scan", lambda folder: [])
    files = {**FILES, "toy/docs/README.md": b"text"}
    sums = format_sums({name.removeprefix("toy/"): data for name, data in files.items()}).encode()
    (tmp_path / "toy.zip").write_bytes(
        zipped((entry("toy/x/", 0o040755), b""), files={**files, f"toy/{SUMS_FILE}": sums})
    )
    done = unpack(tmp_path / "toy.zip", tmp_path / "new")
    found = {name: data for name, data in everything_below(tmp_path / "new").items() if data is not None}
    assert found == {**files, f"toy/{SUMS_FILE}": sums}
    assert (done.folder, done.files) == (tmp_path / "new" / "toy", 4)
    assert not any(path.stat().st_mode & 0o111 for path in done.folder.rglob("*") if path.is_file())
