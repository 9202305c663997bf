"""Pictures and tables of what was run: one HTML file that needs no server and no network."""

from typing import Any

__all__ = ["write_report"]


def __getattr__(name: str) -> Any:
    if name != "write_report":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from .run_report import write_report

    return write_report
