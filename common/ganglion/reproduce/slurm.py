"""Rows as jobs of a Slurm cluster, submitted with submitit: a job a row, after those that it starts from."""

from __future__ import annotations

import importlib.util
import signal
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..errors import InputError
from . import record
from .place import Place
from .plan import Key, Plan, make_plan
from .screen import Screen
from .share import Interrupts, Sharing, listening
from .table import read_tables

_MINUTES = 240  # of one job, unless the user says otherwise; a job that is out of time saves and is queued again
_REQUEUES = 1000
_PAGES_MINUTES = 30


@dataclass(frozen=True)
class Request:
    """A table as it was asked for; plain data, so that it travels to a job."""

    root: Path
    table: str
    scale: str
    out: Path
    given: Path | None
    seeds: int
    others: Mapping[str, Path] = field(default_factory=dict)

    def place(self) -> Place:
        """Where it is reproduced."""
        table = read_tables(self.root, self.table)[self.table]
        return Place(self.out, table, table.scale(self.scale), self.given, self.others)

    def plan(self) -> Plan:
        """All of its rows."""
        tables = read_tables(self.root, self.table)
        place = self.place()
        return make_plan(tables, self.scale, self.seeds, self.out, place.data, further=place.further)


@dataclass
class RowTask:
    """What the job of one row does.

    Attributes:
        request: the table.
        key: the row and seed, of whatever table.
        since: when the rows were submitted; what failed before is tried again.
    """

    request: Request
    key: Key
    since: float
    _interrupts: Interrupts = field(default_factory=Interrupts, repr=False)
    _sharing: Sharing | None = field(default=None, repr=False)

    def __call__(self) -> str:
        """Run the row; gives its state."""
        plan = self.request.plan().only(self.key)
        screen = Screen(len(plan.jobs))
        try:
            with listening(self._interrupts) as interrupts:
                self._sharing = Sharing(plan, screen, 1, self.since)
                outcome = self._sharing.run(interrupts)
        finally:
            screen.close()
        return record.DONE if self.key in outcome.done else record.FAILED

    def checkpoint(self) -> Any:
        """Out of time or preempted: let the row save, and ask for the same again."""
        from submitit.helpers import DelayedSubmission

        if self._sharing is not None:
            self._sharing.stop_now(signal.SIGTERM)
        return DelayedSubmission(RowTask(self.request, self.key, self.since))


@dataclass(frozen=True)
class PagesTask:
    """What the last job does: write the table from the rows."""

    request: Request

    def __call__(self) -> str:
        """Write the pages; gives what a terminal would show."""
        from .pages import write_pages

        return write_pages(self.request.place(), self.request.seeds)


def submit(
    plan: Plan,
    request: Request,
    screen: Screen,
    partition: str | None,
    options: Mapping[str, Any],
    cluster: str = "slurm",
) -> list[Any]:
    """Submit what is left of a plan, and a last job that writes the table.

    Args:
        plan: the rows.
        request: the same as plain data.
        screen: where it tells what happens.
        partition: of the cluster.
        options: further parameters of submitit.
        cluster: `slurm`; `local` runs the jobs here one after the other, which tests use.

    Returns:
        submitit's jobs, the table's last.
    """
    executor = _executor(request.out / "slurm", partition, options, cluster)
    since, jobs = time.time(), dict[Key, Any]()
    for key, job in plan.jobs.items():
        if record.is_done(job):
            continue
        after = [jobs[need] for need in job.needs if need in jobs]
        name = f"{job.table.table}-{job.row.row}-{job.seed}"
        jobs[key] = _submit(executor, RowTask(request, key, since), after, name)
        screen.say(f"job {jobs[key].job_id}: {job.title}")
    if cluster == "slurm":
        executor.update_parameters(timeout_min=_PAGES_MINUTES)
    last = _submit(executor, PagesTask(request), list(jobs.values()), f"{request.table}-pages")
    screen.say(f"job {last.job_id}: the table, once the others have ended")
    return [*jobs.values(), last]


def _executor(folder: Path, partition: str | None, options: Mapping[str, Any], cluster: str) -> Any:
    """An executor of submitit, or one line on what is missing or wrong."""
    if importlib.util.find_spec("submitit") is None:
        raise InputError('found no submitit, which submits to Slurm; install it: python -m pip install "submitit>=1.5"')
    from submitit import AutoExecutor

    more = {"slurm_max_num_timeout": _REQUEUES} if cluster == "slurm" else {}
    try:
        executor = AutoExecutor(folder=folder, cluster=cluster, **more)
        parameters = {"timeout_min": _MINUTES, **options}
        executor.update_parameters(**({"slurm_partition": partition} if partition else {}), **parameters)
    except (RuntimeError, ValueError, NameError, AssertionError, TypeError) as error:
        words = " ".join(str(error).split())
        raise InputError(
            f"Slurm, with {dict(options)}: {words}; correct --slurm_options or leave out --slurm."
        ) from error
    return executor


def _submit(executor: Any, task: Any, after: Sequence[Any], name: str) -> Any:
    """Submit one job that begins when others have ended, well or not: it looks at how by itself."""
    if executor.cluster == "slurm":
        dependency = "afterany:" + ":".join(job.job_id for job in after) if after else ""
        # None would leave the one before in place.
        executor._executor.parameters.pop("dependency", None)
        executor.update_parameters(name=name, **({"slurm_dependency": dependency} if dependency else {}))
    else:
        for job in after:
            job.wait()
    return executor.submit(task)
