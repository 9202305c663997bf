"""Grids, separable linear interpolation and smooth random fields: the tools that every step of the simulation uses.

Only element-wise operations and separable filters are used, never a threaded matrix product, so that the same
seed gives the same bytes whatever the number of threads.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

Array = NDArray[np.float32]


@dataclass(frozen=True)
class Grid:
    """A box of voxels in the subject's frame, whose corner is 0 mm and whose axes run right, anterior, superior.

    Args:
        shape: voxels along each axis.
        spacing: voxel size in mm along each axis.
        extent: size of the full field of view in mm.
        start: index of the first voxel within the full field of view; not 0 for a box cut out of it.
    """

    shape: tuple[int, int, int]
    spacing: tuple[float, float, float]
    extent: tuple[float, float, float]
    start: tuple[int, int, int] = (0, 0, 0)

    @property
    def positions(self) -> tuple[Array, Array, Array]:
        """Voxel centres in mm along each axis."""
        axes = zip(self.shape, self.spacing, self.start, strict=True)
        x, y, z = ((np.arange(n, dtype=np.float32) + (k + 0.5)) * np.float32(s) for n, s, k in axes)
        return x, y, z

    @property
    def voxel_ml(self) -> float:
        """Volume of one voxel in ml."""
        return float(np.prod(self.spacing)) / 1000.0

    @property
    def slices(self) -> tuple[slice, slice, slice]:
        """Where the box lies in the full field of view."""
        x, y, z = (slice(k, k + n) for k, n in zip(self.start, self.shape, strict=True))
        return x, y, z

    def box(self, mask_positions: Sequence[tuple[float, float]]) -> Grid:
        """The part of the grid between `(low, high)` mm of each axis, at least one voxel wide."""
        start, shape = [], []
        for centres, (low, high) in zip(self.positions, mask_positions, strict=True):
            inside = np.flatnonzero((centres >= low) & (centres <= high))
            start.append(int(inside[0]))
            shape.append(int(inside[-1] - inside[0] + 1))
        return replace(self, shape=(shape[0], shape[1], shape[2]), start=(start[0], start[1], start[2]))


def lattice(extent: tuple[float, float, float], step: float) -> Grid:
    """A coarse grid with voxel centres every `step` mm that covers `extent` mm of each axis."""
    x, y, z = (int(np.ceil(e / step)) + 1 for e in extent)
    return Grid((x, y, z), (step, step, step), extent)


def interpolate_axis(volume: Array, axis: int, source: Array, target: Array) -> Array:
    """Linear interpolation along one axis from `source` (evenly spaced positions) to `target`, clamped at the ends."""
    step = float(source[1] - source[0]) if source.size > 1 else 1.0
    at = np.clip((target - source[0]) / step, 0, source.size - 1)
    low = np.minimum(at.astype(np.intp), max(source.size - 2, 0))
    shape = [1, 1, 1]
    shape[axis] = target.size
    weight = (at - low).astype(np.float32).reshape(shape)
    first = np.take(volume, low, axis=axis)
    second = np.take(volume, np.minimum(low + 1, source.size - 1), axis=axis)
    second -= first
    second *= weight
    second += first
    return second


def to_grid(volume: Array, source: Grid, target: Grid) -> Array:
    """Linear interpolation of a volume from one grid to another of the same frame."""
    pairs = zip(source.positions, target.positions, strict=True)
    order = sorted(enumerate(pairs), key=lambda item: item[1][1].size / item[1][0].size)
    for axis, (old, new) in order:
        volume = interpolate_axis(volume, axis, old, new)
    return volume


def random_field(rng: np.random.Generator, scale: float, grid: Grid) -> Array:
    """A smooth Gaussian random field with mean 0 and variance about 1.

    It is drawn on a lattice of `scale` mm that covers the whole field of view and then interpolated, so that it is
    the same field whatever the spacing of `grid`.

    Args:
        rng: where the numbers come from.
        scale: lattice step in mm; the field's correlation length is about 1.5 times that.
        grid: where the field is wanted.
    """
    coarse = lattice(grid.extent, scale)
    noise = rng.standard_normal(coarse.shape, dtype=np.float32)
    sigma = 0.8
    smooth = ndimage.gaussian_filter(noise, sigma, mode="wrap")
    gain = (2.0 * np.sqrt(np.pi) * sigma) ** 1.5  # inverse of the norm of the filter in three dimensions
    return to_grid(smooth * np.float32(gain), coarse, grid)
