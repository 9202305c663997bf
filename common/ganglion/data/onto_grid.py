"""Voxels of one grid on another."""

import numpy as np

from .volumes import Volume


def onto_grid(voxels: np.ndarray, volume: Volume, like: Volume, order: int) -> np.ndarray:
    """Voxels (X, Y, Z) of `volume` on another's grid: linear for images (`order` 1), nearest for labels (0)."""
    from scipy.ndimage import affine_transform

    between = np.linalg.inv(volume.affine) @ like.affine
    return np.asarray(
        affine_transform(voxels, between[:3, :3], between[:3, 3], output_shape=like.shape, order=order, mode="constant")
    )
