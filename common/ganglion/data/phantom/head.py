"""One subject's head: the warp from the template, and its tissue on any grid."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .anatomy import AnatomyDraw, Atlas, Tissue, draw_anatomy, load_atlas, tissue_fractions
from .deformation import draw_shape, sample_vectors, subject_warp
from .fields import Array, Grid, random_field, to_grid


@dataclass
class Head:
    """The anatomy of a subject before any grid is chosen.

    Args:
        atlas: the template.
        draw: how its tissue is sharpened.
        warp: (3, X, Y, Z) template voxel coordinates of the points of `lattice`.
        lattice: coarse grid over the field of view.
        folds: seed of the fields that vary cortex and sulci.
    """

    atlas: Atlas
    draw: AnatomyDraw
    warp: Array
    lattice: Grid
    folds: int

    @classmethod
    def drawn(cls, rng: np.random.Generator, full: Grid, size: float = 0.93, white: float = 0.0) -> Head:
        """Draw a head for the field of view `full`.

        Args:
            rng: where the numbers come from.
            full: the field of view.
            size: mean scale against the template.
            white: shift of the border between grey and white matter in favour of white.
        """
        atlas = load_atlas(full.spacing[0])
        anatomy, shape = draw_anatomy(rng, white), draw_shape(rng, size)
        warp, lattice = subject_warp(rng, atlas, shape, full.extent)
        return cls(atlas, anatomy, warp, lattice, int(rng.integers(2**32)))

    def coordinates(self, grid: Grid) -> Array:
        """Template voxel coordinates (3, X, Y, Z) of the voxels of a grid."""
        return np.stack([to_grid(part, self.lattice, grid) for part in self.warp])

    def tissue(self, grid: Grid) -> Tissue:
        """Tissue fractions on a grid."""
        rng = np.random.default_rng(self.folds)
        folding, sheets = random_field(rng, 4.0, grid), random_field(rng, 7.0, grid)
        return tissue_fractions(self.atlas, self.coordinates(grid), self.draw, folding, sheets)

    def pushed(self, pull: Array, grid: Grid) -> Head:
        """The head after a mass has shoved its tissue; `pull` (3, X, Y, Z), in mm on `grid`, says whence it came."""
        places = np.stack(np.meshgrid(*self.lattice.positions, indexing="ij"))
        at = np.stack([to_grid(part, grid, self.lattice) for part in pull]) + places
        warp = sample_vectors(self.warp, at / np.float32(self.lattice.spacing[0]) - np.float32(0.5))
        return Head(self.atlas, self.draw, warp, self.lattice, self.folds)


def head_box(depth: Array, grid: Grid) -> list[tuple[float, float]]:
    """Limits in mm along each axis of what lies inside the head or up to 8 mm from it."""
    head = depth < 8.0
    limits = []
    for axis, centres in enumerate(grid.positions):
        span = np.flatnonzero(head.any(axis=tuple(a for a in range(3) if a != axis)))
        limits.append((float(centres[span[0]]), float(centres[span[-1]])))
    return limits


def into_field(full: Grid, box: Grid, values: np.ndarray) -> np.ndarray:
    """Values of a box in the full field of view, axes turned to left, posterior, superior."""
    whole = np.zeros(full.shape, dtype=values.dtype)
    whole[box.slices] = values
    return np.ascontiguousarray(whole[::-1, ::-1])


def affine_of(grid: Grid) -> np.ndarray:
    """Axes run left, posterior, superior; at 1 mm the origin is BraTS's own, (0, 239, 0) for 240 voxels."""
    s = grid.spacing
    affine = np.diag([-s[0], -s[1], s[2], 1.0])
    affine[:3, 3] = [-(s[0] - 1) / 2, grid.shape[1] * s[1] - 1 - (s[1] - 1) / 2, (s[2] - 1) / 2]
    return affine
