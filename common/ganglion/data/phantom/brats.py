"""The `brats` cohort: four contrasts of skull-stripped heads with a tumour, in the geometry of the BraTS challenge."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from .acquisition import acquire, draw_scan, to_integers
from .anatomy import Tissue, draw_anatomy, load_atlas, tissue_fractions
from .deformation import draw_shape, mass_effect, sample_vectors, subject_warp
from .fields import Array, Grid, lattice, random_field, to_grid
from .signal import ADULT, Sequence, Substance, draw_flair, draw_t1, draw_t2, ramp
from .tumour import (
    GROWTH_STEP,
    Tumour,
    TumourDraw,
    arrival_maps,
    choose_foci,
    clean_time,
    draw_tumour,
    label_tumour,
)

EXTENT = (240.0, 240.0, 155.0)
CONTRASTS = ("T1", "T1ce", "T2", "FLAIR")


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


def field_of_view(spacing: float) -> Grid:
    """The whole grid of the cohort: 240 x 240 x 155 voxels at 1 mm."""
    x, y, z = (max(8, round(e / spacing)) for e in EXTENT)
    return Grid((x, y, z), (spacing, spacing, spacing))


def affine_of(grid: Grid) -> np.ndarray:
    """BraTS's own affine (axes run left, posterior, superior), half a voxel considered at other spacings."""
    s = grid.spacing
    affine = np.diag([-s[0], -s[1], s[2], 1.0])
    affine[:3, 3] = [-(s[0] - 1) / 2, grid.shape[1] * s[1] - 1 - (s[1] - 1) / 2, (s[2] - 1) / 2]
    return affine


def simulate(stream: np.random.SeedSequence, spacing: float) -> tuple[dict[str, np.ndarray], np.ndarray, np.ndarray]:
    """One subject: images by contrast (int16), label (uint8), affine.

    The random numbers of shape, tumour, mimics, contrasts and scanner come from five separate streams.
    """
    shape_rng, tumour_rng, mimic_rng, signal_rng, scan_rng = (np.random.default_rng(s) for s in stream.spawn(5))
    full = field_of_view(spacing)
    atlas = load_atlas(spacing)
    anatomy, shape = draw_anatomy(shape_rng), draw_shape(shape_rng)
    warp, warp_grid = subject_warp(shape_rng, atlas, shape, EXTENT)
    folds = int(shape_rng.integers(2**32))

    def tissue_on(grid: Grid, coordinates: Array) -> Tissue:
        rng = np.random.default_rng(folds)
        folding, sheets = random_field(rng, EXTENT, 4.0, grid), random_field(rng, EXTENT, 7.0, grid)
        return tissue_fractions(atlas, coordinates, anatomy, folding, sheets)

    growth = lattice(EXTENT, GROWTH_STEP)
    coarse = tissue_on(growth, np.stack([to_grid(part, warp_grid, growth) for part in warp]))
    height = to_grid(warp[2], warp_grid, growth)
    draw, times, core = grow_tumour(tumour_rng, coarse, height, growth)
    pull = mass_effect(growth, core, draw.push)
    index = np.indices(growth.shape, dtype=np.float32) + pull / np.float32(GROWTH_STEP)
    times = tuple(ndimage.map_coordinates(t, index, order=1, mode="nearest") for t in times)
    places = np.stack(np.meshgrid(*warp_grid.positions, indexing="ij"))
    at = np.stack([to_grid(part, growth, warp_grid) for part in pull]) + places
    warp = sample_vectors(warp, at / np.float32(warp_grid.spacing[0]) - np.float32(0.5))
    grid = full.box(_head_box(coarse.depth, growth))
    tissue = tissue_on(grid, np.stack([to_grid(part, warp_grid, grid) for part in warp]))
    tumour = cut_labels(tumour_rng, draw, grid, tissue, [to_grid(t, growth, grid) for t in times])
    mimics = draw_mimics(mimic_rng, grid, tissue, tumour)
    mask = strip_skull(mimic_rng, grid, tissue)
    mask = cut_field(mimic_rng, grid, mask, tumour.label)
    ideal = contrasts_of(signal_rng, grid, tissue, tumour, draw, mimics)
    images = {}
    for name, signal in ideal.items():
        scan = draw_scan(scan_rng)
        image = acquire(scan_rng, signal, grid, EXTENT, scan)
        images[name] = _into(full, grid, to_integers(image, mask, scan.gain))
    label = np.where(mask, tumour.label, 0).astype(np.uint8)
    return images, _into(full, grid, label), affine_of(full)


