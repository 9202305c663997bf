"""Score the SegAN bundle on real scans: weights trained on simulated scans as they are, fine-tuned, and transferred.

    python -m benchmarks.segan_real REAL_DATA SIMULATED OUT [--only NAME,...]

REAL_DATA holds the folders brats2013 (four gliomas, FLAIR and T1ce, expert labels) and open_ms_mni (two patients with
multiple sclerosis, four contrasts, lesions drawn by several raters) and tcga_lgg_brats_space (one glioma, machine
labels). SIMULATED is the folder that `benchmarks.segan_simulated` wrote.

Who is tested is never trained on, nor used to select: gliomas leave one out (two train, one validates, one tests);
the two patients with multiple sclerosis take turns, one trains with a fixed number of epochs, the other tests.
Nothing that is trained here is shipped: the scans' licences differ.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import fire

from ganglion.data.convert import convert

from .bundle_runs import command, compare, row, run, write_table
from .segan_simulated import folder_of

GLIOMAS = ("sub-0001", "sub-0003", "sub-0005", "sub-0006")
PATIENTS = ("sub-07", "sub-19")
BUDGET = {"epochs": 60, "val_interval": 5, "precision": "bf16"}
SMALL_STEPS = {"learning_rate": 2e-4, "critic_learning_rate": 1e-4}
RESULTS = Path("docs/results/segan_real.json")


@dataclass(frozen=True)
class Row:
    """One row of the table.

    Args:
        data: which scans.
        contrast: overlay that chooses the contrast; empty for all four.
        start: weights to start from, a row of SIMULATED or one of these rows (same fold); empty for scratch.
        trains: whether anything is trained on real scans.
        overlays: further overlays of the training.
    """

    data: str
    contrast: str = ""
    start: str = ""
    trains: bool = True
    overlays: tuple[str, ...] = field(default=())


ROWS = {
    "FLAIR, simulated only": Row("gliomas", "variants/flair", "simulated:flair", trains=False),
    "FLAIR, simulated only, first stage": Row(
        "gliomas", "variants/flair", "simulated:flair, first stage", trains=False
    ),
    "FLAIR, fine-tuned": Row("gliomas", "variants/flair", "simulated:flair"),
    "FLAIR, from scratch": Row("gliomas", "variants/flair"),
    "T1ce, simulated only": Row("gliomas", "variants/t1ce", "simulated:t1ce", trains=False),
    "T1ce, FLAIR's weights as they are": Row("gliomas", "variants/t1ce", "FLAIR, fine-tuned", trains=False),
    "FLAIR to T1ce, full": Row("gliomas", "variants/t1ce", "FLAIR, fine-tuned"),
    "FLAIR to T1ce, critic frozen": Row(
        "gliomas", "variants/t1ce", "FLAIR, fine-tuned", overlays=("variants/frozen_critic",)
    ),
    "FLAIR to T1ce, no critic": Row("gliomas", "variants/t1ce", "FLAIR, fine-tuned", overlays=("variants/no_critic",)),
    "T1ce, from scratch": Row("gliomas", "variants/t1ce"),
    "MS, simulated only": Row("ms", "", "simulated:reference", trains=False),
    "MS, fine-tuned on the other patient": Row("ms", "", "simulated:reference", overlays=("variants/no_validation",)),
    "low-grade glioma, simulated only": Row("tcga", "", "simulated:reference", trains=False),
}
PAIRS = (
    ("FLAIR, simulated only", "FLAIR, simulated only, first stage"),
    ("FLAIR, fine-tuned", "FLAIR, from scratch"),
    ("FLAIR to T1ce, full", "T1ce, from scratch"),
    ("FLAIR to T1ce, critic frozen", "FLAIR to T1ce, full"),
    ("FLAIR to T1ce, full", "FLAIR to T1ce, no critic"),
)


def folds(data: str) -> dict[str, dict[str, list[str]]]:
    """Test subject -> lists of that fold."""
    if data == "tcga":
        return {"sub-TCGA-FG-6692": {"test": ["sub-TCGA-FG-6692"]}}
    if data == "ms":
        return {test: {"training": [o for o in PATIENTS if o != test], "test": [test]} for test in PATIENTS}
    return {
        test: {
            "training": [GLIOMAS[(i + 1) % 4], GLIOMAS[(i + 2) % 4]],
            "validation": [GLIOMAS[(i + 3) % 4]],
            "test": [test],
        }
        for i, test in enumerate(GLIOMAS)
    }


def describe(data: str, real: Path, out: Path) -> None:
    """Write one dataset.json a fold; the scans stay where they are."""
    source = {"gliomas": "brats2013", "ms": "open_ms_mni", "tcga": "tcga_lgg_brats_space"}[data]
    options: dict[str, Any] = {
        "gliomas": {"label_name": "tumour", "label_map": "brats2013"},
        "ms": {"label_name": "lesion"},
        "tcga": {"label_name": "tumour-auto"},
    }[data]
    for test, lists in folds(data).items():
        if not (out / "data" / data / test / "dataset.json").exists():
            convert("folder", real / source, out / "data" / data / test, sections=lists, **options)


def networks_of(start: str, test: str, simulated: Path, out: Path) -> dict[str, str]:
    """Files of segmenter and critic that a row starts from."""
    if not start:
        return {}
    folder = folder_of(start[10:], 0, simulated) if start.startswith("simulated:") else out / slug(start) / test
    networks = {"segmenter": str(folder / "model.pt")}
    return networks if start.endswith("no critic") else networks | {"critic": str(folder / "run/networks/critic.pt")}


def slug(name: str) -> str:
    """A row's name as a folder."""
    return "".join(c if c.isalnum() else "_" for c in name.lower())


