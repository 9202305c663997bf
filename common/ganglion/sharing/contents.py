"""What of a bundle's folder travels: its parts by name. What is made anew stays behind, anything else is refused."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

from ..errors import InputError
from .findings import SharingFinding
from .library import versioned_name
from .sums import SUMS_FILE

GUIDE = "docs/zip.md"
REQUIRED = (
    "LICENSE",
    "configs/metadata.json",
    "configs/train.json",
    "configs/evaluate.json",
    "configs/inference.json",
    "docs/README.md",
    "docs/data_license.txt",
    "models/model.pt",
)
_PARTS = re.compile(
    r"LICENSE|configs/([\w-]+/)*[\w-]+\.json|configs/logging\.conf|docs/([\w-]+/)*[\w.-]+\.(md|txt|png|svg)"
    r"|tables/[\w-]+\.json|models/([\w-]+/)*[\w-]+\.pt"
)
# Runs, data and logs of whoever trained here; what packing or an export writes anew.
_LEFT_FOLDERS = ("runs", "eval", "data", "mlruns", "reproduced")
_LEFT_FILES = re.compile(r"(^|/)(\..*|__pycache__)(/|$)|\.previous$|\.(safetensors|ts|onnx|pt2)$|^mlruns\.db$")
_WHY = "Only LICENSE, configs, tables, docs (text and pictures) and models/*.pt travel; move it out of the bundle."


@dataclass(frozen=True)
class Contents:
    """The files of a bundle that travel, by paths inside it.

    Attributes:
        root: folder of the bundle.
        files: the paths, in order.
        findings: what lies in the folder and has no business there, or is missing.
    """

    root: Path
    files: tuple[str, ...]
    findings: tuple[SharingFinding, ...]

    @property
    def name(self) -> str:
        """The bundle's name."""
        return self.root.name

    @property
    def weights(self) -> tuple[str, ...]:
        """The state dicts."""
        return tuple(name for name in self.files if name.startswith("models/"))

    @property
    def configs(self) -> tuple[str, ...]:
        """The JSON files."""
        return tuple(name for name in self.files if name.endswith(".json"))


def read_contents(bundle: str | Path) -> Contents:
    """Look through a bundle's folder."""
    root = Path(bundle).resolve()
    if not (root / "configs" / "metadata.json").is_file():
        raise InputError(f"{bundle}: found no configs/metadata.json, expected the folder of a bundle; name one.")
    names = _names(root)
    links = [name for name in names if (root / name).is_symlink()]
    findings = [SharingFinding(name, "", "a link", "Put the file in its place.") for name in links]
    files = [name for name in names if _PARTS.fullmatch(name) and name not in links and name != GUIDE]
    strays = [name for name in names if not _PARTS.fullmatch(name) and name not in links]
    findings += [SharingFinding(name, "", "a file that is no part of a bundle", _WHY) for name in strays]
    missing = [name for name in REQUIRED if name not in files]
    findings += [SharingFinding(name, "", "no such file", "Every bundle has one.") for name in missing]
    beside = [name for name in files if re.fullmatch(r"models/[\w-]+\.pt", name) and name != "models/model.pt"]
    why = "MONAI Label loads the shortest *.pt name there: put it into a folder of models/."
    findings += [SharingFinding(name, "", "weights beside models/model.pt", why) for name in beside]
    return Contents(root, tuple(files), tuple(findings))


def _names(root: Path) -> list[str]:
    """Files and links below a bundle's root, sorted, without what stays behind."""
    library = versioned_name()
    found = []
    for folder, folders, files in os.walk(root):
        place = Path(folder).relative_to(root)
        if place == Path():
            folders[:] = [name for name in folders if name not in (*_LEFT_FOLDERS, library)]
        links = [name for name in folders if (Path(folder) / name).is_symlink()]
        found += [(place / name).as_posix() for name in [*files, *links]]
    return sorted(name for name in found if not _LEFT_FILES.search(name) and name != SUMS_FILE)
