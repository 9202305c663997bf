"""JSON files: written whole or not at all; read so that a key which stands twice is an error."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .whole import written_whole


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write an object as JSON of one space of indent; an interrupted write leaves what was there."""
    with written_whole(path) as part:
        part.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """The `object_pairs_hook` of `json.loads` that raises a ValueError if a key stands twice."""
    keys = [key for key, _ in pairs]
    twice = next((key for key in keys if keys.count(key) > 1), None)
    if twice is not None:
        raise ValueError(f"the key {twice!r} twice")
    return dict(pairs)
