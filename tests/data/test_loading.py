"""`LoadContrastsd` and `LoadLabeld`: every accepted form of input, and every refused one by its message."""

import logging
import shutil
from itertools import permutations, product

import nibabel as nib
import numpy as np
import pytest
import torch
from monai.data import DataLoader, Dataset, MetaTensor, decollate_batch, list_data_collate
from monai.transforms import Compose, CropForegroundd, Invertd, Orientationd, SaveImaged, SpatialPadd

from ganglion.data import LoadContrastsd, LoadLabeld, ResampleSpacingd
from ganglion.errors import InputError, find_user_error

CONTRASTS = ("T1", "T1ce", "T2", "FLAIR")
AFFINE = np.array([[-1.0, 0, 0, 9], [0, -2, 0, 8], [0, 0, 3, -7], [0, 0, 0, 1]])


@pytest.fixture
def files(tmp_path, save):
    """Four contrasts of one subject on one grid."""
    return [str(save(tmp_path / f"s1_{c}.nii.gz", affine=AFFINE, seed=i)) for i, c in enumerate(CONTRASTS)]


def voxels(path):
    return np.asarray(nib.load(path).dataobj)


def test_list_of_files_becomes_channels_in_order(files):
    out = LoadContrastsd()({"image": files, "subject": "anna"})["image"]
    assert isinstance(out, MetaTensor)
    assert (out.dtype, tuple(out.shape)) == (torch.float32, (4, 6, 7, 5))
    for channel, file in zip(out, files, strict=True):
        np.testing.assert_array_equal(channel.numpy(), voxels(file))
    np.testing.assert_array_equal(out.affine, AFFINE)
    np.testing.assert_array_equal(out.meta["original_affine"], AFFINE)
    assert out.meta["filename_or_obj"] == "anna"


def test_a_lone_file_named_as_another_contrast_is_refused(files, tmp_path, counted):
    with pytest.raises(InputError, match=r"found a file named as T1, expected FLAIR.*rename"):
        LoadContrastsd(contrasts=("FLAIR",))({"image": [files[0]]})
    plain = shutil.copy(files[0], tmp_path / "scan.nii.gz")
    assert LoadContrastsd(contrasts=("FLAIR",))({"image": plain})["image"].shape[0] == 1
    counted("faulty inputs")


def test_each_file_is_opened_once(files, monkeypatch):
    opened = []
    load = nib.load
    monkeypatch.setattr(nib, "load", lambda path, **options: opened.append(str(path)) or load(path, **options))
    LoadContrastsd()({"image": files})
    assert opened == files
    opened.clear()
    LoadContrastsd()({"image": files[2]})
    assert sorted(opened) == sorted(files)


def test_one_file_of_one_contrast_finds_its_siblings(files):
    expected = LoadContrastsd()({"image": files})["image"]
    for file in files:
        assert torch.equal(LoadContrastsd()({"image": file})["image"], expected)
    assert LoadContrastsd()({"image": files[2]})["image"].meta["filename_or_obj"] == "s1"


def test_one_contrast_is_its_own_file(files):
    out = LoadContrastsd(contrasts=("flair",))({"image": files[3]})["image"]
    np.testing.assert_array_equal(out[0].numpy(), voxels(files[3]))


def test_4d_file_equals_the_list_and_channels_choose(tmp_path, save, files):
    whole = np.stack([voxels(file) for file in files], axis=-1)
    path = str(save(tmp_path / "s1.nii.gz", whole, AFFINE))
    expected = LoadContrastsd()({"image": files})["image"]
    assert torch.equal(LoadContrastsd()({"image": path})["image"], expected)
    out = LoadContrastsd(contrasts=("FLAIR", "T1"))({"image": path, "channels": [3, 0]})
    assert torch.equal(out["image"], expected[[3, 0]])
    assert "channels" not in out


