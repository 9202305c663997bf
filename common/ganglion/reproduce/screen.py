"""What a person sees meanwhile: lines, and on a terminal a bar below them."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Any

_EVERY = 1.0  # seconds between two looks at how far rows are


class Screen:
    """Lines on standard output; a bar of the rows done where standard error is a terminal.

    Args:
        total: how many rows there are.
        done: how many of them are done.
    """

    def __init__(self, total: int = 0, done: int = 0) -> None:
        from tqdm import tqdm

        self._bar: Any = tqdm(total=total, initial=done, desc="rows", unit="row", leave=False, disable=None)
        self._looked = 0.0

    def say(self, line: str) -> None:
        """Write a line."""
        self._bar.clear()
        sys.stdout.write(line + "\n")
        sys.stdout.flush()
        self._bar.refresh()

    def update(self, done: int, where: Callable[[], str]) -> None:
        """Show how many rows are done and what is going on, if there is a bar."""
        if self._bar.disable or time.monotonic() - self._looked < _EVERY:
            return
        self._looked = time.monotonic()
        self._bar.n = done
        self._bar.set_postfix_str(where())

    def close(self) -> None:
        """Take the bar away."""
        self._bar.close()
