"""SIGTERM and SIGINT: finish the iteration, save, leave with the signal's exit code."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any

from .. import processes

TIME_IS_UP = 75  # EX_TEMPFAIL of sysexits.h: nothing is wrong, try again
SIGNALS = (signal.SIGTERM, signal.SIGINT)


class StopSignals:
    """Remembers the first signal that asks the process to stop; a second one stops it at once.

    ``overdue`` is set by who watches the clock; a signal after that is still the first one.
    """

    def __init__(self) -> None:
        self.received: int | None = None
        self.overdue = False
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
        if self.received is not None and processes.count() == 1:  # a launcher passes on what a job's processes also got
            raise SystemExit(128 + number)
        self.received = number

    @staticmethod
    def shelter_workers(loader: Any) -> None:
        """Let a loader's worker processes outlast the signals, which schedulers send to every process of a job.

        Workers that die would end the training in the middle of an iteration; they leave with their parent anyway.
        """
        former = getattr(loader, "worker_init_fn", None)
        if getattr(loader, "num_workers", 0) > 0 and not isinstance(former, _Sheltered):
            loader.worker_init_fn = _Sheltered(former)

    @property
    def exit_code(self) -> int:
        """143 after SIGTERM, 130 after SIGINT, 75 when time is up."""
        return TIME_IS_UP if self.received is None else 128 + self.received


class _Sheltered:
    """A worker's first act: obey SIGTERM only if the parent process sent it, as it does to clear up."""

    def __init__(self, init: Callable[[int], None] | None) -> None:
        self.init = init

    def __call__(self, worker: int) -> None:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        if hasattr(signal, "sigwaitinfo"):  # not on every system
            signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
            threading.Thread(target=_obey, args=(os.getppid(),), daemon=True).start()
        if self.init is not None:
            self.init(worker)


def _obey(parent: int) -> None:
    while signal.sigwaitinfo({signal.SIGTERM}).si_pid != parent:
        pass
    os._exit(128 + signal.SIGTERM)
