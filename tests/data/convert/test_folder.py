"""Plain folders in the shapes that people keep them in."""

import json

import numpy as np
import pytest

from ganglion.data import LoadLabeld, load_items
from ganglion.data.convert import convert
from ganglion.errors import InputError


def content(folder):
    return json.loads((folder / "dataset.json").read_text())


@pytest.mark.parametrize(
    "pattern",
    ["{s}_{c}.nii.gz", "{s}/{c}.nii.gz", "{c}/{s}_{c}.nii.gz", "{s}/anat/{s}_{c}.nii", "deep/{s}/scan/{c}.nii.gz"],
)
def test_shapes_of_folders(tmp_path, save, label, pattern, counted):
    for i, subject in enumerate(("anna", "ben")):
        for j, name in enumerate(("T1w", "FLAIR", "lesion")):
            data = (label > 0).astype(np.uint8) if name == "lesion" else None
            save(tmp_path / "src" / pattern.format(s=subject, c=name), data, seed=10 * i + j)
    done = convert("folder", tmp_path / "src", tmp_path / "dst", fractions=(1, 0, 0))
    assert (done.contrasts, done.counts["training"]) == (("T1", "FLAIR"), 2)
    subjects = [item["subject"] for item in load_items(tmp_path / "dst", "training")]
    assert all(name in subject for name, subject in zip(("anna", "ben"), subjects, strict=True))
    assert content(tmp_path / "dst")["labels"] == {"background": 0, "lesion": 1}
    assert "label_map" not in content(tmp_path / "dst")
    if pattern == "{s}_{c}.nii.gz":
        counted("converted layouts")


def test_a_contrast_that_some_lack_is_left_out_and_told(tmp_path, save):
    for name in ("a_T1", "a_T2", "b_T1"):
        save(tmp_path / "src" / f"{name}.nii.gz", seed=len(name) + ord(name[0]))
    done = convert("folder", tmp_path / "src", tmp_path / "dst")
    assert done.contrasts == ("T1",)
    assert "T2 was left out, since 1 subjects lack it: b" in done.summary()
    with pytest.raises(InputError, match="found no T2 of subject b"):
        convert("folder", tmp_path / "src", tmp_path / "b", contrasts="T1,T2")
    save(tmp_path / "src" / "c_T2.nii.gz")
    with pytest.raises(InputError, match="no contrast that all 3 subjects have"):
        convert("folder", tmp_path / "src", tmp_path / "b")


def test_choice_of_label(tmp_path, save, label):
    save(tmp_path / "src" / "a_T1.nii.gz")
    save(tmp_path / "src" / "a_brainmask.nii.gz", (label > 0).astype(np.uint8))
    save(tmp_path / "src" / "a_tissue-auto.nii.gz", label)
    assert convert("folder", tmp_path / "src", tmp_path / "dst").counts["unlabeled"] == 1
    convert("folder", tmp_path / "src", tmp_path / "dst", label_name="tissue-auto")
    assert content(tmp_path / "dst")["labels"] == {"background": 0, "CSF": 1, "GM": 2, "WM": 3}
    save(tmp_path / "src" / "a_lesion.nii.gz", (label > 0).astype(np.uint8))
    save(tmp_path / "src" / "a_tumour.nii.gz", label)
    with pytest.raises(
        InputError, match=r"2 labels of subject a \(a_lesion\.nii\.gz, a_tumour\.nii\.gz\).*--label-name"
    ):
        convert("folder", tmp_path / "src", tmp_path / "dst")
    done = convert("folder", tmp_path / "src", tmp_path / "dst", label_name="tumour")
    assert done.counts["training"] == 1
    assert content(tmp_path / "dst")["labels"]["enhancing"] == 3
    with pytest.raises(InputError, match="no file that ends in mass"):
        convert("folder", tmp_path / "src", tmp_path / "dst", label_name="mass")


def test_codes_known_stated_and_unknown(tmp_path, save, label):
    save(tmp_path / "src" / "a_FLAIR.nii.gz")
    save(tmp_path / "src" / "a_tumour-auto.nii.gz", np.where(label == 3, 4, label).astype(np.uint8))
    assert convert("folder", tmp_path / "src", tmp_path / "dst").label_map == {4: 3}
    five = np.where(label == 3, 4, label).astype(np.uint8)
    five[0, 0, 0] = 3
    save(tmp_path / "src" / "a_tumour-auto.nii.gz", five)
    with pytest.raises(InputError, match=r"{0, 1, 2, 3, 4}.*--label-map \(brats, brats2013"):
        convert("folder", tmp_path / "src", tmp_path / "dst")
    for given in ("brats2013", {"3": 1, "4": 3}, "3:1,4:3"):
        done = convert("folder", tmp_path / "src", tmp_path / "dst", label_map=given)
        assert done.label_map == {3: 1, 4: 3}
    out = LoadLabeld()(load_items(tmp_path / "dst", "training")[0])["label"][0].numpy()
    np.testing.assert_array_equal(out, np.array([0, 1, 2, 1, 3])[five])


def test_sessions_of_a_patient_stay_together(tmp_path, save, label):
    for patient in range(6):
        for session in (1, 2):
            stem = f"sub-{patient}_ses-{session}"
            save(
                tmp_path / "src" / f"sub-{patient}" / f"ses-{session}" / f"{stem}_T1w.nii.gz",
                seed=2 * patient + session,
            )
            save(tmp_path / "src" / f"sub-{patient}" / f"ses-{session}" / f"{stem}_seg.nii.gz", label)
    convert("folder", tmp_path / "src", tmp_path / "dst", fractions=(0.5, 0.25, 0.25))
    homes = [{e["subject"][:5] for e in content(tmp_path / "dst")[n]} for n in ("training", "validation", "test")]
    assert sum(map(len, homes)) == 6
    assert all(homes)


def test_labels_without_images_are_told(tmp_path, save, label):
    save(tmp_path / "src" / "a_T1.nii.gz")
    save(tmp_path / "src" / "zoe_label.nii.gz", label)
    assert "labels without images were left out: zoe" in convert("folder", tmp_path / "src", tmp_path / "dst").summary()


def test_empty_folder(tmp_path):
    (tmp_path / "src").mkdir()
    with pytest.raises(InputError, match="no subject of layout 'folder', expected files such as sub-01_T1"):
        convert("folder", tmp_path / "src", tmp_path / "dst")
