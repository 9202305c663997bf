"""How the cost of SegAN's training grows: with slices in a batch, with the networks' width, with processes.

    python -m benchmarks.scaling [--repeats 5] [--steps 3] [--out docs/results/scaling.json]

A step is one iteration of the trainer: the critic's phase and the segmenter's, with what the bundle's reference
configuration puts into them, on random slices of 96 x 96 with four contrasts, one thread a process, fp32. The repeats
of all settings are interleaved, so that a machine that is busy for a while spoils none of them alone. Times are given
twice: processor time of one process, which other programs disturb little, and time on the clock.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import platform
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import fire
import numpy as np
import torch
from ignite.engine import Events

from ganglion.engines import AlternatingTrainer, ClampWeights, Phase
from ganglion.engines.objectives.segan_transfer import CriticObjective, SegmenterObjective
from ganglion.networks import Critic, Segmenter, share_network

SIDE, CONTRASTS, WIDTH, SLICES = 96, 4, 24, 16
SLICE_STEPS = (2, 4, 8, 16, 32)
WIDTH_STEPS = (8, 16, 24, 32, 48)
WIDTH_SLICES = 4
PROCESSES = (1, 2)
RESULTS = Path("docs/results/scaling.json")
CLOCKS: dict[str, Callable[[], float]] = {"cpu": time.process_time, "wall": time.perf_counter}

Times = dict[str, list[float]]


def trainer_of(slices: int, width: int, steps: int, shared: bool = False) -> AlternatingTrainer:
    """The reference configuration's networks and phases on one random batch, `steps` iterations an epoch."""
    torch.manual_seed(0)
    nets: dict[str, torch.nn.Module] = {
        "segmenter": Segmenter(CONTRASTS, width=width).to(memory_format=torch.channels_last),
        "critic": Critic(CONTRASTS, width=width).to(memory_format=torch.channels_last),
    }
    if shared:
        nets = {name: share_network(network) for name, network in nets.items()}
    adam = {name: torch.optim.Adam(network.parameters(), 2e-4) for name, network in nets.items()}
    phases = [
        Phase("critic", "critic", adam["critic"], CriticObjective(), after_step=[ClampWeights(0.05)]),
        Phase("segmenter", "segmenter", adam["segmenter"], SegmenterObjective()),
    ]
    image = torch.rand(slices, CONTRASTS, SIDE, SIDE)
    batch = {"image": image, "label": (image[:, :1] > 0.8).float(), "subject": ["random"] * slices}
    return AlternatingTrainer("cpu", 1, [batch] * steps, nets, "segmenter", phases)


class Stopwatch:
    """Collects the time of each iteration of a trainer, by both clocks.

    Args:
        trainer: whose iterations are timed.
    """

    def __init__(self, trainer: AlternatingTrainer) -> None:
        self.times: Times = {name: [] for name in CLOCKS}
        self._begun: dict[str, float] = {}
        trainer.add_event_handler(Events.ITERATION_STARTED, self._start)
        trainer.add_event_handler(Events.ITERATION_COMPLETED, self._stop)

    def _start(self) -> None:
        self._begun = {name: clock() for name, clock in CLOCKS.items()}

    def _stop(self) -> None:
        for name, clock in CLOCKS.items():
            self.times[name].append(clock() - self._begun[name])


def timed_epoch(trainer: AlternatingTrainer) -> dict[str, float]:
    """One more epoch; the median of its iterations by each clock."""
    watch = Stopwatch(trainer)
    trainer.state.max_epochs = trainer.state.epoch + 1
    trainer.run()
    trainer.remove_event_handler(watch._start, Events.ITERATION_STARTED)
    trainer.remove_event_handler(watch._stop, Events.ITERATION_COMPLETED)
    return {name: statistics.median(values) for name, values in watch.times.items()}


def _work(rank: int, number: int, slices: int, steps: int, folder: str, store: str) -> None:
    torch.set_num_threads(1)
    os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo")
    torch.distributed.init_process_group("gloo", init_method=f"file://{store}", rank=rank, world_size=number)
    trainer = trainer_of(slices, WIDTH, steps, shared=number > 1)
    timed_epoch(trainer)  # warms up
    times = timed_epoch(trainer)
    torch.distributed.destroy_process_group()
    Path(folder, str(rank)).write_text(json.dumps(times), encoding="ascii")


def timed_group(number: int, slices: int, steps: int) -> dict[str, float]:
    """Step time of the slowest of several processes with `slices` slices each."""
    with tempfile.TemporaryDirectory() as folder:
        context = multiprocessing.get_context("fork")
        arguments = (number, slices, steps, folder, f"{folder}/store")
        group = [context.Process(target=_work, args=(rank, *arguments)) for rank in range(number)]
        for process in group:
            process.start()
        for process in group:
            process.join()
        times = [json.loads(Path(folder, str(rank)).read_text(encoding="ascii")) for rank in range(number)]
    return {name: max(entry[name] for entry in times) for name in CLOCKS}