def test_item_of_monai_label(files, label, save, tmp_path):
    """MONAI Label sends one path, and the same path as a string under image_path."""
    item = {"image": files[0], "image_path": files[0], "model": "x"}
    chain = Compose([LoadContrastsd(), Orientationd("image", "RAS"), ResampleSpacingd("image", pixdim=(1.0, 1.0, 1.0))])
    out = chain(item)
    assert out["image"].shape[0] == 4
    assert (out["image_path"], out["model"]) == (files[0], "x")


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (lambda f: f[:3], r"s1_T1\.nii\.gz: found 3 files \(.*expected 4: T1, T1ce, T2, FLAIR"),
        (lambda f: [f[3], *f[:3]], "files named in the order FLAIR, T1, T1ce, T2, expected T1, T1ce, T2, FLAIR"),
        (lambda f: [], "empty list of images, expected 4 files"),
        (lambda f: [*f[:3], f[3].replace("FLAIR", "none")], r"s1_none\.nii\.gz: found no file"),
    ],
)
def test_wrong_lists(files, images, message):
    with pytest.raises(InputError, match=message):
        LoadContrastsd()({"image": images(files)})


def test_wrong_number_of_channels(tmp_path, save):
    path = save(tmp_path / "s1.nii.gz", np.ones((3, 3, 3, 5), dtype=np.float32))
    with pytest.raises(InputError, match=r"s1\.nii\.gz: found 5 channels, expected 4: T1"):
        LoadContrastsd()({"image": path})
    with pytest.raises(InputError, match=r"found 5 channels, expected 2: T1, T2 as channels \[0, 7\]"):
        LoadContrastsd(contrasts=("T1", "T2"))({"image": path, "channels": [0, 7]})


def test_4d_file_in_a_list_says_how_to_split(tmp_path, save, files):
    save(tmp_path / "s1_T2.nii.gz", np.ones((6, 7, 5, 2), dtype=np.float32), AFFINE)
    with pytest.raises(InputError, match=r"s1_T2\.nii\.gz: found a 4-D file of 2 volumes.*four_to_three"):
        LoadContrastsd()({"image": files})


@pytest.mark.parametrize("where", ["shape", "affine"])
def test_contrast_on_another_grid(tmp_path, save, files, where):
    data = np.ones((6, 7, 4), dtype=np.float32) if where == "shape" else None
    save(tmp_path / "s1_T2.nii.gz", data, AFFINE if where == "shape" else np.eye(4))
    with pytest.raises(
        InputError, match=r"s1_T2\.nii\.gz: found another grid than that of s1_T1\.nii\.gz.*--resample-to"
    ):
        LoadContrastsd()({"image": files})


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_nonfinite_voxels_are_refused_or_replaced(tmp_path, save, files, caplog, value):
    data = voxels(files[1]).copy()
    data[2, 3, 4] = value
    save(tmp_path / "s1_T1ce.nii.gz", data, AFFINE)
    with pytest.raises(InputError, match=r"s1_T1ce\.nii\.gz: found 1 \w+ voxels, the first at index \(2, 3, 4\)"):
        LoadContrastsd()({"image": files})
    with caplog.at_level(logging.WARNING):
        out = LoadContrastsd(on_nonfinite="zero")({"image": files})["image"]
    assert "replaced by 0" in caplog.text
    assert out[1, 2, 3, 4] == 0
    assert torch.isfinite(out).all()
    data[2, 3, 4] = 0
    np.testing.assert_array_equal(out[1].numpy(), data)


def test_unreadable_files_are_named(tmp_path, files):
    (tmp_path / "s1_T2.nii.gz").write_bytes(b"no image")
    with pytest.raises(InputError, match=r"s1_T2\.nii\.gz: found an unreadable"):
        LoadContrastsd()({"image": files})


