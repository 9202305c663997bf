"""Curves for TensorBoard."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ...errors import storage_errors


class Curves:
    """Writes every term of every phase, and the validation's metrics, as scalars.

    Args:
        folder: where the event files go.
        iteration: iterations done already; points beyond them, left by a run that was killed, are hidden.
        every: iterations between two points.
    """

    def __init__(self, folder: Path, iteration: int, every: int) -> None:
        from torch.utils.tensorboard import SummaryWriter

        if not isinstance(threading.excepthook, _QuietWriters):
            threading.excepthook = _QuietWriters(threading.excepthook)
        self.every = every
        self.folder = folder
        with storage_errors(folder):
            self._writer: Any = SummaryWriter(str(folder), purge_step=iteration + 1)

    def add_iteration(self, output: Mapping[str, Any], iteration: int) -> None:
        """Add the output of one iteration if it is due."""
        if iteration % self.every == 0:
            with storage_errors(self.folder):
                for name, value in output.items():
                    self._writer.add_scalar(f"iteration/{name}", float(value), iteration)

    def add_epoch(self, row: Mapping[str, float]) -> None:
        """Add a row of the history; its axis counts iterations too, so that a resumed run can hide later points."""
        with storage_errors(self.folder):
            for name, value in row.items():
                if "/" in name:
                    self._writer.add_scalar(f"epoch/{name}", value, int(row["iteration"]))
        self.flush()

    def flush(self) -> None:
        """Bring everything to the disk."""
        with storage_errors(self.folder):
            self._writer.flush()


class _QuietWriters:
    """Leaves out the traceback of a writer's thread: the error is raised again where the next point is added."""

    def __init__(self, former: Callable[[threading.ExceptHookArgs], Any]) -> None:
        self.former = former

    def __call__(self, told: threading.ExceptHookArgs) -> None:
        writer = type(told.thread).__module__.startswith("tensorboard.")
        if not (writer and isinstance(told.exc_value, OSError)):
            self.former(told)
