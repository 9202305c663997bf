"""Two sides measured in turn, A B A B, and what is said about them."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]


@dataclass(frozen=True)
class Size:
    """How much is measured.

    Args:
        pairs: how often the two sides take turns, after one turn that warms up.
        spacing: voxel size of the simulated case in mm; 1 gives 240 x 240 x 155.
        toy: whether networks and batches are made small, to see in seconds that all runs.
        clock: "wall", or "cpu" for processor time, which means something on a busy machine too.
    """

    pairs: int = 5
    spacing: float = 1.0
    toy: bool = False
    clock: str = "wall"


QUICK = Size(pairs=1, spacing=6.0, toy=True)


@dataclass(frozen=True)
class Spread:
    """Median, least and most of n measurements."""

    median: float
    least: float
    most: float
    n: int

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        """The spread of some values."""
        return cls(statistics.median(values), min(values), max(values), len(values))


@dataclass(frozen=True)
class Row:
    """One line of the table.

    Args:
        what: what is measured.
        unit: of `ours` and `theirs`.
        ours: our side.
        against: what the other side is; empty where a plain figure is held against the goal.
        theirs: the other side.
        value: what the goal is about: the ratio of the medians, or the figure itself.
        goal: what it may be, in words; empty where it is only stated.
        met: whether the goal is met.
        note: what a reader has to know.
    """

    what: str
    unit: str
    ours: Spread
    against: str = ""
    theirs: Spread | None = None
    value: float | None = None
    goal: str = ""
    met: bool | None = None
    note: str = ""

    def as_dict(self) -> dict[str, Any]:
        """As plain containers."""
        return asdict(self)


def at_most(
    what: str, unit: str, ours: Spread, against: str, theirs: Spread, limit: float | None, note: str = ""
) -> Row:
    """A row whose ratio must not pass a limit; None states the ratio without a goal."""
    ratio = ours.median / theirs.median
    goal = "" if limit is None else f"at most {limit:g} of it"
    return Row(what, unit, ours, against, theirs, ratio, goal, None if limit is None else ratio <= limit, note)


def figure(what: str, unit: str, ours: Spread, limit: float | None = None, note: str = "") -> Row:
    """A row of one side; `limit` is what its median must not pass."""
    goal = "" if limit is None else f"at most {limit:g} {unit}"
    return Row(what, unit, ours, "", None, ours.median, goal, None if limit is None else ours.median <= limit, note)


def in_turn(sides: Sequence[Callable[[], float]], pairs: int) -> list[Spread]:
    """Call the sides in turn `pairs` times after one turn that does not count; each returns its measurement."""
    values: list[list[float]] = [[] for _ in sides]
    for turn in range(pairs + 1):
        for side, found in zip(sides, values, strict=True):
            number = side()
            if turn:
                found.append(number)
    return [Spread.of(found) for found in values]


def seconds(act: Callable[[], Any], size: Size) -> Callable[[], float]:
    """The act, which then returns the seconds that it took."""
    clock = time.process_time if size.clock == "cpu" else time.perf_counter

    def timed() -> float:
        start = clock()
        act()
        return clock() - start

    return timed


@contextmanager
def one_thread() -> Iterator[int]:
    """What is called in here has one thread of torch's; gives how many there are outside."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield threads
    finally:
        torch.set_num_threads(threads)


def command_seconds(line: Sequence[str], size: Size, **options: Any) -> Callable[[], float]:
    """A command of the shell, without its output, which returns the seconds that it took."""
    return lambda: command_cost(line, **options)[size.clock]


def command_cost(line: Sequence[str], **options: Any) -> dict[str, float]:
    """Run a command of the shell: its seconds (`wall`, `cpu`) and its largest memory (`peak_gib`)."""
    with tempfile.TemporaryFile("w+") as told:
        start = time.perf_counter()
        process = subprocess.Popen(line, stdout=subprocess.DEVNULL, stderr=told, **options)
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            told.seek(0)
            sys.exit(f"{' '.join(line[1:])} ended with {process.returncode}: {told.read()[-2000:]}")
    return {"wall": wall, "cpu": usage.ru_utime + usage.ru_stime, "peak_gib": usage.ru_maxrss / 2**20}


def simulated_case(folder: Path, size: Size, subjects: int = 1, cohort: str = "brats") -> Path:
    """A data set of simulated subjects, all in the list `test`, their files at gzip level 1; made once."""
    data = folder / f"{cohort}_{size.spacing:g}mm_{subjects}"
    if not (data / "dataset.json").exists():
        import nibabel

        from ganglion.data.phantom import write_cohort

        write_cohort(cohort, data, subjects, seed=7, spacing=size.spacing, splits=(0, 0, subjects), progress=False)
        for file in data.rglob("*.nii.gz"):
            image = nibabel.load(file)
            again = type(image)(image.dataobj.get_unscaled(), image.affine, image.header)
            nibabel.save(again, file)  # nibabel's level is 1
    return data
