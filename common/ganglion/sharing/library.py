"""The library inside a zip: a folder whose name carries its version, and configs that name it by that.

Imports inside the library are relative, so it runs under any name, and two versions live in one process.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from .. import __version__
from .findings import SharingFinding

ENDINGS = (".py", ".json")
_STRING = re.compile(r'"(?:[^"\\]|\\.)*"')
_TARGET = re.compile(r'("(?:[^"\\]*[#:])?_target_"\s*:\s*")([^"\\]*")')


def library_folder() -> Path:
    """The folder of the library that runs."""
    return Path(__file__).resolve().parents[1]


def library_name() -> str:
    """The name by which the library that runs was imported."""
    return __name__.partition(".")[0]


def versioned_name(name: str | None = None, version: str = __version__) -> str:
    """The library's name inside a zip; inside a zip already, it keeps its name."""
    name, suffix = name or library_name(), "_" + re.sub(r"\W", "_", version)
    return name if name.endswith(suffix) else name + suffix


def library_files() -> dict[str, bytes]:
    """What of the library travels: sources and the tables beside them, by paths inside its folder."""
    root = library_folder()
    files = sorted(path for path in root.rglob("*") if path.suffix in ENDINGS and "__pycache__" not in path.parts)
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in files if path.is_file()}


def point_to(text: str, old: str, new: str) -> str:
    """The text of a config with every `_target_` and every `$` expression naming the library by another name."""
    word = re.compile(rf"(?<![\w.]){re.escape(old)}(?=\.|\s|\\?[\"')]|,|$)")

    def expression(match: re.Match[str]) -> str:
        found = match.group()
        return word.sub(new, found) if found.startswith('"$') else found

    renamed = _TARGET.sub(lambda m: m.group(1) + re.sub(rf"^{re.escape(old)}(?=\.)", new, m.group(2)), text)
    return _STRING.sub(expression, renamed)


def library_targets(config: Any, name: str, key: str = "") -> Iterator[tuple[str, str]]:
    """Each key of a config with the `_target_` of the library that it names."""
    for place, value in _strings(config, key):
        if place.endswith("_target_") and value.startswith(f"{name}."):
            yield place, value


def stray_names(config: Any, file: str, name: str) -> list[SharingFinding]:
    """Where a config names a copy of the library other than the one in its zip; remarks may say what they like."""
    stem = re.sub(r"(_\d+)+\w*$", "", name)
    other = re.compile(rf"(?<![\w.]){re.escape(stem)}(_\d+\w*)?\.[a-z_]\w*")
    findings = []
    for place, value in _strings(config):
        wrong = [found.group() for found in other.finditer(value) if not found.group().startswith(f"{name}.")]
        if wrong and not place.endswith("_desc_"):
            why = f"The library that packs is called {name} here; pack with the one that the config names."
            findings.append(SharingFinding(file, place, wrong[0], why))
    return findings


def _strings(config: Any, key: str = "") -> Iterator[tuple[str, str]]:
    """Every text of a config with its id."""
    if isinstance(config, str):
        yield key, config
    elif isinstance(config, Mapping | list):
        pairs = config.items() if isinstance(config, Mapping) else enumerate(config)
        for part, value in pairs:
            yield from _strings(value, f"{key}#{part}" if key else str(part))
