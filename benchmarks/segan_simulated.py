"""Train what the SegAN bundle ships, and its controls, on simulated scans, and score all on held-out ones.

    python -m benchmarks.segan_simulated OUT [--only "reference;no critic"] [--seeds 0,1]

Writes OUT/<row>/seed<N>/ (run folder, weights, scores) and docs/results/segan_simulated.json. Rows that are done are
skipped; a row that was cut off goes on. On two cores the rows take some hours: several commands with different
`--only` can share the work.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import fire

from .bundle_runs import command, compare, row, run, write_table

# Subject k is the same whatever the number of subjects, so each cohort holds the ones before.
COHORTS = {
    "small": {"subjects": 90, "seed": 1, "spacing": 2.0, "splits": "60,10,20"},
    "large": {"subjects": 150, "seed": 1, "spacing": 2.0, "splits": "120,10,20"},
    "huge": {"subjects": 270, "seed": 1, "spacing": 2.0, "splits": "240,10,20"},
}
TESTED_ON = "huge"  # its test list, subjects 251 to 270, is in no training and no validation list
BUDGETS = {
    "small": {"epochs": 140, "val_interval": 10},
    "large": {"epochs": 50, "val_interval": 5, "learning_rate": 1e-3},
    "huge": {"epochs": 25, "val_interval": 5, "learning_rate": 1e-3},
    "transfer": {"epochs": 25, "val_interval": 5, "learning_rate": 1e-3},
}


@dataclass(frozen=True)
class Row:
    """One row of the table: a training.

    Args:
        overlays: over train.json; those of a contrast go over inference.json too.
        cohort: on whose subjects.
        start: the row whose weights it starts from; empty for scratch.
        budget: its budget, if it is not that of the cohort.
    """

    overlays: tuple[str, ...] = ()
    cohort: str = "small"
    start: str = ""
    budget: str = ""


ROWS = {
    "first stage": Row(),
    "first stage, no critic": Row(("variants/no_critic",)),
    "first stage, map distance": Row(("variants/map_distance",)),
    "first stage, spectral norm": Row(("variants/guard_spectral",)),
    "first stage, no guard": Row(("variants/guard_none",)),
    "first stage, layer mean": Row(("variants/layer_mean",)),
    "first stage, no Dice": Row(("variants/no_dice",)),
    "second stage": Row((), "large", "first stage"),
    "second stage, no critic": Row(("variants/no_critic",), "large", "first stage, no critic"),
    "second stage, layer mean": Row(("variants/layer_mean",), "large", "first stage, layer mean"),
    "third stage, layer mean": Row(("variants/layer_mean",), "huge", "second stage, layer mean"),
    "reference": Row((), "huge", "second stage"),
    "no critic": Row(("variants/no_critic",), "huge", "second stage, no critic"),
    "flair, first stage": Row(("variants/flair",)),
    "flair": Row(("variants/flair",), "large", "flair, first stage"),
    "t1ce": Row(("variants/t1ce",), "large", "flair", "transfer"),
}
PAIRS = (
    ("first stage", "first stage, no critic"),
    ("first stage, map distance", "first stage, no critic"),
    ("first stage", "first stage, map distance"),
    ("first stage, spectral norm", "first stage, no critic"),
    ("first stage, no guard", "first stage, no critic"),
    ("first stage, layer mean", "first stage, no critic"),
    ("second stage", "second stage, no critic"),
    ("reference", "no critic"),
    ("third stage, layer mean", "no critic"),
    ("flair", "flair, first stage"),
)
RESULTS = Path("docs/results/segan_simulated.json")


def simulate(name: str, out: Path) -> Path:
    """Write a cohort unless it is there: subjects to train, to select, to test."""
    data = out / name
    options = [word for key, value in COHORTS[name].items() for word in (f"--{key}", str(value))]
    run([sys.executable, "-m", "ganglion", "phantom", "brats", str(data), *options], data / "dataset.json", out / "log")
    return data


def folder_of(name: str, seed: int, out: Path) -> Path:
    """Where a row's run, weights and scores lie."""
    return out / name.replace(", ", "_").replace(" ", "_") / f"seed{seed}"


def train_and_score(name: str, seed: int, out: Path) -> None:
    """One row: its training and its evaluation on the held-out subjects."""
    spec, folder = ROWS[name], folder_of(name, seed, out)
    start = {}
    if spec.start:
        former = folder_of(spec.start, seed, out)
        start = {"segmenter": str(former / "model.pt")}
        if "variants/no_critic" not in spec.overlays:
            start["critic"] = str(former / "run" / "networks" / "critic.pt")
    options: dict[str, Any] = {"dataset_dir": simulate(spec.cohort, out), "weights": folder / "model.pt"}
    options |= {"output_dir": folder / "run", "start_from": start, "seed": seed, "precision": "bf16"}
    line = command("training", ["train", *spec.overlays], **options, **BUDGETS[spec.budget or spec.cohort])
    run(line, folder / "model.pt", folder / "train.log")
    contrasts = [overlay for overlay in spec.overlays if overlay in ("variants/flair", "variants/t1ce")]
    options = {"dataset_dir": simulate(TESTED_ON, out), "weights": folder / "model.pt", "output_dir": folder / "test"}
    run(
        command("evaluating", ["inference", *contrasts, "evaluate"], **options),
        folder / "test" / "scores.json",
        folder / "log",
    )


def main(out: str, only: str = "", seeds: Any = (0,)) -> None:
    """Train and score the rows named by `only` (separated by `;`), or all; write the table of the rows done."""
    names = [name.strip() for name in only.split(";")] if only else list(ROWS)
    for seed in [seeds] if isinstance(seeds, int) else list(seeds):
        for name in names:
            train_and_score(name, seed, Path(out))
    found = {}
    for name in ROWS:
        for path in sorted(folder_of(name, 0, Path(out)).parent.glob("seed*/test/scores.json")):
            found[name, int(path.parents[1].name[4:])] = [path.parent]
    results = {
        "what": f"simulated scans, the {TESTED_ON} cohort's test list; a row a training seed",
        "cohorts": COHORTS,
        "budgets": BUDGETS,
        "rows": [row(f"{name}, seed {seed}", path) for (name, seed), path in found.items()],
        "differences": [
            difference
            for first, second in PAIRS
            for seed in sorted({s for n, s in found if n == first} & {s for n, s in found if n == second})
            for difference in compare(f"{first} less {second}, seed {seed}", found[first, seed], found[second, seed])
        ],
    }
    write_table(results, RESULTS)


if __name__ == "__main__":
    fire.Fire(main)