@pytest.mark.parametrize("workers", [0, 1])
def test_a_fault_met_by_a_data_loader_is_still_one_line(tmp_path, files, workers):
    """What a DataLoader's worker raises arrives as the text of a traceback."""
    (tmp_path / "s1_T2.nii.gz").write_bytes(b"no image")
    loader = DataLoader(Dataset([{"image": files}], LoadContrastsd()), num_workers=workers)
    with pytest.raises(RuntimeError) as caught:
        next(iter(loader))
    found = find_user_error(caught.value)
    assert isinstance(found, InputError)
    assert "s1_T2.nii.gz: found an unreadable" in str(found)
    assert "\n" not in str(found)


def test_options_are_judged():
    with pytest.raises(InputError, match="on_nonfinite"):
        LoadContrastsd(on_nonfinite="ignore")
    with pytest.raises(InputError, match="on_empty"):
        LoadLabeld(on_empty="no")


def test_label_is_channel_first_on_the_images_grid(tmp_path, save, files, label):
    path = save(tmp_path / "s1_label.nii.gz", label, AFFINE)
    out = LoadLabeld()(LoadContrastsd()({"image": files, "label": path, "subject": "anna"}))["label"]
    assert (out.dtype, tuple(out.shape)) == (torch.float32, (1, 6, 7, 5))
    np.testing.assert_array_equal(out[0].numpy(), label)
    np.testing.assert_array_equal(out.affine, AFFINE)
    assert out.meta["filename_or_obj"] == "anna"


@pytest.mark.parametrize("loaded", [True, False])
def test_label_on_another_grid_is_refused(tmp_path, save, files, label, loaded):
    item = {"image": files, "label": save(tmp_path / "s1_label.nii.gz", label)}
    item = LoadContrastsd()(item) if loaded else item
    with pytest.raises(InputError, match=r"s1_label\.nii\.gz: found another grid"):
        LoadLabeld()(item)
    assert LoadLabeld(like=None)(item)["label"].shape == (1, 6, 7, 5)


def test_label_grid_is_compared_with_the_files_grid_even_after_transforms(tmp_path, save, files, label):
    item = {"image": files, "label": save(tmp_path / "s1_label.nii.gz", label, AFFINE)}
    turned = Orientationd("image", "RAS")(LoadContrastsd()(item))
    np.testing.assert_array_equal(LoadLabeld()(turned)["label"][0].numpy(), label)


def test_codes_of_the_data_set_are_applied_and_told(tmp_path, save, label, caplog):
    path = save(tmp_path / "s1_label.nii.gz", label)
    with caplog.at_level(logging.INFO):
        out = LoadLabeld(like=None)({"label": path, "codes": {"1": 2, "2": 1}})
    np.testing.assert_array_equal(out["label"][0].numpy(), np.array([0, 2, 1, 3])[label])
    assert "codes" not in out
    assert "{1: 2, 2: 1}" in caplog.text


def test_brats_codes_are_mapped_and_others_refused(tmp_path, save, label):
    brats = np.where(label == 3, 4, label).astype(np.uint8)
    path = save(tmp_path / "s1_label.nii.gz", brats)
    np.testing.assert_array_equal(LoadLabeld(like=None)({"label": path})["label"][0].numpy(), label)
    with pytest.raises(InputError, match=r"s1_label\.nii\.gz: found label codes {0, 1, 2, 4} and no known coding"):
        LoadLabeld(like=None, codes=(0, 1))({"label": path})


def test_empty_label(tmp_path, save, caplog):
    item = {"label": save(tmp_path / "s1_label.nii.gz", np.zeros((3, 3, 3), dtype=np.uint8))}
    with caplog.at_level(logging.WARNING):
        assert LoadLabeld(like=None)(item)["label"].max() == 0
    assert "background only" in caplog.text
    with pytest.raises(InputError, match=r"s1_label\.nii\.gz: found a label of background only"):
        LoadLabeld(like=None, on_empty="error")(item)


