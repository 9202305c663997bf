"""The doctor finds each fault, all at once, and passes what is flawless."""

import json
import subprocess
import sys

import numpy as np
import pytest

from ganglion.data import Finding, check_dataset, report

CONTRASTS = ("T1", "T1ce", "T2", "FLAIR")


def change(folder, edit):
    path = folder / "dataset.json"
    content = json.loads(path.read_text())
    edit(content)
    path.write_text(json.dumps(content))


def only(folder):
    (finding,) = check_dataset(folder)
    return finding


def test_flawless_data_has_no_finding(dataset):
    assert check_dataset(dataset()) == []
    assert check_dataset(dataset(), workers=2, progress=True) == []


def test_missing_surplus_and_misplaced_contrasts(dataset, counted):
    folder = dataset()
    change(folder, lambda c: c["training"][0]["image"].pop())
    assert "found 3 images of subject a, expected 4: T1, T1ce, T2, FLAIR" in str(only(folder))
    folder = dataset()
    change(folder, lambda c: c["training"][0]["image"].append("a/a_label.nii.gz"))
    assert "found 5 images of subject a, expected 4" in str(only(folder))
    folder = dataset()
    change(folder, lambda c: c["training"][0]["image"].reverse())
    found = [str(finding) for finding in check_dataset(folder)]
    assert len(found) == 4
    assert "a_FLAIR.nii.gz: found a file named FLAIR, expected T1 in this place" in found[0]
    counted("faulty inputs", 3)


def test_missing_and_truncated_files(dataset, save, counted):
    folder = dataset()
    (folder / "a" / "a_T2.nii.gz").unlink()
    path = folder / "c" / "c_FLAIR.nii.gz"
    path.write_bytes(path.read_bytes()[:400])
    missing, truncated = check_dataset(folder)
    assert missing.file.endswith("a_T2.nii.gz")
    assert missing.found == "no file"
    assert truncated.file.endswith("c_FLAIR.nii.gz")
    assert "truncated" in truncated.found
    counted("faulty inputs", 2)


@pytest.mark.parametrize("name", ["a_T2", "a_label"])
@pytest.mark.parametrize("what", ["shape", "affine"])
def test_other_grids(dataset, save, label, name, what, counted):
    folder = dataset()
    data = (label if name == "a_label" else None) if what == "affine" else np.full((6, 7, 4), 2, dtype=np.uint8)
    if what == "shape":
        data[0, 0, 0] = 1
    save(folder / "a" / f"{name}.nii.gz", data, np.diag([1, 1, 2, 1]) if what == "affine" else None, seed=99)
    finding = only(folder)
    assert finding.file.endswith(f"{name}.nii.gz")
    assert f"another grid than that of {'a_T1.nii.gz' if name == 'a_T2' else 'image of a'}" in finding.found.replace(
        "a's image", "image of a"
    )
    assert "6x7x5, 1.00x1.00x1.00 mm" in finding.expected
    counted("faulty inputs")


def test_label_codes(dataset, save, label, counted):
    folder = dataset()
    save(folder / "a" / "a_label.nii.gz", np.where(label == 3, 4, label).astype(np.uint8))
    save(folder / "b" / "b_label.nii.gz", (label + 5).astype(np.uint8))
    save(folder / "c" / "c_label.nii.gz", label / 2)
    mapped, wrong, fractions = check_dataset(folder)
    assert (mapped.level, mapped.mend) == ("note", "Mapped on loading: 4 -> 3.")
    assert wrong.level == "error"
    assert "{5, 6, 7, 8}" in wrong.found
    assert "no whole numbers" in fractions.found
    change(folder, lambda c: c.update(label_map={str(i + 5): i for i in range(4)}))
    assert not [f for f in check_dataset(folder) if f.file.endswith("b_label.nii.gz")]
    counted("faulty inputs", 2)


def test_empty_label_is_an_error_in_training_and_a_warning_else(dataset, save, label):
    folder = dataset()
    for subject in "ad":
        save(folder / subject / f"{subject}_label.nii.gz", np.zeros_like(label))
    assert [(f.level, f.found) for f in check_dataset(folder)] == [
        ("error", "a label of background only"),
        ("warning", "a label of background only"),
    ]


def test_labels_of_the_file_decide_which_codes_are_allowed(dataset):
    found = check_dataset(dataset(labels={"background": 0, "lesion": 1}))
    assert len(found) == 4
    assert "expected a subset of {0, 1}" in str(found[0])


def test_missing_label(dataset, counted):
    folder = dataset()
    change(folder, lambda c: c["training"][0].pop("label"))
    change(folder, lambda c: c["test"][0].pop("label"))
    assert [f.level for f in check_dataset(folder)] == ["error", "warning"]
    change(folder, lambda c: c.update(unlabeled=c["training"][:1] + c["test"], training=c["training"][1:], test=[]))
    assert check_dataset(folder) == []
    counted("faulty inputs")


def test_nonfinite_and_constant_images(dataset, save, counted):
    folder = dataset()
    data = np.random.default_rng(5).normal(size=(6, 7, 5)).astype(np.float32)
    data[1, 2, 3], data[4, 4, 4] = np.nan, np.nan
    save(folder / "a" / "a_T1.nii.gz", data)
    save(folder / "b" / "b_T1.nii.gz", np.zeros((6, 7, 5), dtype=np.float32))
    broken, constant = check_dataset(folder)
    assert broken.found == "2 NaN voxels, the first at index (1, 2, 3)"
    assert constant.level == "warning"
    assert "the same value everywhere (0)" in constant.found
    counted("faulty inputs")


