"""One row being run: its commands one after the other as processes, their time, memory and words."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from ..lock import RunLock
from ..reports.provenance import read_json
from ..reports.shell import without_folders
from . import record
from .plan import DRAWING, TRAINING, Job, Step

_SAVE_EVERY = 15.0  # seconds between notes of the time spent, for whoever is killed


class Child:
    """A command as a process of its own session, so that a signal of the terminal reaches it through us alone.

    Args:
        words: the command, beginning with `python`.
        log: file that its output is appended to.
        environment: variables that it gets beside ours.
    """

    def __init__(self, words: Sequence[str], log: Path, environment: Mapping[str, str] | None = None) -> None:
        line = [sys.executable, *words[1:]]
        with open(log, "ab") as stream:
            self._process = subprocess.Popen(  # noqa: S603  our own words
                line,
                stdin=subprocess.DEVNULL,
                stdout=stream,
                stderr=subprocess.STDOUT,
                env={**os.environ, **(environment or {})},
                start_new_session=True,
            )
        self._began = time.monotonic()
        self.peak_mib = 0.0
        self.exit_code: int | None = None

    @property
    def seconds(self) -> float:
        """How long it has been running."""
        return time.monotonic() - self._began

    def poll(self) -> bool:
        """Whether it has ended."""
        if self.exit_code is not None:
            return True
        number, status, usage = os.wait4(self._process.pid, os.WNOHANG)
        if number == 0:
            return False
        code = os.waitstatus_to_exitcode(status)
        self._process.returncode = code
        self.exit_code = code if code >= 0 else 128 - code
        self.peak_mib = usage.ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)
        return True

    def stop(self, number: int) -> None:
        """Pass a signal on to it and to what it has started."""
        if self.exit_code is None:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, number)


class RowRun:
    """A row that this process runs.

    Args:
        job: the row.
        lock: of the row's folder, held.
        environment: variables for its commands.
    """

    def __init__(self, job: Job, lock: RunLock, environment: Mapping[str, str] | None = None) -> None:
        self.job = job
        self.exit_code: int | None = None
        self._lock = lock
        self._environment = environment
        self._stopped = False
        self._progress = record.begin(job)
        self._left = [step for step in job.steps if not self._is_finished(step)]
        self._log = job.folder / record.LOG_FILE
        self._log_start = self._log.stat().st_size if self._log.exists() else 0
        self._saved = time.monotonic()
        self._child: Child | None = None

    @property
    def lines(self) -> list[str]:
        """The commands that are still to be run, as they can be typed."""
        return [step.line for step in self._left]

    @property
    def seconds(self) -> float:
        """Time spent on the row, former parts included."""
        return self._progress.seconds

    @property
    def last_line(self) -> str:
        """What its commands said last; an error if there is one."""
        with open(self._log, "rb") as stream:
            stream.seek(self._log_start)
            lines = [line.strip() for line in stream.read().decode("utf-8", "replace").splitlines()]
        errors = [line for line in lines if line.startswith("error: ")]
        found = errors or [line for line in lines if line]
        return without_folders(found[-1]) if found else ""

    def poll(self) -> bool:
        """Go on with the next command if one has ended; whether the row has ended, well or not."""
        if self.exit_code is not None:
            return True
        if self._child is None:
            return self._next()
        step = self._left[0]
        if not self._child.poll():
            if time.monotonic() - self._saved > _SAVE_EVERY:
                self._note(step)
            return False
        self._progress.peak_mib = max(self._progress.peak_mib, round(self._child.peak_mib, 1))
        code = self._child.exit_code or 0
        if code == 0 and step.product.is_file():
            self._progress.finished.append(step.name)
        self._note(step)
        self._child = None
        if self._stopped or code or not step.product.is_file():
            return self._end(code or 1)
        self._left.pop(0)
        return self._next()

    def stop(self, number: int) -> None:
        """Ask it to save and end; what it was asked to end is no failure."""
        self._stopped = True
        if self._child is not None:
            self._child.stop(number)
        else:
            self._end(128 + number)

    def where(self) -> str:
        """How far it is, in a few words."""
        folder = self.job.folder
        if self._left and self._left[0].name == TRAINING:
            return f"epoch {_lines(folder / 'run' / 'history.csv')}/{_epochs(folder / 'run' / 'config.json')}"
        if self._left and self._left[0].name == DRAWING:
            return "drawing"
        return f"{len(list((folder / 'test').glob('*_pred.nii.gz')))} scored"

    def _next(self) -> bool:
        """Start the next command; whether there is none."""
        if self._stopped or not self._left:
            return self._end(0 if not self._left else 1)
        step = self._left[0]
        self._base = self._progress.parts.get(step.name, 0.0)
        with open(self._log, "a", encoding="utf-8") as stream:
            stream.write(f"$ {step.line}\n")
        self._child = Child(step.words, self._log, self._environment)
        self._note(step)
        return False

    def _note(self, step: Step) -> None:
        """Write down the time spent so far."""
        if self._child is not None:
            self._progress.parts[step.name] = round(self._base + self._child.seconds, 3)
        record.save_progress(self.job.folder, self._progress)
        self._saved = time.monotonic()

    def _end(self, exit_code: int) -> bool:
        self.exit_code = exit_code
        try:
            if not self._stopped:
                state = record.FAILED if exit_code else record.DONE
                record.write_row(self.job, self._progress, state, exit_code, self.last_line)
        finally:
            self._lock.release()
        return True

    def _is_finished(self, step: Step) -> bool:
        return step.name in self._progress.finished and step.product.is_file()


def _lines(history: Path) -> int:
    try:
        return max(0, len(history.read_text(encoding="utf-8").splitlines()) - 1)
    except OSError:
        return 0


def _epochs(config: Path) -> str:
    return str(read_json(config).get("max_epochs", "?")) if config.is_file() else "?"
