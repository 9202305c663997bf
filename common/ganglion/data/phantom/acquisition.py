"""The scanner: slices, blur, bias field, Rician noise, the brain mask and whole numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from .fields import Array, Grid, interpolate_axis, random_field


@dataclass(frozen=True)
class ScanDraw:
    """How one contrast of one subject was acquired.

    Args:
        axis: across which axis the slices lie.
        thickness: slice distance in mm; at most the voxel size means an isotropic scan.
        profile: width of a slice against the distance of slices (below 1 there is a gap).
        offset: where the first slice lies, as a share of the distance.
        blur: in-plane point spread, standard deviation in mm.
        bias: standard deviation of the logarithm of the bias field.
        bias_scale: lattice step of the bias field in mm.
        noise: standard deviation of each channel's noise against white matter, for a voxel of 1 mm in plane.
        noise_blur: standard deviation of the noise's correlation in plane, mm.
        gain: stored value of white matter.
    """

    axis: int
    thickness: float
    profile: float
    offset: float
    blur: float
    bias: float
    bias_scale: float
    noise: float
    noise_blur: float
    gain: float


def draw_scan(rng: np.random.Generator, thick: float = 0.65) -> ScanDraw:
    """Draw one contrast's acquisition; `thick` is the probability of thick slices (2.5 to 6.5 mm)."""
    axis = int(rng.choice([2, 0, 1], p=[0.7, 0.15, 0.15]))
    thickness = float(rng.uniform(2.5, 6.5) if rng.random() < thick else 1.0)
    return ScanDraw(
        axis,
        thickness,
        float(rng.uniform(0.75, 1.1)),
        float(rng.random()),
        float(rng.uniform(0.25, 0.9)),
        float(rng.uniform(0.02, 0.16)),
        float(rng.uniform(60.0, 110.0)),
        float(np.exp(rng.uniform(np.log(0.008), np.log(0.045)))),
        float(rng.uniform(0.3, 0.9)),
        float(np.exp(rng.uniform(np.log(150.0), np.log(1500.0)))),
    )


def rician(rng: np.random.Generator, signal: Array, sigma: float, blur: Sequence[float] = ()) -> Array:
    """Magnitude of a complex signal with Gaussian noise in both channels.

    Source: H. Gudbjartsson, S. Patz, "The Rician distribution of noisy MRI data", Magn Reson Med 34, 1995.

    Args:
        rng: where the numbers come from.
        signal: (X, Y, Z) noise-free magnitude.
        sigma: standard deviation of the noise of each channel, after blurring.
        blur: standard deviation in voxels of the noise's correlation along each axis; white noise if empty.
    """
    channels = []
    for _ in range(2):
        noise = rng.standard_normal(signal.shape, dtype=np.float32)
        for axis, width in enumerate(blur):
            if width > 0.2:
                noise = ndimage.gaussian_filter1d(noise, width, axis=axis, mode="wrap", truncate=3.0)
                noise *= np.float32(1.0 / _filter_norm(width))
        channels.append(noise * np.float32(sigma))
    real = signal + channels[0]
    return np.sqrt(real * real + channels[1] * channels[1])


def _filter_norm(width: float) -> float:
    """Root of the sum of squares of the discrete Gaussian filter: what it does to white noise."""
    radius = int(3.0 * width + 0.5)
    weights = np.exp(-0.5 * (np.arange(-radius, radius + 1) / width) ** 2)
    weights /= weights.sum()
    return float(np.sqrt((weights**2).sum()))


def acquire(rng: np.random.Generator, signal: Array, grid: Grid, draw: ScanDraw) -> Array:
    """What the scanner makes of an ideal image with white matter at 1, back on the image's own grid.

    1. Multiply by a smooth bias field.
    2. Blur in plane; across slices average over the slice profile and take one value a slice (partial volume).
    3. Add Rician noise to the slices, correlated in plane.
    4. Interpolate linearly from the slices to the grid.
    """
    bias = np.exp(np.float32(draw.bias) * random_field(rng, draw.bias_scale, grid))
    image = signal * bias
    spacing = grid.spacing
    thick = draw.thickness > 1.2 * spacing[draw.axis]
    for axis in range(3):
        mm = 0.29 * draw.thickness * draw.profile if thick and axis == draw.axis else draw.blur
        width = np.sqrt(max(mm**2 - (0.29 * spacing[axis]) ** 2, 0.0)) / spacing[axis]
        if width > 0.15:
            image = ndimage.gaussian_filter1d(image, width, axis=axis, mode="nearest", truncate=3.0)
    blur = [0.0 if thick and axis == draw.axis else draw.noise_blur / spacing[axis] for axis in range(3)]
    voxel = float(np.prod([s for axis, s in enumerate(spacing) if axis != draw.axis]))
    sigma = draw.noise / np.sqrt(max(voxel, 1.0))
    if not thick:
        return rician(rng, image, sigma, blur)
    places = grid.positions[draw.axis]
    slices = np.arange(places[0] + (draw.offset - 1.0) * draw.thickness, places[-1] + draw.thickness, draw.thickness)
    slices = slices.astype(np.float32)
    taken = interpolate_axis(image, draw.axis, places, slices)
    taken = rician(rng, taken, sigma, blur)
    return interpolate_axis(taken, draw.axis, slices, places)


def to_integers(image: Array, mask: np.ndarray, gain: float) -> np.ndarray:
    """Whole numbers, exactly 0 outside the mask and at least 1 inside it."""
    scaled = np.clip(np.rint(image * np.float32(gain)), 1, 32767).astype(np.int16)
    scaled[~mask] = 0
    return scaled
