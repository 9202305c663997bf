"""One process a run folder."""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import IO, Any

from ...errors import InputError
from .checkpoint import storage_errors

try:
    import fcntl as _fcntl
except ImportError:  # not a POSIX system
    fcntl: Any = None
else:
    fcntl = _fcntl

logger = logging.getLogger(__name__)


class RunLock:
    """Holds ``run.lock`` in a run folder; the system releases it when the process ends, however it ends.

    Args:
        path: the lock file; it holds the id of the process that has it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file: IO[str] | None = None

    def acquire(self) -> None:
        """Take the lock, or raise an InputError that names the process that holds it."""
        if self._file is not None:
            return
        with storage_errors(self.path):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            file = self.path.open("a+", encoding="ascii")  # stays open: the lock lives as long as the file
        if fcntl is None:
            logger.warning("this system has no file locks: let no second process train into %s", self.path)
        elif not self._lock(file):
            file.seek(0)
            holder = file.read().strip() or "unknown"
            file.close()
            raise InputError(
                f"{self.path.parent}: process {holder} trains into this folder already; "
                "wait for it or choose another run_dir"
            )
        file.truncate(0)
        file.write(f"{os.getpid()}\n")
        file.flush()
        self._file = file

    def _lock(self, file: IO[str]) -> bool:
        try:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except (BlockingIOError, PermissionError):
            return False
        except OSError as error:
            logger.warning("%s cannot be locked (%s): let no second process train into it", self.path, error)
        return True

    def release(self) -> None:
        """Give the lock back; the file stays, which is harmless."""
        if self._file is not None:
            self._file.close()
            self._file = None