def _into(full: Grid, box: Grid, values: np.ndarray) -> np.ndarray:
    """Values of a box in the full field of view, axes turned to left, posterior, superior."""
    whole = np.zeros(full.shape, dtype=values.dtype)
    whole[box.slices] = values
    return np.ascontiguousarray(whole[::-1, ::-1])


def _head_box(depth: Array, grid: Grid) -> list[tuple[float, float]]:
    """Limits in mm of what lies inside the head or up to 8 mm from it."""
    head = depth < 8.0
    limits = []
    for axis, centres in enumerate(grid.positions):
        span = np.flatnonzero(head.any(axis=tuple(a for a in range(3) if a != axis)))
        limits.append((float(centres[span[0]]), float(centres[span[-1]])))
    return limits


def grow_tumour(
    rng: np.random.Generator, tissue: Tissue, height: Array, grid: Grid
) -> tuple[TumourDraw, tuple[Array, ...], Array]:
    """Draw a tumour and let it grow on the lattice.

    Returns:
        The tumour's parameters, the arrival times of core and oedema, and the core's share (X, Y, Z).
    """
    draw = draw_tumour(rng)
    noise = 0.75 * random_field(rng, EXTENT, 6.0, grid) + 0.75 * random_field(rng, EXTENT, 14.0, grid)
    foci = choose_foci(rng, tissue.wm, tissue.depth, height, draw.foci)
    white = np.where(tissue.depth < 0, tissue.wm, 0).astype(np.float32)
    grey = np.where(tissue.depth < 0, tissue.gm, 0).astype(np.float32)
    core_time, oedema_time = arrival_maps(rng, draw, white, grey, foci, noise)
    limit = np.partition(core_time, int(draw.volume * draw.core * 1000 / GROWTH_STEP**3) + 4, axis=None)
    core = (core_time <= limit[int(draw.volume * draw.core * 1000 / GROWTH_STEP**3) + 4]) & (core_time < 1e4)
    return draw, (clean_time(core_time), clean_time(oedema_time)), core.astype(np.float32)


def cut_labels(rng: np.random.Generator, draw: TumourDraw, grid: Grid, tissue: Tissue, times: list[Array]) -> Tumour:
    """Labels on the subject's grid; fine noise is added to the fronts so that they are not as smooth as the lattice."""
    fine = random_field(rng, EXTENT, 3.0, grid)
    uneven = random_field(rng, EXTENT, 6.0, grid)
    lobes = 0.8 * random_field(rng, EXTENT, 8.0, grid) + 0.6 * random_field(rng, EXTENT, 15.0, grid)
    bend = np.float32(0.35 * draw.roughness)
    core_time = times[0] * np.exp(bend * (lobes + 0.25 * fine))
    delay = 1.0 + np.float32(draw.sparing) * tissue.gm / np.maximum(tissue.gm + tissue.wm, 1e-3)
    oedema_time = times[1] * np.exp(bend * (lobes + uneven + 0.35 * fine)) * delay
    solid = (tissue.csf < 0.5) & (tissue.depth < -0.5)
    return label_tumour(draw, grid, core_time, oedema_time, solid, uneven)


def draw_mimics(rng: np.random.Generator, grid: Grid, tissue: Tissue, tumour: Tumour) -> Mimics:
    """Caps, small hyperintensities, vessels, moving fluid and remains of the skull."""
    water = _periventricular(rng, grid, tissue) + _hyperintensities(rng, grid, tissue)
    tubes = np.abs(random_field(rng, EXTENT, 9.0, grid)) < 0.13
    tubes &= np.abs(random_field(rng, EXTENT, 9.0, grid)) < 0.13
    vessels = tubes & (tissue.csf + 0.3 * rng.random() > 0.35)
    plexus = (tissue.to_ventricle < 1.0) & (random_field(rng, EXTENT, 5.0, grid) > rng.uniform(1.2, 2.5))
    dura = (tissue.depth > -1.0) & (random_field(rng, EXTENT, 12.0, grid) > rng.uniform(0.6, 2.2))
    share = ndimage.gaussian_filter((vessels | plexus | dura).astype(np.float32), 0.6 / grid.spacing[0])
    moving = np.clip(random_field(rng, EXTENT, 14.0, grid) - rng.uniform(0.5, 3.0), 0.0, 1.0)
    patches = np.clip(0.5 + 0.5 * random_field(rng, EXTENT, 10.0, grid), 0.0, 1.5)
    rim = np.float32(rng.uniform(0.1, 1.2)) * patches
    return Mimics(np.clip(water, 0.0, 1.0), share, moving.astype(np.float32), rim.astype(np.float32))


