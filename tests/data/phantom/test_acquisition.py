"""The simulated scanner."""

from dataclasses import replace

import numpy as np
import pytest

from ganglion.data.phantom.acquisition import acquire, draw_scan, rician, to_integers
from ganglion.data.phantom.fields import Grid

GRID = Grid((60, 60, 60), (1.0, 1.0, 1.0), (60.0, 60.0, 60.0))


def scan(**changes):
    """A perfect isotropic scan but for the changes."""
    perfect = replace(draw_scan(np.random.default_rng(0)), bias=0.0, noise=0.0, blur=0.0, thickness=1.0, noise_blur=0.0)
    return replace(perfect, **changes)


@pytest.mark.parametrize("blur", [(), (0.8, 0.8, 0.0)])
def test_noise_without_signal_follows_rayleigh(blur):
    """Mean sigma sqrt(pi/2), variance (2 - pi/2) sigma^2 (Gudbjartsson and Patz 1995), correlated or not."""
    noise = rician(np.random.default_rng(0), np.zeros((60, 60, 60), dtype=np.float32), 0.05, blur)
    assert float(noise.mean()) == pytest.approx(0.05 * np.sqrt(np.pi / 2), rel=0.02)
    assert float(noise.std()) == pytest.approx(0.05 * np.sqrt(2 - np.pi / 2), rel=0.02)


def test_noise_on_strong_signal_is_gaussian_with_raised_mean():
    """At high signal-to-noise the mean is sqrt(A^2 + sigma^2) and the standard deviation sigma."""
    image = rician(np.random.default_rng(0), np.ones((60, 60, 60), dtype=np.float32), 0.1)
    assert float(image.mean()) == pytest.approx(np.sqrt(1.01), abs=2e-3)
    assert float(image.std()) == pytest.approx(0.1, rel=0.02)


def test_blurred_noise_is_correlated_along_the_blurred_axis_only():
    noise = rician(np.random.default_rng(0), np.full((60, 60, 60), 10.0, dtype=np.float32), 1.0, (1.0, 0.0, 0.0))
    noise -= noise.mean()
    along, across = (float((noise * np.roll(noise, 1, axis)).mean() / noise.var()) for axis in (0, 1))
    assert along > 0.6
    assert abs(across) < 0.03


def test_a_perfect_scan_changes_nothing():
    signal = np.random.default_rng(0).random(GRID.shape, dtype=np.float32)
    np.testing.assert_allclose(acquire(np.random.default_rng(1), signal, GRID, scan()), signal, atol=1e-6)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_thick_slices_blur_across_slices_only(axis):
    signal = np.random.default_rng(0).random(GRID.shape, dtype=np.float32)
    image = acquire(np.random.default_rng(1), signal, GRID, scan(axis=axis, thickness=5.0))
    steps = [float(np.abs(np.diff(image, axis=k)).mean()) for k in range(3)]
    others = [step for k, step in enumerate(steps) if k != axis]
    assert steps[axis] < 0.4 * min(others)
    assert float(image.mean()) == pytest.approx(float(signal.mean()), abs=0.02)


def test_bias_field_is_smooth_and_of_the_drawn_strength():
    ones = np.ones(GRID.shape, dtype=np.float32)
    image = acquire(np.random.default_rng(1), ones, GRID, scan(bias=0.1, bias_scale=20.0))
    assert 0.03 < float(np.log(image).std()) < 0.2
    assert float(np.abs(np.diff(image, axis=0)).max()) < 0.05


def test_whole_numbers_are_zero_outside_and_positive_inside():
    mask = np.zeros(GRID.shape, dtype=bool)
    mask[10:50, 10:50, 10:50] = True
    values = to_integers(np.random.default_rng(0).normal(0.2, 0.5, GRID.shape).astype(np.float32), mask, 300.0)
    assert values.dtype == np.int16
    assert not values[~mask].any()
    assert values[mask].min() >= 1
