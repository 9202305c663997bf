"""The GT layer: plain instance norm when neutral, exactly the code's statistics when not, placed by a map."""

import pytest
import torch
import torch.nn.functional as F

from ganglion.networks import ConditionalInstanceNorm

SIZES = [(6, 5), (4, 6, 5)]


def drawn(channels: int, code_size: int) -> ConditionalInstanceNorm:
    """A layer that is not neutral any more."""
    layer = ConditionalInstanceNorm(channels, code_size)
    torch.nn.init.normal_(layer.scale_and_shift.weight, std=0.5)
    torch.nn.init.normal_(layer.scale_and_shift.bias, std=0.5)
    return layer


def one_hot(codes: torch.Tensor, classes: int) -> torch.Tensor:
    return F.one_hot(codes, classes).movedim(-1, 1).float()


@pytest.mark.parametrize("size", SIZES)
def test_a_new_layer_is_instance_norm_whatever_the_code(size):
    features = torch.randn(2, 3, *size) * 4 + 1
    layer, codes = ConditionalInstanceNorm(3, 7), one_hot(torch.randint(4, (2, *size)), 4)
    assert torch.allclose(layer(features, torch.randn(2, 7)), F.instance_norm(features), atol=1e-6)
    assert torch.allclose(layer(features, torch.randn(2, 4, 7), codes), F.instance_norm(features), atol=1e-6)


@pytest.mark.parametrize("size", SIZES)
def test_statistics_after_the_layer_are_exactly_those_that_the_code_says(size):
    layer = drawn(3, 7).double()
    features, code = torch.randn(2, 3, *size).double() * 4 + 1, torch.randn(2, 7).double()
    delta, shift = layer.scale_and_shift(code).chunk(2, dim=1)
    made = layer(features, code).flatten(2)
    variance = features.flatten(2).var(dim=2, correction=0)
    shrunk = torch.sqrt(variance / (variance + 1e-5))
    assert torch.allclose(made.mean(dim=2), shift)
    assert torch.allclose(made.std(dim=2, correction=0), (1 + delta).abs() * shrunk)


@pytest.mark.parametrize("size", SIZES)
def test_by_the_definition_with_its_brackets(size):
    layer, features, code = drawn(3, 7), torch.randn(2, 3, *size) * 4 + 1, torch.randn(2, 7)
    table = layer.scale_and_shift(code).reshape(2, 6, *[1] * len(size))
    axes = tuple(range(2, features.dim()))
    mean, var = features.mean(axes, keepdim=True), features.var(axes, correction=0, keepdim=True)
    right = (1 + table[:, :3]) * (features - mean) / torch.sqrt(var + 1e-5) + table[:, 3:]
    assert torch.allclose(layer(features, code), right, atol=1e-5)
    printed = (1 + table[:, :3]) * features - mean / torch.sqrt(var) + table[:, 3:]
    assert not torch.allclose(layer(features, code), printed, atol=0.1)


@pytest.mark.parametrize("size", SIZES)
def test_a_map_gives_each_voxel_the_numbers_of_its_class(size):
    layer, features, code = drawn(3, 7), torch.randn(2, 3, *size), torch.randn(2, 4, 7)
    codes = torch.randint(4, (2, *size))
    made, normed = layer(features, code, one_hot(codes, 4)), F.instance_norm(features)
    for sample in range(2):
        for label in range(4):
            delta, shift = layer.scale_and_shift(code[sample, label]).chunk(2)
            here = codes[sample] == label
            expected = (1 + delta[:, None]) * normed[sample][:, here] + shift[:, None]
            assert torch.allclose(made[sample][:, here], expected, atol=1e-5)


def test_a_map_of_one_class_is_that_classs_code():
    layer, features, code = drawn(3, 7), torch.randn(2, 3, 4, 4, 4), torch.randn(2, 4, 7)
    everywhere = one_hot(torch.full((2, 4, 4, 4), 2), 4)
    assert torch.allclose(layer(features, code, everywhere), layer(features, code[:, 2]), atol=1e-5)


def test_a_finer_map_is_brought_to_the_features_by_nearest_neighbours():
    layer, features, code = drawn(3, 7), torch.randn(2, 3, 4, 4, 4), torch.randn(2, 4, 7)
    fine = one_hot(torch.randint(4, (2, 8, 8, 8)), 4)
    assert torch.equal(layer(features, code, fine), layer(features, code, fine[:, :, ::2, ::2, ::2]))


def test_other_samples_do_not_matter_and_nothing_is_remembered():
    layer, features, code = drawn(3, 7).train(), torch.randn(3, 3, 4, 4, 4), torch.randn(3, 7)
    assert torch.allclose(layer(features, code)[1:2], layer(features[1:2], code[1:2]), atol=1e-6)
    assert not list(layer.buffers())


def test_a_flat_channel_is_finite_and_becomes_the_shift():
    layer, code = drawn(3, 7), torch.randn(2, 7)
    features = torch.full((2, 3, 4, 4, 4), 1e3, requires_grad=True)
    made = layer(features, code)
    made.sum().backward()
    shift = layer.scale_and_shift(code)[:, 3:]
    assert torch.allclose(made.mean(dim=(2, 3, 4)), shift, atol=1e-2)
    assert torch.isfinite(features.grad).all()


def test_gradients_reach_a_neutral_layer():
    layer, features, code = ConditionalInstanceNorm(3, 7), torch.randn(2, 3, 4, 4, 4), torch.randn(2, 7)
    (layer(features, code) * torch.randn(2, 3, 4, 4, 4)).sum().backward()
    assert (layer.scale_and_shift.weight.grad != 0).all()
    assert (layer.scale_and_shift.bias.grad != 0).all()


def test_a_code_that_does_not_fit_the_map_is_refused():
    layer, features = ConditionalInstanceNorm(3, 7), torch.randn(2, 3, 4, 4, 4)
    with pytest.raises(ValueError, match="needs a map of the classes"):
        layer(features, torch.randn(2, 4, 7))
    with pytest.raises(ValueError, match="takes none"):
        layer(features, torch.randn(2, 7), torch.zeros(2, 4, 4, 4, 4))


def test_scripted_and_under_autocast_it_gives_the_same():
    layer, features, code = drawn(3, 7).eval(), torch.randn(2, 3, 4, 4, 4), torch.randn(2, 4, 7)
    classes = one_hot(torch.randint(4, (2, 8, 8, 8)), 4)
    expected = layer(features, code, classes)
    assert torch.allclose(torch.jit.script(layer)(features, code, classes), expected, atol=1e-6)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.allclose(layer(features.bfloat16(), code, classes).float(), expected, atol=0.1)
