"""Adult anatomy: the MNI152 maps that nilearn carries, and tissue fractions made from them.

Source: V. S. Fonov et al., "Unbiased nonlinear average age-appropriate brain templates from birth to adulthood",
NeuroImage 47, S102, 2009 (ICBM 152 nonlinear symmetric 2009a), as files inside the nilearn package.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy import ndimage

from .fields import Array

# Median values of the T1 template, which nilearn scales to 0..1.
T1_CSF, T1_GM, T1_WM = 0.28, 0.65, 0.87


@dataclass(frozen=True)
class Atlas:
    """The template in voxel coordinates of 1 mm; `depth` and `to_ventricle` lie on every second voxel.

    Args:
        t1: T1-weighted template, 0..1.
        gm: probability of grey matter.
        wm: probability of white matter.
        depth: signed distance in mm from the surface of the brain, negative inside.
        to_ventricle: distance in mm from the lateral and third ventricles.
        centre: voxel coordinates of the middle of the brain's bounding box.
    """

    t1: Array
    gm: Array
    wm: Array
    depth: Array
    to_ventricle: Array
    centre: tuple[float, float, float]


@lru_cache(maxsize=1)
def load_atlas(spacing: float = 1.0) -> Atlas:
    """Read the template maps from nilearn's own files; no network is used. Kept in memory for the process.

    Args:
        spacing: voxel size in mm of what will be simulated; above 1 the maps are blurred to that resolution first, so
            that a voxel holds the mixture of what lies in it.
    """
    from nilearn import datasets

    loaders = (datasets.load_mni152_template, datasets.load_mni152_gm_template, datasets.load_mni152_wm_template)
    t1, gm, wm = (np.asarray(load(resolution=1).dataobj, dtype=np.float32) for load in loaders)
    mask = np.asarray(datasets.load_mni152_brain_mask(resolution=1).dataobj) > 0
    half = mask[::2, ::2, ::2]
    depth = 2.0 * (ndimage.distance_transform_edt(~half) - ndimage.distance_transform_edt(half))
    fluid = (1.0 - gm - wm)[::2, ::2, ::2] > 0.5
    parts, _ = ndimage.label(fluid & (depth < -14.0))
    sizes = np.bincount(parts.ravel())
    ventricle = np.isin(parts, np.flatnonzero(sizes > 60)[1:])
    to_ventricle = 2.0 * ndimage.distance_transform_edt(~ventricle)
    spans = [np.flatnonzero(mask.any(axis=tuple(a for a in range(3) if a != axis))) for axis in range(3)]
    x, y, z = (float(span[0] + span[-1]) / 2.0 for span in spans)
    if spacing > 1.0:
        sigma = 0.29 * float(np.sqrt(spacing**2 - 1.0))
        t1, gm, wm = (ndimage.gaussian_filter(volume, sigma) for volume in (t1, gm, wm))
    return Atlas(t1, gm, wm, depth.astype(np.float32), to_ventricle.astype(np.float32), (x, y, z))


@dataclass(frozen=True)
class Tissue:
    """Tissue fractions of a subject on a grid; the three sum to 1 inside the head.

    Args:
        csf: fraction of fluid, 1 outside the brain.
        gm: fraction of grey matter.
        wm: fraction of white matter.
        depth: signed distance in mm from the surface of the brain, negative inside.
        to_ventricle: distance in mm from the ventricles.
    """

    csf: Array
    gm: Array
    wm: Array
    depth: Array
    to_ventricle: Array


@dataclass(frozen=True)
class AnatomyDraw:
    """What differs between subjects once the warp is given.

    Args:
        sulci: T1 value of the template below which fluid begins; larger means wider sulci.
        sharpness: slope of the transition between tissues; 1 is the template's own blur.
        cortex: shift of the border between grey and white matter.
        folds: half-width of additional small sulci, in standard deviations of the field whose zeros they follow.
    """

    sulci: float
    sharpness: float
    cortex: float
    folds: float


def draw_anatomy(rng: np.random.Generator, white: float = 0.0) -> AnatomyDraw:
    """Draw one subject's anatomy parameters; `white` shifts the border in favour of white matter."""
    return AnatomyDraw(
        float(rng.uniform(0.52, 0.61)),
        float(rng.uniform(1.9, 2.8)),
        float(rng.uniform(-0.1, 0.06)) + white,
        float(rng.uniform(0.0, 0.16)),
    )


def tissue_fractions(atlas: Atlas, coordinates: Array, draw: AnatomyDraw, folding: Array, sheets: Array) -> Tissue:
    """Sample the template at `coordinates` and turn it into sharp tissue fractions.

    1. Fluid is what the probability maps leave over, or what is darker on the T1 template than `draw.sulci`: the
       average of many brains has filled its narrow sulci with grey matter. Small sulci of the subject's own are
       added where the field `sheets` passes zero within the cortex.
    2. The white share of the rest is sharpened about one half, less so in the deep nuclei and the brain stem, which
       are mixtures in truth.

    Args:
        atlas: the template.
        coordinates: (3, X, Y, Z) voxel coordinates of the template.
        draw: the subject's parameters.
        folding: (X, Y, Z) random field of unit variance that varies the width of sulci and cortex.
        sheets: (X, Y, Z) smoother random field of unit variance; its zeros are surfaces, as sulci are.
    """

    def sample(volume: Array, at: Array, outside: float = 0.0) -> Array:
        return ndimage.map_coordinates(volume, at, order=1, mode="constant", cval=outside)

    t1, gm, wm = (sample(volume, coordinates) for volume in (atlas.t1, atlas.gm, atlas.wm))
    halved = coordinates / np.float32(2.0)
    depth = sample(atlas.depth, halved, 40.0)
    to_ventricle = sample(atlas.to_ventricle, halved, 80.0)
    rest = np.clip(1.0 - gm - wm, 0.0, 1.0)
    dark = np.clip((draw.sulci - t1) / (draw.sulci - T1_CSF) + 0.25, 0.0, 1.0)
    csf = np.maximum(rest, dark)
    csf = np.clip((csf - 0.5 + 0.10 * folding) * draw.sharpness + 0.5, 0.0, 1.0)
    white = wm / np.maximum(gm + wm, 1e-3)
    near = np.clip((depth + 17.0) / 6.0, 0.0, 1.0) * np.clip(1.5 - 3.0 * white, 0.0, 1.0)
    csf = np.maximum(csf, near * np.clip((draw.folds - np.abs(sheets)) * 12.0, 0.0, 0.9))
    csf[depth > 0.0] = 1.0
    deep = np.clip((-depth - 18.0) / 10.0, 0.0, 1.0)
    slope = draw.sharpness * (1.0 - 0.5 * deep)
    white = np.clip((white - 0.5 + draw.cortex + 0.12 * folding) * slope + 0.5, 0.0, 1.0)
    return Tissue(csf, (1.0 - csf) * (1.0 - white), (1.0 - csf) * white, depth, to_ventricle)
