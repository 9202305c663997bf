"""A mended copy passes the check, the source is left alone, and each finding has its answer."""

import gzip
import hashlib
import json

import nibabel as nib
import numpy as np
import pytest

from ganglion.data import check_dataset
from ganglion.data.doctor import look_after
from ganglion.data.mend import mend_dataset
from ganglion.data.volumes import open_volume, read_voxels
from ganglion.errors import InputError

from .broken_files import put

CONTRASTS = ("T1", "T1ce", "T2", "FLAIR")
SHAPE = (6, 7, 5)


def change(folder, edit):
    content = json.loads((folder / "dataset.json").read_text())
    edit(content)
    (folder / "dataset.json").write_text(json.dumps(content))


def image(seed=77, shape=SHAPE):
    return np.random.default_rng(seed).uniform(1, 100, shape).astype(np.float32)


def digest(folder):
    files = {path: path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}
    return hashlib.sha256(repr(files).encode()).hexdigest()


@pytest.fixture
def mend(tmp_path):
    """`mend(folder)` mends it beside itself, and holds what must hold of every copy."""

    def run(folder, **options):
        before, found = digest(folder), check_dataset(folder)
        mending = mend_dataset(folder, tmp_path / "copy", **options)
        assert digest(folder) == before
        asked = [f for f in found if f.level == "error" or f.kind == "codes"]
        assert {(deed.finding.file, deed.finding.found) for deed in mending.deeds} == {(f.file, f.found) for f in asked}
        if mending.folder is None:
            assert not (tmp_path / "copy").exists()
        else:
            assert not [f for f in check_dataset(mending.folder) if f.level == "error"]
            assert sorted({*mending.kept, *mending.left_out}) == list("abcd")
        return mending

    return run


def entry(folder, subject):
    content = json.loads((folder / "dataset.json").read_text())
    names = ("training", "validation", "test", "unlabeled")
    return next((name, e) for name in names for e in content[name] if e["subject"] == subject)


def voxels(path):
    return read_voxels(open_volume(path))


def test_an_image_and_a_label_on_other_grids_are_resampled(dataset, save, label, mend):
    folder = dataset()
    half = np.diag([0.5, 0.5, 0.5, 1.0])
    half[:3, 3] = -0.25
    ramp = np.add.outer(np.add.outer(np.arange(6.0), 10 * np.arange(7.0)), 100 * np.arange(5.0)).astype(np.float32) + 1
    fine = sum(
        np.meshgrid(
            *(f * (0.5 * np.arange(2 * n) - 0.25) for n, f in zip(SHAPE, (1, 10, 100), strict=True)), indexing="ij"
        )
    )
    save(folder / "a" / "a_T2.nii.gz", (fine + 1).astype(np.float32), half)
    save(folder / "a" / "a_label.nii.gz", label.repeat(2, 0).repeat(2, 1).repeat(2, 2), half)
    mending = mend(folder)
    assert mending.complete
    assert mending.left_out == []
    inner = (slice(0, 6), slice(0, 7), slice(0, 5))
    np.testing.assert_allclose(voxels(mending.folder / "a" / "a_T2.nii.gz")[inner], ramp[inner], atol=1e-3)
    np.testing.assert_array_equal(voxels(mending.folder / "a" / "a_label.nii.gz"), label)
    assert "resampled linearly to the grid of a_T1.nii.gz" in mending.report()
    assert "resampled (nearest) to the grid of a_T1.nii.gz" in mending.report()


@pytest.mark.parametrize("times", [1, 4])
def test_a_4d_file_in_a_list_is_split(times, dataset, save, mend):
    whole = image(shape=(*SHAPE, 4))
    folder = dataset()
    save(folder / "a" / "all.nii.gz", whole)
    change(folder, lambda c: c["training"][0].update(image=["a/all.nii.gz"] * times))
    mending = mend(folder)
    assert mending.complete
    assert entry(mending.folder, "a")[1]["image"] == [f"a/a_{c}.nii.gz" for c in CONTRASTS]
    for i, contrast in enumerate(CONTRASTS):
        np.testing.assert_array_equal(voxels(mending.folder / "a" / f"a_{contrast}.nii.gz"), whole[..., i])
    assert "split into its 4 volumes" in mending.report()


