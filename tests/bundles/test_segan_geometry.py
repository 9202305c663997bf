"""Where an image's voxels go through the bundle's inference: onto the very same place, whatever its axes and size.

The network is a convolution of one pixel that passes the last contrast on, so what is saved tells which voxel of the
input it came from.
"""

import json
from itertools import permutations, product
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import torch
from monai.bundle import ConfigParser

CONFIGS = Path(__file__).parents[2] / "bundles" / "segan_transfer" / "configs"
CONTRASTS = ("T1", "T1ce", "T2", "FLAIR")
SPACING = (1.0, 1.5, 2.0)  # along right-left, front-back, head-foot


def write_subject(folder, name, data, affine):
    """Four contrasts on one grid; the last is `data`."""
    (folder / name).mkdir(parents=True)
    files = []
    for number, contrast in enumerate(CONTRASTS):
        values = data if contrast == "FLAIR" else np.random.default_rng(number).uniform(1, 9, data.shape)
        files.append(f"{name}/{name}_{contrast}.nii")
        nib.save(nib.Nifti1Image(values.astype(np.float32), affine), folder / files[-1])
    return {"subject": name, "image": files}


def infer(folder, entries, out, tmp_path, **overrides):
    """Run the bundle's inference on a data set; logit = value, so that probabilities tell values."""
    channels = {str(i): contrast for i, contrast in enumerate(CONTRASTS)}
    (folder / "dataset.json").write_text(json.dumps({"channel_names": channels, "test": entries}))
    network = torch.nn.Conv2d(4, 1, 1)
    torch.nn.init.zeros_(network.weight)
    torch.nn.init.constant_(network.bias, -2.0)
    network.weight.data[0, 3] = 4.0
    torch.save(network.state_dict(), tmp_path / "pass_on.pt")
    parser = ConfigParser()
    parser.read_config(str(CONFIGS / "inference.json"))
    parser.update(
        {
            "bundle_root": str(CONFIGS.parent),
            "dataset_dir": str(folder),
            "output_dir": str(out),
            "weights": str(tmp_path / "pass_on.pt"),
            "network_def": {"_target_": "torch.nn.Conv2d", "in_channels": 4, "out_channels": 1, "kernel_size": 1},
            "save_probabilities": True,
            "device": "cpu",
            **overrides,
        }
    )
    parser.get_parsed_content("run")


def scaled(data):
    """What the bundle's intensity scaling makes of an image, by its formula."""
    low, high = np.percentile(data[data != 0], (1, 99))
    return np.where(data == 0, 0, np.clip((data - low) / (high - low), 0, 1))


def read(path):
    image = nib.load(path)
    return np.asarray(image.dataobj).squeeze(), image.affine


def axis_orders():
    """All 48: which world axis each voxel axis follows, and in which direction."""
    return list(product(permutations(range(3)), product((1, -1), repeat=3)))


def affine_of(order, signs):
    affine = np.zeros((4, 4))
    for voxel_axis, (world_axis, sign) in enumerate(zip(order, signs, strict=True)):
        affine[world_axis, voxel_axis] = sign * SPACING[world_axis]
    affine[:, 3] = (11.0, -7.0, 5.0, 1.0)
    return affine


def head(shape, seed=0):
    """Different numbers inside a box that touches no border, 0 outside."""
    data = np.zeros(shape, dtype=np.float32)
    inner = tuple(slice(1, n - 1) for n in shape)
    count = data[inner].size
    data[inner] = np.random.default_rng(seed).permutation(np.arange(1, count + 1)).reshape(data[inner].shape)
    return data


