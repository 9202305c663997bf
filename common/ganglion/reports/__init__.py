"""Pictures and tables of what was run: one HTML file that needs no server and no network."""

from .run_report import write_report

__all__ = ["write_report"]
