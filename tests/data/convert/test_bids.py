"""BIDS data sets of simulated gliomas: raw data, derivatives with labels, sessions, and a derivative as the source."""

import json
import sys

import nibabel as nib
import numpy as np
import pytest

from ganglion.data import LoadContrastsd, LoadLabeld, check_dataset, load_items
from ganglion.data.convert import convert
from ganglion.errors import InputError

pytest.importorskip("bids")

SUFFIXES = {"T1": "T1w", "T1ce": "ce-gadolinium_T1w", "T2": "T2w", "FLAIR": "FLAIR"}
TABLE = "index\tname\n1\tnecrotic core\n2\toedema\n3\tenhancing tumour\n"


@pytest.fixture
def tree(tmp_path, simulated):
    """`tree(sessions, label, pipeline)`: two subjects, each with the sessions named, labels in a pipeline's folder."""

    def describe(folder, **more):
        folder.mkdir(parents=True, exist_ok=True)
        content = {"Name": folder.name, "BIDSVersion": "1.8.0", **more}
        (folder / "dataset_description.json").write_text(json.dumps(content))

    def write(sessions=("",), label="dseg", pipeline="manual", described=True, images_in="", table=TABLE, codes=None):
        root = tmp_path / "bids"
        describe(root)
        home = root / "derivatives" / pipeline
        for number, subject in enumerate(("01", "02")):
            for k, session in enumerate(sessions):
                images, own, affine = simulated("brats", 3 * number + k)
                parts = [f"sub-{subject}"] + ([f"ses-{session}"] if session else [])
                for where, suffix, data in [
                    *((root / images_in, suffix, images[contrast]) for contrast, suffix in SUFFIXES.items()),
                    (home, label, own if codes is None else np.array(codes, np.uint8)[own]),
                    (home, "desc-brain_mask", (own > 0).astype(np.uint8)),
                ]:
                    folder = where.joinpath(*parts, "anat")
                    folder.mkdir(parents=True, exist_ok=True)
                    nib.save(nib.Nifti1Image(data, affine), folder / f"{'_'.join(parts)}_{suffix}.nii.gz")
        if described:
            describe(home, DatasetType="derivative", GeneratedBy=[{"Name": pipeline}])
        if table:
            (home / "dseg.tsv").write_text(table)
        return root

    return write


def test_sessions_and_derivatives(tree, tmp_path, simulated, counted):
    done = convert("bids", tree(sessions=("pre", "post")), tmp_path / "dst", fractions=(0.5, 0, 0.5), seed=3)
    assert done.contrasts == ("T1", "T1ce", "T2", "FLAIR")
    assert (done.counts["training"], done.counts["test"]) == (2, 2)
    assert [finding.level for finding in check_dataset(tmp_path / "dst")] == ["note"]
    homes = {item["subject"]: name for name in ("training", "test") for item in load_items(tmp_path / "dst", name)}
    assert homes["sub-01_ses-pre"] == homes["sub-01_ses-post"] != homes["sub-02_ses-pre"]
    item = next(i for i in load_items(tmp_path / "dst", homes["sub-02_ses-post"]) if i["subject"] == "sub-02_ses-post")
    out = LoadLabeld()(LoadContrastsd()(item))
    images, label, _ = simulated("brats", 4)
    np.testing.assert_array_equal(out["image"].numpy(), np.stack([images[name] for name in done.contrasts]))
    np.testing.assert_array_equal(out["label"][0].numpy(), label)
    counted("converted layouts")


def test_masks_are_labels_unless_of_the_brain(tree, tmp_path):
    done = convert("bids", tree(label="label-lesion_mask"), tmp_path / "dst", label_map="brats")
    item = load_items(tmp_path / "dst", "training")[0]
    assert item["label"].endswith("_label.nii.gz")
    assert "lesion" in str((tmp_path / "dst" / "sub-01" / "sub-01_label.nii.gz").resolve())
    assert done.counts["unlabeled"] == 0


def test_two_pipelines_ask_for_a_choice(tree, tmp_path, counted):
    tree(pipeline="rater1")
    root = tree(pipeline="rater2")
    message = r"2 labels of sub-01 \(derivatives/rater1/sub-01/anat/sub-01_dseg\.nii\.gz, derivatives/rater2"
    with pytest.raises(InputError, match=message):
        convert("bids", root, tmp_path / "dst")
    counted("faulty inputs")
    convert("bids", root, tmp_path / "dst", label_name="rater2/dseg")
    label = load_items(tmp_path / "dst", "training")[0]["label"]
    assert "rater2" in str((tmp_path / "dst" / label).resolve())
    with pytest.raises(InputError, match="no file of derivatives that ends in rater3/dseg"):
        convert("bids", root, tmp_path / "dst", label_name="rater3/dseg")


def test_a_pipeline_without_a_description_is_told(tree, tmp_path):
    """pybids passes over it in silence."""
    done = convert("bids", tree(described=False), tmp_path / "dst")
    assert done.counts["unlabeled"] == 2
    assert "derivatives/manual was passed over: add a dataset_description.json" in done.summary()


def test_a_derivative_as_the_source(tree, tmp_path):
    """Brain-extracted images lie in derivatives; SRC is that folder, and its labels are taken too."""
    root = tree(images_in="derivatives/manual")
    done = convert("bids", root / "derivatives" / "manual", tmp_path / "dst")
    assert (len(done.contrasts), done.counts["unlabeled"]) == (4, 0)


