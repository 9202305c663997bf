"""BraTS 2015 as the Virtual Skeleton Database packs it, built tiny, `.mha` written by itk."""

import json

import numpy as np
import pytest

from ganglion.data import LoadContrastsd, LoadLabeld, check_dataset, load_items
from ganglion.data.convert import convert

itk = pytest.importorskip("itk")
SHAPE = (4, 5, 6)


def write(folder, name, data):
    folder = folder / name
    folder.mkdir(parents=True)
    itk.imwrite(itk.image_from_array(np.ascontiguousarray(data.T)), str(folder / f"{name}.mha"))


def patient(folder, number, labelled=True):
    """The four images, numbered as the database numbers every file, and the label of a patient."""
    rng = np.random.default_rng(number)
    for i, name in enumerate(("Flair", "T1", "T1c", "T2")):
        write(
            folder, f"VSD.Brain.XX.O.MR_{name}.{54000 + 10 * number + i}", rng.integers(1, 999, SHAPE).astype(np.int16)
        )
    if labelled:
        codes = np.arange(np.prod(SHAPE)).reshape(SHAPE) % 5
        write(folder, f"VSD.Brain_3more.XX.O.OT.{54000 + 10 * number + 7}", codes.astype(np.uint8))


def test_mha_tree(tmp_path, counted):
    src = tmp_path / "BRATS2015_Training"
    for i in range(3):
        patient(src / "HGG" / f"brats_2013_pat000{i}_1", i)
    patient(src / "HGG" / "brats_tcia_pat105_0001", 3)
    patient(src / "HGG" / "brats_tcia_pat105_0002", 4)
    patient(src / "LGG" / "brats_2013_pat0009_1", 5)
    patient(src / "HGG_LGG" / "brats_test_1", 6, labelled=False)
    done = convert("brats2015", src, tmp_path / "dst", fractions=(0.6, 0.2, 0.2))
    assert (done.label_map, done.counts["unlabeled"]) == ({3: 1, 4: 3}, 1)
    assert [finding.level for finding in check_dataset(tmp_path / "dst")] == ["note"]
    content = json.loads((tmp_path / "dst" / "dataset.json").read_text())
    homes = {e["subject"]: name for name in ("training", "validation", "test") for e in content[name]}
    assert homes["brats_tcia_pat105_0001"] == homes["brats_tcia_pat105_0002"]
    assert {e["stratum"] for name in ("training", "validation", "test") for e in content[name]} == {"HGG", "LGG"}

    item = next(
        i for name in set(homes.values()) for i in load_items(tmp_path / "dst", name) if "pat0001" in i["subject"]
    )
    out = LoadLabeld()(LoadContrastsd()(item))
    rng = np.random.default_rng(1)
    flair, t1, t1ce, t2 = (rng.integers(1, 999, SHAPE) for _ in range(4))
    np.testing.assert_array_equal(out["image"].numpy(), np.stack([t1, t1ce, t2, flair]))
    codes = np.arange(np.prod(SHAPE)).reshape(SHAPE) % 5
    np.testing.assert_array_equal(out["label"][0].numpy(), np.array([0, 1, 2, 1, 3])[codes])
    np.testing.assert_array_equal(out["image"].affine, np.diag([-1, -1, 1, 1]))
    counted("converted layouts")
