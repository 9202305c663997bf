"""The baselines' noise generator and encoder: sizes of the method's table, shapes, faults."""

import pytest
import torch

from ganglion.networks import NoiseEncoder, NoiseGenerator


def count(module: torch.nn.Module) -> int:
    return sum(p.numel() for p in module.parameters())


def test_generator_has_the_size_of_the_method_note():
    kernels = 200 * 4096 + 8 * (512 * 256 + 256 * 128 + 128 * 64 + 64 * 2)
    biases_and_norms = 4096 + (256 + 128 + 64 + 2) + 2 * (512 + 256 + 128 + 64)
    assert count(NoiseGenerator(2)) == kernels + biases_and_norms
    assert f"{count(NoiseGenerator(2)) / 1e6:.2f}" == "2.20"


def test_encoder_has_the_size_of_the_method_note():
    kernels = 125 * (2 * 128 + 128 * 256 + 256 * 512) + 512 * 400
    biases_and_norms = 3 * (128 + 256 + 512) + 400
    assert count(NoiseEncoder(2)) == kernels + biases_and_norms
    assert f"{count(NoiseEncoder(2)) / 1e6:.1f}" == "20.7"


@pytest.mark.parametrize(
    ("patch_size", "expected"),
    [(16, (16, 16, 16)), (32, (32, 32, 32)), ((16, 32, 48), (16, 32, 48)), ((32, 16), (32, 16))],
)
def test_generator_makes_patches_of_the_size_asked_for(patch_size, expected):
    network = NoiseGenerator(3, patch_size, noise_size=7, width=4, spatial_dims=len(expected))
    patch = network(torch.rand(2, 7) * 2 - 1)
    assert patch.shape == (2, 3, *expected)
    assert patch.abs().max() < 1


def test_other_noise_makes_another_patch():
    first, second = NoiseGenerator(2, 16, width=4)(torch.rand(2, 200) * 2 - 1)
    assert (first - second).abs().mean() > 0.01


@pytest.mark.parametrize(
    ("patch_size", "named"), [(24, "32 x 32 x 32"), ((16, 16, 17), "16 x 16 x 32"), (0, "16 x 16 x 16")]
)
def test_patches_that_do_not_fit_raise_and_name_the_next_fitting_size(patch_size, named):
    with pytest.raises(ValueError, match=f"3 sides divisible by 16; the next fitting size is {named}"):
        NoiseGenerator(2, patch_size)


@pytest.mark.parametrize("size", [(32, 32, 32), (32, 48, 64), (32, 40)])
def test_encoder_gives_mean_and_log_deviation(size):
    network = NoiseEncoder(2, noise_size=9, width=4, spatial_dims=len(size))
    mean, log_deviation = network(torch.rand(2, 2, *size))
    assert mean.shape == log_deviation.shape == (2, 9)


def test_encoder_names_a_patch_that_is_too_small():
    with pytest.raises(ValueError, match="sides of 29 and more, got 32 x 16 x 32; the next fitting size is 32"):
        NoiseEncoder(2, width=4)(torch.rand(2, 2, 32, 16, 32))


@pytest.mark.parametrize(
    ("network", "given"), [(NoiseGenerator(2, 16, width=4), (2, 200)), (NoiseEncoder(2, width=4), (2, 2, 32, 32, 32))]
)
def test_can_be_scripted_and_gives_the_same(network, given):
    network, given = network.eval(), torch.rand(given)
    with torch.no_grad():
        made, expected = torch.jit.script(network)(given), network(given)
    for ours, theirs in zip(made, expected, strict=True):
        assert torch.allclose(ours, theirs, atol=1e-6)
