"""What a number came from: the settings of a run and the fingerprint of its data, without anybody's folders in it."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from ..data.datalist import FILE_NAME, DataList, inside, read_dataset_json
from ..errors import InputError
from ..keys import IMAGE, LABEL
from .shell import command_line, without_folders, without_folders_within


def read_json(path: Path) -> Any:
    """A JSON file, or an error that names it."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"{path.name}: found no such file in {path.parent.name}, expected one to report.") from error
    except ValueError as error:
        raise InputError(f"{path.name} is not valid JSON ({error}).") from error


def settings_of(run_dir: Path) -> dict[str, str]:
    """The plain settings of the run's config.json, which are what a person sets; of a path the last part only."""
    content = _config(run_dir)
    config = content.get("config")
    plain = {**content, **(config if isinstance(config, dict) else {})}
    return {name: _plain(value) for name, value in plain.items() if name != "command" and _is_plain(name, value)}


def command_of(run_dir: Path) -> list[str]:
    """The command line that started the run, as far as its config.json tells."""
    words = [str(word) for word in _config(run_dir).get("command", [])]
    if not words:
        return []
    module = "python -m monai.bundle" if words[0].replace("\\", "/").endswith("monai/bundle/__main__.py") else words[0]
    return [f"{module} {command_line(words[1:])}"]


def config_as_run(run_dir: Path) -> str:
    """The whole config.json of a run as text, every path without its folders; empty where there is none."""
    content = without_folders_within(_config(run_dir))
    return json.dumps(content, indent=2, ensure_ascii=False) if content else ""


def versions_of(content: Mapping[str, Any]) -> dict[str, str]:
    """The versions that a run or an evaluation has written down."""
    versions = content.get("versions")
    return {str(k): str(v) for k, v in versions.items()} if isinstance(versions, Mapping) else {}


def run_versions(run_dir: Path) -> dict[str, str]:
    """The versions that a training ran with."""
    return versions_of(_config(run_dir))


def dataset_of(run_dir: Path) -> str:
    """The data set that a training's config.json names; empty where it names none."""
    content = _config(run_dir)
    config = content.get("config")
    named = config.get("dataset_dir") if isinstance(config, Mapping) else None
    return named if isinstance(named, str) and not named.startswith(("$", "@", "%")) else ""


def warnings_of(logs: Iterable[Path], limit: int = 20) -> list[str]:
    """What was logged as a warning, each sentence once."""
    lines = [line for log in logs if log.is_file() for line in log.read_text("utf-8", "replace").splitlines()]
    said = dict.fromkeys(line.split("WARNING", 1)[1].lstrip(" :-") for line in lines if "WARNING" in line)
    return [without_folders(sentence) for sentence in said][:limit]


def describe_data(dataset_dir: Path, allow_outside: bool = False) -> dict[str, str]:
    """Name, sections, seed of the split and fingerprint of a data set."""
    data = read_dataset_json(dataset_dir)
    content = read_json(dataset_dir / FILE_NAME)
    sizes = {name: len(entries) for name, entries in data.sections.items() if entries}
    return {
        "data set": str(content.get("name", "")),
        "description": str(content.get("description", "")),
        "contrasts": ", ".join(data.contrasts),
        "simulated": _settings_line(content.get("simulated")),
        "subjects": ", ".join(f"{name} {n}" for name, n in sizes.items()),
        "seed of the split": str(content.get("seed", "")),
        "fingerprint": fingerprint(data, allow_outside),
    }


def fingerprint(data: DataList, allow_outside: bool = False) -> str:
    """sha256 over dataset.json and the name and size of each file that it lists."""
    digest = hashlib.sha256((data.folder / FILE_NAME).read_bytes())
    entries = [entry for section in data.sections.values() for entry in section]
    for entry in entries:
        images = entry[IMAGE] if isinstance(entry[IMAGE], list) else [entry[IMAGE]]
        for name in (*images, *([entry[LABEL]] if entry.get(LABEL) else [])):
            path = inside(data.folder, name, allow_outside)
            digest.update(f"\n{name} {path.stat().st_size if path.is_file() else 'missing'}".encode())
    return digest.hexdigest()


def is_simulated(description: Mapping[str, str]) -> bool:
    """Whether the data set says of itself that it is simulated."""
    words = f"{description['data set']} {description['description']}".lower()
    return bool(description["simulated"]) or "simulated" in words


def _settings_line(simulated: object) -> str:
    """How a simulated cohort was made, as one line."""
    return ", ".join(f"{k} {v}" for k, v in simulated.items()) if isinstance(simulated, dict) else ""


def _config(run_dir: Path) -> dict[str, Any]:
    path = run_dir / "config.json"
    content = read_json(path) if path.is_file() else {}
    return content if isinstance(content, dict) else {}


def _is_plain(name: str, value: object) -> bool:
    """A number, a switch or words, or a list of such; not a comment, and nothing that MONAI evaluates."""
    parts = value if isinstance(value, list) else [value]
    evaluated = any(isinstance(part, str) and part.startswith(("$", "@", "%")) for part in parts)
    return not name.startswith("_") and not evaluated and all(isinstance(p, str | int | float | bool) for p in parts)


def _plain(value: object) -> str:
    if isinstance(value, list):
        return ", ".join(_plain(v) for v in value)
    return os.path.basename(value.rstrip("/\\")) if isinstance(value, str) and os.sep in value else str(value)
