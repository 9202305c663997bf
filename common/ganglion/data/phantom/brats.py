"""The `brats` cohort: four contrasts of skull-stripped heads with a tumour, in the geometry of the BraTS challenge."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from ... import keys
from .acquisition import acquire, draw_scan, to_integers
from .anatomy import Tissue
from .contrast import TumourSignal, compose, draw_lesion, lesion_maps
from .deformation import mass_effect
from .fields import Array, Grid, lattice, random_field, to_grid
from .head import Head, affine_of, head_box, into_field
from .mimics import Mimics, cut_field, draw_mimics, strip_skull
from .signal import ADULT, Sequence, draw_flair, draw_t1, draw_t2
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


def field_of_view(spacing: float) -> Grid:
    """The whole grid of the cohort: 240 x 240 x 155 voxels at 1 mm."""
    x, y, z = (max(8, round(e / spacing)) for e in EXTENT)
    return Grid((x, y, z), (spacing, spacing, spacing), EXTENT)


def simulate(stream: np.random.SeedSequence, spacing: float) -> tuple[dict[str, np.ndarray], np.ndarray, np.ndarray]:
    """One subject: images by contrast (int16), label (uint8), affine.

    The random numbers of shape, tumour, mimics, contrasts and scanner come from five separate streams.
    """
    shape_rng, tumour_rng, mimic_rng, signal_rng, scan_rng = (np.random.default_rng(s) for s in stream.spawn(5))
    full = field_of_view(spacing)
    head = Head.drawn(shape_rng, full)
    growth = lattice(EXTENT, GROWTH_STEP)
    coarse = head.tissue(growth)
    draw, times, core = grow_tumour(tumour_rng, coarse, to_grid(head.warp[2], head.lattice, growth), growth)
    pull = mass_effect(growth, core, draw.push)
    index = np.indices(growth.shape, dtype=np.float32) + pull / np.float32(GROWTH_STEP)
    moved = [ndimage.map_coordinates(t, index, order=1, mode="nearest") for t in times]
    head = head.pushed(pull, growth)
    grid = full.box(head_box(coarse.depth, growth))
    tissue = head.tissue(grid)
    tumour = cut_labels(tumour_rng, draw, grid, tissue, [to_grid(t, growth, grid) for t in moved])
    mimics = draw_mimics(mimic_rng, grid, tissue)
    mask = strip_skull(mimic_rng, grid, tissue)
    mask = cut_field(mimic_rng, grid, mask, tumour.label)
    images = {}
    for name, signal in contrasts_of(signal_rng, grid, tissue, tumour, draw, mimics).items():
        scan = draw_scan(scan_rng)
        images[name] = into_field(full, grid, to_integers(acquire(scan_rng, signal, grid, scan), mask, scan.gain))
    label = np.where(mask, tumour.label, 0).astype(np.uint8)
    return images, into_field(full, grid, label), affine_of(full)


def grow_tumour(
    rng: np.random.Generator, tissue: Tissue, height: Array, grid: Grid
) -> tuple[TumourDraw, tuple[Array, Array], Array]:
    """Draw a tumour and let it grow on the lattice.

    Returns:
        The tumour's parameters, the arrival times of core and oedema, and the core's share (X, Y, Z).
    """
    draw = draw_tumour(rng)
    noise = 0.75 * random_field(rng, 6.0, grid) + 0.75 * random_field(rng, 14.0, grid)
    foci = choose_foci(rng, tissue.wm, tissue.depth, height, draw.foci)
    white = np.where(tissue.depth < 0, tissue.wm, 0).astype(np.float32)
    grey = np.where(tissue.depth < 0, tissue.gm, 0).astype(np.float32)
    core_time, oedema_time = arrival_maps(rng, draw, white, grey, foci, noise)
    points = int(draw.volume * draw.core * 1000 / GROWTH_STEP**3) + 4
    core = (core_time <= np.partition(core_time, points, axis=None)[points]) & (core_time < 1e4)
    return draw, (clean_time(core_time), clean_time(oedema_time)), core.astype(np.float32)


def cut_labels(rng: np.random.Generator, draw: TumourDraw, grid: Grid, tissue: Tissue, times: list[Array]) -> Tumour:
    """Labels on the subject's grid.

    Arrival times are bent by finer noise than the lattice can hold, and oedema comes later to grey matter, so that
    its rim follows the folds of the white matter.
    """
    fine = random_field(rng, 3.0, grid)
    uneven = random_field(rng, 6.0, grid)
    lobes = 0.8 * random_field(rng, 8.0, grid) + 0.6 * random_field(rng, 15.0, grid)
    bend = np.float32(0.35 * draw.roughness)
    core_time = times[0] * np.exp(bend * (lobes + 0.25 * fine))
    delay = 1.0 + np.float32(draw.sparing) * tissue.gm / np.maximum(tissue.gm + tissue.wm, 1e-3)
    oedema_time = times[1] * np.exp(bend * (lobes + uneven + 0.35 * fine)) * delay
    solid = (tissue.csf < 0.5) & (tissue.depth < -0.5)
    return label_tumour(draw, grid, core_time, oedema_time, solid, uneven)


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
    signal = TumourSignal(lesion, lesion_maps(rng, grid, tumour, lesion, mimics))
    common = random_field(rng, 2.5, grid) * np.float32(rng.uniform(0.01, 0.03))
    common += random_field(rng, 16.0, grid) * np.float32(rng.uniform(0.01, 0.04))
    ideal = {}
    for name in keys.CONTRASTS:
        own = random_field(rng, 4.0, grid) * np.float32(rng.uniform(0.01, 0.03))
        sign = 1.0 if name in ("T2", "FLAIR") else -1.0
        texture = 1.0 + np.float32(sign) * common + own
        image = compose(name, sequences[name], healthy, tissue, mimics, signal)
        ideal[name] = image * texture / np.float32(sequences[name](healthy["WM"]))
    return ideal
