"""Rows shared among processes: each takes a row that nobody holds, and waits for what others hold at the end."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import FrameType

from ..lock import HeldError, RunLock
from . import alike, record
from .plan import Job, Key, Plan
from .run_row import RowRun
from .screen import Screen

SIGNALS = tuple(number for name in ("SIGINT", "SIGTERM", "SIGHUP") if (number := getattr(signal, name, None)))
_PAUSE = 0.2  # seconds between two looks at what runs here
_LOOK = 2.0  # and at what others may have done, which costs reading their files


class Stopped(Exception):  # noqa: N818  a request, not a fault
    """A signal asked the process to stop, and every row that it ran has saved and ended."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.exit_code = 128 + number


class Interrupts:
    """Counts the signals that ask to stop."""

    def __init__(self) -> None:
        self.received: list[int] = []

    def note(self, number: int, frame: FrameType | None = None) -> None:
        """Remember one."""
        self.received.append(number)


@contextmanager
def listening(interrupts: Interrupts | None = None) -> Iterator[Interrupts]:
    """Take the signals over for a while."""
    interrupts = interrupts or Interrupts()
    former = {number: signal.signal(number, interrupts.note) for number in SIGNALS}
    try:
        yield interrupts
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)


@dataclass
class Outcome:
    """How the rows of a plan ended.

    Attributes:
        done: rows that are run, whoever ran them.
        failed: last words of those that failed or could not be begun.
    """

    done: set[Key] = field(default_factory=set)
    failed: dict[Key, str] = field(default_factory=dict)


class Sharing:
    """Runs what is left of a plan, a few rows side by side.

    Args:
        plan: the rows.
        screen: where it tells what happens.
        workers: how many rows at a time.
        since: rows that failed after this moment (of the system's clock) are not tried again.
    """

    def __init__(self, plan: Plan, screen: Screen, workers: int = 1, since: float | None = None) -> None:
        self.plan = plan
        self.screen = screen
        self.workers = workers
        self.since = time.time() if since is None else since
        self.outcome = Outcome()
        self._waiting = dict(plan.jobs)
        self._running: list[RowRun] = []
        self._told: set[Key] = set()
        self._environment = threads(workers)
        self._looked = float("-inf")

    def run(self, interrupts: Interrupts) -> Outcome:
        """Until every row has ended.

        Raises:
            Stopped: a signal came; what was running has saved.
        """
        asked = 0
        try:
            while self._waiting or self._running:
                for number in interrupts.received[asked:]:
                    asked += 1
                    self._stop(number if asked < 3 else signal.SIGKILL)
                ended = self._finish()
                if asked and not self._running:
                    raise Stopped(interrupts.received[0])
                if not asked and (ended or time.monotonic() - self._looked > _LOOK):
                    self._begin()
                    self._looked = time.monotonic()
                self.screen.update(len(self.outcome.done), self._where)
                time.sleep(_PAUSE)
        finally:
            self._stop(signal.SIGTERM)  # nothing is left unless this process failed; what is left saves by itself
        return self.outcome

    def stop_now(self, number: int) -> None:
        """Ask every row to save, and wait until they have; for a signal's handler, which nothing may follow."""
        self._stop(number)
        while not all(run.poll() for run in self._running):
            time.sleep(_PAUSE)

    def _stop(self, number: int) -> None:
        for run in self._running:
            run.stop(number)

    def _where(self) -> str:
        return "; ".join(f"{run.job.title} {run.where()}" for run in self._running) or "waiting for other processes"

    def _finish(self) -> bool:
        """Let go of the rows that have ended; whether there are any."""
        ended = [run for run in self._running if run.poll()]
        for run in ended:
            self._running.remove(run)
            key, title = run.job.key, run.job.title
            if record.is_done(run.job):
                self.outcome.done.add(key)
                count = f"{len(self.outcome.done)} of {len(self.plan.jobs)}"
                self.screen.say(f"done: {title}, {run.seconds:.0f} s in all ({count})")
            elif record.failed_since(run.job, self.since) is None:
                self.screen.say(f"stopped: {title}")
            else:
                self._failed(run.job, f"exit code {run.exit_code}: {run.last_line}")
        return bool(ended)

    def _begin(self) -> None:
        """Begin rows as long as there is room; look at each that is waiting once."""
        for key, job in list(self._waiting.items()):
            if self._settle(job) or len(self._running) >= self.workers:
                continue
            if any(need not in self.outcome.done for need in job.needs):
                continue
            run = self._take(job)
            if run is not None:
                del self._waiting[key]
                self._running.append(run)

    def _settle(self, job: Job) -> bool:
        """Whether a row that is waiting needs no more: done, failed a moment ago, or starting from one that failed."""
        if record.is_done(job):
            self.outcome.done.add(job.key)
        elif (words := record.failed_since(job, self.since)) is not None:
            self._failed(job, words)
        elif lost := [need for need in job.needs if need in self.outcome.failed]:
            why = f"it starts from {self.plan.jobs[lost[0]].title}, which failed"
            record.write_not_run(job, why)
            self._failed(job, f"not run: {why}")
        else:
            return False
        del self._waiting[job.key]
        return True

    def _failed(self, job: Job, words: str) -> None:
        self.outcome.failed[job.key] = words
        log = job.folder / record.LOG_FILE
        self.screen.say(f"failed: {job.title}: {words}" + (f"\n  its log: {log}" if log.is_file() else ""))

    def _take(self, job: Job) -> RowRun | None:
        """Lock a row and begin it; None if somebody else has it, or has just done it."""
        lock = _lock(job)
        if lock is None:
            if job.key not in self._told:
                self.screen.say(f"another process has {job.title}")
            self._told.add(job.key)
            return None
        try:
            if record.is_done(job):
                lock.release()
                return None
            if (folder := alike.find_alike(job)) is not None:
                alike.take_over(job, folder)
                self.screen.say(f"{job.title} is the same as {alike.name_of(folder)}, which is done: taken from there")
                lock.release()
                return None
            run = RowRun(job, lock, self._environment)
        except BaseException:
            lock.release()
            raise
        again = " (goes on)" if record.read_progress(job.folder) else ""
        self.screen.say("\n".join([f"{job.title}{again}", *run.lines]))
        run.poll()
        return run


def threads(workers: int) -> dict[str, str]:
    """The cores, shared among rows that run side by side, unless the user has said how."""
    if workers == 1 or "OMP_NUM_THREADS" in os.environ:
        return {}
    return {"OMP_NUM_THREADS": str(max(1, (os.cpu_count() or 1) // workers))}


def _lock(job: Job) -> RunLock | None:
    """The lock of a row that no process runs, also none that outlived the one that began it."""
    lock = RunLock(job.folder / "row.lock")
    try:
        lock.acquire()
    except HeldError:
        return None
    orphan = RunLock(job.folder / "run" / "run.lock")
    try:
        if orphan.path.is_file():
            orphan.acquire()
            orphan.release()
    except HeldError:
        lock.release()
        return None
    return lock
