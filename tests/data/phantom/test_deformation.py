"""The warp from subject to template."""

import numpy as np
import pytest
from scipy import ndimage

from ganglion.data.phantom.anatomy import load_atlas
from ganglion.data.phantom.deformation import draw_shape, integrate, mass_effect, rotation, sample_vectors, subject_warp
from ganglion.data.phantom.fields import Grid, lattice, random_field

EXTENT = (240.0, 240.0, 155.0)


def jacobian(coordinates, step):
    """Determinant of the derivative of (3, X, Y, Z) coordinates in mm."""
    parts = np.stack([np.stack(np.gradient(part, step)) for part in coordinates])
    return np.linalg.det(np.moveaxis(parts, (0, 1), (-2, -1)))


def test_rotations_keep_lengths_and_handedness():
    matrix = rotation((0.3, -0.2, 0.1))
    np.testing.assert_allclose(matrix @ matrix.T, np.eye(3), atol=1e-6)
    assert np.linalg.det(matrix) == pytest.approx(1.0, abs=1e-6)


def test_the_negative_velocity_undoes_the_deformation():
    grid = lattice((80.0, 80.0, 80.0), 4.0)
    rng = np.random.default_rng(0)
    velocity = np.stack([4.0 * random_field(rng, 20.0, grid) for _ in range(3)]).astype(np.float32)
    forward, back = integrate(velocity, 4.0), integrate(-velocity, 4.0)
    index = np.indices(grid.shape, dtype=np.float32)
    round_trip = back + sample_vectors(forward, index + back / np.float32(4.0))
    inner = (slice(None), *(slice(4, -4),) * 3)
    assert float(np.abs(forward[inner]).mean()) > 1.5
    assert float(np.abs(round_trip[inner]).mean()) < 0.2


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_no_head_folds_and_sizes_differ(seed):
    """A diffeomorphism's Jacobian has one sign inside the head; a mirrored head has the other."""
    rng = np.random.default_rng(seed)
    shape = draw_shape(rng)
    points, grid = subject_warp(rng, load_atlas(3.0), shape, EXTENT)
    inner = (slice(8, -8), slice(8, -8), slice(6, -6))
    determinant = jacobian(points, grid.spacing[0])[inner] * (-1.0 if shape.mirrored else 1.0)
    assert float((determinant <= 0).mean()) < 1e-3
    assert float(np.median(determinant)) == pytest.approx(1.0 / np.prod(shape.scale), rel=0.15)


def test_mass_effect_takes_tissue_from_nearer_the_tumour():
    """Where the mass pushes, the point that is shown lies nearer to the tumour, by no more than the drawn push."""
    grid = Grid((40, 40, 40), (2.5, 2.5, 2.5), (100.0, 100.0, 100.0))
    core = np.zeros(grid.shape, dtype=np.float32)
    core[18:22, 18:22, 18:22] = 1.0
    pull = mass_effect(grid, core, 6.0)
    assert float(np.sqrt((pull**2).sum(0)).max()) == pytest.approx(6.0, rel=1e-4)
    away = np.stack(np.meshgrid(*[np.arange(40) - 19.5] * 3, indexing="ij"))
    outward = (pull * away).sum(0)
    shell = ndimage.binary_dilation(core > 0, iterations=3)
    assert (outward[shell] <= 1e-6).all()


def test_no_core_no_push():
    grid = Grid((8, 8, 8), (2.5, 2.5, 2.5), (20.0, 20.0, 20.0))
    assert not mass_effect(grid, np.zeros(grid.shape, dtype=np.float32), 6.0).any()
