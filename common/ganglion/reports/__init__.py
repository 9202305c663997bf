"""Pictures and tables of what was run: one HTML file that needs no server and no network."""

from importlib import import_module
from typing import Any

_HOMES = {"write_report": "run_report", "write_synthesis_picture": "synthesis_picture"}
__all__ = list(_HOMES)


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{_HOMES[name]}", __name__), name)
