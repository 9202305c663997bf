"""Task01_BrainTumour of the Decathlon, built tiny: its own channel order and label order."""

import json

import numpy as np
import pytest

from ganglion.data import LoadContrastsd, LoadLabeld, check_dataset, load_items
from ganglion.data.convert import convert
from ganglion.errors import InputError

STATED = {
    "name": "BRATS",
    "modality": {"0": "FLAIR", "1": "T1w", "2": "t1gd", "3": "T2w"},
    "labels": {"0": "background", "1": "edema", "2": "non-enhancing tumor", "3": "enhancing tumour"},
}


@pytest.fixture
def source(tmp_path, save, label):
    """Three training subjects and a test subject; channel c of every image holds c + 1 everywhere but for noise."""
    src = tmp_path / "Task01_BrainTumour"
    for number, folder in enumerate(("imagesTr", "imagesTr", "imagesTr", "imagesTs"), start=1):
        noise = np.random.default_rng(number).uniform(0, 0.1, (6, 7, 5, 4)).astype(np.float32)
        save(src / folder / f"BRATS_00{number}.nii.gz", noise + np.arange(1, 5, dtype=np.float32))
        if folder == "imagesTr":
            save(src / "labelsTr" / f"BRATS_00{number}.nii.gz", label)
    (src / "imagesTr" / "._BRATS_001.nii.gz").write_bytes(b"left by macOS")
    (src / "dataset.json").write_text(json.dumps(STATED))
    return src


@pytest.mark.parametrize("stated", [True, False])
def test_order_and_codes_become_ours(source, tmp_path, label, stated, counted):
    if not stated:
        (source / "dataset.json").unlink()
    done = convert("msd", source, tmp_path / "dst")
    assert (done.contrasts, done.label_map) == (("FLAIR", "T1", "T1ce", "T2"), {1: 2, 2: 1})
    assert done.counts == {"training": 1, "validation": 1, "test": 1, "unlabeled": 1}
    item = load_items(tmp_path / "dst", "training", contrasts=("T1", "T1ce", "T2", "FLAIR"))[0]
    out = LoadLabeld()(LoadContrastsd()(item))
    assert [round(float(channel.mean())) for channel in out["image"]] == [2, 3, 4, 1]
    np.testing.assert_array_equal(out["label"][0].numpy(), np.array([0, 2, 1, 3])[label])
    assert [finding.level for finding in check_dataset(tmp_path / "dst")] == ["note"]
    if stated:
        counted("converted layouts")


def test_codes_follow_the_names_that_the_file_states(source, tmp_path):
    other = {"0": "background", "1": "Necrosis", "2": "oedema", "4": "enhancing tumour"}
    (source / "dataset.json").write_text(json.dumps({**STATED, "labels": other}))
    assert convert("msd", source, tmp_path / "dst").label_map == {4: 3}
    (source / "dataset.json").write_text(json.dumps({**STATED, "labels": {"1": "liver"}}))
    with pytest.raises(InputError, match="found label '1' named 'liver'"):
        convert("msd", source, tmp_path / "b")


def test_the_decathlons_own_file_is_not_overwritten(source):
    with pytest.raises(InputError, match="was not made from layout 'msd'"):
        convert("msd", source, source)
    assert json.loads((source / "dataset.json").read_text()) == STATED


def test_missing_contrast_and_broken_file(source, tmp_path):
    with pytest.raises(InputError, match="expected T1-IR too"):
        convert("msd", source, tmp_path / "dst", contrasts="T1,T1-IR")
    (source / "dataset.json").write_text("{")
    with pytest.raises(InputError, match="no valid JSON"):
        convert("msd", source, tmp_path / "dst")
