"""Measure how fast it is: `python -m benchmarks [--only NAME,...] [--quick]`.

Each measurement sets two sides against each other in one run, in turn, and the ratio of their medians against a goal.
It prints the table and writes docs/results/performance.json and docs/performance.md; a measurement that is left out
keeps the rows that it had. `--quick` shows in a minute or two that everything runs: toy sizes, nothing written.
"""

from __future__ import annotations

import importlib
import json
import os
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import fire

from .machine import describe_machine, load, measured_rates
from .page import page, table
from .side_by_side import QUICK, ROOT, Size

MEASUREMENTS = (
    *("start_up", "resources", "training_step", "data_pipeline", "inference"),
    *("tissue_training", "tissue_inference", "synthesis_training"),
)
RESULTS = ROOT / "docs" / "results" / "performance.json"
PAGE = ROOT / "docs" / "performance.md"


def main(only: Any = "", quick: bool = False, pairs: int = 5, folder: str = "", clock: str = "wall") -> None:
    """Measure all, or what `only` names (separated by commas).

    Args:
        only: measurements, as start_up,inference.
        quick: toy sizes, nothing written.
        pairs: turns of the two sides, after one that warms up.
        folder: keeps the simulated case between runs.
        clock: `wall`, or `cpu`: processor time on one thread, for a machine that is busy with other things.
    """
    names = list(only) if isinstance(only, (list, tuple)) else str(only).split(",") if only else list(MEASUREMENTS)
    unknown = set(names) - set(MEASUREMENTS)
    if unknown:
        raise SystemExit(f"no measurement is called {', '.join(sorted(unknown))}: choose of {', '.join(MEASUREMENTS)}")
    size = replace(QUICK if quick else Size(pairs=pairs), clock=clock)
    if clock == "cpu":  # threads that wait for each other would count
        os.environ["OMP_NUM_THREADS"] = "1"
    rates = measured_rates(quick, time.process_time if clock == "cpu" else time.perf_counter)
    results = json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.exists() and not quick else {}
    # The page's machine is that of the measurements on all its threads.
    machine = results["machine"] if results and clock == "cpu" else describe_machine(rates)
    results = {"machine": machine, "measured": results.get("measured", {})}
    with tempfile.TemporaryDirectory() as temporary:
        place = Path(folder or temporary).resolve()
        place.mkdir(parents=True, exist_ok=True)
        for name in names:
            before = load()
            rows = importlib.import_module(f".{name}", __package__).measure(place, size, rates)
            results["measured"][name] = {
                "rows": [row.as_dict() for row in rows],
                "load": [round(before, 2), round(load(), 2)],
                "when": time.strftime("%Y-%m-%d"),
                "clock": clock,
            }
            if not quick:
                _write(results)
            print("\n".join(table([row.as_dict() for row in rows])), flush=True)


def _write(results: dict[str, Any]) -> None:
    """Data and page, after each measurement, in the order of the page."""
    measured = results["measured"]
    ordered = results | {"measured": {name: measured[name] for name in MEASUREMENTS if name in measured}}
    RESULTS.write_text(json.dumps(ordered, indent=1) + "\n", encoding="utf-8")
    PAGE.write_text(page(ordered), encoding="utf-8")


if __name__ == "__main__":
    fire.Fire(main)
