"""What can be wrong with a data set, said in one form everywhere: which file, found X, expected Y, how to mend it."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import InputError

ERROR, WARNING, NOTE = "error", "warning", "note"


@dataclass(frozen=True)
class Finding:
    """One thing that a check found.

    Attributes:
        file: the file at fault.
        found: what is there.
        expected: what should be there.
        mend: how to mend it.
        level: "error" (cannot be used), "warning" (can, but look at it) or "note" (dealt with, for your information).
    """

    file: str
    found: str
    expected: str
    mend: str
    level: str = ERROR

    def __str__(self) -> str:
        return f"{self.file}: found {self.found}, expected {self.expected}. {self.mend}"


class FileError(InputError):
    """An `InputError` about one file, which keeps its parts so that the check can list it."""

    def __init__(self, file: str | Path, found: str, expected: str, mend: str) -> None:
        self.finding = Finding(str(file), found, expected, mend)
        super().__init__(str(self.finding))

    def __reduce__(self) -> tuple[Any, ...]:
        return FileError, (self.finding.file, self.finding.found, self.finding.expected, self.finding.mend)


def report(findings: Sequence[Finding]) -> str:
    """The findings as text: one line each, errors first, and a summary as the last line."""
    order = {ERROR: 0, WARNING: 1, NOTE: 2}
    lines = [f"{finding.level}: {finding}" for finding in sorted(findings, key=lambda f: order.get(f.level, 3))]
    counts = {level: sum(finding.level == level for finding in findings) for level in order}
    state = "can be used" if not counts[ERROR] else "cannot be used as it is"
    summary = ", ".join(f"{count} {level}{'' if count == 1 else 's'}" for level, count in counts.items())
    return "\n".join([*lines, f"{summary}: the data set {state}."])
