"""What a simulated subject costs, and what the weights in the repository weigh."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

from .machine import Rates
from .side_by_side import ROOT, Row, Size, Spread, command_cost, figure


def measure(folder: Path, size: Size, rates: Rates) -> list[Row]:
    """The command that simulates one subject, on one core, and the bytes of all weights."""
    costs = []
    for turn in range(min(size.pairs, 3) + 1):
        target = folder / f"subject_{turn}"
        costs.append(_simulate(target, size))
        shutil.rmtree(target)
    spreads = {name: Spread.of([cost[name] for cost in costs[1:]]) for name in costs[0]}
    what = f"simulated subject, {size.spacing:g} mm, four contrasts, the whole command on one core"
    weights = [file.stat().st_size for file in (ROOT / "bundles").rglob("*.pt")]
    return [
        figure(f"{what}: time", "s", spreads[size.clock], 20),
        figure(f"{what}: peak memory", "GiB", spreads["peak_gib"], 2.5),
        figure("weights in the repository", "MiB", Spread.of([sum(weights) / 2**20]), 30, f"{len(weights)} files"),
    ]


def _simulate(target: Path, size: Size) -> dict[str, float]:
    """What one subject costs a process of its own on one core."""
    line = [sys.executable, "-m", "ganglion", "phantom", "brats", str(target), "--subjects", "1"]
    line += ["--spacing", str(size.spacing), "--seed", "5"]
    one = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    return command_cost(line, env={**os.environ, **one})