def _periventricular(rng: np.random.Generator, grid: Grid, tissue: Tissue) -> Array:
    """Free water about the ventricles: a thin lining in all, caps in some."""
    reach = rng.uniform(1.0, 3.0) if rng.random() < 0.7 else rng.uniform(3.0, 9.0)
    strength = rng.uniform(0.1, 0.5) if reach < 3.0 else rng.uniform(0.3, 0.9)
    patchy = np.clip(0.6 + 0.7 * random_field(rng, EXTENT, 12.0, grid), 0.0, 1.5)
    return np.float32(strength) * patchy * np.exp(-np.clip(tissue.to_ventricle, 0, 80) / np.float32(reach))


def _hyperintensities(rng: np.random.Generator, grid: Grid, tissue: Tissue) -> Array:
    """Small spots in deep white matter, in 45 % of the subjects."""
    field = random_field(rng, EXTENT, float(rng.uniform(3.0, 5.0)), grid)
    limit, strength = rng.uniform(2.2, 3.4), rng.uniform(0.3, 1.0)
    if rng.random() > 0.45:
        return np.zeros(grid.shape, dtype=np.float32)
    deep = np.clip((-tissue.depth - 6.0) / 4.0, 0.0, 1.0) * tissue.wm
    return np.clip((field - np.float32(limit)) * 3.0, 0.0, 1.0) * deep * np.float32(strength)


def strip_skull(rng: np.random.Generator, grid: Grid, tissue: Tissue) -> np.ndarray:
    """The brain mask of an imperfect stripping: uneven, up to 4 mm too wide or 2 mm too tight."""
    margin = rng.uniform(-1.0, 2.8) + rng.uniform(0.2, 1.3) * random_field(rng, EXTENT, 12.0, grid)
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


def contrasts_of(
    rng: np.random.Generator, grid: Grid, tissue: Tissue, tumour: Tumour, draw: TumourDraw, mimics: Mimics
) -> dict[str, Array]:
    """Ideal images with white matter at 1, by contrast."""
    field = 1.5 if rng.random() < 0.55 else 3.0
    healthy = {name: s.varied(rng, 0.05) for name, s in ADULT[field].items()}
    lesion = draw_lesion(rng, healthy, draw)
    sequences: dict[str, Sequence] = {"T1": draw_t1(rng, field)}
    sequences["T1ce"] = draw_t1(rng, field) if rng.random() < 0.5 else sequences["T1"]
    sequences["T2"], sequences["FLAIR"] = draw_t2(rng), draw_flair(rng, healthy["CSF"])
    maps = lesion_maps(rng, grid, tumour, draw, lesion, mimics)
    common = random_field(rng, EXTENT, 2.5, grid) * np.float32(rng.uniform(0.01, 0.03))
    common += random_field(rng, EXTENT, 16.0, grid) * np.float32(rng.uniform(0.01, 0.04))
    ideal = {}
    for name in CONTRASTS:
        own = random_field(rng, EXTENT, 4.0, grid) * np.float32(rng.uniform(0.01, 0.03))
        sign = 1.0 if name in ("T2", "FLAIR") else -1.0
        texture = 1.0 + np.float32(sign) * common + own
        image = compose(name, sequences[name], healthy, lesion, tissue, maps, mimics)
        ideal[name] = image * texture / np.float32(sequences[name](healthy["WM"]))
    return ideal


@dataclass(frozen=True)
class Lesion:
    """Substances of one subject's tumour: oedema, solid and fluid core, enhancing rim; the agent's concentration in mM."""

    oedema: Substance
    solid: Substance
    fluid: Substance
    rim: Substance
    agent: float
    cystic: float
    strength: float


