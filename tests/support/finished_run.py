"""A finished run, its evaluation and its data set, small enough to write in a moment."""

import json

import nibabel as nib
import numpy as np

from ganglion.metrics import DEFINITIONS, METHOD, METRICS, score_subject, summarise

AFFINE = np.diag([-2.0, -2.0, 3.0, 1.0])


def _box(start, size, shape=(20, 24, 10)):
    mask = np.zeros(shape, dtype=np.uint8)
    mask[tuple(slice(a, a + n) for a, n in zip(start, size, strict=True))] = 1
    return mask


def write_scores(folder, rows):
    folder.mkdir(parents=True, exist_ok=True)
    summary = {metric: summarise([row[metric] for row in rows]) for metric in METRICS}
    content = {"definitions": DEFINITIONS | {"summary": METHOD}, "subjects": rows, "summary": {"lesion": summary}}
    (folder / "scores.json").write_text(json.dumps(content))


def write_finished(place):
    """Folder with data/, run/ and evaluation/ of five subjects whose predictions are boxes shifted by 0 to 4 voxels."""
    items, rows = [], []
    for number, shift in enumerate([2, 0, 4, 1, 3]):
        subject = f"sub-{number + 1:03d}"
        folder = place / "data" / subject
        folder.mkdir(parents=True)
        label, pred = _box((6, 8, 3), (5, 5, 4)), _box((6 + shift, 8, 3), (5, 5, 4))
        image = np.random.default_rng(number).normal(100, 10, label.shape).astype(np.float32) + 50 * label
        for name, volume in (("T1", image), ("FLAIR", image), ("label", label)):
            nib.save(nib.Nifti1Image(volume, AFFINE), folder / f"{subject}_{name}.nii.gz")
        (place / "evaluation").mkdir(exist_ok=True)
        nib.save(nib.Nifti1Image(pred, AFFINE), place / "evaluation" / f"{subject}_pred.nii.gz")
        files = [f"{subject}/{subject}_{name}.nii.gz" for name in ("T1", "FLAIR")]
        items.append({"subject": subject, "image": files, "label": f"{subject}/{subject}_label.nii.gz"})
        rows.append({"subject": subject, "region": "lesion"} | score_subject(pred, label, (2, 2, 3)))
    content = {
        "name": "brats cohort, simulated",
        "description": "Simulated subjects",
        "channel_names": {"0": "T1", "1": "FLAIR"},
        "labels": {"background": 0, "lesion": 1},
        "numTraining": 0,
        "seed": 7,
        "file_ending": ".nii.gz",
        "test": items,
    }
    (place / "data" / "dataset.json").write_text(json.dumps(content))
    write_scores(place / "evaluation", rows)
    (place / "run").mkdir()
    (place / "run" / "history.csv").write_text(
        "epoch,iteration,critic/loss,segmenter/loss,segmenter/dice,val/mean_dice\n"
        "1,10,-0.2,0.9,0.7,\n2,20,-0.1,0.5,0.4,0.61\n3,30,nan,0.3,0.2,0.72\n"
    )
    knobs = {
        "epochs": 3,
        "dataset_dir": "/home/somebody/data",
        "network_def": {},
        "x": "$call()",
        "_desc_": "words",
        "y": ["@z"],
    }
    command = [
        "/x/monai/bundle/__main__.py",
        "run",
        "training",
        "--dataset_dir",
        "/home/somebody/data",
        "--a",
        "['b']",
    ]
    (place / "run" / "config.json").write_text(json.dumps({"command": command, "seed": 11, "config": knobs}))
    (place / "run" / "log.txt").write_text(
        "2026-01-01 10:00:00,000 INFO begins\n"
        "2026-01-01 10:00:01,000 WARNING 3 voxels of /home/somebody/data/sub-001.nii.gz were set to 0\n"
        "2026-01-01 10:00:02,000 WARNING 3 voxels of /home/somebody/data/sub-001.nii.gz were set to 0\n"
    )
    return place