def measure(repeats: int, steps: int) -> dict[str, list[dict[str, Any]]]:
    """Rows of the three tables; every repeat goes through all settings."""
    sizes = {("slices", n): trainer_of(n, WIDTH, steps) for n in SLICE_STEPS}
    sizes |= {("width", w): trainer_of(WIDTH_SLICES, w, steps) for w in WIDTH_STEPS}
    groups = [(n, s) for n in PROCESSES for s in sorted({SLICES, SLICES // n})]
    times: dict[tuple[Any, ...], list[dict[str, float]]] = {}
    for trainer in sizes.values():
        timed_epoch(trainer)  # warms up
    for repeat in range(repeats):
        for key, trainer in sizes.items():
            times.setdefault(key, []).append(timed_epoch(trainer))
        for number, slices in groups:
            times.setdefault(("processes", number, slices), []).append(timed_group(number, slices, steps))
        print(f"repeat {repeat + 1} of {repeats}, load {os.getloadavg()[0]:.1f}", flush=True)
    tables: dict[str, list[dict[str, Any]]] = {"slices": [], "width": [], "processes": []}
    for (table, *setting), rounds in times.items():
        names = ("number", "slices") if table == "processes" else (table,)
        row = dict(zip(names, setting, strict=True))
        tables[table].append({**row, **{name: spread([r[name] for r in rounds]) for name in CLOCKS}})
    return tables


def spread(values: Sequence[float]) -> dict[str, float]:
    """Median and quartiles in seconds, and n."""
    low, middle, high = np.percentile(values, [25, 50, 75]).tolist()
    return {"median": middle, "q1": low, "q3": high, "n": len(values)}


def fit(rows: Sequence[dict[str, Any]], over: str, power: int) -> dict[str, float]:
    """Least squares of relative errors for processor time = a + b x, or a + b x + c x^2."""
    x = np.array([row[over] for row in rows], dtype=float)
    y = np.array([row["cpu"]["median"] for row in rows])
    terms = np.stack([x**p for p in range(power + 1)], axis=1)
    found = np.linalg.lstsq(terms / y[:, None], np.ones_like(y), rcond=None)[0]
    worst = float(np.abs(terms @ found / y - 1).max())
    return {**dict(zip("abc", found.tolist(), strict=False)), "worst_relative_error": worst}


def machine() -> dict[str, Any]:
    """What computed, in words that name no host."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text(encoding="utf-8").splitlines() if info.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return {
        "processor": names[0] if names else platform.machine(),
        "cores": os.cpu_count(),
        "system": platform.system(),
        "python": platform.python_version(),
        "torch": torch.__version__,
    }


def table_lines(results: dict[str, Any]) -> list[str]:
    """The tables and fits in Markdown; the page on scaling holds these very lines."""
    lines: list[str] = []
    for table, names in (("slices", ("slices",)), ("width", ("width",)), ("processes", ("number", "slices"))):
        heads = [*("processes" if name == "number" else name for name in names), "n"]
        heads += ["processor time, ms", "quartiles", "clock, ms", "quartiles"]
        if table == "processes":
            heads[1] = "slices each"
        lines += ["| " + " | ".join(heads) + " |", "|" + "---|" * len(heads)]
        for row in results[table]:
            cells = [str(row[name]) for name in names] + [str(row["cpu"]["n"])]
            for clock in CLOCKS:
                middle, low, high = (1000 * row[clock][key] for key in ("median", "q1", "q3"))
                cells += [f"{middle:.0f}", f"{low:.0f} to {high:.0f}"]
            lines.append("| " + " | ".join(cells) + " |")
        lines.append("")
    return [*lines, *fit_lines(results)]


def fit_lines(results: dict[str, Any]) -> list[str]:
    """The fitted formulas, one a line."""
    s, w = results["fits"]["slices"], results["fits"]["width"]
    box, (before, after) = results["machine"], results["load"]
    parts = [f"{1000 * w['a']:.0f} ms", f"{1000 * w['b']:.2f} ms x width", f"{1000 * w['c']:.4f} ms x width squared"]
    errors = [f"(largest error {100 * found['worst_relative_error']:.0f} %)" for found in (s, w)]
    where = f"{box['processor']}, {box['cores']} cores, torch {box['torch']}"
    return [
        f"- slices: {1000 * s['a']:.0f} ms + {1000 * s['b']:.1f} ms x slices {errors[0]}",
        f"- width: {' + '.join(parts)} {errors[1]}",
        f"- machine: {where}; load average {before:.1f} before, {after:.1f} after",
    ]


def main(repeats: int = 5, steps: int = 3, out: str = str(RESULTS)) -> None:
    """Measure, fit, print and write.

    Args:
        repeats: rounds over all settings.
        steps: iterations in a round of a setting, of which the median counts.
        out: JSON file.
    """
    torch.set_num_threads(1)
    before = os.getloadavg()[0]
    tables = measure(repeats, steps)
    fits = {"slices": fit(tables["slices"], "slices", 1), "width": fit(tables["width"], "width", 2)}
    load = [before, os.getloadavg()[0]]
    settings = {"side": SIDE, "contrasts": CONTRASTS, "width": WIDTH, "width_slices": WIDTH_SLICES, "steps": steps}
    results = {"machine": machine(), "settings": settings, "load": load, **tables, "fits": fits}
    path = Path(out)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    print("\n".join(table_lines(results)))


if __name__ == "__main__":
    fire.Fire(main)