def test_kinds_of_file(dataset, save, counted):
    folder = dataset()
    save(folder / "a" / "a_T1.nii.gz", np.ones((6, 7, 5), dtype=np.complex64))
    save(folder / "b" / "b_T1.nii.gz", np.random.default_rng(0).normal(size=(6, 7, 5, 2)).astype(np.float32))
    save(folder / "c" / "c_T1.nii.gz", np.zeros((6, 7, 5), dtype=[("R", "u1"), ("G", "u1"), ("B", "u1")]))
    found = [f.found for f in check_dataset(folder)]
    assert found[0].startswith("complex voxels")
    assert found[1] == "a 4-D file of 2 volumes"
    assert found[2].startswith("RGB")
    counted("faulty inputs", 3)


def test_4d_files(dataset, save, counted):
    folder = dataset(training=[{"subject": "a", "image": "a/a.nii.gz", "label": "a/a_label.nii.gz"}])
    data = np.random.default_rng(0).normal(size=(6, 7, 5, 4)).astype(np.float32)
    save(folder / "a" / "a.nii.gz", data)
    assert check_dataset(folder) == []
    save(folder / "a" / "a.nii.gz", data[..., :3])
    assert "found 3 channels, expected 4: T1, T1ce, T2, FLAIR" in str(only(folder))
    counted("faulty inputs")


def test_paths_outside(dataset):
    folder = dataset()
    change(folder, lambda c: c["training"][0].update(label="../../etc/passwd"))
    assert "which leaves the data folder" in only(folder).found
    change(folder, lambda c: c["training"][0].update(label="../data/a/a_label.nii.gz"))
    assert check_dataset(folder, allow_outside=True) == []


def test_links_that_lead_outside_are_told(dataset, tmp_path):
    folder = dataset()
    path = folder / "a" / "a_T1.nii.gz"
    (tmp_path / "elsewhere").mkdir()
    path.rename(tmp_path / "elsewhere" / "x.nii.gz")
    path.symlink_to(tmp_path / "elsewhere" / "x.nii.gz")
    finding = only(folder)
    assert finding.level == "note"
    assert "links to files in 1 folders outside" in finding.found


def test_subject_in_two_lists_and_twice_in_one(dataset, counted):
    folder = dataset()
    change(folder, lambda c: c["test"].append(c["training"][0]))
    assert "subject a in 'training' and 'test'" in only(folder).found
    change(folder, lambda c: c["test"].__setitem__(1, c["test"][0]))
    assert "subject d in 'test' and 'test'" in only(folder).found
    counted("faulty inputs", 2)


def test_same_content_under_other_names(dataset, counted):
    folder = dataset()
    twin = (folder / "a" / "a_T2.nii.gz").read_bytes()
    (folder / "d" / "d_T2.nii.gz").write_bytes(twin)
    (folder / "b" / "b_T1ce.nii.gz").write_bytes((folder / "b" / "b_T1.nii.gz").read_bytes())
    within, across = check_dataset(folder)
    assert within.file.endswith("b_T1ce.nii.gz")
    assert across.file.endswith("d_T2.nii.gz")
    assert "a_T2.nii.gz again ('training', now 'test')" in across.found
    counted("faulty inputs", 2)


def test_it_goes_on_through_the_list(dataset, save, counted):
    """Every subject has another fault; each is found in one go."""
    folder = dataset()
    (folder / "a" / "a_T1.nii.gz").write_bytes(b"")
    save(folder / "b" / "b_T2.nii.gz", affine=np.diag([2, 2, 2, 1]))
    (folder / "c" / "c_label.nii.gz").unlink()
    save(folder / "d" / "d_FLAIR.nii.gz", np.full((6, 7, 5), np.inf, dtype=np.float32))
    assert [f.file.rsplit("/", 1)[1] for f in check_dataset(folder)] == [
        "a_T1.nii.gz",
        "b_T2.nii.gz",
        "c_label.nii.gz",
        "d_FLAIR.nii.gz",
    ]
    counted("faulty inputs", 4)


def test_unusable_folders_are_one_finding(tmp_path):
    assert "no dataset.json" in only(tmp_path).found
    assert "no such folder" in only(tmp_path / "x").found
    assert "dataset_dir is not set" in only("").found
    (tmp_path / "dataset.json").write_text('{"channel_names": ["T1"]}')
    assert "no subject in any list" in only(tmp_path).found


def test_report_lists_errors_first_and_sums_up():
    findings = [Finding("a", "x", "y", "Mend it.", "note"), Finding("b", "x", "y", "Mend it.")]
    assert report(findings).splitlines() == [
        "error: b: found x, expected y. Mend it.",
        "note: a: found x, expected y. Mend it.",
        "1 error, 0 warnings, 1 note: the data set cannot be used as it is.",
    ]
    assert report([]).endswith("the data set can be used.")


def test_checking_and_converting_import_no_torch():
    code = (
        "import sys, ganglion.data, ganglion.data.check, ganglion.data.convert; "
        "sys.exit(bool({'torch', 'monai', 'itk', 'matplotlib'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_simulated_cohort_is_flawless(brats_cohort):
    assert check_dataset(brats_cohort) == []
