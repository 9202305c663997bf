"""The ratio below its cap, the tangent above it, and that a generator which ignores its noise is moved."""

import pytest
import torch

from ganglion.losses import mode_seeking

ZERO, ONE = torch.zeros(2, 5), torch.ones(2, 5)  # differ by 1


def cost(difference: float, **arguments: float) -> float:
    image = torch.full((2, 1, 3), 0.25)
    return mode_seeking(ZERO, ONE, image, image + difference, **arguments).item()


@pytest.mark.parametrize("difference", [0.1, 0.2, 0.5, 2.0])
def test_below_the_cap_it_is_the_ratio(difference):
    assert cost(difference) == pytest.approx(1 / (difference + 1e-5), rel=1e-4)


def test_more_diverse_costs_less_also_beyond_the_cap():
    costs = [cost(difference) for difference in (0.0, 0.01, 0.05, 0.0999, 0.1001, 0.2, 1.0)]
    assert costs == sorted(costs, reverse=True)
    assert len(set(costs)) == len(costs)
    assert costs[0] == pytest.approx(20.0, abs=0.01)
    assert costs[3] == pytest.approx(costs[4], abs=0.05)  # no jump at the cap


def test_slope_beyond_the_cap_is_that_at_the_cap(gradient_of):
    def gradient(difference):
        image = torch.full((1, 1, 1), difference)
        return gradient_of(lambda made: mode_seeking(ZERO, ONE, torch.zeros_like(made), made), image).item()

    assert gradient(0.001) == gradient(0.05) == pytest.approx(-100.0, rel=1e-3)  # 1 / 0.1^2
    assert gradient(0.5) == pytest.approx(-4.0, rel=1e-3)


def test_a_generator_that_all_but_ignores_its_noise_learns_to_heed_it():
    weight = torch.tensor(1e-3, requires_grad=True)
    optimiser = torch.optim.Adam([weight], lr=0.05)
    for _ in range(50):
        optimiser.zero_grad()
        mode_seeking(ZERO, ONE, weight * ZERO, weight * ONE).backward()
        optimiser.step()
    assert weight > 0.5


def test_equal_images_and_equal_noise_are_finite(gradient_of):
    image = torch.zeros(2, 1, 3)
    for other in (ONE, ZERO):
        assert torch.isfinite(mode_seeking(ZERO, other, image, image))
        gradient = gradient_of(lambda made: mode_seeking(ZERO, other, image, made), image)  # noqa: B023
        assert torch.isfinite(gradient).all()
    assert mode_seeking(ZERO, ZERO, image, image) == 0


def test_symmetric_and_computed_in_float32():
    first, second = torch.rand(2, 1, 4), torch.rand(2, 1, 4)
    value = mode_seeking(ZERO, ONE, first, second)
    assert mode_seeking(ONE, ZERO, second, first) == value
    with torch.autocast("cpu", dtype=torch.bfloat16):
        half = mode_seeking(ZERO.bfloat16(), ONE.bfloat16(), first.bfloat16(), second.bfloat16())
    assert half.dtype == torch.float32
    assert half.item() == pytest.approx(value.item(), rel=0.05)


def test_smaller_cap_means_a_smaller_bound():
    assert cost(0.0, cap=3.0) == pytest.approx(6.0, abs=0.01)
