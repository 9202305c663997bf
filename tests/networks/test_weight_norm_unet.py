"""Shapes, the parameter counts of the method's table, the feature taps, and that no statistic of a batch is used."""

import pytest
import torch

from ganglion.networks import WeightNormUNet


def count(module: torch.nn.Module) -> int:
    return sum(p.numel() for p in module.parameters())


def by_the_table(contrasts: int, classes: int, width: int) -> int:
    """Count from the layer table; a layer has its kernel, one bias and one gain an output channel."""
    w = width
    pairs = [(contrasts, w), (w, 2 * w), (2 * w, 4 * w), (4 * w, 8 * w), (12 * w, 4 * w), (6 * w, 2 * w), (3 * w, w)]
    kernels = sum(27 * (a * b + b * b) for a, b in pairs) + 8 * w * w * (64 + 16 + 4) + 27 * w * classes
    outputs = sum(2 * b for _, b in pairs) + 8 * w + 4 * w + 2 * w + classes
    return kernels + 2 * outputs


@pytest.mark.parametrize(
    ("contrasts", "classes", "width", "note"), [(2, 4, 32, "6.53"), (3, 4, 32, "6.53"), (2, 2, 16, "1.63")]
)
def test_size_is_that_of_the_method_note(contrasts, classes, width, note):
    network = WeightNormUNet(contrasts, classes, width)
    assert count(network) == by_the_table(contrasts, classes, width)
    assert f"{count(network) / 1e6:.2f}" == note


def test_width_scales_every_layer():
    assert count(WeightNormUNet(3, 5, width=6)) == by_the_table(3, 5, 6)


@pytest.mark.parametrize("size", [(8, 8, 8), (16, 8, 24), (16, 24)])
def test_logits_and_features_have_the_sizes_stated(size):
    image = torch.randn(2, 3, *size)
    bottom, last = (WeightNormUNet(3, 4, width=4, spatial_dims=len(size), tap=tap) for tap in ("bottom", "last"))
    logits, features = bottom.with_features(image)
    assert logits.shape == (2, 4, *size)
    assert features.shape == (2, 32, *[side // 8 for side in size])
    assert last.with_features(image)[1].shape == (2, 4, *size)
    assert torch.equal(bottom(image), logits)


def test_taps_are_the_first_bottom_convolution_and_what_the_output_sees():
    image = torch.randn(1, 2, 16, 16, 16)
    network = WeightNormUNet(2, 4, width=4, tap="last")
    logits, features = network.with_features(image)
    assert torch.equal(network.out(features), logits)
    seen = []
    network.tap = "bottom"
    network.bottom_first.register_forward_hook(lambda module, given, made: seen.append(made))
    assert torch.equal(network.with_features(image)[1], seen[0])


def test_features_lead_gradients_back_to_the_image():
    for tap in ("bottom", "last"):
        image = torch.randn(1, 2, 8, 8, 8, requires_grad=True)
        WeightNormUNet(2, 4, width=4, tap=tap).with_features(image)[1].sum().backward()
        assert (image.grad != 0).all()


@pytest.mark.parametrize("size", [(12, 16, 16), (16, 16, 17)])
def test_sides_that_do_not_fit_raise_and_name_the_next_fitting_size(size):
    network = WeightNormUNet(1, 2, width=4)
    with pytest.raises(ValueError, match=r"divisible by 8, got .* next fitting size is 16 x 16 x (16|24)"):
        network(torch.rand(1, 1, *size))


def test_one_image_is_treated_alike_alone_and_among_others():
    network = WeightNormUNet(2, 4, width=4).train()
    images = torch.randn(3, 2, 8, 8, 8)
    assert torch.allclose(network(images)[1:2], network(images[1:2]), atol=1e-6)
    assert not list(network.buffers())


def test_first_logits_are_of_the_order_of_one_tenth_to_one():
    """So that a new discriminator neither is sure of anything nor has a vanishing signal."""
    logits = WeightNormUNet(2, 4, width=16)(torch.rand(2, 2, 16, 16, 16) * 2 - 1)
    assert 0.05 < logits.std() < 1


def test_without_weight_norm_kernels_are_plain_and_can_be_clipped():
    network = WeightNormUNet(2, 4, width=8, weight_norm=False)
    assert count(network) == by_the_table(2, 4, 8) - sum(p.numel() for p in network.parameters() if p.dim() == 1)
    assert network.decode2[0].weight.std().item() == pytest.approx(0.05, rel=0.02)


def test_unknown_tap_is_named():
    with pytest.raises(ValueError, match="tap is 'top', expected one of bottom, last"):
        WeightNormUNet(tap="top")


def test_can_be_scripted_and_gives_the_same():
    network = WeightNormUNet(2, 4, width=4).eval()
    scripted, image = torch.jit.script(network), torch.rand(1, 2, 16, 8, 8)
    with torch.no_grad():
        assert torch.equal(scripted(image), network(image))
        with pytest.raises(torch.jit.Error, match="next fitting size is 16 x 8 x 16"):
            scripted(torch.rand(1, 2, 16, 8, 9))
