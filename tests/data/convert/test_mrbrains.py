"""MRBrainS13 and MRBrainS18 as their archives hold them, built from simulated ageing adults."""

import nibabel as nib
import numpy as np
import pytest

from ganglion.data import LoadContrastsd, LoadLabeld, check_dataset, load_items
from ganglion.data.convert import convert
from ganglion.errors import InputError

CONTRASTS = ("T1", "T1-IR", "FLAIR")
# The challenges' rule: 1 CSF from 5 and 6, 2 grey from 1 and 2, 3 white from 3 and 4; the rest is not scored.
MERGED = np.array([0, 2, 2, 3, 3, 1, 1, 0, 0, 0, 0])


def write(path, data, affine):
    path.parent.mkdir(parents=True, exist_ok=True)
    nib.save(nib.Nifti1Image(data, affine), path)


@pytest.fixture
def tree13(tmp_path, simulated):
    """Three training and two test subjects, numbered from 1 in both halves, uncompressed, with the fine T1 scan."""
    root = tmp_path / "MRBrainS13DataNii"
    for half, numbers in (("TrainingData", (1, 2, 3)), ("TestData", (1, 2))):
        for number in numbers:
            images, label, affine = simulated("mrbrains", number + 5 * (half == "TestData"))
            folder = root / half / str(number)
            for name, contrast in {"T1": "T1", "T1_IR": "IR", "T2_FLAIR": "FLAIR"}.items():
                write(folder / f"{name}.nii", images[contrast], affine)
            write(folder / "T1_1mm.nii", np.repeat(images["T1"], 3, axis=2), affine @ np.diag([1, 1, 1 / 3, 1]))
            if half == "TrainingData":
                write(folder / "LabelsForTraining.nii", label, affine)
                write(folder / "LabelsForTesting.nii", MERGED[label].astype(np.uint8), affine)
    return root


@pytest.fixture
def tree18(tmp_path, simulated):
    """Three training subjects and a test subject; `pre` and `orig` hold scans before and after registration."""
    root = tmp_path / "mrbrains18"
    for number, name in enumerate(("training/1", "training/070", "training/148", "test/2")):
        images, label, affine = simulated("mrbrains", number)
        for factor, kind in ((1, "pre"), (2, "orig")):
            folder = root / name / kind
            for stem, contrast in {"reg_T1": "T1", "reg_IR": "IR", "FLAIR": "FLAIR"}.items():
                write(folder / f"{stem}.nii.gz", images[contrast] * factor, affine)
            for stem, contrast in {"T1": "T1", "IR": "IR"}.items():
                fine = affine @ np.diag([1, 1, 1 / 3, 1])
                write(folder / f"{stem}.nii.gz", np.repeat(images[contrast], 3, axis=2), fine)
        (root / name / "orig" / "reg_3DT1_to_FLAIR.txt").write_text("(Transform EulerTransform)")
        if name.startswith("training"):
            label = label.copy()
            label[label == 4] = 9  # an infarct
            write(root / name / "segm.nii.gz", label, affine)
    return root


def loaded(folder, section):
    item = load_items(folder, section)[0]
    return item["subject"], LoadLabeld()(LoadContrastsd(contrasts=CONTRASTS)(item))


def test_2013(tree13, tmp_path, simulated, counted):
    done = convert("mrbrains13", tree13, tmp_path / "dst", fractions=(0.4, 0.3, 0.3))
    assert (done.contrasts, done.counts["training"], done.counts["unlabeled"]) == (CONTRASTS, 1, 2)
    unlabeled = [item["subject"] for item in load_items(tmp_path / "dst", "unlabeled", labels=False)]
    assert unlabeled == ["test-1", "test-2"]
    subject, out = loaded(tmp_path / "dst", "training")
    images, label, _ = simulated("mrbrains", int(subject.removeprefix("training-")))
    np.testing.assert_array_equal(out["image"].numpy(), np.stack([images[name] for name in ("T1", "IR", "FLAIR")]))
    assert set(np.unique(label)) == set(range(9))
    np.testing.assert_array_equal(out["label"][0].numpy(), MERGED[label])
    assert [finding.level for finding in check_dataset(tmp_path / "dst")] == ["note"]
    assert "cerebellum, brain stem" in done.summary()
    counted("converted layouts")


