"""Weight normalisation against torch's own, the pooling against torch's own, the checks at the door."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from ganglion.networks.blocks import (
    LEAKY_GAIN,
    SLOPE,
    Convolution3d,
    WeightNormConvolution,
    beside,
    check_sides,
    check_spatial_dims,
    halved,
)

KINDS = {
    (2, False): nn.Conv2d,
    (3, False): nn.Conv3d,
    (2, True): nn.ConvTranspose2d,
    (3, True): nn.ConvTranspose3d,
}


@pytest.mark.parametrize(("spatial_dims", "transposed"), KINDS)
def test_weight_normed_convolution_is_torchs_parametrisation(spatial_dims, transposed):
    arguments = {"kernel_size": 2, "stride": 2} if transposed else {"kernel_size": 3, "padding": 1}
    ours = WeightNormConvolution(3, 5, transposed=transposed, spatial_dims=spatial_dims, gain=1.7, **arguments)
    nn.init.uniform_(ours.gain, 0.5, 2.0)
    nn.init.uniform_(ours.bias)
    theirs = KINDS[spatial_dims, transposed](3, 5, **arguments)
    nn.utils.parametrizations.weight_norm(theirs, dim=int(transposed))
    with torch.no_grad():
        theirs.bias.copy_(ours.bias)
        theirs.parametrizations.weight.original0.copy_(ours.gain)
        theirs.parametrizations.weight.original1.copy_(ours.direction)
    features = torch.randn(2, 3, *[4] * spatial_dims)
    assert torch.allclose(ours(features), theirs(features), atol=1e-6)
    assert torch.allclose(torch.jit.script(ours)(features), ours(features), atol=1e-6)


def test_kernel_has_the_gain_as_norm_and_the_direction_may_have_any():
    layer = WeightNormConvolution(4, 6, 3, padding=1, gain=1.5)
    before = layer.kernel().detach()
    assert torch.allclose(before.flatten(1).norm(dim=1), torch.full((6,), 1.5))
    with torch.no_grad():
        layer.direction.mul_(7.0)
    assert torch.allclose(layer.kernel(), before, atol=1e-6)


def test_gain_and_direction_are_trained():
    layer = WeightNormConvolution(2, 3, 3, padding=1, spatial_dims=2)
    layer(torch.randn(1, 2, 4, 4)).square().sum().backward()
    for parameter in (layer.gain, layer.direction, layer.bias):
        assert parameter.grad.abs().sum() > 0


def test_first_directions_have_the_stated_spread_and_come_from_the_seed():
    torch.manual_seed(3)
    first = WeightNormConvolution(32, 64, 3)
    torch.manual_seed(3)
    second = WeightNormConvolution(32, 64, 3)
    assert torch.equal(first.direction, second.direction)
    assert first.direction.std().item() == pytest.approx(0.05, rel=0.01)
    assert torch.count_nonzero(first.bias) == 0


def test_leaky_gain_keeps_the_mean_square():
    features = LEAKY_GAIN * torch.randn(100_000)
    assert F.leaky_relu(features, SLOPE).square().mean().item() == pytest.approx(1.0, rel=0.02)


@pytest.mark.parametrize("size", [(4, 6), (4, 6, 8)])
def test_halving_is_average_pooling_also_in_half_precision(size):
    features = torch.randn(2, 3, *size)
    expected = (F.avg_pool2d if len(size) == 2 else F.avg_pool3d)(features, 2)
    assert torch.allclose(halved(features), expected, atol=1e-6)
    assert torch.allclose(halved(features.half()).float(), expected, atol=2e-3)


def test_sides_that_do_not_fit_are_named_with_those_that_would():
    check_sides(torch.zeros(1, 1, 16, 32), 16, "network")
    with pytest.raises(ValueError, match="the network needs sides divisible by 8, got 8 x 9 x 16; .* is 8 x 16 x 16$"):
        check_sides(torch.zeros(1, 1, 8, 9, 16), 8, "network")


def test_channels_that_do_not_fit_are_named():
    image, coarse = torch.zeros(1, 2, 4, 4), torch.zeros(1, 1, 4, 4)
    assert beside(image, coarse, 3).shape[1] == 3
    assert torch.equal(beside(image, None, 2), image)
    for given in (None, torch.cat([coarse, coarse], dim=1)):
        with pytest.raises(ValueError, match="image and coarse probability have [24] channels together, expected 3"):
            beside(image, given, 3)


def test_other_numbers_of_axes_are_refused():
    with pytest.raises(ValueError, match="spatial_dims is 1, expected 2 or 3"):
        check_spatial_dims(1)


@pytest.mark.parametrize(
    "layer", [lambda: Convolution3d(8, 8, 3, padding=1), lambda: WeightNormConvolution(8, 8, 3, padding=1)]
)
def test_small_volumes_are_convolved_in_float32_where_bfloat16_gives_wrong_gradients(layer):
    torch.manual_seed(0)
    layer = layer()
    features = torch.randn(2, 8, 2, 2, 2)

    def gradient(half):
        layer.zero_grad()
        with torch.autocast("cpu", torch.bfloat16, enabled=half):
            result = layer(features)
        result.float().square().sum().backward()
        return result.dtype, [parameter.grad.clone() for parameter in layer.parameters()]

    (kind, ours), (_, wanted) = gradient(True), gradient(False)
    assert kind == torch.float32
    assert all(torch.equal(one, other) for one, other in zip(ours, wanted, strict=True))
    with torch.autocast("cpu", torch.bfloat16):
        assert layer(torch.randn(2, 8, 4, 4, 4)).dtype == torch.bfloat16  # where it is right it is used
