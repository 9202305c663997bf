"""Arguments that decide what runs: texts by which MONAI looks up a class, and switches of guards."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from .allowed_monai import MERGERS, READERS, WRITERS

# MONAI looks these up among its own classes and then anywhere: a `reader` of "os.system" would be called.
LOOKED_UP = {"reader": READERS, "writer": WRITERS, "merger_cls": MERGERS}
# Guards, with the value that they must keep.
SWITCHES = {"allow_pickle": False, "weights_only": True, "_debug_": False}
BARRED = {"pickle_module": "It reads pickles, which run code."}


def judge_argument(name: str, value: Any) -> Iterator[str]:
    """Why an argument may not have this value.

    Args:
        name: of the argument.
        value: as the config gives it; anything but a text, a number, a list or a dictionary is what code computes.
    """
    if name in BARRED and value is not None:
        yield BARRED[name]
    if name in SWITCHES and value is not SWITCHES[name] and value is not None:
        yield f"It must stay {SWITCHES[name]}, spelt out."
    if name in LOOKED_UP:
        for item in value if isinstance(value, list | tuple) else [value]:
            if not _is_known(item, LOOKED_UP[name]):
                yield f"Looked up as code; expected one of {', '.join(sorted(LOOKED_UP[name]))}, written out."


def _is_known(item: Any, known: set[str]) -> bool:
    """Whether this is one of MONAI's classes: its name, an expression that is its name, or a component of it."""
    if item is None:
        return True
    if isinstance(item, dict):  # what else a component gives could be a text again
        target = item.get("_target_")
        return isinstance(target, str) and not target.startswith("$") and _is_known(target, known)
    if not isinstance(item, str):
        return False
    path, _, last = item.removeprefix("$").rpartition(".")
    allowed = {name.lower() for name in known}
    if item.startswith("$") or path:
        return re.fullmatch(r"monai\.data(\.image_(reader|writer))?", path) is not None and last in known
    return last.lower() in allowed
