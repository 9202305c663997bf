"""Coarse regions of the template: where cerebellum, brain stem and basal ganglia lie.

nilearn's files hold no map of structures, so these are drawn with planes and cylinders in MNI coordinates (mm; x
right, y forward, z up, from the anterior commissure). They are good for labels to train on, not for anatomy.
"""

from __future__ import annotations

import numpy as np

from .anatomy import Atlas
from .fields import Array

# World coordinates of voxel (0, 0, 0) of nilearn's 1 mm maps.
ORIGIN = (-98.0, -134.0, -72.0)
CEREBELLUM, BRAIN_STEM, BASAL_GANGLIA = 1, 2, 3


def region_of(atlas: Atlas, coordinates: Array) -> np.ndarray:
    """Region code of points given in template voxel coordinates (3, X, Y, Z); 0 is the rest of the brain.

    The cerebellum lies behind the stem under a slanting plane (the tentorium), the stem in a leaning column, the basal
    ganglia and the thalamus within 32 mm of the ventricles' sides at the height of the third ventricle.
    """
    x, y, z = (coordinates[k] + np.float32(ORIGIN[k]) for k in range(3))
    tent = -6.0 + 0.33 * (y + 40.0) - 0.010 * x**2
    column = (np.abs(x) < 18.0) & (np.abs(y + 26.0 + 0.25 * (z + 30.0)) < 17.0)
    regions = np.zeros(coordinates.shape[1:], dtype=np.uint8)
    flank = (np.abs(x) > 6.0) & (np.abs(x) < 36.0)
    deep = flank & (y > -32.0) & (y < 26.0) & (z > -10.0) & (z < 24.0)
    deep &= np.abs(x) < 36.0 - 0.02 * (y + 2.0) ** 2 / 2.0
    regions[deep] = BASAL_GANGLIA
    regions[(y < -36.0) & (z < tent)] = CEREBELLUM
    regions[column & (z < -8.0)] = BRAIN_STEM
    return regions
