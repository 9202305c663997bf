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
from .side_by_side import ROOT, Row, Size, Spread, at_most, figure, in_turn, seconds, simulated_case

CONFIGS = ROOT / "bundles" / "segan_transfer" / "configs"
OURS = {
    "reference": (["inference.json"], 0.25, 0.25),
    "paper's width": (["inference.json", "variants/paper.json"], 0.7, None),
}
PEER = "MONAI's SegResNet bundle configuration"


def measure(folder: Path, size: Size, rates: Rates) -> list[Row]:
    """Time and memory against the peer for both configurations, and the share outside the network."""
    data = simulated_case(folder, size)
    reading = _unpacking(data)
    rows: list[Row] = []
    for name, (files, time_goal, memory_goal) in OURS.items():
        configs = [str(CONFIGS / file) for file in files]
        overrides: dict[str, Any] = {"bundle_root": str(CONFIGS.parent), "device": "$torch.device('cpu')"}
        rows += _against_peer(name, configs, overrides, folder, data, size, time_goal, memory_goal)
        rows += _outside(name, configs, overrides, folder, data, size, reading, rates)
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


def _against_peer(
    name: str, configs: list[str], overrides: dict[str, Any], folder: Path, data: Path, size: Size,
    time_goal: float, memory_goal: float | None,
) -> list[Row]:  # fmt: skip
    ours = Worker(configs, overrides, folder, data, size)
    peer = Worker([str(ROOT / "benchmarks" / "segresnet.json")], {}, folder, data, size)
    cpu: dict[str, list[float]] = {"ours": [], "peer": []}

    def case(worker: Worker, side: str) -> float:
        found = worker.ask("case")
        cpu[side].append(found["cpu"])
        return found["wall"]

    first, second = in_turn([lambda: case(ours, "ours"), lambda: case(peer, "peer")], size.pairs)
    memory = [Spread.of([worker.last["peak_mib"]]) for worker in (ours, peer)]
    processor = [Spread.of(cpu[side][1:]) for side in ("ours", "peer")]
    base = f"importing and building alone takes {ours.resident:.0f} MiB here, {peer.resident:.0f} MiB there"
    ours.close()
    peer.close()
    note = f"of processor time {processor[0].median / processor[1].median:.3f}"
    rows = [at_most(f"case, file to file, {name}: time", "s", first, PEER, second, time_goal, note)]
    what = f"case, file to file, {name}: peak memory of the process"
    if memory_goal is None:
        ratio = memory[0].median / memory[1].median
        return [*rows, Row(what, "MiB", memory[0], PEER, memory[1], ratio, note=base)]
    return [*rows, at_most(what, "MiB", memory[0], PEER, memory[1], memory_goal, base)]


def _outside(
    name: str, configs: list[str], overrides: dict[str, Any], folder: Path, data: Path, size: Size,
    reading: float, rates: Rates,
) -> list[Row]:  # fmt: skip
    worker = Worker(configs, overrides, folder, data, size)
    worker.ask("keep")
    count = worker.ask("count")
    inside: list[float] = []

    def case() -> float:
        found = worker.ask("case")
        inside.append(found["network"])
        return found["wall"]

    whole, bare = in_turn([case, lambda: worker.ask("network")["wall"]], size.pairs)
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


def _unpacking(data: Path) -> float:
    """Seconds that zlib needs for the case's images, in memory, on the cores that loading uses."""
    import torch

    packed = [file.read_bytes() for file in sorted(data.rglob("*.nii.gz")) if "label" not in file.name]
    with ThreadPoolExecutor(min(len(packed), torch.get_num_threads())) as pool:
        act = seconds(lambda: list(pool.map(lambda raw: zlib.decompress(raw, 31), packed)))
        return in_turn([act], 5)[0].median


def floor_rows(rates: Rates) -> list[Row]:
    """What the machine can do, as measured."""
    return [
        figure("matrix product, float32", "GFLOP/s", Spread.of([rates.operations / 1e9])),
        figure("copy in memory, read and written", "GB/s", Spread.of([rates.bytes / 1e9])),
    ]
