"""Resampling an axis at a time against MONAI's sampling at a grid of positions."""

import numpy as np
import pytest
import torch
from monai.data import MetaTensor
from monai.transforms import Compose, Invertd, Spacingd
from scipy.spatial.transform import Rotation

from ganglion.data import ResampleSpacingd
from ganglion.data.resampling import resample_axes

OBLIQUE = Rotation.from_euler("xyz", [20, -30, 40], degrees=True).as_matrix()
GRIDS = {
    "finer": ((20, 17, 9), (1.3, 0.7, 5.0), np.eye(3)),
    "coarser": ((31, 30, 17), (1.0, 1.0, 1.0), np.diag([-1, -1, 1])),
    "permuted": ((31, 18, 30), (1.0, 3.0, 1.1), np.eye(3)[[2, 0, 1]]),
    "oblique": ((20, 21, 22), (0.9, 0.9, 1.1), OBLIQUE),
}


def image_on(name: str) -> MetaTensor:
    shape, spacing, axes = GRIDS[name]
    affine = np.eye(4)
    affine[:3, :3] = axes * np.array(spacing)
    affine[:3, 3] = 3.0, -7.0, 11.0
    values = torch.from_numpy(np.random.default_rng(0).integers(0, 3000, (2, *shape)).astype(np.float32))
    return MetaTensor(values, affine=torch.from_numpy(affine))


@pytest.mark.parametrize("name", GRIDS)
def test_forth_and_back_agree_with_monai(name):
    """Values to float32's last digit; grids equal."""
    ours, theirs = (kind(keys="image", pixdim=(2.0, 2.0, 2.0)) for kind in (ResampleSpacingd, Spacingd))
    a, b = (transform({"image": image_on(name)}) for transform in (ours, theirs))
    for first, second in ((a, b), (ours.inverse(dict(a)), theirs.inverse(dict(b)))):
        first, second = first["image"], second["image"]
        assert first.shape == second.shape
        assert first.dtype == second.dtype == torch.float32
        assert torch.equal(first.affine, second.affine)
        torch.testing.assert_close(first.as_tensor(), second.as_tensor(), rtol=2.4e-7, atol=0)
        assert len(first.applied_operations) == len(second.applied_operations)


def test_inverted_by_name_on_another_key():
    """As in a bundle: what was done to the image is undone on the prediction."""
    results = []
    for kind in (ResampleSpacingd, Spacingd):
        forth = Compose([kind(keys="image", pixdim=(2.0, 2.0, 2.0))])
        item = forth({"image": image_on("coarser")})
        item["pred"] = MetaTensor(item["image"].as_tensor()[:1] / 3000)
        results.append(Invertd("pred", forth, orig_keys="image", nearest_interp=False)(item)["pred"])
    assert results[0].shape[1:] == image_on("coarser").shape[1:]
    torch.testing.assert_close(results[0].as_tensor(), results[1].as_tensor(), rtol=2.4e-7, atol=0)


@pytest.mark.parametrize("spacing", [1.0, 0.7])
def test_what_is_0_with_monai_is_0_here_and_nothing_else(spacing):
    """Its positions stray by 1e-14 voxels, so that next to the head 0 becomes 1e-12, which counts as head later on."""
    values = torch.zeros(1, 60, 61, 33)
    values[:, 9:40, 13:47, 3:20] = 1000.0
    affine = torch.diag(torch.tensor([spacing, spacing, spacing, 1.0], dtype=torch.float64))
    ours, theirs = (
        kind(keys="image", pixdim=(2.0, 2.0, 2.0))({"image": MetaTensor(values, affine=affine)})["image"].as_tensor()
        for kind in (ResampleSpacingd, Spacingd)
    )
    assert torch.equal(ours != 0, theirs != 0)
    assert ((theirs != 0) & (theirs < 1e-6)).any() == (spacing == 1.0)


def test_a_ramp_stays_a_ramp_and_the_border_repeats():
    ramp = torch.arange(5.0).reshape(1, 5, 1, 1).expand(1, 5, 2, 2)
    map_ = np.diag([0.5, 1.0, 1.0, 1.0])
    map_[0, 3] = -1.0
    result = resample_axes(ramp, map_, (14, 2, 2), torch.float64)[0, :, 0, 0]
    assert result.tolist() == pytest.approx([0, 0, 0, 0.5, 1, 1.5, 2, 2.5, 3, 3.5, 4, 4, 4, 4])


def test_nearest_and_other_padding_are_left_to_monai():
    for options in ({"mode": "nearest"}, {"padding_mode": "zeros"}, {"mode": 3}):
        ours, theirs = (
            kind(keys="image", pixdim=(2.0, 2.0, 2.0), **options)({"image": image_on("coarser")})["image"]
            for kind in (ResampleSpacingd, Spacingd)
        )
        assert torch.equal(ours.as_tensor(), theirs.as_tensor()), options
