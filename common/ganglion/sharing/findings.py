"""What a look into a bundle of somebody else can find, in one form: which file, which key, what, and why it matters."""

from dataclasses import asdict, dataclass


@dataclass(frozen=True)
class SharingFinding:
    """One thing in a bundle or a zip that its user should not run unseen.

    Attributes:
        file: path inside the bundle (POSIX), or the name of the archive entry, as `configs/train.json`.
        key: id inside the file, as `train#trainer#loss`, or an empty text if the whole file is meant.
        found: what is there, shortened to a readable length.
        why: why it is refused, and what would be accepted.
    """

    file: str
    key: str
    found: str
    why: str

    def __str__(self) -> str:
        place = f"{self.file}: {self.key}" if self.key else self.file
        return f"{place}: found {self.found}. {self.why}"

    def as_dict(self) -> dict[str, str]:
        """The finding for a JSON file."""
        return asdict(self)
