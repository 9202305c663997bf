"""Filters of StyleGAN2 against interpolation that others wrote."""

import pytest
import torch
import torch.nn.functional as F

from ganglion.networks.resampling import Double, Filter


def inner(image: torch.Tensor) -> torch.Tensor:
    return image[..., 2:-2, 2:-2]


def test_doubling_is_linear_interpolation_away_from_the_border():
    image = torch.randn(2, 3, 8, 12)
    expected = F.interpolate(image, scale_factor=2, mode="bilinear", align_corners=False)
    result = Double()(image)
    assert result.shape == expected.shape
    assert torch.allclose(inner(result), inner(expected), atol=1e-6)


def test_the_filter_keeps_a_constant_and_kills_the_finest_pattern():
    smooth = Filter(padding=2)
    assert torch.allclose(inner(smooth(torch.ones(1, 2, 9, 9))), torch.ones(1, 2, 6, 6))
    stripes = (torch.arange(10) % 2 * 2 - 1.0).expand(1, 1, 10, 10)
    assert inner(smooth(stripes)).abs().max() < 1e-6


@pytest.mark.parametrize("side", [4, 8])
def test_a_stride_leaves_results_out(side):
    image = torch.randn(1, 2, side, side)
    assert torch.allclose(Filter(1, stride=2)(image), Filter(1)(image)[..., ::2, ::2], atol=1e-6)


def test_axes_are_treated_alike_and_channels_apart():
    image = torch.randn(1, 2, 8, 8)
    for make in (Double(), Filter(padding=2)):
        assert torch.allclose(make(image.mT), make(image).mT, atol=1e-6)
        alone = torch.cat([image[:, :1], torch.zeros(1, 1, 8, 8)], dim=1)
        assert torch.equal(make(alone)[:, :1], make(image)[:, :1])
        assert not make(alone)[:, 1:].any()


def test_gradients_of_gradients_are_right():
    image = torch.randn(1, 1, 4, 4, dtype=torch.float64, requires_grad=True)
    for make in (Double(), Filter(padding=1, stride=2), Filter(padding=2)):
        assert torch.autograd.gradgradcheck(make.double(), image)


def test_filters_add_nothing_to_a_state_dict():
    assert not Double().state_dict()
    assert not Filter(1).state_dict()
