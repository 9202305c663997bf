"""What a plan would cost: its commands, what is done, and a guess of the time that the rest takes."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from statistics import fmean
from typing import Any

from ..data.datalist import FILE_NAME
from ..reports.shell import command_line
from . import alike, record
from .place import NO_DATA, Place
from .plan import EVALUATING, Job, Plan

_CORES = 2  # that a table's `seconds` were measured on, and that a row can use


def describe(plan: Plan, place: Place, workers: int = 1) -> str:
    """The commands that are left, as a script, under comments that say how much it is."""
    left = [job for job in plan.jobs.values() if not record.is_done(job)]
    taken = {job.key: alike.name_of(folder) for job in left if (folder := alike.find_alike(job)) is not None}
    to_run = [job for job in left if job.key not in taken]
    lines = [f"# {_counts(plan, left)}", f"# {_time(plan, to_run, workers)}"]
    if place.given == NO_DATA:
        lines.append("# give your data set with --dataset_dir DIR: there is no cohort to simulate at this scale")
    simulated = [words for folder, words in place.to_simulate.items() if not (folder / FILE_NAME).is_file()]
    lines += ["# simulated subjects, not patients", *map(command_line, simulated)] if simulated else []
    lines += [f"# {plan.jobs[key].title}: the same as {name}, which is done" for key, name in taken.items()]
    for job in to_run:
        lines += [f"# {job.title}", *(step.line for step in job.steps)]
    return "\n".join(lines)


def _counts(plan: Plan, left: Sequence[Job]) -> str:
    jobs = plan.jobs
    rows = len({key[:2] for key in jobs})
    seeds = len({key[2] for key in jobs})
    others = len(jobs) - len(plan.asked)
    more = f", {others} of them of rows that others start from" if others else ""
    counts = f"{_counted(rows, 'row')}, {_counted(seeds, 'seed')}: {len(jobs)} to run{more}"
    return f"{counts}; {len(jobs) - len(left)} done, {len(left)} left"


def _time(plan: Plan, left: Sequence[Job], workers: int) -> str:
    if not left:
        return "nothing is left to run"
    done = [content for job in plan.jobs.values() if (content := record.read_row(job.folder)) and record.is_done(job)]
    seconds = [_guess(job, done) for job in left]
    if any(each is None for each in seconds):
        return "how long it takes is not known: the table states no `seconds` and no row is done"
    at_once = min(workers, len(left), max(1, (os.cpu_count() or 1) // _CORES))
    total = sum(each for each in seconds if each is not None) / at_once
    source = f"measured here on {_counted(len(done), 'row')}" if done else f"the table's estimate for {_CORES} cores"
    side = f", {at_once} rows side by side" if at_once > 1 else ""
    scored = any(job.row.train is None for job in left) and not any(
        EVALUATING in each.get("parts", {}) for each in done
    )
    return f"about {duration(total)} ({source}{side})" + ("; rows that are scored only take less" if scored else "")


def _guess(job: Job, done: Sequence[dict[str, Any]]) -> float | None:
    """Seconds that a row may take: as long as those done, or as the table says, which is of a row that is trained."""
    names = [step.name for step in job.steps]
    means = [_mean(done, name) for name in names]
    if all(mean is not None for mean in means):
        return sum(mean for mean in means if mean is not None)
    return job.scale.seconds


def _mean(done: Sequence[dict[str, Any]], name: str) -> float | None:
    found = list(_parts(done, name))
    return fmean(found) if found else None


def _parts(done: Sequence[dict[str, Any]], name: str) -> Iterator[float]:
    for content in done:
        if name in content.get("parts", {}):
            yield float(content["parts"][name])


def _counted(number: int, noun: str) -> str:
    """A number of things."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


def duration(seconds: float) -> str:
    """Seconds as a person says them."""
    minutes = round(seconds / 60)
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{minutes} min" if minutes < 120 else f"{minutes // 60} h {minutes % 60:02d} min"