def test_2013_with_the_merged_labels(tree13, tmp_path):
    """The challenge's own merged file gives what the map gives."""
    done = convert("mrbrains13", tree13, tmp_path / "merged", label_name="LabelsForTesting")
    convert("mrbrains13", tree13 / "TrainingData", tmp_path / "eight")
    assert done.label_map is None
    for section in ("training", "validation", "test"):
        if load_items(tmp_path / "merged", section):
            merged, eight = loaded(tmp_path / "merged", section), loaded(tmp_path / "eight", section)
            assert merged[0] == eight[0]
            np.testing.assert_array_equal(merged[1]["label"].numpy(), eight[1]["label"].numpy())
    with pytest.raises(InputError, match="found label name seg, expected LabelsForTraining or LabelsForTesting"):
        convert("mrbrains13", tree13, tmp_path / "b", label_name="seg")


def test_2018(tree18, tmp_path, simulated, counted):
    done = convert("mrbrains18", tree18, tmp_path / "dst", sections={"training": ["070"], "unlabeled": ["2"]})
    assert done.contrasts == CONTRASTS
    subject, out = loaded(tmp_path / "dst", "training")
    images, label, _ = simulated("mrbrains", 1)
    assert subject == "070"
    np.testing.assert_array_equal(out["image"].numpy(), np.stack([images[name] for name in ("T1", "IR", "FLAIR")]))
    assert (label == 4).any()
    label = np.where(label == 4, 9, label)
    np.testing.assert_array_equal(out["label"][0].numpy(), MERGED[label])
    assert [finding.level for finding in check_dataset(tmp_path / "dst")] == ["note"]
    counted("converted layouts")


def test_2018_without_corrected_scans(tree18, tmp_path):
    import shutil

    for folder in tree18.rglob("pre"):
        shutil.rmtree(folder)
    done = convert("mrbrains18", tree18, tmp_path / "dst")
    assert "070: taken from orig" in done.summary()
    assert [finding.level for finding in check_dataset(tmp_path / "dst")] == ["note"]


@pytest.mark.parametrize("layout", ["mrbrains13", "mrbrains18"])
def test_what_is_not_scored_can_be_removed(layout, tree13, tree18, tmp_path, simulated):
    """The images are written without cerebellum, brain stem and infarcts; those without a label stay whole."""
    tree, name, number = {"mrbrains13": (tree13, "training-2", 2), "mrbrains18": (tree18, "070", 1)}[layout]
    done = convert(layout, tree, tmp_path / "dst", remove=True, sections={"training": [name]})
    _, out = loaded(tmp_path / "dst", "training")
    images, label, _ = simulated("mrbrains", number)
    gone = (label == 7) | (label == 8) | ((label == 4) & (layout == "mrbrains18"))
    expected = np.stack([np.where(gone, 0, images[contrast]) for contrast in ("T1", "IR", "FLAIR")])
    assert gone.any()
    assert (images["T1"][gone] > 0).any()
    np.testing.assert_array_equal(out["image"].numpy(), expected)
    assert "nothing was removed from" in done.summary()
    assert check_dataset(tmp_path / "dst")[0].level == "note"


def test_contrasts_by_any_usual_name(tree13, tmp_path):
    assert convert("mrbrains13", tree13, tmp_path / "dst", contrasts="FLAIR,T1_IR").contrasts == ("FLAIR", "T1-IR")


@pytest.mark.parametrize(
    ("layout", "break_it", "message"),
    [
        ("mrbrains13", lambda root: (root / "TestData/2/T1_IR.nii").unlink(), "no T1-IR of subject test-2"),
        ("mrbrains13", lambda root: (root / "TrainingData/1/T1.mhd").write_text("x"), r"MetaImage files \(.mhd"),
        ("mrbrains18", lambda root: (root / "training/148/pre/FLAIR.nii.gz").unlink(), "no FLAIR of subject 148"),
        ("mrbrains18", lambda root: root.joinpath("training").rename(root / "pre"), None),
    ],
)
def test_faults(layout, break_it, message, tree13, tree18, tmp_path, counted):
    tree = tree13 if layout == "mrbrains13" else tree18
    break_it(tree)
    if message is None:  # the archive's folders have any name
        assert convert(layout, tree, tmp_path / "dst").counts["unlabeled"] == 1
        return
    with pytest.raises(InputError, match=message):
        convert(layout, tree, tmp_path / "dst")
    counted("faulty inputs")
