"""Grids and random fields."""

import numpy as np
import pytest

from ganglion.data.phantom.fields import Grid, interpolate_axis, lattice, random_field, to_grid

EXTENT = (60.0, 48.0, 36.0)


def grid(spacing):
    x, y, z = (round(e / spacing) for e in EXTENT)
    return Grid((x, y, z), (spacing, spacing, spacing), EXTENT)


def test_positions_are_voxel_centres_of_the_whole_field():
    box = Grid((2, 1, 1), (3.0, 3.0, 3.0), EXTENT, start=(4, 0, 0))
    np.testing.assert_allclose(box.positions[0], [13.5, 16.5])


def test_box_keeps_what_lies_between_the_limits():
    part = grid(2.0).box([(10.0, 20.0), (0.0, 48.0), (5.0, 9.0)])
    assert part.start == (5, 0, 2)
    assert part.shape == (5, 24, 3)
    np.testing.assert_allclose(part.positions[0], grid(2.0).positions[0][part.slices[0]])


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_linear_functions_are_interpolated_exactly_and_clamped(axis):
    source = np.array([0.0, 2.0, 4.0, 6.0], dtype=np.float32)
    shape = [1, 1, 1]
    shape[axis] = 4
    target = np.array([-5.0, 0.5, 3.0, 6.0, 9.0], dtype=np.float32)
    values = interpolate_axis((3 * source + 1).reshape(shape), axis, source, target)
    np.testing.assert_allclose(values.ravel(), [1.0, 2.5, 10.0, 19.0, 19.0], rtol=1e-6)


def test_a_field_is_the_same_whatever_the_spacing():
    """Every third voxel of 1 mm has its centre where a voxel of 3 mm has it."""
    fine = random_field(np.random.default_rng(3), 8.0, grid(1.0))
    coarse = random_field(np.random.default_rng(3), 8.0, grid(3.0))
    np.testing.assert_allclose(fine[1::3, 1::3, 1::3], coarse, atol=1e-5)


def test_a_field_has_mean_zero_and_variance_near_one():
    """On the lattice itself the variance is 1; between its points linear interpolation lowers it."""
    extent = (300.0, 300.0, 300.0)
    field = random_field(np.random.default_rng(0), 5.0, lattice(extent, 5.0))
    assert abs(float(field.mean())) < 0.05
    assert float(field.var()) == pytest.approx(1.0, abs=0.06)


def test_a_field_is_smooth_over_its_scale():
    field = random_field(np.random.default_rng(0), 12.0, grid(1.0))
    assert float(np.abs(np.diff(field, axis=0)).max()) < 0.35


def test_to_grid_restores_values_at_common_points():
    coarse = lattice(EXTENT, 4.0)
    values = np.random.default_rng(0).standard_normal(coarse.shape).astype(np.float32)
    np.testing.assert_allclose(to_grid(values, coarse, coarse), values, atol=1e-6)
