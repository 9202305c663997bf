"""Modulated convolution in the scale-input form against the textbook's one kernel a sample; equalised layers."""

import pytest
import torch
import torch.nn.functional as F

from ganglion.networks.equalised import EqualConvolution, EqualLinear
from ganglion.networks.modulation import ModulatedConvolution


def textbook(layer: ModulatedConvolution, features: torch.Tensor, style: torch.Tensor) -> torch.Tensor:
    """Karras et al. 2020, eq. 1 and 3: a kernel for each sample, as many groups as samples."""
    B, C, H, W = features.shape
    kernel = layer.weight * layer.scale * layer.style(style)[:, None, :, None, None]  # B O I k k
    if layer.demodulate:
        kernel = kernel / torch.sqrt(kernel.square().sum(dim=(2, 3, 4), keepdim=True) + 1e-8)
    grouped = features.reshape(1, B * C, H, W)
    if layer.doubles:
        weight = kernel.transpose(1, 2).flatten(0, 1)
        result = F.conv_transpose2d(grouped, weight, stride=2, groups=B)
        return layer.smooth(result.unflatten(1, (B, -1))[0])
    return F.conv2d(grouped, kernel.flatten(0, 1), padding=layer.padding, groups=B).unflatten(1, (B, -1))[0]


@pytest.mark.parametrize("options", [{}, {"double": True}, {"kernel_size": 1, "demodulate": False}])
def test_equals_the_grouped_form(options):
    layer = ModulatedConvolution(12, 7, 16, **options)
    features, style = torch.randn(5, 12, 8, 8), torch.randn(5, 16)
    expected, result = textbook(layer, features, style), layer(features, style)
    assert result.shape == (5, 7, 16, 16) if options.get("double") else (5, 7, 8, 8)
    assert torch.allclose(result, expected, atol=1e-5)
    names = [name for name, _ in layer.named_parameters()]
    ours = torch.autograd.grad(result.square().sum(), list(layer.parameters()))
    theirs = torch.autograd.grad(expected.square().sum(), list(layer.parameters()))
    for name, one, other in zip(names, ours, theirs, strict=True):
        assert torch.allclose(one, other, rtol=1e-4, atol=1e-4), name


def test_a_sample_does_not_depend_on_its_batch():
    layer = ModulatedConvolution(6, 6, 8)
    features, style = torch.randn(4, 6, 8, 8), torch.randn(4, 8)
    alone = torch.cat([layer(features[k : k + 1], style[k : k + 1]) for k in range(4)])
    assert torch.allclose(layer(features, style), alone, atol=1e-6)


def test_demodulation_undoes_the_size_of_the_style():
    layer = ModulatedConvolution(6, 6, 8)
    torch.nn.init.zeros_(layer.style.bias)
    features, style = torch.randn(2, 6, 8, 8), torch.randn(2, 8)
    assert torch.allclose(layer(features, style), layer(features, 7 * style), atol=1e-4)


def test_at_the_start_every_channel_counts_as_it_is():
    layer = ModulatedConvolution(6, 6, 8)
    assert torch.equal(layer.style(torch.zeros(1, 8)), torch.ones(1, 6))


def test_double_backward():
    layer = ModulatedConvolution(2, 2, 3, double=True).double()
    features = torch.randn(2, 2, 4, 4, dtype=torch.float64, requires_grad=True)
    style = torch.randn(2, 3, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradgradcheck(layer, (features, style))


def test_equalised_layers_keep_the_variance():
    with torch.no_grad():
        connected = EqualLinear(512, 512, active=True)(torch.randn(256, 512))
        result = EqualConvolution(64, 64, 3)(torch.randn(4, 64, 16, 16))[..., 1:-1, 1:-1]
    for features in (connected, result):
        assert features.square().mean().item() == pytest.approx(1, abs=0.15)


def test_the_multiplier_slows_learning_and_changes_no_value():
    layer = EqualLinear(4, 2, bias_start=1.0, multiplier=0.01)
    assert layer.weight.std() > 20
    assert torch.allclose(layer(torch.zeros(1, 4)), torch.ones(1, 2))
    layer(torch.ones(1, 4)).sum().backward()
    assert torch.allclose(layer.bias.grad, torch.full((2,), 0.01))