def train_and_score(name: str, real: Path, simulated: Path, out: Path, seed: int = 0) -> None:
    """All folds of one row; the scores of the folds are put into one file."""
    spec = ROWS[name]
    describe(spec.data, real, out)
    contrast = [spec.contrast] if spec.contrast else []
    for test in folds(spec.data):
        folder, data = out / slug(name) / test, out / "data" / spec.data / test
        start = networks_of(spec.start, test, simulated, out)
        weights: str | Path = start.get("segmenter", "")
        if spec.trains:
            weights = folder / "model.pt"
            options = {**BUDGET, **(SMALL_STEPS if start else {}), "start_from": start, "seed": seed}
            line = command(
                "training", ["train", *contrast, *spec.overlays],
                dataset_dir=data, output_dir=folder / "run", weights=weights, **options,
            )  # fmt: skip
            run(line, folder / "model.pt", folder / "train.log")
        line = command(
            "evaluating", ["inference", *contrast, "evaluate"],
            dataset_dir=data, weights=weights, output_dir=folder / "test",
        )  # fmt: skip
        run(line, folder / "test" / "scores.json", folder / "test.log")


def main(real: str, simulated: str, out: str, only: str = "") -> None:
    """Train and score the rows named by `only` (separated by `;`), or all; write the table of all that are done."""
    names = [name.strip() for name in only.split(";")] if only else list(ROWS)
    for name in names:
        train_and_score(name, Path(real), Path(simulated), Path(out))
    done = {n: [Path(out) / slug(n) / test / "test" for test in folds(spec.data)] for n, spec in ROWS.items()}
    done = {n: parts for n, parts in done.items() if all((p / "scores.json").exists() for p in parts)}
    results = {
        "what": "real scans, each test subject unseen in training and selection",
        "budget": {**BUDGET, **SMALL_STEPS},
        "rows": [row(name, parts) for name, parts in done.items()],
        "differences": [
            difference
            for first, second in PAIRS
            if first in done and second in done
            for difference in compare(f"{first} less {second}", done[first], done[second])
        ],
    }
    write_table(results, RESULTS)


if __name__ == "__main__":
    fire.Fire(main)