def test_several_runs_ask_for_a_choice(tree, tmp_path, counted):
    root = tree()
    for subject in ("01", "02"):
        anat = root / f"sub-{subject}" / "anat"
        (anat / f"sub-{subject}_run-2_T1w.nii.gz").write_bytes((anat / f"sub-{subject}_T1w.nii.gz").read_bytes())
    with pytest.raises(InputError, match=r"2 files of contrast T1 \(sub-01_run-2_T1w\.nii\.gz, sub-01_T1w.*--map"):
        convert("bids", root, tmp_path / "dst")
    counted("faulty inputs")
    done = convert("bids", root, tmp_path / "dst", contrast_map="T1=*_run-2_T1w,T2=*_T2w")
    assert done.contrasts == ("T1", "T2")
    assert "run-2" in str((tmp_path / "dst" / "sub-01" / "sub-01_T1.nii.gz").resolve())


def test_strata_from_participants(tree, tmp_path):
    root = tree()
    (root / "participants.tsv").write_text("participant_id\tage\tgroup\nsub-01\t50\tHGG\nsub-02\t60\tn/a\n")
    convert("bids", root, tmp_path / "dst")
    content = json.loads((tmp_path / "dst" / "dataset.json").read_text())
    entries = {entry["subject"]: entry for name in ("training", "validation", "test") for entry in content[name]}
    assert content["stratified_by"] == "group"
    assert entries["sub-01"]["stratum"] == "HGG"
    assert "stratum" not in entries["sub-02"]


def test_no_bids_at_all(tmp_path, save, counted):
    save(tmp_path / "src" / "sub-01" / "anat" / "sub-01_T1w.nii.gz")
    with pytest.raises(InputError, match=r"no dataset_description\.json, expected the top folder of a BIDS data set"):
        convert("bids", tmp_path / "src", tmp_path / "dst")
    (tmp_path / "src" / "dataset_description.json").write_text('{"Name": "x"')
    with pytest.raises(InputError, match="no valid JSON"):
        convert("bids", tmp_path / "src", tmp_path / "dst")
    (tmp_path / "src" / "dataset_description.json").write_text('{"Name": "x"}')
    with pytest.raises(InputError, match="no BIDSVersion"):
        convert("bids", tmp_path / "src", tmp_path / "dst")
    counted("faulty inputs", 3)


@pytest.mark.parametrize(
    ("table", "codes", "labels", "label_map"),
    [
        ("", (0, 1, 2, 3), {"background": 0, "CSF": 1, "GM": 2, "WM": 3}, {1: 2, 2: 3, 3: 1}),
        ("", (0, 9, 2, 3), {"background": 0, "CSF": 1, "GM": 2, "WM": 3}, {1: 2, 2: 3, 3: 1, 8: 2, 9: 2}),
        ("", (0, 7, 7, 7), {"background": 0, "lesion": 1}, {7: 1}),
        (
            "index\tname\tmapping\n100\tribbon\t1\n101\tcore\t2\n50\tliquor\t3\n",
            (0, 50, 100, 101),
            {"background": 0, "CSF": 1, "GM": 2, "WM": 3},
            {100: 2, 101: 3, 50: 1},
        ),
        (
            "index\tname\tabbreviation\n1\tfluid\tCSF\n2\tGrey Matter\t\n3\twhite\tWM\n",
            (0, 1, 2, 3),
            {"background": 0, "CSF": 1, "GM": 2, "WM": 3},
            {1: 1, 2: 2, 3: 3},
        ),
        (
            "index\tname\n1\tedema\n2\tnon-enhancing\n4\tenhancing\n",
            (0, 2, 1, 4),
            {"background": 0, "necrotic and non-enhancing core": 1, "oedema": 2, "enhancing": 3},
            {1: 2, 2: 1, 4: 3},
        ),
        (
            "index\tname\n0\tnothing\n1\tpars opercularis\n2\tpars triangularis\n3\tpars orbitalis\n",
            (0, 1, 2, 3),
            {"background": 0, "pars opercularis": 1, "pars triangularis": 2, "pars orbitalis": 3},
            None,
        ),
    ],
)
def test_codes_mean_what_the_table_or_bids_says(tree, tmp_path, table, codes, labels, label_map):
    """Without a table 1, 2, 3 are grey matter, white matter and CSF, no tumour."""
    done = convert("bids", tree(table=table, codes=codes), tmp_path / "dst")
    written = json.loads((tmp_path / "dst" / "dataset.json").read_text())
    assert (written["labels"], done.label_map) == (labels, label_map)
    assert [finding.level for finding in check_dataset(tmp_path / "dst")] == ["note"]
    assert ("no dseg.tsv: codes read as" in done.summary()) == (not table and 7 not in codes)


def test_codes_that_nothing_explains(tree, tmp_path, counted):
    root = tree(table="", codes=(0, 1, 2, 50))
    with pytest.raises(InputError, match=r"codes 1, 2, 50 and no table of them, expected a dseg\.tsv"):
        convert("bids", root, tmp_path / "dst")
    assert convert("bids", root, tmp_path / "dst", label_map="50:3").label_map == {50: 3}
    (root / "derivatives" / "manual" / "dseg.tsv").write_text("index\tname\none\tcore\n")
    with pytest.raises(InputError, match=r"dseg\.tsv: found a row that cannot be read"):
        convert("bids", root, tmp_path / "dst")
    counted("faulty inputs", 2)


def test_without_pybids_the_error_says_how_to_get_it(tree, tmp_path, monkeypatch):
    root = tree()
    monkeypatch.setitem(sys.modules, "bids", None)
    with pytest.raises(InputError, match=r"no pybids to read it, expected pybids installed\. Run: pip install pybids"):
        convert("bids", root, tmp_path / "dst")
