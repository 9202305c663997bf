"""The gradient penalty where it is algebra: critics that are linear or quadratic."""

import pytest
import torch
from torch import nn

from ganglion.losses import between, gradient_penalty


@pytest.mark.parametrize("slope", [0.0, 0.5, 1.0, 3.0])
def test_of_a_linear_critic_it_is_the_square_of_the_slopes_excess(slope):
    direction = torch.zeros(2, 3, 3)
    direction[0, 0, 0], direction[1, 2, 2] = 0.6 * slope, -0.8 * slope
    points = torch.randn(4, 2, 3, 3)
    penalty = gradient_penalty(lambda image: (image * direction).sum(dim=(1, 2, 3)), points)
    assert penalty.item() == pytest.approx((slope - 1) ** 2, abs=1e-6)


def test_of_a_quadratic_critic_it_is_taken_sample_by_sample():
    points = torch.tensor([[[3.0, 4.0]], [[0.0, 0.5]]])  # gradient of |x|^2 / 2 is x, norms 5 and 0.5
    penalty = gradient_penalty(lambda image: 0.5 * image.square().sum(dim=(1, 2)), points)
    assert penalty.item() == pytest.approx(((5 - 1) ** 2 + (0.5 - 1) ** 2) / 2)


def test_a_critic_of_each_voxel_stands_for_the_mean_of_its_scores():
    points = torch.randn(2, 1, 8)
    penalty = gradient_penalty(lambda image: 4 * image[:, 0], points)  # gradient 4 / 8 at each of 8 voxels
    assert penalty.item() == pytest.approx(((8 * 0.5**2) ** 0.5 - 1) ** 2, rel=1e-5)


def test_target_may_be_another():
    points = torch.randn(2, 1, 4)
    assert gradient_penalty(lambda image: 0 * image.sum(dim=(1, 2)), points, target=0.0) == 0


def test_steps_bring_the_critics_slope_to_one():
    critic = nn.Linear(4, 1)
    nn.init.constant_(critic.weight, 2.0)
    optimiser = torch.optim.SGD(critic.parameters(), lr=0.1)
    points = torch.randn(8, 4)
    for _ in range(50):
        optimiser.zero_grad()
        gradient_penalty(critic, points).backward()
        optimiser.step()
    assert critic.weight.norm().item() == pytest.approx(1.0, abs=1e-3)


def test_finite_with_a_gradient_where_the_critic_is_flat():
    critic = nn.Linear(4, 1)
    nn.init.zeros_(critic.weight)
    penalty = gradient_penalty(critic, torch.randn(2, 4))
    penalty.backward()
    assert penalty == 1
    assert torch.isfinite(critic.weight.grad).all()


def test_computed_in_float32_under_autocast_and_without_gradients_around():
    critic = nn.Linear(4, 1)
    points = torch.randn(3, 4)
    expected = gradient_penalty(critic, points)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(gradient_penalty(critic, points), expected)
    with torch.no_grad():
        assert torch.equal(gradient_penalty(critic, points), expected)


def test_points_lie_between_one_share_a_sample():
    real, generated = torch.zeros(50, 2, 3, requires_grad=True), torch.ones(50, 2, 3)
    points = between(real, generated, torch.Generator().manual_seed(0))
    assert torch.equal(points, points[:, :1, :1].expand_as(points))
    share = points[:, 0, 0]
    assert 0 <= share.min() < 0.1
    assert 0.9 < share.max() <= 1
    assert not points.requires_grad
    assert torch.equal(points, between(real, generated, torch.Generator().manual_seed(0)))


def test_shapes_that_differ_are_named():
    with pytest.raises(ValueError, match=r"shapes differ: \(2, 3\) and \(1, 3\)"):
        between(torch.zeros(2, 3), torch.zeros(1, 3))
