"""What every conversion does: refers or copies, splits, records, keeps what is not its own."""

import json
import os

import nibabel as nib
import numpy as np
import pytest

from ganglion.data import check_dataset, load_items
from ganglion.data.convert import LAYOUTS, convert
from ganglion.errors import InputError

CONTRASTS = ("T1", "T1ce", "T2", "FLAIR")


@pytest.fixture
def source(tmp_path, save, label):
    """Ten subjects in a plain folder; the last has no label."""
    for number in range(10):
        for i, contrast in enumerate(CONTRASTS):
            save(tmp_path / "src" / f"s{number}_{contrast}.nii.gz", seed=10 * number + i)
        if number < 9:
            save(tmp_path / "src" / f"s{number}_seg.nii.gz", label)
    return tmp_path / "src"


def content(folder):
    return json.loads((folder / "dataset.json").read_text())


def test_images_are_referred_to_and_the_result_is_flawless(source, tmp_path):
    before = sorted(os.listdir(source))
    done = convert("folder", source, tmp_path / "dst", seed=4)
    assert done.counts == {"training": 7, "validation": 1, "test": 1, "unlabeled": 1}
    assert sorted(os.listdir(source)) == before
    items = load_items(tmp_path / "dst", "training")
    assert all(os.path.islink(path) for path in items[0]["image"])
    assert os.path.realpath(items[0]["image"][3]).endswith(f"src/{items[0]['subject']}_FLAIR.nii.gz")
    assert [finding.level for finding in check_dataset(tmp_path / "dst")] == ["note"]
    assert str(tmp_path) not in (tmp_path / "dst" / "dataset.json").read_text()
    written = content(tmp_path / "dst")
    assert (written["seed"], written["split"]["training"], written["layout"]) == (4, 0.8, "folder")
    assert f"next: python -m ganglion data check {tmp_path / 'dst'}" in done.summary()


def test_same_seed_same_file_and_again_over_itself(source, tmp_path):
    convert("folder", source, tmp_path / "dst", seed=4)
    first = (tmp_path / "dst" / "dataset.json").read_bytes()
    convert("folder", source, tmp_path / "dst", seed=4)
    assert (tmp_path / "dst" / "dataset.json").read_bytes() == first
    convert("folder", source, tmp_path / "dst", seed=5)
    assert (tmp_path / "dst" / "dataset.json").read_bytes() != first


def test_into_the_source_itself_needs_no_links(source):
    convert("folder", source, source)
    assert not [path for path in source.rglob("*") if path.is_symlink()]
    assert load_items(source, "unlabeled", labels=False)[0]["image"][0] == str(source / "s9_T1.nii.gz")
    assert check_dataset(source) == []


def test_below_the_source_finds_no_links_of_its_own(source):
    for _ in range(2):
        done = convert("folder", source, source / "converted")
        assert sum(done.counts.values()) == 10


def test_copies_stand_alone(source, tmp_path):
    convert("folder", source, tmp_path / "dst", copy=True)
    assert not [path for path in (tmp_path / "dst").rglob("*") if path.is_symlink()]
    (tmp_path / "dst").rename(tmp_path / "moved")
    source.rename(tmp_path / "gone")
    assert check_dataset(tmp_path / "moved") == []
    original = (tmp_path / "gone" / "s9_T2.nii.gz").read_bytes()
    assert (tmp_path / "moved" / "s9" / "s9_T2.nii.gz").read_bytes() == original


def test_files_in_the_way_are_kept_unless_told(source, tmp_path):
    convert("folder", source, tmp_path / "dst", copy=True)
    with pytest.raises(InputError, match=r"s\d_T1\.nii\.gz: found a file in the way.*--overwrite"):
        convert("folder", source, tmp_path / "dst")
    convert("folder", source, tmp_path / "dst", overwrite=True)
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "dataset.json").write_text('{"modality": {}}')
    with pytest.raises(InputError, match=r"dataset\.json that was not made from layout 'folder'"):
        convert("folder", source, tmp_path / "other")
    assert content(tmp_path / "other") == {"modality": {}}


