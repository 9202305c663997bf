"""The likelihood against torch's normal distribution, and where its least value lies."""

import math

import pytest
import torch

from ganglion.losses import noise_recovery


def test_value_is_the_normal_likelihood_without_its_constant():
    generator = torch.Generator().manual_seed(0)
    noise, mean, log_deviation = (torch.randn(3, 7, generator=generator, dtype=torch.float64) for _ in range(3))
    likelihood = torch.distributions.Normal(mean, log_deviation.exp()).log_prob(noise).sum(dim=1).mean()
    expected = -likelihood.item() - 7 * 0.5 * math.log(2 * math.pi)
    assert noise_recovery(noise, mean, log_deviation).item() == pytest.approx(expected, rel=1e-12)


def test_a_better_guess_costs_less_and_honesty_about_the_error_pays():
    noise = torch.full((2, 3), 0.5)
    means = [noise_recovery(noise, noise + error, torch.zeros(2, 3)).item() for error in (0.0, 0.1, 0.5, 2.0)]
    assert means == sorted(means)
    deviations = [noise_recovery(noise, noise + 0.5, torch.full((2, 3), math.log(sd))) for sd in (0.1, 0.5, 2.0)]
    assert deviations[1] == min(deviations)


def test_finite_at_the_extremes_and_in_float32(gradient_of):
    noise, mean = torch.ones(1, 2), torch.full((1, 2), -1e3, dtype=torch.bfloat16)
    for log_deviation in (torch.full((1, 2), 1e3), torch.full((1, 2), -1e3)):
        value = noise_recovery(noise, mean, log_deviation.bfloat16())
        assert value.dtype == torch.float32
        assert torch.isfinite(value)
        assert torch.isfinite(gradient_of(lambda guess: noise_recovery(noise, guess, log_deviation), mean)).all()  # noqa: B023