def test_every_voxel_comes_back_to_its_place_for_all_48_axis_orders(tmp_path, counted):
    data, orders = head((9, 8, 7)), axis_orders()
    assert len(set(orders)) == 48
    entries = [
        write_subject(tmp_path / "set", f"sub-{number:02}", data, affine_of(order, signs))
        for number, (order, signs) in enumerate(orders)
    ]
    infer(tmp_path / "set", entries, tmp_path / "out", tmp_path, spacing=list(SPACING))
    logits = 4 * scaled(data) - 2
    for number, (order, signs) in enumerate(orders):
        label, affine = read(tmp_path / "out" / f"sub-{number:02}_pred.nii.gz")
        np.testing.assert_array_equal(label, logits >= 0, err_msg=f"{order} {signs}")
        np.testing.assert_allclose(affine, affine_of(order, signs), atol=1e-5)
        probability, affine = read(tmp_path / "out" / f"sub-{number:02}_probability.nii.gz")
        # Every voxel of the head has a probability of its own, so equality means that each lies where it was.
        np.testing.assert_allclose(probability[data != 0], 1 / (1 + np.exp(-logits))[data != 0], atol=1e-5)
        assert len(np.unique(probability[(data > 9) & (data < 200)])) == np.sum((data > 9) & (data < 200))
        counted("axis orders")


@pytest.mark.parametrize(
    ("turn", "sides", "least"),
    [(20, (1.0, 1.0, 1.0), 0.97), (20, (1.0, 1.0, 3.0), 0.95), (0, (0.8, 0.8, 5.0), 0.95), (45, (1.5, 1.0, 2.0), 0.93)],
)
def test_oblique_and_anisotropic_images_come_back_within_interpolation(turn, sides, least, tmp_path):
    """The grid is exact; a ball, resampled there and back, keeps its place to a fraction of a voxel."""
    angle = np.deg2rad(turn)
    affine = np.eye(4)
    affine[:2, :2] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    affine[:3, :3] = affine[:3, :3] @ np.diag(sides)
    affine[:3, 3] = (-30.0, 12.0, 4.0)
    shape = tuple(round(40 / side) for side in sides)
    middle = (np.array(shape) - 1) / 2
    distance = np.linalg.norm(
        (np.moveaxis(np.indices(shape), 0, -1) - middle) * np.array(sides), axis=-1
    )  # in millimetres
    ball = np.where(distance < 10, 100.0, np.where(distance < 18, 1.0 + distance % 1, 0.0)).astype(np.float32)
    infer(
        tmp_path / "set",
        [write_subject(tmp_path / "set", "sub-1", ball, affine)],
        tmp_path / "out",
        tmp_path,
        spacing=[1.0, 1.0, 1.0],
    )
    label, saved = read(tmp_path / "out" / "sub-1_pred.nii.gz")
    np.testing.assert_allclose(saved, affine, atol=1e-5)
    assert label.shape == shape
    truth = ball == 100
    assert 2 * np.sum(truth & (label > 0)) / (truth.sum() + label.sum()) > least
    shift = (np.argwhere(label).mean(axis=0) - np.argwhere(truth).mean(axis=0)) * np.array(sides)
    assert np.abs(shift).max() < 0.1  # mm


SMALL = [(1, 1, 1), (3, 3, 3), (5, 40, 7), (20, 9, 1), (40, 2, 33), (6, 7, 5)]


@pytest.mark.parametrize("window", [[48, 48], [-1, -1], None], ids=str)
def test_volumes_smaller_than_the_window_are_padded_and_cropped_back(window, tmp_path, counted, caplog):
    """Whole volumes of ones and hundreds come back voxel by voxel, and a warning names each subject."""
    entries, images = [], {}
    for number, shape in enumerate(SMALL):
        data = np.where(np.random.default_rng(number).random(shape) < 0.5, 1.0, 100.0).astype(np.float32)
        images[f"sub-{number}"] = data
        affine = np.diag([-1.0, -1.0, 1.0, 1.0])
        entries.append(write_subject(tmp_path / "set", f"sub-{number}", data, affine))
    infer(tmp_path / "set", entries, tmp_path / "out", tmp_path, spacing=[1.0, 1.0, 1.0], window=window)
    for name, data in images.items():
        label, affine = read(tmp_path / "out" / f"{name}_pred.nii.gz")
        expected = (data == 100) if data.min() < data.max() else np.zeros_like(data)
        np.testing.assert_array_equal(label.reshape(data.shape), expected)
        np.testing.assert_allclose(affine, np.diag([-1.0, -1.0, 1.0, 1.0]), atol=1e-6)
        if window == [48, 48]:
            shape = "x".join(map(str, data.shape))
            assert f"{name}: found a volume of {shape}, smaller than the window 48x48; padded" in caplog.text
            counted("volumes smaller than the window")
