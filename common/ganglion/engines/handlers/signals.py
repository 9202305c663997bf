"""SIGTERM and SIGINT: finish the iteration, save, leave with the signal's exit code."""

from __future__ import annotations

import signal
import threading
from types import FrameType
from typing import Any

SIGNALS = (signal.SIGTERM, signal.SIGINT)


class StopSignals:
    """Remembers the first signal that asks the process to stop; a second one stops it at once."""

    def __init__(self) -> None:
        self.received: int | None = None
        self._former: dict[int, Any] = {}

    def install(self) -> None:
        """Take over the signals; without effect outside the main thread, where Python does not allow it."""
        if threading.current_thread() is threading.main_thread() and not self._former:
            self._former = {number: signal.signal(number, self._note) for number in SIGNALS}

    def remove(self) -> None:
        """Give the signals back to who had them before."""
        for number, former in self._former.items():
            signal.signal(number, former)
        self._former = {}

    def _note(self, number: int, frame: FrameType | None) -> None:
        if self.received is not None:
            raise SystemExit(128 + number)
        self.received = number

    @property
    def exit_code(self) -> int:
        """143 after SIGTERM, 130 after SIGINT."""
        return 128 + (self.received or 0)
