"""BraTS 2018 to 2023 in the layouts of the challenge, built tiny."""

import json

import numpy as np
import pytest

from ganglion.data import LoadLabeld, check_dataset, load_items
from ganglion.data.convert import convert
from ganglion.errors import InputError

OLD = ("t1", "t1ce", "t2", "flair")
NEW = ("t1n", "t1c", "t2w", "t2f")
_seeds = iter(range(10**6))


@pytest.fixture
def write(save, label):
    """`write(folder, separator, names, code)`: one subject named like its folder."""

    def subject(folder, separator="_", names=OLD, code=4, segmented=True):
        for name in names:
            save(folder / f"{folder.name}{separator}{name}.nii.gz", seed=next(_seeds))
        if segmented:
            save(folder / f"{folder.name}{separator}seg.nii.gz", np.where(label == 3, code, label).astype(np.uint8))

    return subject


def test_2018_with_grades_in_folders(tmp_path, write, label, counted):
    for i in range(6):
        write(tmp_path / "src" / "HGG" / f"Brats18_CBICA_A{i}_1")
    for i in range(4):
        write(tmp_path / "src" / "LGG" / f"Brats18_TCIA_B{i}_1")
    done = convert("brats", tmp_path / "src", tmp_path / "dst", fractions=(0.5, 0, 0.5))
    assert (done.contrasts, done.label_map) == (("T1", "T1ce", "T2", "FLAIR"), {4: 3})
    content = json.loads((tmp_path / "dst" / "dataset.json").read_text())
    assert content["stratified_by"] == "grade"
    for section in ("training", "test"):
        assert sorted(entry["stratum"] for entry in content[section]) == ["HGG"] * 3 + ["LGG"] * 2
    item = load_items(tmp_path / "dst", "test")[0]
    np.testing.assert_array_equal(LoadLabeld(like=None)(item)["label"][0].numpy(), label)
    assert [finding.level for finding in check_dataset(tmp_path / "dst")] == ["note"]
    counted("converted layouts")


def test_2020_with_name_mapping_and_the_misnamed_label(tmp_path, write, save, label):
    folder = tmp_path / "src" / "MICCAI_BraTS2020_TrainingData"
    write(folder / "BraTS20_Training_354")
    write(folder / "BraTS20_Training_355", segmented=False)
    save(folder / "BraTS20_Training_355" / "W39_1998.09.19_Segm.nii", label)
    rows = ["Grade,BraTS_2019_subject_ID,BraTS_2020_subject_ID", "HGG,NA,BraTS20_Training_354"]
    (folder / "name_mapping.csv").write_text("\n".join([*rows, "LGG,x,BraTS20_Training_355", ""]))
    assert convert("brats", tmp_path / "src", tmp_path / "dst", fractions=(1, 0, 0)).counts["training"] == 2
    content = json.loads((tmp_path / "dst" / "dataset.json").read_text())
    assert [entry["stratum"] for entry in content["training"]] == ["HGG", "LGG"]


def test_2023_names_and_time_points_of_a_patient_stay_together(tmp_path, write):
    for patient in range(6):
        for time in range(2):
            write(tmp_path / "src" / f"BraTS-GLI-0000{patient}-00{time}", "-", NEW, code=3)
    write(tmp_path / "src" / "BraTS-GLI-00009-000", "-", NEW, segmented=False)
    done = convert("brats", tmp_path / "src", tmp_path / "dst", fractions=(0.5, 0.25, 0.25))
    assert done.counts["unlabeled"] == 1
    content = json.loads((tmp_path / "dst" / "dataset.json").read_text())
    homes = [{entry["subject"][:-4] for entry in content[name]} for name in ("training", "validation", "test")]
    assert sum(map(len, homes)) == 6
    assert content["training"][0]["image"][1].endswith("_T1ce.nii.gz")
    assert [finding.level for finding in check_dataset(tmp_path / "dst")] == ["note"]


def test_missing_and_doubled_contrasts_are_named(tmp_path, write, save):
    write(tmp_path / "src" / "A_1", names=OLD[:3])
    with pytest.raises(InputError, match=r"A_1: found no FLAIR of subject A_1.*here: T1, T1ce, T2"):
        convert("brats", tmp_path / "src", tmp_path / "dst")
    assert convert("brats", tmp_path / "src", tmp_path / "dst", contrasts=["T1", "T2"]).counts["training"] == 1
    save(tmp_path / "src" / "A_1" / "A_1_t1n.nii.gz")
    with pytest.raises(InputError, match=r"2 files of contrast T1 \(A_1_t1\.nii\.gz, A_1_t1n\.nii\.gz\)"):
        convert("brats", tmp_path / "src", tmp_path / "dst", contrasts=["T1", "T2"])
