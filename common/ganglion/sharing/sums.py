"""SHA256SUMS: the sum of every file of a bundle, in the form that `sha256sum -c` reads."""

import hashlib
import re
from collections.abc import Mapping
from pathlib import Path

from .findings import SharingFinding

SUMS_FILE = "SHA256SUMS"
_LINE = re.compile(r"([0-9a-f]{64}) [ *](\S.*)")
_MEND = "The bundle is not the one that was packed; fetch it again."


def format_sums(files: Mapping[str, bytes]) -> str:
    """The content of SHA256SUMS for files by their paths inside the bundle."""
    return "".join(f"{hashlib.sha256(files[name]).hexdigest()}  {name}\n" for name in sorted(files))


def sums_findings(folder: Path) -> list[SharingFinding]:
    """Files that are missing, surplus or changed against the SHA256SUMS of a folder."""
    text = (folder / SUMS_FILE).read_text(encoding="utf-8", errors="replace")
    present = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}
    return compare_sums(text, {name: file_sum(path) for name, path in present.items()})


def compare_sums(text: str, present: Mapping[str, str]) -> list[SharingFinding]:
    """Files that are missing, surplus or changed, by the text of a SHA256SUMS and the sums of the files there are."""
    listed: dict[str, str] = {}
    for line in text.splitlines():
        match = _LINE.fullmatch(line)
        if match is None or match.group(2) in listed:
            return [SharingFinding(SUMS_FILE, "", f"the line {line!r}", "Expected a sum and a path, each path once.")]
        listed[match.group(2)] = match.group(1)
    there = {name: digest for name, digest in present.items() if name != SUMS_FILE}
    findings = [SharingFinding(name, "", "no such file", _MEND) for name in sorted(listed.keys() - there.keys())]
    for name, digest in sorted(there.items()):
        if name not in listed:
            findings.append(SharingFinding(name, "", f"a file that {SUMS_FILE} does not list", _MEND))
        elif digest != listed[name]:
            findings.append(SharingFinding(name, "", "other bytes than were packed", _MEND))
    return findings


def file_sum(path: Path) -> str:
    """The sha256 of a file."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(2**20):
            digest.update(piece)
    return digest.hexdigest()
