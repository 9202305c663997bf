"""What is bright and no tumour, the skull stripping and the field of view: what a segmenter must learn to ignore."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from .anatomy import Tissue
from .fields import Array, Grid, random_field


@dataclass(frozen=True)
class Mimics:
    """Bright spots that are no tumour (X, Y, Z).

    Args:
        water: share of free water in white matter: caps about the ventricles and small hyperintensities.
        vessels: share of blood vessels, sinuses and choroid plexus.
        flow: signal of moving fluid on FLAIR against grey matter.
        rim: signal of meninges and skull that stripping has left, against white matter.
    """

    water: Array
    vessels: Array
    flow: Array
    rim: Array


def draw_mimics(rng: np.random.Generator, grid: Grid, tissue: Tissue) -> Mimics:
    """Caps, small hyperintensities, vessels, moving fluid and remains of the skull."""
    water = free_water(rng, grid, tissue)
    tubes = np.abs(random_field(rng, 9.0, grid)) < 0.13
    tubes &= np.abs(random_field(rng, 9.0, grid)) < 0.13
    vessels = tubes & (tissue.csf + 0.3 * rng.random() > 0.35)
    plexus = (tissue.to_ventricle < 1.0) & (random_field(rng, 5.0, grid) > rng.uniform(1.2, 2.5))
    dura = (tissue.depth > -1.0) & (random_field(rng, 12.0, grid) > rng.uniform(0.6, 2.2))
    share = ndimage.gaussian_filter((vessels | plexus | dura).astype(np.float32), 0.6 / grid.spacing[0])
    moving = np.clip(random_field(rng, 14.0, grid) - rng.uniform(0.5, 3.0), 0.0, 1.0)
    patches = np.clip(0.5 + 0.5 * random_field(rng, 10.0, grid), 0.0, 1.5)
    rim = np.float32(rng.uniform(0.1, 1.2)) * patches
    return Mimics(np.clip(water, 0.0, 1.0), share, moving.astype(np.float32), rim.astype(np.float32))


def free_water(rng: np.random.Generator, grid: Grid, tissue: Tissue) -> Array:
    """Free water (X, Y, Z) of white matter that ages: about the ventricles, and in spots."""
    return _periventricular(rng, grid, tissue) + _hyperintensities(rng, grid, tissue)


def _periventricular(rng: np.random.Generator, grid: Grid, tissue: Tissue) -> Array:
    """Free water about the ventricles: a thin lining in all, caps in some."""
    reach = rng.uniform(1.0, 3.0) if rng.random() < 0.7 else rng.uniform(3.0, 9.0)
    strength = rng.uniform(0.1, 0.5) if reach < 3.0 else rng.uniform(0.3, 0.9)
    patchy = np.clip(0.6 + 0.7 * random_field(rng, 12.0, grid), 0.0, 1.5)
    return np.float32(strength) * patchy * np.exp(-np.clip(tissue.to_ventricle, 0, 80) / np.float32(reach))


def _hyperintensities(rng: np.random.Generator, grid: Grid, tissue: Tissue) -> Array:
    """Small spots in deep white matter, in 45 % of the subjects."""
    field = random_field(rng, float(rng.uniform(3.0, 5.0)), grid)
    limit, strength = rng.uniform(2.2, 3.4), rng.uniform(0.3, 1.0)
    if rng.random() > 0.45:
        return np.zeros(grid.shape, dtype=np.float32)
    deep = np.clip((-tissue.depth - 6.0) / 4.0, 0.0, 1.0) * tissue.wm
    return np.clip((field - np.float32(limit)) * 3.0, 0.0, 1.0) * deep * np.float32(strength)


def strip_skull(rng: np.random.Generator, grid: Grid, tissue: Tissue) -> np.ndarray:
    """The brain mask of an imperfect stripping: uneven, up to 4 mm too wide or 2 mm too tight."""
    margin = rng.uniform(-1.0, 2.8) + rng.uniform(0.2, 1.3) * random_field(rng, 12.0, grid)
    mask = tissue.depth < np.clip(margin, -2.0, 4.5)
    return ndimage.binary_fill_holes(mask)


def cut_field(rng: np.random.Generator, grid: Grid, mask: np.ndarray, label: np.ndarray) -> np.ndarray:
    """In every eighth subject the field of view ends within the head, where that leaves most of the tumour."""
    wanted, axis, side, share = (
        rng.random() < 0.125,
        int(rng.choice([1, 2, 2])),
        rng.random() < 0.5,
        rng.uniform(0.05, 0.3),
    )
    keep = np.ones_like(mask)
    count = int(share * grid.shape[axis])
    if wanted and count:
        cut: list[slice] = [slice(None)] * 3
        cut[axis] = slice(None, count) if side else slice(-count, None)
        keep[tuple(cut)] = False
    kept, all_of = int((label[keep & mask] > 0).sum()), int((label[mask] > 0).sum())
    return mask & keep if kept >= 0.85 * all_of else mask
