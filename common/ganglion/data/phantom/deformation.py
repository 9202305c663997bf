"""Shape: how points of a subject map to points of the template."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from .anatomy import Atlas
from .fields import Array, Grid, lattice, random_field

WARP_STEP = 4.0  # mm between the points on which displacements are kept
SQUARINGS = 5


@dataclass(frozen=True)
class ShapeDraw:
    """Size, position and deformation of one subject's head.

    Args:
        scale: size along each axis against the template; the template is larger than most heads.
        angles: rotations about the three axes in radians.
        shift: displacement of the head from the middle of the field of view in mm.
        mirrored: whether left and right are exchanged.
        bends: `(scale in mm, amplitude in mm)` of each random velocity field.
        ventricles: displacement in mm of the ventricles' walls, outwards.
    """

    scale: tuple[float, float, float]
    angles: tuple[float, float, float]
    shift: tuple[float, float, float]
    mirrored: bool
    bends: tuple[tuple[float, float], ...]
    ventricles: float


def draw_shape(rng: np.random.Generator, size: float = 0.93) -> ShapeDraw:
    """Draw one subject's shape; `size` is the mean scale against the template."""
    scale = size * rng.normal(1.0, 0.03) * rng.normal(1.0, 0.02, 3)
    angles = rng.normal(0.0, (0.09, 0.04, 0.05))
    shift = rng.normal(0.0, (3.0, 5.0, 4.0))
    bends = (
        (30.0, float(rng.uniform(2.0, 5.0))),
        (14.0, float(rng.uniform(1.0, 2.2))),
        (7.0, float(rng.uniform(0.5, 1.2))),
    )
    ventricles = float(rng.uniform(-0.5, 1.0) if rng.random() < 0.5 else rng.uniform(0.5, 5.0))
    return ShapeDraw(
        (float(scale[0]), float(scale[1]), float(scale[2])),
        (float(angles[0]), float(angles[1]), float(angles[2])),
        (float(shift[0]), float(shift[1]), float(shift[2])),
        bool(rng.random() < 0.5),
        bends,
        ventricles,
    )


def rotation(angles: Sequence[float]) -> Array:
    """The product of the rotations about x, y and z."""
    matrix = np.eye(3)
    for axis, angle in enumerate(angles):
        turn = np.eye(3)
        a, b = (axis + 1) % 3, (axis + 2) % 3
        turn[a, a] = turn[b, b] = np.cos(angle)
        turn[a, b], turn[b, a] = -np.sin(angle), np.sin(angle)
        matrix = matrix @ turn
    return matrix.astype(np.float32)


def integrate(velocity: Array, step: float) -> Array:
    """Displacement of the diffeomorphism that a stationary velocity field generates, by scaling and squaring.

    Source: V. Arsigny et al., "A log-Euclidean framework for statistics on diffeomorphisms", MICCAI 2006.

    Args:
        velocity: (3, X, Y, Z) in mm.
        step: lattice step in mm.
    """
    displacement = velocity / np.float32(2**SQUARINGS)
    index = np.indices(velocity.shape[1:], dtype=np.float32)
    for _ in range(SQUARINGS):
        displacement = displacement + sample_vectors(displacement, index + displacement / np.float32(step))
    return displacement


def sample_vectors(vectors: Array, at: Array) -> Array:
    """Values of a (3, X, Y, Z) field at the voxel coordinates `at` (3, ...), nearest value outside."""
    return np.stack([ndimage.map_coordinates(part, at, order=1, mode="nearest") for part in vectors])


def subject_warp(
    rng: np.random.Generator, atlas: Atlas, draw: ShapeDraw, extent: tuple[float, float, float]
) -> tuple[Array, Grid]:
    """Template voxel coordinates (3, X, Y, Z) of every point of a coarse lattice over the field of view.

    1. Shift, rotate, mirror and scale about the middle of the field of view.
    2. Add the displacement of a random diffeomorphism (three scales).
    3. Move the ventricles' walls: near them, points are taken from nearer to the ventricles than they lie.

    Returns:
        The coordinates and the lattice.
    """
    grid = lattice(extent, WARP_STEP)
    velocity = np.zeros((3, *grid.shape), dtype=np.float32)
    for scale, amplitude in draw.bends:
        for axis in range(3):
            velocity[axis] += np.float32(amplitude) * random_field(rng, scale, grid)
    points = np.stack(np.meshgrid(*grid.positions, indexing="ij")).astype(np.float32)
    points += integrate(velocity, WARP_STEP)
    middle = np.asarray(extent, dtype=np.float32) / 2 + np.asarray(draw.shift, dtype=np.float32)
    points -= middle.reshape(3, 1, 1, 1)
    turn = rotation(draw.angles)
    points = np.stack([sum(turn[i, j] * points[j] for j in range(3)) / np.float32(draw.scale[i]) for i in range(3)])
    if draw.mirrored:
        points[0] *= -1
    points += np.asarray(atlas.centre, dtype=np.float32).reshape(3, 1, 1, 1)
    return widen_ventricles(atlas, points, draw.ventricles), grid


def widen_ventricles(atlas: Atlas, points: Array, amount: float) -> Array:
    """Take points near the ventricles from `amount` mm nearer to them, fading out over 25 mm."""
    if amount == 0.0:
        return points
    halved = points / np.float32(2.0)
    distance = ndimage.gaussian_filter(atlas.to_ventricle, 1.5)
    near = ndimage.map_coordinates(distance, halved, order=1, mode="nearest")
    fade = np.float32(amount) * np.exp(-((near / 14.0) ** 2))
    for axis in range(3):
        slope = ndimage.map_coordinates(np.gradient(distance, axis=axis) / 2.0, halved, order=1, mode="nearest")
        points[axis] -= fade * np.clip(slope, -1.0, 1.0)
    return points


def mass_effect(grid: Grid, core: Array, push: float) -> Array:
    """Pull-back displacement (3, X, Y, Z) in mm of a growing core that shoves its surroundings away.

    Args:
        grid: the lattice of the result.
        core: (X, Y, Z) share of tumour core at each lattice point.
        push: largest displacement in mm.
    """
    step = grid.spacing[0]
    pressure = ndimage.gaussian_filter(core.astype(np.float32), 9.0 / step)
    slopes = np.stack(np.gradient(pressure, step)).astype(np.float32)
    largest = float(np.sqrt((slopes**2).sum(0)).max())
    return slopes * np.float32(push / largest) if largest > 0 else slopes
