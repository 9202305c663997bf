"""Tiny volumes and data sets that the data tests write."""

import json
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

SHAPE = (6, 7, 5)
CONTRASTS = ("T1", "T1ce", "T2", "FLAIR")


@pytest.fixture
def save():
    """`save(path, data=None, affine=None, seed=0)` writes a NIfTI volume; random positive voxels by default."""

    def write(path, data=None, affine=None, seed=0):
        path = Path(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        if data is None:
            data = np.random.default_rng(seed).uniform(1, 100, SHAPE).astype(np.float32)
        nib.save(nib.Nifti1Image(data, np.eye(4) if affine is None else affine), path)
        return path

    return write


@pytest.fixture
def label():
    """A label map with the codes 0, 1, 2, 3 on the grid of `save`."""
    data = np.zeros(SHAPE, dtype=np.uint8)
    data[1:5, 1:5, 1:4] = 2
    data[2:4, 2:4, 1:3] = 1
    data[2, 2, 2] = 3
    return data


@pytest.fixture
def dataset(tmp_path, save, label):
    """`dataset(**changes)` writes a flawless data set of four subjects; changes go into its JSON."""

    def write(**changes):
        folder = tmp_path / "data"
        names = {"training": ["a", "b"], "validation": ["c"], "test": ["d"], "unlabeled": []}
        content = {"channel_names": {str(i): c for i, c in enumerate(CONTRASTS)}, "labels": {"background": 0}}
        content["labels"].update({"core": 1, "oedema": 2, "enhancing": 3})
        for seed, subject in enumerate("abcd"):
            for i, contrast in enumerate(CONTRASTS):
                save(folder / subject / f"{subject}_{contrast}.nii.gz", seed=10 * seed + i)
            save(folder / subject / f"{subject}_label.nii.gz", label)
        for section, subjects in names.items():
            content[section] = [
                {
                    "subject": s,
                    "image": [f"{s}/{s}_{c}.nii.gz" for c in CONTRASTS],
                    "label": f"{s}/{s}_label.nii.gz",
                }
                for s in subjects
            ]
        content.update(changes)
        (folder / "dataset.json").write_text(json.dumps(content))
        return folder

    return write
