"""What a person sees while training: a bar on a terminal, one line an epoch in a log."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Mapping
from typing import Any

from tqdm import tqdm

logger = logging.getLogger(__name__)


class Progress:
    """A bar over the iterations of an epoch where stderr is a terminal, and a line with the means at its end.

    Args:
        bar: force the bar on or off; None asks the terminal.
    """

    def __init__(self, bar: bool | None = None) -> None:
        self.bar = sys.stderr.isatty() if bar is None else bar
        self._bar: Any = None
        self._since = time.monotonic()

    def begin_epoch(self, epoch: int, epochs: int, iterations: int, done: int) -> None:
        """Open the bar of an epoch, of which some iterations may be done already."""
        self._since = time.monotonic()
        if self.bar:
            self._bar = tqdm(total=iterations, initial=done, desc=f"epoch {epoch}/{epochs}", leave=False, unit="it")

    def step(self, loss: float) -> None:
        """Count one iteration."""
        if self._bar is not None:
            self._bar.set_postfix(loss=f"{loss:.4f}", refresh=False)
            self._bar.update()

    def end_epoch(self, row: Mapping[str, float], epochs: int) -> None:
        """Close the bar and log the epoch's row."""
        self.close()
        numbers = "  ".join(f"{name} {value:.4f}" for name, value in row.items() if "/" in name)
        seconds = time.monotonic() - self._since
        logger.info("epoch %d/%d  %s  (%.1f s)", int(row["epoch"]), epochs, numbers, seconds)

    def close(self) -> None:
        """Take the bar away."""
        if self._bar is not None:
            self._bar.close()
            self._bar = None
