"""The `mrbrains` cohort: T1, T1-IR and FLAIR of ageing adults in thick slices, with the eight MRBrainS labels.

Source of geometry and labels: the MRBrainS13 challenge (mrbrains13.isi.uu.nl/data): voxels of 0.958 x 0.958 x 3.0 mm;
of the scan parameters: MRBrainS18 (mrbrains18.isi.uu.nl/data), same centre and sequences: T1 TR/TE 7.9/4.5 ms, T1-IR
TR/TE/TI 4416/15/400 ms, T2-FLAIR 11000/125/2800 ms, at 3 T. The flip angle of T1 (8 degrees) and the signed
reconstruction of T1-IR are assumed. Differs from the challenge: heads are skull-stripped.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from .acquisition import acquire, draw_scan, to_integers
from .anatomy import Tissue
from .contrast import gain_of_water
from .fields import Array, Grid, lattice, random_field
from .head import Head, affine_of, head_box, into_field
from .regions import BASAL_GANGLIA, BRAIN_STEM, CEREBELLUM, region_of
from .signal import ADULT, CSF, Substance, inversion_recovery, inversion_recovery_real, spoiled_gradient_echo

EXTENT = (230.0, 230.0, 144.0)
SLICE = 3  # slice distance against the voxel size in plane
NULLED = 4600.0  # T1 of the fluid that FLAIR's TR and TI null
SEQUENCES = {
    "T1": spoiled_gradient_echo(7.9, 4.5, 8.0),
    "IR": inversion_recovery_real(4416.0, 15.0, 400.0),
    "FLAIR": inversion_recovery(11000.0, 125.0, 2800.0),
}
LABELS = {
    "background": 0,
    "cortical grey matter": 1,
    "basal ganglia": 2,
    "white matter": 3,
    "white matter lesions": 4,
    "extracerebral fluid": 5,
    "ventricles": 6,
    "cerebellum": 7,
    "brain stem": 8,
}


def simulate(stream: np.random.SeedSequence, spacing: float) -> tuple[dict[str, np.ndarray], np.ndarray, np.ndarray]:
    """One subject: images by contrast (int16), label (uint8), affine.

    The ideal images are made with cubic voxels; three layers are then averaged to a slice, and noise is added to that.
    """
    shape_rng, signal_rng, scan_rng = (np.random.default_rng(s) for s in stream.spawn(3))
    x, y = (max(8, round(e / spacing)) for e in EXTENT[:2])
    z = max(4, round(EXTENT[2] / (SLICE * spacing)))
    full = Grid((x, y, z), (spacing, spacing, SLICE * spacing), EXTENT)
    layers = Grid((x, y, z * SLICE), (spacing, spacing, spacing), EXTENT)
    head = Head.drawn(shape_rng, layers, white=0.12)
    coarse = lattice(EXTENT, 4.0)
    limits = head_box(head.tissue(coarse).depth, coarse)
    box = full.box(limits)
    fine = replace(
        layers,
        shape=(box.shape[0], box.shape[1], box.shape[2] * SLICE),
        start=(box.start[0], box.start[1], box.start[2] * SLICE),
    )
    tissue = head.tissue(fine)
    water = free_water(signal_rng, fine, tissue)
    mask = slice_means(tissue.depth) < 0.0
    images = {}
    for name, signal in contrasts_of(signal_rng, fine, tissue, water).items():
        scan = replace(draw_scan(scan_rng, thick=0.0), bias=float(scan_rng.uniform(0.01, 0.06)))
        image = acquire(scan_rng, slice_means(signal), box, scan)
        images[name] = into_field(full, box, to_integers(image, mask, scan.gain))
    label = label_structures(tissue, water, region_of(head.atlas, head.coordinates(fine)))
    label[~mask] = 0
    return images, into_field(full, box, label), affine_of(full)


def free_water(rng: np.random.Generator, grid: Grid, tissue: Tissue) -> Array:
    """Share of free water in white matter (X, Y, Z): caps about the ventricles and spots, as ageing brains have."""
    reach, strength = rng.uniform(3.0, 8.0), rng.uniform(0.6, 1.0)
    patchy = np.clip(0.5 + 0.8 * random_field(rng, 12.0, grid), 0.0, 1.5)
    caps = np.float32(strength) * patchy * np.exp(-np.clip(tissue.to_ventricle, 0.0, 80.0) / np.float32(reach))
    spots = np.clip((random_field(rng, 4.0, grid) - np.float32(rng.uniform(1.8, 2.8))) * 3.0, 0.0, 1.0)
    deep = np.clip((-tissue.depth - 6.0) / 4.0, 0.0, 1.0)
    return np.clip((caps + spots * deep) * tissue.wm, 0.0, 1.0).astype(np.float32)


def slice_means(volume: Array) -> Array:
    """Means (X, Y, Z / 3) of each three layers: the partial volume of a slice."""
    x, y, z = volume.shape
    return volume.reshape(x, y, z // SLICE, SLICE).mean(axis=3, dtype=np.float32)


def contrasts_of(rng: np.random.Generator, grid: Grid, tissue: Tissue, water: Array) -> dict[str, Array]:
    """Ideal images with white matter at 1."""
    healthy = {name: s.varied(rng, 0.04) for name, s in ADULT[3.0].items()}
    healthy["CSF"] = replace(CSF, t1=NULLED).varied(rng, 0.02)
    white = healthy["WM"]
    wet = Substance(white.pd + 0.08, white.t1 * float(rng.uniform(1.3, 1.7)), white.t2 * float(rng.uniform(1.8, 2.6)))
    common = random_field(rng, 2.5, grid) * np.float32(0.015) + random_field(rng, 16.0, grid) * np.float32(0.02)
    ideal = {}
    for name, sequence in SEQUENCES.items():
        image = tissue.gm * np.float32(sequence(healthy["GM"]))
        image += tissue.wm * np.float32(sequence(white)) * gain_of_water(sequence, healthy, wet, water)
        image += tissue.csf * np.float32(sequence(healthy["CSF"]))
        texture = 1.0 + common + np.float32(0.015) * random_field(rng, 4.0, grid)
        ideal[name] = (image * texture / np.float32(sequence(white))).astype(np.float32)
    return ideal


def label_structures(tissue: Tissue, water: Array, regions: np.ndarray) -> np.ndarray:
    """The eight labels (X, Y, Z / 3) of slices, from the shares of tissue and the coarse regions of the layers."""
    shares = np.stack([slice_means(part) for part in (tissue.csf, tissue.gm, tissue.wm)])
    kind = np.argmax(shares, axis=0)
    middle = regions[:, :, SLICE // 2 :: SLICE]
    deep = (middle == BASAL_GANGLIA) & (slice_means(tissue.depth) < -20.0)
    label = np.array([5, 1, 3], dtype=np.uint8)[kind]
    label[(kind == 0) & (slice_means(tissue.to_ventricle) < 2.0)] = 6
    label[(kind == 1) & deep] = 2
    label[(kind == 2) & (slice_means(water * tissue.wm) > 0.35)] = 4
    label[(kind > 0) & (middle == CEREBELLUM)] = 7
    label[(kind > 0) & (middle == BRAIN_STEM)] = 8
    return label
