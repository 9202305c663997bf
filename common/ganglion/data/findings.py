"""What can be wrong with a data set, said in one form everywhere: which file, found X, expected Y, how to mend it."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import InputError

ERROR, WARNING, NOTE = "error", "warning", "note"
LEVELS = (ERROR, WARNING, NOTE)

# What sorts of fault there are, as `kind` of a finding states them.
KINDS = {
    "file": "empty, truncated, damaged, or of an unknown kind",
    "missing": "no file, a link that leads nowhere, one half of a pair",
    "packing": "gzip data under a name without .gz, or the reverse",
    "size": "more voxels claimed than are allowed",
    "type": "complex, coloured or unknown voxels",
    "shape": "not three or four dimensions",
    "sform": "an sform that cannot be used beside a qform that can",
    "affine": "no usable voxel axes or voxel size",
    "orientation": "a header that does not say where left is",
    "grid": "another grid than that of the subject's first image",
    "channels": "a 4-D file where a 3-D one is meant, or another number of channels",
    "contrasts": "too few or too many images of a subject, or in another order",
    "nonfinite": "NaN or Inf voxels",
    "constant": "one value everywhere",
    "codes": "label codes that are not those of the data set",
    "background": "a label of background only",
    "unlabelled": "a subject without a label in a list that needs one",
    "path": "a path that leaves the data set's folder, or is none",
    "twice": "a subject listed twice",
    "content": "the same voxels in two files",
    "links": "links that lead outside",
    "dataset": "dataset.json itself",
}


@dataclass(frozen=True)
class Finding:
    """One thing that a check found.

    Attributes:
        file: the file at fault.
        found: what is there.
        expected: what should be there.
        mend: how to mend it.
        level: "error" (cannot be used), "warning" (can, but look at it) or "note" (dealt with, for your information).
        kind: what sort of fault it is, one of `KINDS`; for programs.
    """

    file: str
    found: str
    expected: str
    mend: str
    level: str = ERROR
    kind: str = "file"

    def __str__(self) -> str:
        return f"{self.file}: found {self.found}, expected {self.expected}. {self.mend}"


class FileError(InputError):
    """An `InputError` about one file, which keeps its parts so that the check can list it."""

    def __init__(self, file: str | Path, found: str, expected: str, mend: str, kind: str = "file") -> None:
        self.finding = Finding(str(file), found, expected, mend, kind=kind)
        super().__init__(str(self.finding))

    def __reduce__(self) -> tuple[Any, ...]:
        parts = self.finding
        return FileError, (parts.file, parts.found, parts.expected, parts.mend, parts.kind)


def report(findings: Sequence[Finding]) -> str:
    """The findings as text: one line each, errors first, and a summary as the last line."""
    lines = [f"{finding.level}: {finding}" for finding in sorted(findings, key=lambda f: LEVELS.index(f.level))]
    counts = {level: sum(finding.level == level for finding in findings) for level in LEVELS}
    state = "can be used" if not counts[ERROR] else "cannot be used as it is"
    summary = ", ".join(f"{count} {level}{'' if count == 1 else 's'}" for level, count in counts.items())
    return "\n".join([*lines, f"{summary}: the data set {state}."])