@pytest.mark.parametrize(("second", "safe"), [("same", True), ("empty", True), ("other", False)])
def test_of_a_4d_contrast_the_only_volume_is_taken(second, safe, dataset, save, mend):
    first = image()
    other = {"same": first, "empty": np.zeros_like(first), "other": image(78)}[second]
    folder = dataset()
    save(folder / "a" / "a_T2.nii.gz", np.stack([first, other], axis=-1))
    mending = mend(folder)
    assert mending.complete is safe
    if safe:
        np.testing.assert_array_equal(voxels(mending.folder / "a" / "a_T2.nii.gz"), first)
    else:
        assert mending.left_out == ["a"]
        assert "2 different volumes, and nothing tells which is meant" in mending.report()


def test_known_codes_are_mapped_and_others_left(dataset, save, label, mend):
    folder = dataset()
    save(folder / "a" / "a_label.nii.gz", np.where(label == 3, 4, label).astype(np.uint8))
    save(folder / "c" / "c_label.nii.gz", (label + 5).astype(np.uint8))
    mending = mend(folder)
    np.testing.assert_array_equal(voxels(mending.folder / "a" / "a_label.nii.gz"), label)
    section, moved = entry(mending.folder, "c")
    assert (section, "label" in moved) == ("unlabeled", False)
    assert not mending.complete
    assert "mapped: 4 -> 3" in mending.report()
    assert "and no known coding)" in mending.report()
    assert not [f for f in check_dataset(mending.folder) if f.kind == "codes"]


def test_a_stated_map_is_kept_and_the_label_only_resampled(dataset, save, label, mend):
    folder = dataset(label_map={"7": 3})
    half = np.diag([0.5, 0.5, 0.5, 1.0])
    half[:3, 3] = -0.25
    seven = np.where(label == 3, 7, label).astype(np.uint8)
    save(folder / "a" / "a_label.nii.gz", seven.repeat(2, 0).repeat(2, 1).repeat(2, 2), half)
    mending = mend(folder)
    assert mending.complete
    np.testing.assert_array_equal(voxels(mending.folder / "a" / "a_label.nii.gz"), seven)


def test_one_channel_a_code_is_merged(dataset, save, label, mend):
    folder = dataset()
    save(folder / "a" / "a_label.nii.gz", np.stack([label == code for code in range(4)], axis=-1).astype(np.uint8))
    save(folder / "b" / "b_label.nii.gz", np.stack([label == code for code in (1, 2, 3)], axis=-1).astype(np.uint8))
    save(folder / "c" / "c_label.nii.gz", np.stack([label > 0, label > 1, label > 2], axis=-1).astype(np.uint8))
    mending = mend(folder)
    for subject in "ab":
        np.testing.assert_array_equal(voxels(mending.folder / subject / f"{subject}_label.nii.gz"), label)
    assert entry(mending.folder, "c")[0] == "unlabeled"
    assert "channels overlap" in mending.report()


def test_nan_background_and_single_voxels_become_zero(dataset, save, mend):
    folder = dataset()
    background = image()
    background[[0, -1]] = background[:, [0, -1]] = np.nan
    few = image(shape=SHAPE)
    few[3, 3, 3] = np.inf
    many = image(79)
    many[2:4, 2:5, 1:4] = np.nan
    save(folder / "a" / "a_T1.nii.gz", background)
    save(folder / "b" / "b_T1.nii.gz", few)
    save(folder / "c" / "c_T1.nii.gz", many)
    mending = mend(folder)
    np.testing.assert_array_equal(voxels(mending.folder / "a" / "a_T1.nii.gz"), np.nan_to_num(background))
    assert voxels(mending.folder / "b" / "b_T1.nii.gz")[3, 3, 3] == 0
    assert mending.left_out == ["c"]
    for word in ("NaN background set to 0", "1 voxels that are not finite set to 0", "9% of the voxels are not finite"):
        assert word in mending.report()


