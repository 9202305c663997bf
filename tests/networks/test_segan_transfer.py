"""Shapes, parameter counts of the method's layer table, errors and export."""

import pytest
import torch

from ganglion.networks import Critic, Segmenter


def count(module: torch.nn.Module) -> int:
    return sum(p.numel() for p in module.parameters())


def by_the_table(in_channels: int, width: int) -> int:
    """Count from the layer table: kernels, the two biases, two numbers a batch-norm channel."""
    w = width
    encoder = 16 * (in_channels * w + w * 2 * w + 2 * w * 4 * w + 4 * w * 8 * w) + w + 2 * (2 + 4 + 8) * w
    decoder = 9 * (8 * w * 4 * w + 4 * w * 2 * w + 2 * w * w) + 2 * (4 + 2 + 1) * w
    return encoder + decoder + 9 * w + 1


@pytest.mark.parametrize(("in_channels", "expected"), [(1, 4_305_153), (4, 4_308_225)])
def test_segmenter_has_the_papers_size(in_channels, expected):
    assert count(Segmenter(in_channels)) == expected == by_the_table(in_channels, 64)


@pytest.mark.parametrize("width", [8, 24])
def test_width_scales_every_layer(width):
    assert count(Segmenter(3, width=width)) == by_the_table(3, width)


@pytest.mark.parametrize(
    ("in_channels", "critic_input", "expected"),
    [(1, "mask", 657_216), (1, "concat", 658_240), (4, "mask", 660_288), (4, "concat", 661_312), (4, "mix", 665_408)],
)
def test_critic_has_the_papers_size(in_channels, critic_input, expected):
    assert count(Critic(in_channels, critic_input=critic_input)) == expected


@pytest.mark.parametrize("size", [(16, 16), (32, 48), (160, 96)])
def test_segmenter_keeps_the_grid(size):
    assert Segmenter(2, out_channels=3, width=4)(torch.rand(2, 2, *size)).shape == (2, 3, *size)


@pytest.mark.parametrize("size", [(40, 32), (32, 17)])
def test_sides_that_do_not_fit_raise_and_name_the_next_fitting_size(size):
    with pytest.raises(ValueError, match=r"divisible by 16, got .* next fitting size is (48 x 32|32 x 32)"):
        Segmenter(1, width=4)(torch.rand(1, 1, *size))


def test_critic_features_are_its_input_and_three_halvings():
    features = Critic(4, width=4)(torch.rand(2, 4, 32, 48), torch.rand(2, 1, 32, 48))
    assert [tuple(f.shape) for f in features] == [(2, 5, 32, 48), (2, 4, 16, 24), (2, 8, 8, 12), (2, 16, 4, 6)]


def test_join_puts_image_and_map_together_as_named():
    image, map_ = torch.rand(2, 3, 8, 8), torch.rand(2, 1, 8, 8)
    joined = {name: Critic(3, width=4, critic_input=name).join(image, map_) for name in ("mask", "concat", "mix")}
    assert torch.equal(joined["mask"], image * map_)
    assert torch.equal(joined["concat"], torch.cat([image, map_], dim=1))
    assert torch.equal(joined["mix"], torch.cat([image, map_, image * map_], dim=1))


def test_masking_critic_is_blind_where_the_image_is_zero_and_the_concatenating_one_is_not():
    image = torch.rand(1, 1, 32, 32)
    image[..., 16:] = 0
    for critic_input, blind in (("mask", True), ("concat", False)):
        map_ = torch.rand(1, 1, 32, 32, requires_grad=True)
        torch.manual_seed(0)
        critic = Critic(1, width=4, critic_input=critic_input).eval()
        critic(image, map_)[0].square().sum().backward()
        assert bool((map_.grad[..., 16:] == 0).all()) is blind


def test_unknown_critic_input_is_named():
    with pytest.raises(ValueError, match="critic_input is 'both', expected one of mask, concat, mix"):
        Critic(1, critic_input="both")


def test_spectral_guard_bounds_every_kernel():
    critic = Critic(1, width=8, spectral=True)
    image, map_ = torch.rand(2, 1, 32, 32), torch.rand(2, 1, 32, 32)
    for _ in range(30):  # the power iteration needs some steps
        critic(image, map_)
    critic.eval()
    for stage in (critic.stage1, critic.stage2, critic.stage3):
        norm = torch.linalg.matrix_norm(stage[0].weight.flatten(1), ord=2)
        assert norm.item() == pytest.approx(1.0, abs=0.05)


def test_initial_kernels_have_the_stated_spread():
    torch.manual_seed(0)
    segmenter = Segmenter(4, width=32)
    kernel = segmenter.encode4[0].weight
    assert kernel.std().item() == pytest.approx((2 / (16 * 256)) ** 0.5, rel=0.02)
    assert torch.count_nonzero(segmenter.out[-1].bias) == 0


def test_segmenter_can_be_scripted_and_gives_the_same():
    segmenter = Segmenter(4, width=4).eval()
    image = torch.rand(1, 4, 32, 32)
    with torch.no_grad():
        assert torch.equal(torch.jit.script(segmenter)(image), segmenter(image))
