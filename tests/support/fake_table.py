"""A made-up table for tests of what is said about tables: nothing was trained, every number is drawn from a seed."""

import json
from pathlib import Path

import numpy as np

from ganglion.metrics import DEFINITIONS
from ganglion.reproduce.table import Row, Scale, Table

COLUMNS = ("dice", "hd95_mm", "volume_error_ml")


def make_table(rows, baseline="base", columns=COLUMNS, **more):
    """A table of `Row`s that no file holds."""
    texts = {"title": "A made-up table", "paper": "Nobody 2000, Table I", "question": "Does it help?"} | more
    scales = {"small": Scale("small")}
    return Table(
        Path("bundles/made_up"),
        "table1",
        columns=columns,
        scales=scales,
        rows={r.row: r for r in rows},
        baseline=baseline,
        **texts,
    )


def trained(row, **more):
    """A row that is trained."""
    return Row(**({"row": row, "name": f"Row {row}", "train": ()} | more))


def scores_of(values, region="lesion"):
    """Content of a scores.json: for each subject its metrics."""
    rows = [{"subject": subject, "region": region, "empty": "", **metrics} for subject, metrics in values.items()]
    return {"definitions": dict(DEFINITIONS), "versions": {}, "subjects": rows, "summary": {region: {}}}


def write_row(out, row, seed, values=None, state="done", scores=None, **record):
    """A row's folder; `values`: Dice of each subject, from which the other metrics follow."""
    folder = Path(out) / "table1" / row / f"seed{seed}"
    (folder / "test").mkdir(parents=True, exist_ok=True)
    content = {"state": state, "commands": [f"python -m monai.bundle run training --seed {seed}"], "seconds": 90.0}
    content |= {"peak_mib": 1500.0, "exit_code": 0, "last_line": ""} | record
    (folder / "row.json").write_text(json.dumps(content))
    if values is not None:
        metrics = {
            s: {"dice": v, "hd95_mm": 40 * (1 - v), "volume_error_ml": 30 * (v - 0.8)} for s, v in values.items()
        }
        scores = scores_of(metrics)
    if scores is not None:
        (folder / "test" / "scores.json").write_text(json.dumps(scores))
    return folder


def draw_dice(mean, subjects=16, seed=0, training_sd=0.004, row_seed=0):
    """Dice of each subject: some are harder than others in every row, trainings differ a little."""
    hard = np.random.default_rng(7).beta(5, 2, subjects)
    rest = np.random.default_rng([row_seed, seed])
    values = mean + 0.18 * (hard - hard.mean()) + rest.normal(0, training_sd) + rest.normal(0, 0.012, subjects)
    return {f"sub-{i + 1:03d}": float(np.clip(v, 0, 1)) for i, v in enumerate(values)}


def write_history(folder, epochs=12, top=0.8, seed=0):
    """Curves that look like a training."""
    generator = np.random.default_rng(seed)
    lines = ["epoch,iteration,critic/loss,segmenter/loss,segmenter/dice,val/mean_dice"]
    for epoch in range(1, epochs + 1):
        loss = 1.6 * np.exp(-epoch / 5) + 0.2 + generator.normal(0, 0.01)
        val = f"{top * (1 - np.exp(-epoch / 3)) + generator.normal(0, 0.004):.4f}" if epoch % 2 == 0 else ""
        lines.append(f"{epoch},{10 * epoch},{-0.3 * loss:.4f},{loss:.4f},{0.6 * loss:.4f},{val}")
    (folder / "run").mkdir(exist_ok=True)
    (folder / "run" / "history.csv").write_text("\n".join(lines) + "\n")


def write_fake(out, seeds=3, subjects=16):
    """Folders of a table with a clear row, a row that swings between trainings, one that failed and one half done."""
    base = {"paper": {"dice": 0.82}, "where": "Table I, row 2"}
    rows = [
        Row("printed", "Printed elsewhere", paper={"dice": 0.85}, where="Table I, row 1", printed_only=True),
        trained("base", **base),
        trained("good", paper={"dice": 0.80}, cell=("T1", "T1")),
        trained("swinging"),
        trained("half", cell=("T1", "T2")),
        trained("broken", name="<script>alert(1)</script> & co | x"),
    ]
    means = {"base": [0.78] * 3, "good": [0.82] * 3, "swinging": [0.90, 0.79, 0.80], "half": [0.78] * 3}
    for number, (row, by_seed) in enumerate(means.items()):
        for seed in range(seeds if row != "half" else max(1, seeds - 1)):
            dice = draw_dice(by_seed[seed], subjects, seed, row_seed=number)
            write_history(write_row(out, row, seed, dice), top=by_seed[seed], seed=seed)
    error = "error: /home/somebody/data/sub-001.nii.gz: found nan in segmenter/loss"
    write_row(out, "broken", 0, state="failed", exit_code=3, last_line=error)
    data = {"data set": "made up", "description": "", "simulated": "seed 1", "subjects": f"test {subjects}"}
    record = {"bundle": "made_up", "scale": "small", "data": data | {"fingerprint": "ab" * 32}}
    (Path(out) / "reproduce.json").write_text(json.dumps(record))
    return make_table(rows)