def test_a_qform_stands_in_for_a_zero_sform(dataset, mend):
    folder = dataset()
    affine = np.diag([-1.0, -1.0, 1.0, 1.0])
    for subject, qform in (("a", 1), ("b", 0)):
        data = nib.Nifti1Image(image(), affine)
        data.set_qform(affine, code=1)
        raw = put(put(data.to_bytes(), 252, "<2h", qform, 1), 280, "<12f", *[0.0] * 12)
        (folder / subject / f"{subject}_T1.nii").write_bytes(raw)
        for contrast in CONTRASTS[1:]:
            nib.save(
                nib.Nifti1Image(image(ord(subject)) + len(contrast), affine),
                folder / subject / f"{subject}_{contrast}.nii.gz",
            )
        (folder / subject / f"{subject}_label.nii.gz").unlink()
    for number, subject in enumerate("ab"):
        change(folder, lambda c, n=number, s=subject: c["training"][n]["image"].__setitem__(0, f"{s}/{s}_T1.nii"))
        change(folder, lambda c, n=number: c["training"][n].pop("label"))
    change(folder, lambda c: c.update(unlabeled=c.pop("training"), training=[]))
    mending = mend(folder)
    np.testing.assert_allclose(open_volume(mending.folder / "a" / "a_T1.nii.gz").affine, affine)
    np.testing.assert_array_equal(voxels(mending.folder / "a" / "a_T1.nii.gz"), image())
    assert mending.left_out == ["b"]
    assert "its qform taken for the sform" in mending.report()
    assert "nothing else in the header says where it lies" in mending.report()


def test_files_under_the_wrong_name_are_taken_for_what_they_are(dataset, mend):
    folder = dataset()
    packed = folder / "a" / "a_T1.nii.gz"
    expected = voxels(packed)
    packed.rename(folder / "a" / "a_T1.nii")
    plain = folder / "b" / "b_T1.nii.gz"
    plain.write_bytes(gzip.decompress(plain.read_bytes()))
    change(folder, lambda c: c["training"][0]["image"].__setitem__(0, "a/a_T1.nii"))
    mending = mend(folder)
    assert mending.complete
    np.testing.assert_array_equal(voxels(mending.folder / "a" / "a_T1.nii.gz"), expected)


def test_files_are_put_into_order_by_their_names(dataset, save, mend):
    folder = dataset()
    change(folder, lambda c: c["training"][0]["image"].reverse())
    change(folder, lambda c: c["training"][1]["image"].insert(0, "b/b_PD.nii.gz"))
    change(folder, lambda c: c["test"][0]["image"].pop())
    save(folder / "b" / "b_PD.nii.gz", seed=99)
    mending = mend(folder)
    assert [name.rsplit("_")[-1] for name in entry(mending.folder, "a")[1]["image"]] == [
        f"{c}.nii.gz" for c in CONTRASTS
    ]
    np.testing.assert_array_equal(voxels(mending.folder / "a" / "a_T1.nii.gz"), voxels(folder / "a" / "a_T1.nii.gz"))
    np.testing.assert_array_equal(voxels(mending.folder / "b" / "b_T1.nii.gz"), voxels(folder / "b" / "b_T1.nii.gz"))
    assert mending.left_out == ["d"]
    assert "the files' names do not tell which one is FLAIR" in mending.report()


def test_subjects_without_a_label_move_to_the_unlabelled(dataset, save, label, mend):
    folder = dataset()
    change(folder, lambda c: c["training"][0].pop("label"))
    save(folder / "b" / "b_label.nii.gz", np.zeros_like(label))
    path = folder / "c" / "c_label.nii.gz"
    path.write_bytes(path.read_bytes()[:-20])
    mending = mend(folder)
    assert [entry(mending.folder, subject)[0] for subject in "abc"] == ["unlabeled"] * 3
    assert [deed.done for deed in mending.deeds] == [True, True, False]


def test_subjects_listed_twice_stay_where_they_are_scored(dataset, mend):
    folder = dataset()
    change(folder, lambda c: c["test"].append(c["training"][0]))
    mending = mend(folder)
    assert mending.complete
    assert entry(mending.folder, "a")[0] == "test"
    assert "kept in 'test' only" in mending.report()


def test_twins_are_parted(dataset, mend):
    folder = dataset()
    for contrast in CONTRASTS:
        (folder / "d" / f"d_{contrast}.nii.gz").write_bytes((folder / "a" / f"a_{contrast}.nii.gz").read_bytes())
    mending = mend(folder)
    assert mending.left_out == ["a"]
    assert mending.complete
    assert "a is left out, d is kept in 'test'" in mending.report()


