"""What has to be run for a table: a job for each row and seed, in an order in which each finds what it starts from."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from ..data.datalist import FILE_NAME
from ..errors import InputError
from ..reports.shell import command_line
from ..sharing.sums import file_sum
from .table import REFERENCE, Row, Scale, Table, references

TRAINING, EVALUATING, DRAWING = "training", "evaluating", "generating"
Key = tuple[str, str, int]  # table, row, seed


@dataclass(frozen=True)
class Step:
    """One `monai.bundle run` of a job.

    Attributes:
        name: the run id.
        words: the command, beginning with `python`.
        product: the file that exists once it is done.
    """

    name: str
    words: tuple[str, ...]
    product: Path

    @property
    def line(self) -> str:
        """The command as it can be typed into a shell."""
        return command_line(self.words)


@dataclass(frozen=True)
class Job:
    """One row with one seed.

    Attributes:
        table: the table of the row.
        row: what is run.
        scale: at which size.
        seed: of the training.
        out: the folder of all tables.
        data: folder of the data set.
    """

    table: Table
    row: Row
    scale: Scale
    seed: int
    out: Path
    data: Path

    @property
    def key(self) -> Key:
        """What tells it from other jobs."""
        return self.table.table, self.row.row, self.seed

    @property
    def title(self) -> str:
        """The job as messages call it."""
        return f"{self.table.table}/{self.row.row}, seed {self.seed}"

    @property
    def folder(self) -> Path:
        """Where everything of it lies."""
        return folder_of(self.out, *self.key)

    @cached_property
    def needs(self) -> tuple[Key, ...]:
        """The jobs that it starts from."""
        return tuple(dict.fromkeys((table, row, self.seed) for table, row, _ in references(self.row).values()))

    @cached_property
    def starts(self) -> dict[str, Path]:
        """What it starts from, by what names it without anybody's folders."""
        return {file: self._resolve(file) for file in self.row.files.values()}

    @cached_property
    def steps(self) -> tuple[Step, ...]:
        """Its commands, in order."""
        if self.row.draws is not None:
            return self._training(self.row.train or ()), self._drawing(self.row.draws)
        weights = self.folder / "model.pt" if self.row.weights is None else self._resolve(self.row.weights)
        scored = self._words(EVALUATING, ("inference", *self.scale.overlays, *self.row.infer, "evaluate"))
        more = {"section": "test", "output_dir": self.folder / "test", "weights": weights}
        evaluation = Step(EVALUATING, (*scored, *_options(more)), self.folder / "test" / "scores.json")
        return (evaluation,) if self.row.train is None else (self._training(self.row.train), evaluation)

    @property
    def configs(self) -> dict[str, str]:
        """sha256 of each config that it reads, as it is now, by its path in the bundle."""
        overlays = (*self._overlays, *(self.row.train or ()), *self.row.infer)
        trained = (self._trains,) if self.row.train is not None else ()
        read = ("inference", "evaluate") if self.row.draws is None else ("generate",)
        names = (*trained, *read, *overlays)
        files = [f"configs/{name}.json" for name in dict.fromkeys(names)]
        return {name: file_sum(self.table.root / name) for name in files}

    @cached_property
    def settings(self) -> str:
        """sha256 of what the table says about how it is run; its name and the printed numbers may change."""
        row = {name: getattr(self.row, name) for name in ("train", "infer", "options", "start_from", "weights")}
        row |= {} if self.row.data is None else {"data": self.row.data}
        scale = {name: getattr(self.scale, name) for name in ("overlays", "options")}
        if self.row.draws is not None:
            row, scale = {**row, "draws": self.row.draws}, {**scale, "drawing": self.scale.drawing}
        content = {"row": row, "scale": scale, "seed": self.seed}
        return hashlib.sha256(json.dumps(content, sort_keys=True, default=dict).encode()).hexdigest()

    @property
    def _trains(self) -> str:
        """The config that it is trained by."""
        return "train" if self.row.draws is None else "train_generator"

    @property
    def _overlays(self) -> tuple[str, ...]:
        """Those of its scale."""
        return self.scale.overlays if self.row.draws is None else self.scale.drawing

    def _training(self, overlays: Sequence[str]) -> Step:
        words = self._words(TRAINING, (self._trains, *self._overlays, *overlays))
        weights, file = ("weights", "model.pt") if self.row.draws is None else ("generator_weights", "generator.pt")
        product = self.folder / file
        options: dict[str, Any] = {"output_dir": self.folder / "run", weights: product, "seed": self.seed}
        start = self.row.start_from
        if isinstance(start, Mapping):
            options["start_from"] = {name: str(self._resolve(file)) for name, file in start.items()}
        elif start is not None:
            options["start_from"] = self._resolve(start)
        options |= {**self.scale.options, **self.row.options}
        options |= {key: self._resolve(file) for key, file in self.row.from_rows.items()}
        return Step(TRAINING, (*words, *_options(options)), product)

    def _drawing(self, settings: Mapping[str, Any]) -> Step:
        """Draw a data set from what the row has trained."""
        words = self._words(DRAWING, ("generate", *self._overlays, *self.row.infer))
        folder = self.folder / "drawn"
        options = {"output_dir": folder, "generator_weights": self.folder / "generator.pt", "seed": self.seed}
        return Step(DRAWING, (*words, *_options({**options, **settings})), folder / FILE_NAME)

    def _words(self, run_id: str, names: Sequence[str]) -> tuple[str, ...]:
        root = self.table.root
        files = [str(root / "configs" / f"{name}.json") for name in names]
        config = files[0] if len(files) == 1 else str(files)
        options = {"config_file": config, "bundle_root": root, "dataset_dir": self.data}
        return ("python", "-m", "monai.bundle", "run", run_id, *_options(options))

    def _resolve(self, file: str) -> Path:
        """A file of another job's folder, or of the bundle."""
        found = REFERENCE.fullmatch(file)
        return folder_of(self.out, found[1], found[2], self.seed) / found[3] if found else self.table.root / file


