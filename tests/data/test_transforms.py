"""`ResampleSpacingd` equals MONAI's `Spacingd`; `ScaleBrainIntensityd` by its properties."""

import numpy as np
import pytest
import torch
from monai.data import MetaTensor
from monai.transforms import AsDiscreted, Invertd, Spacingd

from ganglion.data import ForegroundProbabilityd, LikeliestCoded, ResampleSpacingd, ScaleBrainIntensityd
from ganglion.errors import InputError

ARGMAX = AsDiscreted("pred", argmax=True)


def image(seed=0, channels=2, shape=(8, 9, 10)):
    data = torch.from_numpy(np.random.default_rng(seed).uniform(1, 50, (channels, *shape)).astype(np.float32))
    data[:, :2] = 0
    return MetaTensor(data, affine=torch.eye(4, dtype=torch.float64))


def test_resampling_equals_monais_and_is_inverted():
    item = {"image": image()}
    ours, theirs = ResampleSpacingd("image", pixdim=2.0), Spacingd("image", pixdim=2.0)
    out = ours(item)
    assert torch.equal(out["image"], theirs(item)["image"])
    out["pred"] = out["image"].clone()
    back = Invertd("pred", ours, orig_keys="image")(out)["pred"]
    assert back.shape == item["image"].shape
    torch.testing.assert_close(back.affine, item["image"].affine)


def test_strings_beside_the_image_are_left_alone_where_monai_fails():
    """Spacingd updates items called image_... whenever the file's name ends in .nii.gz."""
    item = {"image": image(), "image_path": "a.nii.gz", "image_meta_dict": {"a": 1}}
    item["image"].meta["filename_or_obj"] = "a.nii.gz"
    with pytest.raises(AttributeError):
        Spacingd("image", pixdim=2.0)(item)
    out = ResampleSpacingd("image", pixdim=2.0)(item)
    assert out["image_path"] == "a.nii.gz"
    assert set(out) == set(item)
    assert out["image_meta_dict"]["filename_or_obj"] == "a.nii.gz"


def test_brain_goes_to_zero_one_and_background_stays():
    before = image()
    kept = before.clone()
    out = ScaleBrainIntensityd("image")({"image": before})["image"]
    assert torch.equal(before, kept)
    assert isinstance(out, MetaTensor)
    assert out.affine is not None
    assert (out[before == 0] == 0).all()
    for channel, source in zip(out, before, strict=True):
        brain = source[source != 0].numpy()
        low, high = np.percentile(brain, (1, 99))
        expected = np.clip((brain - low) / (high - low), 0, 1)
        np.testing.assert_allclose(channel[source != 0].numpy(), expected, atol=1e-5)


def test_channels_are_scaled_apart_and_gain_does_not_matter():
    source = image()
    scaled = source.clone()
    scaled[0] *= 1000
    a, b = (ScaleBrainIntensityd("image")({"image": x})["image"] for x in (source, scaled))
    torch.testing.assert_close(a.as_tensor(), b.as_tensor(), atol=1e-5, rtol=0)


def test_sampled_percentiles_are_near_the_exact_ones():
    source = image(channels=1, shape=(120, 120, 120))
    out = ScaleBrainIntensityd("image")({"image": source})["image"]
    brain = source[source != 0].numpy()
    low, high = np.percentile(brain, (1, 99))
    exact = np.clip((source.numpy() - low) / (high - low), 0, 1) * (source.numpy() != 0)
    assert np.abs(out.numpy() - exact).max() < 2e-3


@pytest.mark.parametrize("value", [0.0, 7.0])
def test_channel_without_spread_becomes_zero(value):
    out = ScaleBrainIntensityd("image")({"image": torch.full((1, 4, 4, 4), value)})["image"]
    assert (out == 0).all()


def test_integers_and_negative_values():
    out = ScaleBrainIntensityd("image", 0, 100)({"image": torch.tensor([[[-4, 0, 4]]])})["image"]
    assert out.tolist() == [[[0.0, 0.0, 1.0]]]
    assert out.dtype == torch.float32


def test_percentiles_are_judged():
    with pytest.raises(InputError, match="found lower 99 and upper 1"):
        ScaleBrainIntensityd("image", 99, 1)


@pytest.mark.parametrize("axes", [(0, 1, 2, 3), (0, 3, 2, 1)])
def test_likeliest_code_is_monais(axes):
    """With ties, of which the first counts, whatever the order in memory."""
    values = image(channels=4).round(decimals=-1).permute(axes)
    assert (values[0] == values[1]).any()
    ours, theirs = (transform({"pred": values})["pred"] for transform in (LikeliestCoded("pred"), ARGMAX))
    assert torch.equal(ours.as_tensor(), theirs.as_tensor())
    assert ours.dtype == theirs.dtype
    assert ours.shape == theirs.shape
    assert torch.equal(ours.affine, theirs.affine)
    assert torch.equal(LikeliestCoded("pred")({"pred": values.as_tensor()})["pred"], ours.as_tensor())


def test_probability_of_any_class_but_the_first():
    logits = MetaTensor(torch.randn(3, 4, 5, 6), affine=torch.diag(torch.tensor([2.0, 2.0, 3.0, 1.0])))
    made = ForegroundProbabilityd("pred")({"pred": logits})["pred"]
    assert made.shape == (1, 4, 5, 6)
    torch.testing.assert_close(made[0].as_tensor(), logits.as_tensor().softmax(dim=0)[1:].sum(dim=0))
    torch.testing.assert_close(made.affine, logits.affine)
