"""What there is: versions, devices, the bundles beside the package and their weights, for `ganglion info`."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from .environment import describe_environment

_PACKAGE = Path(__file__).resolve().parents[1]
_DEVICES = ("cpu threads", "gpus")


def inventory(as_json: bool = False) -> str:
    """What there is as text: for a person, or one JSON object."""
    found = describe()
    return json.dumps(found, indent=2) if as_json else in_words(found)


def describe(folder: str | Path | None = None) -> dict[str, Any]:
    """Everything as plain data.

    Args:
        folder: holds bundles; default: the one beside the package in its repository, or, in an unpacked zip, the
            bundle that the package lies in.

    Returns:
        `schema` (1), `versions`, `devices` (`cpu_threads`, `gpus`), and `bundles`: a list of `name`, `version`, `task`,
        `variants`, `tables` and `weights`, a list of `file`, `bytes` and `sha256`.
    """
    versions = describe_environment()
    threads, gpus = (versions.pop(name) for name in _DEVICES)
    return {
        "schema": 1,
        "versions": versions,
        "devices": {"cpu_threads": int(threads), "gpus": [] if gpus == "none" else gpus.split(", ")},
        "bundles": [_bundle(root) for root in _roots(folder)],
    }


def in_words(found: dict[str, Any]) -> str:
    """What `describe` gives, for a person."""
    devices = found["devices"]
    facts = {
        **found["versions"],
        "cpu threads": devices["cpu_threads"],
        "gpus": ", ".join(devices["gpus"]) or "none",
    }
    lines = [f"{name:<18} {value}" for name, value in facts.items()]
    lines += ["", "bundles" if found["bundles"] else "bundles            none beside this package"]
    for bundle in found["bundles"]:
        lines.append(f"  {bundle['name']} {bundle['version']}: {bundle['task']}")
        weights = [f"{one['file']} ({one['bytes'] / 2**20:.1f} MiB)" for one in bundle["weights"]]
        lines.append(f"    weights: {', '.join(weights) or 'none yet; train it'}")
        lines.append(f"    {len(bundle['variants'])} variants, {len(bundle['tables'])} tables of the paper")
    return "\n".join(lines)


def _roots(folder: str | Path | None) -> list[Path]:
    if folder is None and (_PACKAGE.parent / "configs" / "metadata.json").is_file():
        return [_PACKAGE.parent]
    beside = _PACKAGE.parents[1] / "bundles" if folder is None else Path(folder)
    return sorted(path.parents[1] for path in beside.glob("*/configs/metadata.json"))


def _bundle(root: Path) -> dict[str, Any]:
    metadata = json.loads((root / "configs" / "metadata.json").read_text(encoding="utf-8"))
    weights = [
        {
            "file": file.relative_to(root).as_posix(),
            "bytes": file.stat().st_size,
            "sha256": hashlib.sha256(file.read_bytes()).hexdigest(),
        }
        for file in sorted((root / "models").rglob("*.pt"), key=lambda file: (len(file.parts), file))
    ]
    return {
        "name": root.name,
        "version": metadata.get("version", ""),
        "task": metadata.get("task", ""),
        "variants": sorted(path.stem for path in (root / "configs" / "variants").glob("*.json")),
        "tables": sorted(path.stem for path in (root / "tables").glob("*.json")),
        "weights": weights,
    }