def draw_lesion(rng: np.random.Generator, healthy: dict[str, Substance], draw: TumourDraw) -> Lesion:
    """Draw the tumour's substances relative to the subject's healthy tissue."""
    white = healthy["WM"]
    longest = 2.3 if white.t1 < 800.0 else 1.9
    oedema = Substance(
        white.pd + rng.uniform(0.03, 0.1), white.t1 * rng.uniform(1.45, longest), white.t2 * rng.uniform(1.55, 2.8)
    )
    solid = Substance(rng.uniform(0.82, 0.92), white.t1 * rng.uniform(1.5, longest), white.t2 * rng.uniform(1.4, 2.5))
    fluid = Substance(rng.uniform(0.93, 1.0), rng.uniform(2000, 4000), rng.uniform(200, 700))
    rim = Substance(rng.uniform(0.82, 0.92), white.t1 * rng.uniform(1.4, longest), white.t2 * rng.uniform(1.4, 2.3))
    agent = float(np.exp(rng.uniform(np.log(0.2), np.log(1.6))))
    if draw.kind == "low":
        agent *= 0.5
        cystic = float(rng.uniform(0.0, 0.15))
    else:
        cystic = float(
            rng.choice([rng.uniform(0.0, 0.3), rng.uniform(0.2, 0.8), rng.uniform(0.75, 1.0)], p=[0.4, 0.25, 0.35])
        )
    return Lesion(oedema, solid, fluid, rim, agent, cystic, float(rng.uniform(0.55, 1.0)))


def lesion_maps(
    rng: np.random.Generator, grid: Grid, tumour: Tumour, draw: TumourDraw, lesion: Lesion, mimics: Mimics
) -> dict[str, Array]:
    """Soft shares of the tumour's parts and what varies inside them (X, Y, Z each)."""
    soft = max(0.35, float(rng.uniform(0.5, 1.4)) / grid.spacing[0])
    dead, wet, rim = (ndimage.gaussian_filter((tumour.label == k).astype(np.float32), soft) for k in (1, 2, 3))
    uneven = 0.6 * random_field(rng, EXTENT, 5.0, grid) + 0.8 * random_field(rng, EXTENT, 14.0, grid)
    base = rng.uniform(0.35, 0.9)
    inside = (
        lesion.strength * (base + (1.0 - base) * tumour.nearness) * (1.0 + np.float32(rng.uniform(0.1, 0.35)) * uneven)
    )
    water = np.clip(np.maximum(wet * np.clip(inside, 0.25, 1.2), mimics.water), 0.0, 1.0)
    lumps = random_field(rng, EXTENT, 6.0, grid)
    fluid = np.clip(lesion.cystic + np.float32(rng.uniform(0.06, 0.35)) * lumps, 0.0, 1.0)
    agent = np.float32(lesion.agent) * np.clip(1.0 + np.float32(rng.uniform(0.15, 0.5)) * lumps, 0.15, 2.0)
    faint = np.float32(rng.uniform(0.0, 0.12)) * np.clip(1.0 + uneven, 0.0, 2.0)
    grain = 1.0 + np.float32(rng.uniform(0.03, 0.16)) * random_field(rng, EXTENT, 5.0, grid)
    return {"dead": dead, "rim": rim, "water": water, "fluid": fluid, "agent": agent, "faint": faint, "grain": grain}


def compose(
    name: str,
    sequence: Sequence,
    healthy: dict[str, Substance],
    lesion: Lesion,
    tissue: Tissue,
    maps: dict[str, Array],
    mimics: Mimics,
) -> Array:
    """The signal of one contrast: partial volumes of the tissues, then the tumour's parts, vessels and rim over them."""
    enhanced = name == "T1ce"
    csf, grey, white = (
        sequence(s.with_contrast(c if enhanced else 0.0))
        for s, c in ((healthy["CSF"], 0.0), (healthy["GM"], 0.04), (healthy["WM"], 0.015))
    )
    wetter = ramp(sequence, healthy["WM"], lesion.oedema, maps["water"]) / np.float32(sequence(healthy["WM"]))
    image = (tissue.gm * np.float32(grey) + tissue.wm * np.float32(white)) * wetter
    fluid = np.float32(csf) + (mimics.flow * np.float32(grey) if name == "FLAIR" else np.float32(0.0))
    image += tissue.csf * fluid
    outside = np.clip(tissue.depth / 1.5, 0.0, 1.0)
    image += outside * (mimics.rim * np.float32(white) - image)
    dead = ramp(sequence, lesion.solid, lesion.fluid, maps["fluid"])
    top = lesion.rim.with_contrast(3.0)
    share = maps["agent"] * (1.0 if enhanced else 0.0)
    rim = ramp(sequence, lesion.rim, top, share / 3.0)
    if enhanced:
        dead = dead * (1.0 + maps["faint"])
    image *= 1.0 - maps["dead"] - maps["rim"]
    image += (dead * maps["dead"] + rim * maps["rim"]) * maps["grain"]
    blood = sequence(healthy["GM"].with_contrast(2.5)) if enhanced else 0.4 * grey
    weight = mimics.vessels * (0.9 if enhanced else 0.5)
    return (image + weight * (np.float32(blood) - image)).astype(np.float32)