def test_lists_by_hand(source, tmp_path):
    sections = {"training": ["s0"], "test": "s1,s2"}
    assert convert("folder", source, tmp_path / "a", sections=sections).counts["test"] == 2
    assert [item["subject"] for item in load_items(tmp_path / "a", "test")] == ["s1", "s2"]
    assert content(tmp_path / "a")["split"] == "by hand"
    with pytest.raises(InputError, match="found subjects s77, expected some of s0"):
        convert("folder", source, tmp_path / "b", sections={"test": ["s77"]})
    with pytest.raises(InputError, match="found list 'train'"):
        convert("folder", source, tmp_path / "b", sections={"train": ["s1"]})


def test_contrasts_as_given_in_order(source, tmp_path):
    assert convert("folder", source, tmp_path / "dst", contrasts="flair,t1").contrasts == ("FLAIR", "T1")
    image = load_items(tmp_path / "dst", "test")[0]["image"]
    assert [path.rsplit("_", 1)[1] for path in image] == ["FLAIR.nii.gz", "T1.nii.gz"]


def test_files_on_another_grid_are_resampled_on_request(tmp_path, save):
    """A label on a grid twice as fine comes back on the image's grid, codes unmixed."""
    fine = np.zeros((12, 14, 10), dtype=np.uint8)
    fine[4:8, 4:8, 4:8] = 3
    half = np.diag([0.5, 0.5, 0.5, 1.0])
    half[:3, 3] = -0.25
    save(tmp_path / "src" / "s_T1.nii.gz")
    save(tmp_path / "src" / "s_label.nii.gz", fine, half)
    convert("folder", tmp_path / "src", tmp_path / "a", label_map={})
    assert "Convert with --resample-to first" in str(check_dataset(tmp_path / "a")[0])
    done = convert("folder", tmp_path / "src", tmp_path / "b", resample_to="first", label_map={})
    assert "s_label_resampled.nii.gz: resampled to the grid of s_T1.nii.gz" in done.summary()
    assert [finding.level for finding in check_dataset(tmp_path / "b")] == ["note"]
    out = np.asarray(nib.load(load_items(tmp_path / "b", "training")[0]["label"]).dataobj)
    expected = np.zeros((6, 7, 5))
    expected[2:4, 2:4, 2:4] = 3
    np.testing.assert_array_equal(out, expected)


def test_arguments_are_judged(source, tmp_path):
    known = "brats2015 brats msd iseg2017 iseg2019 mrbrains13 mrbrains18 bids dicom folder"
    assert tuple(known.split()) == LAYOUTS
    with pytest.raises(InputError, match="layout 'minc' is not known, expected one of brats2015"):
        convert("minc", source, tmp_path / "dst")
    with pytest.raises(InputError, match="found no such folder"):
        convert("folder", tmp_path / "none", tmp_path / "dst")
    with pytest.raises(InputError, match="found 'second'"):
        convert("folder", source, tmp_path / "dst", resample_to="second")
    with pytest.raises(InputError, match="label_map 'brats1999' is not known"):
        convert("folder", source, tmp_path / "dst", label_map="brats1999")
    with pytest.raises(InputError, match="expected codes such as"):
        convert("folder", source, tmp_path / "dst", label_map={"a": "b"})
    with pytest.raises(InputError, match="label_name is for the layouts .*'folder', found layout 'brats'"):
        convert("brats", source, tmp_path / "dst", label_name="seg")
    with pytest.raises(InputError, match="map is for the layouts 'bids', 'dicom', found layout 'folder'"):
        convert("folder", source, tmp_path / "dst", contrast_map="T1=*")
    with pytest.raises(InputError, match=r"map: found 'T1,T2=\*', expected pairs such as"):
        convert("dicom", source, tmp_path / "dst", contrast_map="T1,T2=*")
    for layout in ("brats2015", "msd"):
        with pytest.raises(InputError, match=f"no subject of layout '{layout}', expected files such as"):
            convert(layout, source, tmp_path / "dst")


def test_two_subjects_of_one_safe_name(tmp_path, save):
    for name in ("a b", "a+b"):
        save(tmp_path / "src" / f"{name}_T1.nii.gz")
    with pytest.raises(InputError, match="two subjects that are both called a-b"):
        convert("folder", tmp_path / "src", tmp_path / "dst")
