"""Tumours: growth by reaction and diffusion on the subject's tissue, and the labels that come of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from .fields import Array, Grid

Mask = NDArray[np.bool_]
GROWTH_STEP = 2.5  # mm between the points on which tumours grow
PROLIFERATION = 0.5  # per unit of time, with a diffusivity of 1 in white matter
TIME_STEP = 0.15  # below the limit 1/6 of the explicit scheme


@dataclass(frozen=True)
class TumourDraw:
    """One subject's tumour.

    Args:
        kind: "ring" (enhancing rim about necrosis), "solid" (enhancing throughout), "low" (no or little enhancement).
        volume: whole tumour in ml.
        core: share of the core in the whole tumour.
        necrosis: share of the core that does not enhance.
        foci: number of places from which it grows.
        grey: diffusivity of oedema in grey matter against white matter.
        roughness: how much random noise bends the fronts.
        sparing: by how much grey matter delays oedema, against its time of arrival.
        push: mass effect in mm.
    """

    kind: str
    volume: float
    core: float
    necrosis: float
    foci: int
    grey: float
    roughness: float
    sparing: float
    push: float


def draw_tumour(rng: np.random.Generator) -> TumourDraw:
    """Draw a tumour: from 5 to 150 ml, half of them log-uniform, half uniform from 25 ml; most have a rim."""
    small, large = np.exp(rng.uniform(np.log(5.0), np.log(150.0))), rng.uniform(25.0, 150.0)
    volume = float(small if rng.random() < 0.5 else large)
    kind = str(rng.choice(["ring", "solid", "low"], p=[0.6, 0.12, 0.28]))
    if kind == "ring":
        core, necrosis = rng.uniform(0.12, 0.75), rng.uniform(0.15, 0.8)
    elif kind == "solid":
        core, necrosis = rng.uniform(0.04, 0.45), rng.uniform(0.02, 0.2)
    else:
        core, necrosis = rng.uniform(0.15, 0.9), (1.0 if rng.random() < 0.5 else rng.uniform(0.75, 0.97))
    foci = int(rng.choice([1, 2, 3], p=[0.8, 0.14, 0.06]))
    grey = float(np.exp(rng.uniform(np.log(0.01), np.log(0.25))))
    push = float(min(10.0, rng.uniform(0.1, 0.45) * (volume * core * 240.0) ** (1 / 3)))
    roughness, sparing = float(rng.uniform(0.5, 1.1)), float(np.exp(rng.uniform(np.log(0.2), np.log(2.5))))
    return TumourDraw(kind, volume, float(core), float(necrosis), foci, grey, roughness, sparing, push)


def choose_foci(
    rng: np.random.Generator, white: Array, depth: Array, height: Array, count: int
) -> list[tuple[int, ...]]:
    """Places where growth begins: white matter of the hemispheres; further foci lie within 45 mm of the first."""
    allowed = (white > 0.5) & (depth < -5.0) & (depth > -38.0) & (height > 58.0)
    candidates = np.argwhere(allowed)
    first = candidates[int(rng.integers(len(candidates)))]
    foci = [tuple(int(v) for v in first)]
    away = np.sqrt(((candidates - first) ** 2).sum(1)) * GROWTH_STEP
    near = candidates[(away > 15.0) & (away < 45.0)]
    for _ in range(count - 1):
        if len(near):
            foci.append(tuple(int(v) for v in near[int(rng.integers(len(near)))]))
    return foci


def grow(density: Array, diffusivity: Array, target: int, max_steps: int = 900) -> Array:
    """Arrival times of the Fisher-KPP equation dc/dt = div(D grad c) + rho c (1 - c), no flux into D = 0.

    Source: K. R. Swanson, E. C. Alvord, J. D. Murray, "A quantitative model for differential motility of gliomas in
    grey and white matter", Cell Proliferation 33, 317-329, 2000 (faster in white matter); explicit finite volumes.

    Args:
        density: (X, Y, Z) c at the start.
        diffusivity: (X, Y, Z) D in units of lattice steps squared over time, at most 1.
        target: stop when that many points have c above one half.
        max_steps: stop after that many steps.

    Returns:
        (X, Y, Z) time at which c passes one half, a large value where it has not.
    """
    never = np.float32(1e4)
    whole = np.full(density.shape, never, dtype=np.float32)
    box = ndimage.find_objects((diffusivity > 0).astype(np.int8))[0]
    density, diffusivity = density[box], diffusivity[box]
    faces = []
    for axis in range(3):
        first, second = _pair(diffusivity, axis)
        faces.append(2.0 * first * second / np.maximum(first + second, 1e-6) * np.float32(TIME_STEP))
    c = density.astype(np.float32).copy()
    arrival = np.where(c >= 0.5, np.float32(0.0), never)
    active = (diffusivity > 0).astype(np.float32) * np.float32(TIME_STEP * PROLIFERATION)
    for step in range(1, max_steps + 1):
        change = active * c * (1.0 - c)
        for axis, face in enumerate(faces):
            low, high = _pair(c, axis)
            flux = (high - low) * face
            into_low, into_high = _pair(change, axis)
            into_low += flux
            into_high -= flux
        passed = (c < 0.5) & (c + change >= 0.5)
        arrival[passed] = (step - 1 + (0.5 - c[passed]) / change[passed]) * TIME_STEP
        c += change
        if step % 10 == 0 and int((arrival < never).sum()) >= target:
            break
    whole[box] = arrival
    return whole


def _pair(volume: Array, axis: int) -> tuple[Array, Array]:
    """The volume without its last, and without its first, plane along an axis."""
    low: list[slice] = [slice(None)] * 3
    high: list[slice] = [slice(None)] * 3
    low[axis], high[axis] = slice(None, -1), slice(1, None)
    return volume[tuple(low)], volume[tuple(high)]


def arrival_maps(
    rng: np.random.Generator, draw: TumourDraw, white: Array, grey: Array, foci: Sequence[tuple[int, ...]], noise: Array
) -> tuple[Array, Array]:
    """Arrival times of the core and of the oedema on the growth lattice.

    The core grows through grey matter almost as fast as through white; oedema starts from the core and keeps to
    white matter. `noise` (X, Y, Z), unit variance, makes fronts uneven. Neither enters fluid.
    """
    uneven = np.exp(np.float32(2.0 * draw.roughness) * noise)
    points_per_ml = 1000.0 / GROWTH_STEP**3
    solid = np.clip(white + grey, 0.0, 1.0) > 0.5
    core_speed = np.where(solid, np.clip(uneven * (white + 0.6 * grey), 0.02, 3.0) / 3.0, 0.0).astype(np.float32)
    start = np.zeros(white.shape, dtype=np.float32)
    for rank, focus in enumerate(foci):
        start[focus] = 1.0 if rank == 0 else float(rng.uniform(0.2, 0.9))
    core_volume = draw.volume * draw.core
    core_time = grow(
        ndimage.gaussian_filter(start, 0.6, truncate=2.0) * 8.0 * (core_speed > 0),
        core_speed,
        int(1.6 * core_volume * points_per_ml) + 20,
    )
    reached = _within(core_time, core_volume * points_per_ml)
    flow = np.where(solid, np.clip(uneven, 0.02, 3.0) / 3.0 * (white**2 + np.float32(draw.grey) * grey), 0.0)
    flow = flow.astype(np.float32)
    oedema_time = grow(reached.astype(np.float32), flow, int(1.4 * draw.volume * points_per_ml) + 40)
    return core_time, oedema_time


def _within(time: Array, points: float) -> Array:
    """The `points` places that were reached first (at least 4)."""
    count = int(min(max(round(points), 4), time.size - 1))
    return (time <= np.partition(time, count, axis=None)[count]) & (time < 1e4)


def clean_time(time: Array) -> Array:
    """Replace "never" by four times the latest arrival, so that the map can be interpolated and bent."""
    reached = time < 1e4
    late = float(time[reached].max()) if reached.any() else 0.0
    return np.where(reached, time, np.float32(late * 4.0 + 1.0)).astype(np.float32)


@dataclass(frozen=True)
class Tumour:
    """A tumour on the subject's grid.

    Args:
        label: (X, Y, Z) uint8: 0 none, 1 necrotic or non-enhancing core, 2 oedema, 3 enhancing.
        nearness: (X, Y, Z) 1 at the core, falling to 0 at the oedema's rim.
    """

    label: np.ndarray
    nearness: Array


def label_tumour(
    draw: TumourDraw, grid: Grid, core_time: Array, oedema_time: Array, solid: Mask, noise: Array
) -> Tumour:
    """Cut the arrival maps at the times that give the drawn volumes.

    Args:
        draw: the tumour's parameters.
        grid: the subject's grid.
        core_time: (X, Y, Z) arrival of the core there, uneven fronts included.
        oedema_time: (X, Y, Z) the same for oedema.
        solid: (X, Y, Z) whether a voxel is tissue that a tumour can hold.
        noise: (X, Y, Z) field of unit variance that makes the rim's thickness uneven.
    """
    label = np.zeros(grid.shape, dtype=np.uint8)
    core = _earliest(core_time, solid, draw.volume * draw.core / grid.voxel_ml)
    core = ndimage.binary_closing(core, iterations=1) | core
    whole = _earliest(np.where(core, np.float32(-1.0), oedema_time), solid | core, draw.volume / grid.voxel_ml)
    label[whole] = 2
    label[core] = 3
    inside = ndimage.distance_transform_edt(core, sampling=grid.spacing).astype(np.float32)
    if draw.kind == "low":
        score = noise * 1.5 - 0.05 * inside
    else:
        score = -inside * (1.0 + 0.45 * noise) if draw.kind == "ring" else noise
    dead = _earliest(score, core, draw.necrosis * int(core.sum()))
    label[dead & core] = 1
    late = np.where(whole, oedema_time, 0.0)
    nearness = np.clip(1.0 - late / max(float(late.max()), 1e-3), 0.0, 1.0).astype(np.float32)
    return Tumour(label, nearness)


def _earliest(time: Array, where: Mask, count: float) -> Mask:
    """The `count` voxels of `where` with the smallest values."""
    values = time[where]
    wanted = round(count)
    if wanted >= values.size:
        return where.copy()
    limit = np.partition(values, max(wanted - 1, 0))[max(wanted - 1, 0)]
    return where & (time <= limit)
