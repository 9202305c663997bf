"""Labelling a case, file to file, against MONAI's SegResNet; and how much of it is not the network."""

from __future__ import annotations

import json
import subprocess
import sys
import zlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .machine import Rates
from .side_by_side import ROOT, Row, Size, Spread, at_most, in_turn, seconds, simulated_case

CONFIGS = ROOT / "bundles" / "segan_transfer" / "configs"


@dataclass(frozen=True)
class Side:
    """One side of the comparison.

    Args:
        name: what it is called in the table.
        configs: files of an inference, overlays last.
        toy: options that make it small, to see in seconds that all runs.
        bundle: the bundle's folder; empty for one that is none.
        time: what its time may be of the peer's; None where there is no goal.
        memory: likewise of the peak memory.
    """

    name: str
    configs: Sequence[Path]
    toy: dict[str, Any]
    bundle: str = ""
    time: float | None = None
    memory: float | None = None


def ours(name: str, configs: Path, files: Sequence[str], toy: dict[str, Any], *goals: float) -> Side:
    """A side that is a bundle of ours."""
    return Side(name, [configs / file for file in files], toy, str(configs.parent), *goals)


SIDES = [
    ours("reference", CONFIGS, ["inference.json"], {"width": 4}, 0.25, 0.25),
    ours("paper's width", CONFIGS, ["inference.json", "variants/paper.json"], {"width": 4}, 0.7, 0.7),
]
PEER = Side(
    "MONAI's SegResNet bundle configuration",
    [ROOT / "benchmarks" / "segresnet.json"],
    {"init_filters": 8, "roi_size": [48, 48, 32]},
)


def measure(folder: Path, size: Size, rates: Rates) -> list[Row]:
    """Both configurations on a case of four contrasts."""
    return measure_sides(SIDES, PEER, simulated_case(folder, size), folder, size, rates)


def measure_sides(sides: list[Side], peer: Side, data: Path, folder: Path, size: Size, rates: Rates) -> list[Row]:
    """Time and memory of our sides against the peer, in turn; then the share outside the network."""
    workers = [Worker(side, folder, data, size) for side in (*sides, peer)]
    acts = [lambda worker=worker: worker.ask("case")[size.clock] for worker in workers]
    times = in_turn(acts, size.pairs)
    rows: list[Row] = []
    for worker, spent in zip(workers[:-1], times, strict=False):
        rows += _against_peer(worker, workers[-1], spent, times[-1])
    for worker in workers:
        worker.close()
    reading = _unpacking(data, size)
    for side in sides:
        rows += _outside(Worker(side, folder, data, size), size, reading, rates)
    return rows


class Worker:
    """One side's process."""

    def __init__(self, side: Side, folder: Path, data: Path, size: Size) -> None:
        self.side = side
        options = {"dataset_dir": str(data), "output_dir": str(folder / "out"), "handlers": []}
        options |= {"bundle_root": side.bundle, "device": "$torch.device('cpu')"} if side.bundle else {}
        options |= side.toy if size.toy else {}
        configs = [str(config) for config in side.configs]
        words = [sys.executable, "-m", "benchmarks.case_worker", json.dumps(configs), json.dumps(options)]
        self.process = subprocess.Popen(
            words, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        self.resident = self._answer()["resident_mib"]
        self.last: dict[str, float] = {}

    def ask(self, word: str) -> dict[str, float]:
        """Give a command and wait for its figures."""
        assert self.process.stdin is not None
        self.process.stdin.write(word + "\n")
        self.process.stdin.flush()
        self.last = self._answer()
        return self.last

    def _answer(self) -> dict[str, float]:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            sys.exit(f"a side of the inference benchmark ended with {self.process.wait()}")
        return json.loads(line)

    def close(self) -> None:
        """End the process."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait()


def _against_peer(worker: Worker, peer: Worker, spent: Spread, theirs: Spread) -> list[Row]:
    side, against = worker.side, peer.side.name
    first, second = (Spread.of([each.last["peak_mib"]]) for each in (worker, peer))
    base = f"importing and building alone takes {worker.resident:.0f} MiB here, {peer.resident:.0f} MiB there"
    what = f"case, file to file, {side.name}"
    memory = at_most(f"{what}: peak memory of the process", "MiB", first, against, second, side.memory, base)
    return [at_most(f"{what}: time", "s", spent, against, theirs, side.time), memory]


def _outside(worker: Worker, size: Size, reading: float, rates: Rates) -> list[Row]:
    name = worker.side.name
    worker.ask("keep")
    count = worker.ask("count")
    acts = [lambda word=word: worker.ask(word)[size.clock] for word in ("case", "network")]
    whole, bare = in_turn(acts, size.pairs)
    worker.close()
    floor = max(count["operations"] / rates.operations, count["bytes"] / rates.bytes)
    bound = "operations" if floor == count["operations"] / rates.operations else "bytes"
    note = (
        f"unpacking the files alone is {reading / bare.median:.2f} of the network's time, "
        f"the rest {max(0.0, (whole.median - bare.median - reading) / bare.median):.2f}"
    )
    told = (
        f"{count['operations'] / 1e9:.1f} GFLOP, {count['bytes'] / 1e9:.1f} GB between layers; "
        f"floor {floor:.3f} s ({bound} over the measured rate)"
    )
    return [
        at_most(f"case, file to file, {name}", "s", whole, "the network alone on the same tensors", bare, 1.15, note),
        Row(
            f"network of {name} against its floor", "s", bare, "floor", Spread.of([floor]), bare.median / floor,
            note=told,
        ),
    ]  # fmt: skip


def _unpacking(data: Path, size: Size) -> float:
    """Seconds that zlib needs for the case's images, in memory, on the cores that loading uses."""
    import torch

    packed = [file.read_bytes() for file in sorted(data.rglob("*.nii.gz")) if "label" not in file.name]
    with ThreadPoolExecutor(min(len(packed), torch.get_num_threads())) as pool:
        act = seconds(lambda: list(pool.map(lambda raw: zlib.decompress(raw, 31), packed)), size)
        return in_turn([act], 5)[0].median
