"""One process a folder."""

from __future__ import annotations

import logging
import os
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

from .errors import InputError, storage_errors

try:
    import fcntl as _fcntl
except ImportError:  # not a POSIX system
    fcntl: Any = None
else:
    fcntl = _fcntl

logger = logging.getLogger(__name__)
# Which process of this memory holds which folder: the system's lock does not keep a process from itself.
_HELD: dict[Path, int] = {}


class HeldError(InputError):
    """Another process holds the lock."""


class RunLock:
    """Holds ``run.lock`` in a run folder; the system releases it when the process ends, however it ends.

    Args:
        path: the lock file; it holds the id of the process that has it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file: IO[str] | None = None

    def acquire(self) -> None:
        """Take the lock, or raise a HeldError that names the process that holds it."""
        if self._file is not None:
            return
        if _HELD.get(self.path.resolve()) == os.getpid():
            raise self._refusal(str(os.getpid()))
        with storage_errors(self.path):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            # It stays open: the lock lives as long as the file.
            file = self.path.open("a+", encoding="ascii", errors="replace")
        file.seek(0)
        former = file.read(20).strip("\0 \n")
        if fcntl is None:
            logger.warning("this system has no file locks: let no second process train into %s", self.path)
        elif not self._lock(file):
            file.close()
            raise self._refusal(former or "unknown")
        if former:
            logger.warning("%s: process %s ended without giving it back: taking it over", self.path, former)
        try:
            with storage_errors(self.path):
                file.truncate(0)
                os.write(file.fileno(), f"{os.getpid()}\n".encode())
        except BaseException:
            file.close()
            raise
        self._file = file
        _HELD[self.path.resolve()] = os.getpid()

    def _refusal(self, holder: str) -> HeldError:
        return HeldError(
            f"{self.path.parent}: process {holder} trains into this folder already; "
            "wait for it or choose another run_dir"
        )

    def _lock(self, file: IO[str]) -> bool:
        try:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except (BlockingIOError, PermissionError):
            return False
        except OSError as error:
            logger.warning("%s cannot be locked (%s): let no second process train into it", self.path, error)
        return True

    def release(self) -> None:
        """Give the lock back; the file stays, empty, which is harmless."""
        if self._file is not None:
            _HELD.pop(self.path.resolve(), None)
            with suppress(OSError):
                self._file.truncate(0)
                self._file.close()
            self._file = None
