"""Labelling a case, file to file, against MONAI's SegResNet; and how much of it is not the network."""

from __future__ import annotations

import json
import subprocess
import sys
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from .machine import Rates
from .side_by_side import ROOT, Row, Size, Spread, at_most, in_turn, seconds, simulated_case

CONFIGS = ROOT / "bundles" / "segan_transfer" / "configs"
OURS = {
    "reference": (["inference.json"], 0.25, 0.25),
    "paper's width": (["inference.json", "variants/paper.json"], 0.7, 0.7),
}
OVERRIDES = {"bundle_root": str(CONFIGS.parent), "device": "$torch.device('cpu')"}
PEER = "MONAI's SegResNet bundle configuration"


def measure(folder: Path, size: Size, rates: Rates) -> list[Row]:
    """Time and memory of both configurations against the peer, in turn; then the share outside the network."""
    data = simulated_case(folder, size)
    sides = {name: ([str(CONFIGS / file) for file in files], OVERRIDES) for name, (files, _, _) in OURS.items()}
    workers = {name: Worker(*side, folder, data, size) for name, side in sides.items()}
    peer = Worker([str(ROOT / "benchmarks" / "segresnet.json")], {}, folder, data, size)
    acts = [lambda worker=worker: worker.ask("case")[size.clock] for worker in (*workers.values(), peer)]
    *times, theirs = in_turn(acts, size.pairs)
    rows: list[Row] = []
    for (name, worker), ours in zip(workers.items(), times, strict=True):
        rows += _against_peer(name, worker, peer, ours, theirs)
    for worker in (*workers.values(), peer):
        worker.close()
    reading = _unpacking(data, size)
    for name, side in sides.items():
        rows += _outside(name, Worker(*side, folder, data, size), size, reading, rates)
    return rows


class Worker:
    """One side's process."""

    def __init__(self, configs: list[str], overrides: dict[str, Any], folder: Path, data: Path, size: Size) -> None:
        shrink = {"width": 4} if "segan" in configs[0] else {"init_filters": 8, "roi_size": [48, 48, 32]}
        options = {**overrides, "dataset_dir": str(data), "output_dir": str(folder / "out"), "handlers": []}
        options |= shrink if size.toy else {}
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


def _against_peer(name: str, worker: Worker, peer: Worker, ours: Spread, theirs: Spread) -> list[Row]:
    _, time_goal, memory_goal = OURS[name]
    first, second = (Spread.of([side.last["peak_mib"]]) for side in (worker, peer))
    base = f"importing and building alone takes {worker.resident:.0f} MiB here, {peer.resident:.0f} MiB there"
    what = f"case, file to file, {name}: peak memory of the process"
    memory = at_most(what, "MiB", first, PEER, second, memory_goal, base)
    return [at_most(f"case, file to file, {name}: time", "s", ours, PEER, theirs, time_goal), memory]


def _outside(name: str, worker: Worker, size: Size, reading: float, rates: Rates) -> list[Row]:
    worker.ask("keep")
    count = worker.ask("count")
    acts = [lambda word=word: worker.ask(word)[size.clock] for word in ("case", "network")]
    whole, bare = in_turn(acts, size.pairs)
    worker.close()
    floor = max(count["operations"] / rates.operations, count["bytes"] / rates.bytes)
    bound = "operations" if floor == count["operations"] / rates.operations else "bytes"
    note = (
        f"unpacking the four files alone is {reading / bare.median:.2f} of the network's time, "
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