@dataclass
class Plan:
    """What is to be done.

    Attributes:
        jobs: each after those that it starts from.
        asked: the keys of those that were asked for; the others are only started from.
    """

    jobs: dict[Key, Job] = field(default_factory=dict)
    asked: set[Key] = field(default_factory=set)

    def only(self, key: Key) -> Plan:
        """One job and those that it starts from."""
        chain = [key]
        for each in chain:
            chain += [need for need in self.jobs[each].needs if need not in chain]
        return Plan({each: job for each, job in self.jobs.items() if each in chain}, {key})


def make_plan(
    tables: Mapping[str, Table],
    scale: str,
    seeds: int,
    out: Path,
    data: Path,
    only: Sequence[str] = (),
    further: Mapping[str, Path] | None = None,
) -> Plan:
    """The jobs of the first table, and of the others those that it starts from; all rows of one seed, then the next.

    Args:
        tables: the table and those that it starts from.
        scale: the size.
        seeds: how many trainings of each row.
        out: the folder of all tables.
        data: folder of the data set.
        only: rows to run; all if empty.
        further: folders of the data sets that rows know by a name.

    Raises:
        InputError: `only` names a row that is not run, or a table that is started from has no such scale.
    """
    first = next(iter(tables.values()))
    run = [row.row for row in first.rows.values() if not row.printed_only]
    for name in only:
        if name not in run:
            raise InputError(
                f"{first.path}: found no row {name!r} to run, expected some of {', '.join(run)}; see --only."
            )
    if isinstance(seeds, bool) or seeds < 1:
        raise InputError(f"seeds is {seeds}, expected how many to run, from 1; they are 0, 1, ...")
    plan = Plan()
    for seed in range(seeds):
        for name in only or run:
            for table, row in _chain(tables, first.table, name):
                place = data if row.data is None else (further or {})[row.data]
                job = Job(tables[table], row, tables[table].scale(scale), seed, out, place)
                plan.jobs.setdefault(job.key, job)
            plan.asked.add((first.table, name, seed))
    return plan


def _chain(tables: Mapping[str, Table], table: str, name: str) -> Iterator[tuple[str, Row]]:
    """A row after all those that it starts from."""
    row = tables[table].rows[name]
    for other, wanted, _ in references(row).values():
        yield from _chain(tables, other, wanted)
    yield table, row


def folder_of(out: Path, table: str, row: str, seed: int) -> Path:
    """Where everything of one row with one seed lies."""
    return out / table / row / f"seed{seed}"


def _options(values: Mapping[str, Any]) -> list[str]:
    """`--key value` as MONAI's command reads it."""
    return [word for key, value in values.items() for word in (f"--{key}", str(value))]
