"""`ganglion reproduce`: from the name of a table to its rows done and its pages written."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import GanglionError, InputError
from . import record
from .estimate import describe
from .find import find_table, shown
from .options import read_dictionary
from .pages import write_pages
from .place import NO_DATA, Place
from .plan import Plan, make_plan
from .screen import Screen
from .table import read_tables

SLURM_EXAMPLE = "{'timeout_min': 240, 'gpus_per_node': 1, 'slurm_account': 'lab'}"

if TYPE_CHECKING:
    from .share import Outcome


def reproduce(
    words: str,
    dataset_dir: str | None = None,
    seeds: int = 3,
    scale: str = "small",
    out: str | None = None,
    workers: int = 1,
    only: Sequence[str] = (),
    dry_run: bool = False,
    slurm: str | None = None,
    slurm_options: str | None = None,
    others: str | None = None,
) -> int:
    """Run what is left of a table, or say what would be run.

    Args:
        words: BUNDLE/TABLE.
        dataset_dir: folder of the data set; None simulates the scale's cohort.
        seeds: how many trainings of each row.
        scale: the size, one of the table's.
        out: folder for everything; default `reproduced/<bundle>/<scale>`.
        workers: rows at a time.
        only: rows to run, and those that they start from; all if empty.
        dry_run: print the commands and an estimate of time, write nothing.
        slurm: partition of a Slurm cluster to submit the rows to, instead of running them here.
        slurm_options: further parameters of submitit, as a dictionary in text.
        others: folders of further data sets by the name that rows know them by, as a dictionary in text.

    Returns:
        The exit code: 0, or 1 if a row failed, or that of a signal.
    """
    root, name = find_table(words)
    tables = read_tables(root, name)
    table = tables[name]
    folder = Path(out) if out else Path("reproduced") / table.bundle / scale
    given = None if dataset_dir is None else shown(Path(dataset_dir))
    if dry_run and given is None and table.scale(scale).cohort is None:
        given = NO_DATA
    more = {name: shown(Path(each)) for name, each in read_dictionary("others", others, "{'adults': 'DIR'}").items()}
    place = Place(shown(folder), table, table.scale(scale), given, more)
    place.check()
    plan = make_plan(tables, scale, seeds, place.out, place.data, only, place.further)
    for job in plan.jobs.values():
        record.refuse_changed(job)
    if dry_run:
        sys.stdout.write(describe(plan, place, workers) + "\n")
        return 0
    if slurm is not None:
        return _submit(plan, place, seeds, slurm, slurm_options)
    if slurm_options is not None:
        raise InputError("slurm_options is given without --slurm PARTITION; add it, or leave the options out.")
    return _run(plan, place, workers, seeds)


def _submit(plan: Plan, place: Place, seeds: int, partition: str, options: str | None) -> int:
    from .prepare import prepare
    from .share import Stopped, listening
    from .slurm import Request, submit

    parameters = read_dictionary("slurm_options", options, SLURM_EXAMPLE)
    request = Request(
        place.table.root, place.table.table, place.scale.name, place.out, place.given, seeds, place.others
    )
    screen = Screen(len(plan.jobs))
    try:
        with listening() as interrupts:
            prepare(place, screen, interrupts)
        submit(plan, request, screen, partition, parameters)
    except Stopped as stopped:
        return stopped.exit_code
    finally:
        screen.close()
    sys.stdout.write(
        f"The table will be {place.out / place.table.table / 'table.html'}; --dry_run tells how far it is.\n"
    )
    return 0


def _run(plan: Plan, place: Place, workers: int, seeds: int) -> int:
    from .prepare import prepare
    from .share import Sharing, Stopped, listening

    done = sum(map(record.is_done, plan.jobs.values()))
    screen = Screen(len(plan.jobs), done)
    screen.say(f"{len(plan.jobs)} rows and seeds, {done} of them done already; everything goes to {place.out}")
    try:
        with listening() as interrupts:
            prepare(place, screen, interrupts)
            outcome = Sharing(plan, screen, workers).run(interrupts)
    except Stopped as stopped:
        screen.say("stopped; the same command goes on where this one ended")
        return stopped.exit_code
    finally:
        screen.close()
    sys.stdout.write(write_pages(place, seeds) + "\n")
    return _say_end(plan, outcome)


def _say_end(plan: Plan, outcome: Outcome) -> int:
    if outcome.failed:
        lines = [f"  {plan.jobs[key].title}: {words}" for key, words in outcome.failed.items()]
        count = f"{len(lines)} of {len(plan.jobs)} rows and seeds failed; the same command tries them again:"
        sys.stderr.write("\n".join([f"error: {count}", *lines]) + "\n")
        return GanglionError.exit_code
    return 0
