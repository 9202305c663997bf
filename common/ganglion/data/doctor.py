"""`ganglion data check` as a whole: look, mend if asked to, and say it as text and as JSON.

The JSON file (schema 1):

    {"schema": 1, "data_set": "glioma", "usable": false, "counts": {"error": 1, "warning": 0, "note": 0},
     "findings": [{"level": "error", "kind": "grid", "file": "sub-003/sub-003_T2.nii.gz", "found": "...",
                   "expected": "...", "mend": "..."}],
     "mending": {"folder": "glioma_mended", "complete": true, "kept": ["sub-001", ...], "left_out": [],
                 "deeds": [{"kind": "grid", "file": "sub-003/sub-003_T2.nii.gz", "mended": true, "what": "..."}]}}

`kind` is one of `findings.KINDS`; files below the data set's folder are named relative to it, in POSIX form; `mending`
is there if a mended copy was asked for, and its `folder` is null if none could be written.
"""

import json
import os
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ..errors import InputError
from .check import examine
from .findings import ERROR, LEVELS, FileError, Finding, report
from .mend import Mending, mend_dataset, require_apart
from .volumes import MAX_VOXELS
from .whole import written_whole

SCHEMA = 1


def look_after(
    dataset_dir: str | Path,
    json_file: str | Path | None = None,
    fix: str | Path | None = None,
    copy: bool = False,
    allow_outside: bool = False,
    workers: int = 1,
    progress: bool = False,
    max_voxels: int = MAX_VOXELS,
) -> tuple[str, bool]:
    """Check a data set, and write the findings and a mended copy where asked to.

    Args:
        dataset_dir: folder with `dataset.json`; it is only read.
        json_file: file for the findings.
        fix: folder for a mended copy, new or empty.
        copy: copy flawless files into it instead of linking to them.
        allow_outside: whether paths may leave the folder.
        workers: subjects checked at a time.
        progress: whether to draw a progress bar.
        max_voxels: how many voxels a file may claim.

    Returns:
        What to tell the user, and whether there is a data set that can be used: the one checked, or a copy in which
        every fault was mended.
    """
    if copy and fix is None:
        raise InputError("copy is for the mended copy: give its folder too (--fix DST).")
    if max_voxels < 1:
        raise InputError(f"max_voxels: found {max_voxels}, expected a whole number from 1.")
    if fix is not None:
        require_apart(Path(dataset_dir), Path(fix))
    seen = examine(dataset_dir, allow_outside, workers, progress, max_voxels)
    texts, good = [report(seen.findings)], not any(finding.level == ERROR for finding in seen.findings)
    mending = None
    if fix is not None and seen.data is not None:
        mending = mend_dataset(dataset_dir, fix, copy, allow_outside, max_voxels, seen)
        texts.append(mending.report())
        good = mending.complete
    if json_file is not None:
        write_findings(json_file, dataset_dir, seen.findings, mending)
    return "\n".join(texts), good


def write_findings(
    path: str | Path, dataset_dir: str | Path, findings: Sequence[Finding], mending: Mending | None = None
) -> None:
    """Write the findings as JSON (see above), the whole file or nothing."""
    path, folder = Path(os.path.abspath(path)), Path(os.path.abspath(dataset_dir))
    if path.is_dir():
        raise FileError(path, "a folder", "a file to write the findings to", "Name a file (--json FILE).")
    content: dict[str, Any] = {
        "schema": SCHEMA,
        "data_set": folder.name,
        "usable": not any(finding.level == ERROR for finding in findings),
        "counts": {level: sum(finding.level == level for finding in findings) for level in LEVELS},
        "findings": [{**asdict(finding), "file": _relative(finding.file, folder)} for finding in findings],
    }
    if mending is not None:
        content["mending"] = _answers(mending, folder)
    path.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps(content, indent=2, ensure_ascii=False) + "\n"
    with written_whole(path) as part:
        part.write_text(text, encoding="utf-8", errors="replace")


def _answers(mending: Mending, folder: Path) -> dict[str, Any]:
    deeds = [
        {"kind": d.finding.kind, "file": _relative(d.finding.file, folder), "mended": d.done, "what": d.what}
        for d in mending.deeds
    ]
    name = mending.folder.name if mending.folder is not None else None
    kept, left_out = mending.kept, mending.left_out
    return {"folder": name, "complete": mending.complete, "kept": kept, "left_out": left_out, "deeds": deeds}


def _relative(file: str, folder: Path) -> str:
    path = Path(os.path.abspath(file))
    return path.relative_to(folder).as_posix() if path.is_relative_to(folder) else file
