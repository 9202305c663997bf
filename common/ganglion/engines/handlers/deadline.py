"""A limit on a run's time: end before the queue does it."""

from __future__ import annotations

import time

from ...errors import InputError
from ..run import begun


class Deadline:
    """Says when a run has used up its time, counted from the program's first step (`prepare_run`).

    Args:
        minutes: how long; None is without limit.
    """

    def __init__(self, minutes: float | None) -> None:
        number = isinstance(minutes, (int, float)) and not isinstance(minutes, bool)
        if minutes is not None and not (number and minutes > 0):
            raise InputError(f"time_limit is {minutes!r}, expected minutes above 0, or null for no limit")
        self.minutes = minutes
        self._end = None if minutes is None else begun() + 60.0 * minutes

    def passed(self) -> bool:
        """Whether the time is over."""
        return self._end is not None and time.monotonic() >= self._end
