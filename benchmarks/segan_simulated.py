"""Train what the SegAN bundle ships, and its controls, on simulated scans, and score all on held-out ones.

    python -m benchmarks.segan_simulated OUT [--only reference,no_critic] [--seeds 0,1]

Writes OUT/<row>/seed<N>/ (run folder and scores) and, when all rows are there, docs/results/segan_simulated.json.
Rows that are done are skipped; a row that was cut off goes on. On two cores the rows take some hours: several
commands with different `--only` can share the work.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import fire

from .bundle_runs import command, compare, row, run, write_table

COHORT = {"subjects": 90, "seed": 1, "spacing": 2.0, "splits": "60,10,20"}
BUDGET = {"epochs": 140, "val_interval": 10, "precision": "bf16"}
ROWS = {
    "reference": [],
    "no_critic": ["variants/no_critic"],
    "flair": ["variants/flair"],
    "flair_no_critic": ["variants/flair", "variants/no_critic"],
    "t1ce": ["variants/t1ce"],
}
PAIRS = (("reference", "no_critic"), ("flair", "flair_no_critic"))
RESULTS = Path("docs/results/segan_simulated.json")


def simulate(out: Path) -> Path:
    """The cohort of all rows: 60 subjects to train, 10 to select, 20 to test."""
    data = out / "brats"
    options = [word for key, value in COHORT.items() for word in (f"--{key}", str(value))]
    run([sys.executable, "-m", "ganglion", "phantom", "brats", str(data), *options], data / "dataset.json", out / "log")
    return data


def train_and_score(name: str, seed: int, data: Path, out: Path) -> Path:
    """One row: its training and its evaluation on the test list; returns the folder with the scores."""
    overlays, folder = ROWS[name], out / name / f"seed{seed}"
    weights, scored = folder / "model.pt", folder / "test"
    paths: dict[str, Any] = {"dataset_dir": data, "weights": weights}
    line = command("training", ["train", *overlays], **paths, output_dir=folder / "run", seed=seed, **BUDGET)
    run(line, weights, folder / "train.log")
    contrasts = [overlay for overlay in overlays if overlay in ("variants/flair", "variants/t1ce")]
    line = command("evaluating", ["inference", *contrasts, "evaluate"], **paths, output_dir=scored)
    run(line, scored / "scores.json", folder / "test.log")
    return scored


def main(out: str, only: Any = tuple(ROWS), seeds: Any = (0,)) -> None:
    """Train and score the rows named by `only` with each seed; write the table when every row is done."""
    names = only.split(",") if isinstance(only, str) else list(only)
    numbers = [seeds] if isinstance(seeds, int) else list(seeds)
    folder = Path(out)
    data = simulate(folder)
    for seed in numbers:
        for name in names:
            train_and_score(name, seed, data, folder)
    found = {
        (name, int(path.parents[1].name[4:])): [path.parent]
        for name in ROWS
        for path in sorted((folder / name).glob("seed*/test/scores.json"))
    }
    results = {
        "what": "simulated scans, 20 held-out subjects; a row a training seed",
        "cohort": COHORT,
        "budget": BUDGET,
        "rows": [row(f"{name}, seed {seed}", path) for (name, seed), path in found.items()],
        "differences": [
            compare(f"{first} less {second}, seed {seed}", found[first, seed], found[second, seed])
            for first, second in PAIRS
            for seed in sorted({s for n, s in found if n == first} & {s for n, s in found if n == second})
        ],
    }
    write_table(results, RESULTS)


if __name__ == "__main__":
    fire.Fire(main)
