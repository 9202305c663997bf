"""`ganglion scan`: look through a bundle of somebody else before anything in it runs.

Nothing is imported, evaluated or unpickled, and a zip is read where it lies. What is on no allow-list is a finding.
"""

from __future__ import annotations

import hashlib
import io
import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from ..errors import InputError
from .archive import ArchiveFault, nested_findings
from .findings import SharingFinding
from .library import library_name, versioned_name
from .scanning import kinds
from .scanning.configs import judge_configs
from .scanning.files import Files, open_files
from .scanning.library_copy import judge_library_copy
from .scanning.logging_conf import judge_logging
from .scanning.weight_files import judge_weights, looks_like_pickle
from .sums import SUMS_FILE, compare_sums

_HEAD = 512
_CODE = "It is code that runs, or that other code may run; a scan cannot judge it. Take it from who you trust, or not."
_ODD = "Bundles have no such files, and this scan does not know what they hold."
_SVG = re.compile(
    rb"<script|<foreignobject|javascript:|\son\w+\s*=|<!entity|(href|src)\s*=\s*[\"'](?!#|data:image)", re.I
)


def scan(path: str | Path) -> list[SharingFinding]:
    """Everything in a bundle that its user should not run unseen.

    Args:
        path: a zip, the folder of a bundle, or one file.
    """
    findings: list[SharingFinding] = []
    for files in open_files(Path(path)):
        findings = list(dict.fromkeys([*files.findings, *_scan_files(files)]))
    return findings


def report(path: str | Path, findings: Sequence[SharingFinding]) -> str:
    """The findings as text, one line each, and a summary as the last line."""
    count = f"{len(findings)} finding{'' if len(findings) == 1 else 's'}"
    end = "Look at each before you run anything of it." if findings else "Nothing in it was run."
    return "\n".join([*map(str, findings), f"{path}: {count}. {end}"])


def write_json(target: str | Path, path: str | Path, findings: Sequence[SharingFinding]) -> None:
    """Write the findings as JSON: {"scanned": name, "findings": [{"file", "key", "found", "why"}, ...]}."""
    content = {"scanned": Path(path).name, "findings": [finding.as_dict() for finding in findings]}
    target = Path(target)
    if not target.parent.is_dir():
        raise InputError(f"{target}: found no folder {target.parent}, expected one to write into; make it first.")
    target.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def _scan_files(files: Files) -> Iterator[SharingFinding]:
    """Reads each file once: sums, the library's copy, weights one by one, and in the end the configs together."""
    library, sums = versioned_name(), dict[str, str]()
    copy, configs, code = dict[str, bytes](), dict[str, bytes](), list[str]()
    for name in files.names:
        try:
            content = files.read(name)
        except ArchiveFault as fault:
            yield fault.finding
            continue
        except OSError as error:
            yield SharingFinding(name, "", f"a file that cannot be read ({error.strerror})", "It cannot be judged.")
            continue
        sums[name] = hashlib.sha256(content).hexdigest()
        kind = kinds.kind_of(name, content[:_HEAD])
        if name.startswith(f"{library}/"):
            copy[name] = content
        elif kind == kinds.CODE and not name.lower().endswith(".svg"):
            code.append(name)
        elif kind == kinds.CONFIG:
            configs[name] = content
        else:
            yield from _judge_file(name, content, kind, files.in_zip)
    if SUMS_FILE in sums:
        yield from compare_sums(files.read(SUMS_FILE).decode("utf-8", "replace"), sums)
    elif files.in_zip and files.names:
        yield SharingFinding(SUMS_FILE, "", "no such file", "Whether it is what was packed cannot be told.")
    strange, changed = judge_library_copy(files.names, copy)
    yield from changed
    yield from _code_findings([*code, *strange])
    known = {library_name(), library} if copy and not changed else {library_name()}
    yield from judge_configs(configs, known)


def _judge_file(name: str, content: bytes, kind: str, in_zip: bool) -> Iterator[SharingFinding]:
    """Weights, logging and what has no business in a bundle."""
    nested: list[SharingFinding] = []
    if in_zip or not name.lower().endswith(".gz"):
        nested = nested_findings(io.BytesIO(content), name)
        yield from nested
    if kind == kinds.LOGGING:
        for part, found, why in judge_logging(content):
            yield SharingFinding(name, part, found, why)
    elif kind == kinds.WEIGHTS or looks_like_pickle(content):
        sound = not nested or name.lower().endswith(".npz")
        for part, found, why in judge_weights(name, content) if sound else []:
            yield SharingFinding(name, part, found, why)
    elif name.lower().endswith(".svg"):
        if _SVG.search(content):
            yield SharingFinding(name, "", "a picture with a program or a link", "It would run in a browser.")
    elif kind == kinds.ODD and not nested:
        yield SharingFinding(name, "", "a kind of file that is not known", _ODD)


def _code_findings(names: Sequence[str]) -> Iterator[SharingFinding]:
    """One finding a file, or one a folder where there are many."""
    folders: dict[str, list[str]] = {}
    for name in names:
        folders.setdefault(name.partition("/")[0] if "/" in name else "", []).append(name)
    for folder, inside in folders.items():
        if folder and len(inside) > 5:
            yield SharingFinding(f"{folder}/", "", f"{len(inside)} files of code, {inside[0]} among them", _CODE)
        else:
            yield from (SharingFinding(name, "", "code", _CODE) for name in inside)
