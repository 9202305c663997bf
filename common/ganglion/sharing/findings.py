"""What a look into a bundle of somebody else can find, in one form: which file, which key, what, and why it matters."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from ..errors import InputError

LONGEST = 160


@dataclass(frozen=True)
class SharingFinding:
    """One thing in a bundle or a zip that its user should not run unseen, or that must not be passed on as it is.

    Attributes:
        file: path inside the bundle (POSIX), or the name of the archive entry, as `configs/train.json`.
        key: id inside the file, as `train#trainer#loss`, or an empty text if the whole file is meant.
        found: what is there.
        why: why it is refused, and what would be accepted.
    """

    file: str
    key: str
    found: str
    why: str

    def __str__(self) -> str:
        place = f"{self.file}: {self.key}" if self.key else self.file
        return f"{printable(place)}: found {printable(self.found)}. {printable(self.why, 400)}"

    def as_dict(self) -> dict[str, str]:
        """The finding for a JSON file."""
        return asdict(self)


class Refused(InputError):  # noqa: N818  what was done, not what failed
    """A bundle or a zip that is not taken; says why, one line a finding (exit code 2)."""

    max_lines = 100

    def __init__(self, what: str, findings: Sequence[SharingFinding], mend: str = "") -> None:
        self.what, self.findings, self.mend = what, tuple(findings), mend
        reasons = f"{len(findings)} reason{'' if len(findings) == 1 else 's'}"
        lines = [str(finding) for finding in findings[: self.max_lines - 2]]
        super().__init__("\n".join([f"{what}: {reasons}{f'. {mend}' if mend else ''}", *lines]))

    def __reduce__(self) -> tuple[Any, ...]:
        return Refused, (self.what, self.findings, self.mend)


def printable(text: str, longest: int = LONGEST) -> str:
    """A text of somebody else that can be shown: one line, short, nothing that moves a terminal's cursor."""
    plain = "".join(char if char.isprintable() and char.isascii() else ascii(char)[1:-1] for char in text)
    return plain if len(plain) <= longest else plain[: longest - 3] + "..."