def test_subjects_that_share_one_image_are_both_left_out(dataset, mend):
    folder = dataset()
    (folder / "d" / "d_T1.nii.gz").write_bytes((folder / "a" / "a_T1.nii.gz").read_bytes())
    (folder / "c" / "c_T1.nii.gz").write_bytes((folder / "c" / "c_T2.nii.gz").read_bytes())
    mending = mend(folder)
    assert mending.left_out == ["a", "c", "d"]
    assert not mending.complete


UNSAFE = {
    "cut": (lambda path: path.write_bytes(path.read_bytes()[:-30]), "what is lost cannot be made up"),
    "gone": (lambda path: path.unlink(), "there is nothing to mend"),
    "complex": (lambda path: nib.save(nib.Nifti1Image(image().astype(np.complex64), np.eye(4)), path), "only you know"),
    "far": (lambda path: nib.save(nib.Nifti1Image(image(), put_at(500)), path), "the headers may be wrong"),
    "half": (lambda path: nib.save(nib.Nifti1Image(image()[:3], np.eye(4)), path), "covers only"),
}


def put_at(millimetres):
    affine = np.eye(4)
    affine[0, 3] = millimetres
    return affine


@pytest.mark.parametrize("fault", UNSAFE)
def test_what_cannot_be_mended_is_left_out_with_the_reason(fault, dataset, mend, counted):
    harm, reason = UNSAFE[fault]
    folder = dataset()
    harm(folder / "b" / "b_T2.nii.gz")
    mending = mend(folder)
    assert mending.left_out == ["b"]
    (deed,) = mending.deeds
    assert not deed.done
    assert reason in deed.what
    assert not (mending.folder / "b").exists()
    counted("faulty inputs")


def test_nothing_is_written_where_nothing_can_or_need_be_mended(dataset, mend, tmp_path):
    folder = dataset()
    assert mend_dataset(folder, tmp_path / "copy").report().startswith("nothing to mend")
    assert not (tmp_path / "copy").exists()
    for subject in "abcd":
        (folder / subject / f"{subject}_T1.nii.gz").unlink()
    mending = mend(folder)
    assert mending.folder is None
    assert "no copy was written" in mending.report()


def test_a_copy_goes_into_a_new_folder_of_its_own(dataset, tmp_path):
    folder = dataset()
    (folder / "a" / "a_T1.nii.gz").unlink()
    before = digest(tmp_path)
    (tmp_path / "file").touch()
    for taken in (folder, folder / "copy", tmp_path, tmp_path / "file"):
        with pytest.raises(InputError, match=r"found a (folder|file).*Choose another DST"):
            mend_dataset(folder, taken)
        with pytest.raises(InputError, match="Choose another DST"):
            look_after(folder, fix=taken)
    (tmp_path / "file").unlink()
    assert digest(tmp_path) == before


def test_flawless_files_are_linked_to_or_copied(dataset, save, mend, tmp_path):
    folder = dataset()
    save(
        folder / "a" / "a_T2.nii.gz", np.where(np.arange(7)[:, None] == 3, np.nan, image()).astype(np.float32)[..., :5]
    )
    nib.save(nib.Nifti1Pair(image(5), np.eye(4)), folder / "b" / "b_T1.img")
    change(folder, lambda c: c["training"][1]["image"].__setitem__(0, "b/b_T1.hdr"))
    nan = image()
    nan[0, 0, 0] = np.nan
    save(folder / "a" / "a_T2.nii.gz", nan)
    linked = mend_dataset(folder, tmp_path / "linked").folder
    copied = mend_dataset(folder, tmp_path / "copied", copy=True).folder
    assert (linked / "a" / "a_T1.nii.gz").is_symlink()
    assert not any(path.is_symlink() for path in copied.rglob("*"))
    for copy in (linked, copied):
        np.testing.assert_array_equal(voxels(copy / "b" / "b_T1.hdr"), image(5))
        assert not (copy / "a" / "a_T2.nii.gz").is_symlink()
        assert not [f for f in check_dataset(copy) if f.level == "error"]


def test_a_copy_that_fails_half_way_is_taken_back(dataset, tmp_path, monkeypatch):
    folder = dataset()
    (folder / "c" / "c_T1.nii.gz").unlink()

    def full(*args):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("ganglion.data.mend.write_dataset_json", full)
    with pytest.raises(OSError, match="No space left"):
        mend_dataset(folder, tmp_path / "copy")
    assert not (tmp_path / "copy").exists()