def test_label_of_several_channels_is_refused(tmp_path, save):
    path = save(tmp_path / "s1_label.nii.gz", np.ones((3, 3, 3, 2), dtype=np.uint8))
    with pytest.raises(InputError, match="found a 4-D label of 2 channels"):
        LoadLabeld(like=None)({"label": path})


def axis_orders():
    """All 48: which world axis each voxel axis follows, and in which direction."""
    return list(product(permutations(range(3)), product((1, -1), repeat=3)))


def affine_of(order, signs, spacing=(1.0, 1.5, 2.0)):
    affine = np.eye(4)
    affine[:3, :3] = 0
    for voxel_axis, (world_axis, sign) in enumerate(zip(order, signs, strict=True)):
        affine[world_axis, voxel_axis] = sign * spacing[world_axis]
    affine[:3, 3] = (11.0, -7.0, 5.0)
    return affine


def test_outputs_lie_voxel_exact_on_the_inputs_grid_for_all_48_axis_orders(tmp_path, save):
    """A label made from the image voxel by voxel comes back, saved, exactly where each voxel was."""
    assert len(axis_orders()) == 48
    pre = [
        LoadContrastsd(contrasts=("T1",)),
        Orientationd("image", "RAS"),
        ResampleSpacingd("image", pixdim=(1.0, 1.5, 2.0)),
        CropForegroundd("image", "image", allow_smaller=True),
        SpatialPadd("image", (9, 9, 9)),
    ]
    pre = Compose(pre)
    post = Compose(
        [
            Invertd("pred", pre, orig_keys="image", nearest_interp=True, to_tensor=True),
            SaveImaged("pred", output_dir=tmp_path, output_postfix="pred", separate_folder=False, print_log=False),
        ]
    )
    data = np.zeros((6, 7, 5), dtype=np.float32)
    data[1:5, 2:6, 1:4] = np.random.default_rng(0).integers(1, 4, (4, 4, 3))
    for number, (order, signs) in enumerate(axis_orders()):
        affine = affine_of(order, signs)
        file = save(tmp_path / "in" / f"sub{number}_T1.nii.gz", data, affine)
        item = pre({"image": str(file)})
        assert nib.aff2axcodes(item["image"].affine.numpy()) == ("R", "A", "S")
        item["pred"] = item["image"].clone()
        (item,) = decollate_batch(list_data_collate([item]))  # as an evaluator hands it on
        post(item)
        saved = nib.load(tmp_path / f"sub{number}_pred.nii.gz")
        np.testing.assert_array_equal(np.asarray(saved.dataobj).squeeze(), data, err_msg=f"{order} {signs}")
        np.testing.assert_allclose(saved.affine, affine, atol=1e-5)


def test_output_of_an_oblique_anisotropic_image_lies_on_its_grid(tmp_path, save):
    turn = np.deg2rad(20)
    affine = np.eye(4)
    affine[:2, :2] = [[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]]
    affine[:3, :3] = affine[:3, :3] @ np.diag([1.0, 1.0, 3.0])
    data = np.zeros((20, 20, 8), dtype=np.float32)
    data[4:16, 5:15, 2:6] = 1
    pre = Compose(
        [
            LoadContrastsd(contrasts=("T1",)),
            Orientationd("image", "RAS"),
            ResampleSpacingd("image", pixdim=(1.0, 1.0, 1.0), mode="nearest"),
        ]
    )
    item = pre({"image": str(save(tmp_path / "s_T1.nii.gz", data, affine)), "subject": "s"})
    assert item["image"].shape[3] > 20
    item["pred"] = item["image"].clone()
    item = Invertd("pred", pre, orig_keys="image", nearest_interp=True)(item)
    SaveImaged("pred", output_dir=tmp_path, output_postfix="pred", separate_folder=False, print_log=False)(item)
    saved = nib.load(tmp_path / "s_pred.nii.gz")
    np.testing.assert_allclose(saved.affine, affine, atol=1e-5)
    agree = np.asarray(saved.dataobj).squeeze() == data
    assert agree.mean() > 0.99
