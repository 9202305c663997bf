"""The folder of all tables: what it was begun for, and the data set that its rows share."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..data.json_files import write_json
from ..errors import InputError
from ..reports.provenance import describe_data, is_simulated, read_json
from .table import Scale, Table

MARKER = "reproduce.json"
NO_DATA = Path("DIR")  # stands for a data set in the commands of a dry run
PACKAGE = __package__.rpartition(".")[0]


@dataclass(frozen=True)
class Place:
    """Where a table is reproduced.

    Attributes:
        out: the folder of all tables of a bundle at one scale.
        table: the table.
        scale: the scale.
        given: the data set that the user names; None for the simulated one.
        others: further data sets that the user names, by the name that rows know them by.
    """

    out: Path
    table: Table
    scale: Scale
    given: Path | None = None
    others: Mapping[str, Path] = field(default_factory=dict)

    @property
    def data(self) -> Path:
        """Folder of the data set."""
        return self.given or self.out / "data"

    @property
    def phantom(self) -> tuple[str, ...]:
        """The command that simulates the scale's cohort."""
        cohort = self.scale.cohort
        if cohort is None:
            raise InputError(
                f"{self.table.path}: found no cohort for scale {self.scale.name}, expected a data set; give one with "
                "--dataset_dir DIR."
            )
        return _phantom(cohort, self.data)

    @property
    def further(self) -> dict[str, Path]:
        """Folders of the data sets that rows of the table know by a name."""
        names = dict.fromkeys(row.data for row in self.table.rows.values() if row.data is not None)
        unnamed = {name: NO_DATA if self.given == NO_DATA else self.out / "others" / name for name in names}
        return unnamed | {name: folder for name, folder in self.others.items() if name in unnamed}

    @property
    def to_simulate(self) -> dict[Path, tuple[str, ...]]:
        """The command that simulates each data set that nobody has named, by its folder.

        Raises:
            InputError: there is no cohort to simulate for one.
        """
        found = {} if self.given is not None else {self.data: self.phantom}
        for name, folder in self.further.items():
            if name not in self.others and folder != NO_DATA:
                found[folder] = self._further_phantom(name, folder)
        return found

    def _further_phantom(self, name: str, folder: Path) -> tuple[str, ...]:
        cohort = self.scale.others.get(name)
        if cohort is None or self.given is not None:
            why = "there is no cohort to simulate" if cohort is None else "real and simulated subjects are not mixed"
            raise InputError(
                f"{self.table.path}: found no data set {name!r} for rows that need it, and {why} at scale "
                f"{self.scale.name}; give it with --others \"{{'{name}': 'DIR'}}\"."
            )
        return _phantom(cohort, folder)

    def check(self) -> None:
        """Raise an InputError if the folder was begun for something else; writes nothing."""
        unknown = sorted(set(self.others) - set(self.further))
        if unknown:
            known = ", ".join(self.further) or "none"
            raise InputError(
                f"others: found {', '.join(unknown)}, expected names that {self.table.path} uses: {known}."
            )
        _ = self.to_simulate
        described = None if self.given in (None, NO_DATA) else describe_data(self.data)
        marker = _marker(self.out)
        if marker is None:
            if self.out.exists() and (not self.out.is_dir() or set(os.listdir(self.out)) - {f"{MARKER}.lock"}):
                raise InputError(
                    f"{self.out}: found files that are of no `reproduce`, expected a new or empty folder; choose "
                    "another with --out DIR."
                )
            return
        for name, wanted in self._begun().items():
            if marker.get(name) != wanted and (name != "cohort" or self.given is None):
                what = "data set" if name == "cohort" else name
                raise self._other(what, _shown(marker.get(name)), _shown(wanted))
        if described is not None and marker.get("fingerprint"):
            self._compare(marker, described)
        for name, folder in self.others.items():
            self._compare_further(marker, name, describe_data(folder))

    def _begun(self) -> dict[str, Any]:
        cohort = self.scale.cohort if self.given is None else None
        return {"bundle": self.table.bundle, "scale": self.scale.name, "cohort": cohort}

    def begin(self) -> None:
        """Note what the folder is for."""
        if _marker(self.out) is None:
            write_json(self.out / MARKER, self._begun())

    def note_data(self) -> None:
        """Note what the data are, or raise an InputError if they are others than before."""
        described, marker = describe_data(self.data), _marker(self.out) or {}
        if marker.get("fingerprint"):
            self._compare(marker, described)
            return
        more = {"fingerprint": described["fingerprint"], "simulated": is_simulated(described), "data": described}
        write_json(self.out / MARKER, {**self._begun(), **more, "others": marker.get("others", {})})

    def note_further(self) -> None:
        """The same for the data sets that rows know by a name."""
        marker = _marker(self.out) or {}
        noted = dict(marker.get("others", {}))
        for name, folder in self.further.items():
            described = describe_data(folder)
            self._compare_further(marker, name, described)
            noted[name] = described
        if noted != marker.get("others", {}):
            write_json(self.out / MARKER, {**marker, "others": noted})

    def _compare_further(self, marker: Mapping[str, Any], name: str, described: Mapping[str, str]) -> None:
        noted = marker.get("others", {}).get(name)
        if noted is not None:
            self._compare(noted, described, f"data set {name!r}")

    def _compare(self, marker: Mapping[str, Any], described: Mapping[str, str], what: str = "data set") -> None:
        then, now = str(marker.get("fingerprint")), described["fingerprint"]
        if then != now:
            raise self._other(what, f"fingerprint {then[:12]}", f"fingerprint {now[:12]}")

    def _other(self, what: str, found: str, expected: str) -> InputError:
        return InputError(
            f"{self.out}: found results of another {what} ({found}), expected {expected}; choose another folder with "
            f"--out DIR, or give the same {what} again."
        )


def _phantom(cohort: Mapping[str, Any], folder: Path) -> tuple[str, ...]:
    """The command that simulates a cohort."""
    options = {name: value for name, value in cohort.items() if name != "cohort"}
    options |= {"workers": min(2, os.cpu_count() or 1)}
    texts = {name: ",".join(map(str, v)) if isinstance(v, list) else str(v) for name, v in options.items()}
    words = [word for name, text in texts.items() for word in (f"--{name}", text)]
    return ("python", "-m", PACKAGE, "phantom", cohort["cohort"], str(folder), *words)


def _marker(out: Path) -> dict[str, Any] | None:
    path = out / MARKER
    if not path.is_file():
        return None
    content = read_json(path)
    return content if isinstance(content, dict) else {}


def _shown(value: Any) -> str:
    if isinstance(value, Mapping):
        return "simulated: " + ", ".join(f"{name} {each}" for name, each in value.items())
    return "named by --dataset_dir" if value is None else str(value)
