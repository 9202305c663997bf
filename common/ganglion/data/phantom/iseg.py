"""The `iseg` cohort: T1 and T2 of six-month-old infants, whose grey and white matter look alike, with tissue labels.

Scan parameters: Table 1 of Khaled and Ghaleb, "Transfer Learning using Generative Adversarial Networks for MRI Brain
Image Segmentation" (iSEG-2017): T1 TR/TE 1900/4.38 ms, flip angle 7 degrees, 1 mm; T2 7380/119 ms, 1.25 mm. The
inversion time is not given there; 900 ms is assumed. The anatomy is the adult template at infant size.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from .acquisition import ScanDraw, acquire, draw_scan, to_integers
from .anatomy import Tissue
from .fields import Array, Grid, lattice, random_field
from .head import Head, affine_of, head_box, into_field
from .signal import CSF, Substance, inversion_recovery, ramp, spin_echo

EXTENT = (144.0, 192.0, 256.0)
SIZE = 0.76  # of a head at six months against the template
SEQUENCES = {"T1": inversion_recovery(1900.0, 4.38, 900.0), "T2": spin_echo(7380.0, 119.0)}


def simulate(stream: np.random.SeedSequence, spacing: float) -> tuple[dict[str, np.ndarray], np.ndarray, np.ndarray]:
    """One subject: images by contrast (int16), label (uint8: 1 CSF, 2 GM, 3 WM), affine."""
    shape_rng, signal_rng, scan_rng = (np.random.default_rng(s) for s in stream.spawn(3))
    x, y, z = (max(8, round(e / spacing)) for e in EXTENT)
    full = Grid((x, y, z), (spacing, spacing, spacing), EXTENT)
    head = Head.drawn(shape_rng, full, SIZE, white=-0.16)
    coarse = lattice(EXTENT, 4.0)
    grid = full.box(head_box(head.tissue(coarse).depth, coarse))
    tissue = head.tissue(grid)
    mask = tissue.depth < 0.0
    images = {}
    for name, signal in contrasts_of(signal_rng, grid, tissue).items():
        scan = draw_infant_scan(scan_rng, 0.45 if name == "T1" else 0.6)
        images[name] = into_field(full, grid, to_integers(acquire(scan_rng, signal, grid, scan), mask, scan.gain))
    label = (np.argmax(np.stack([tissue.csf, tissue.gm, tissue.wm]), axis=0) + 1).astype(np.uint8)
    label[~mask] = 0
    return images, into_field(full, grid, label), affine_of(full)


def draw_infant_scan(rng: np.random.Generator, blur: float) -> ScanDraw:
    """An isotropic scan with the given point spread in mm, moderate noise and a weak bias field."""
    noise, bias = float(rng.uniform(0.02, 0.045)), float(rng.uniform(0.01, 0.06))
    return replace(draw_scan(rng, thick=0.0), blur=blur, noise=noise, bias=bias, noise_blur=0.5)


def draw_infant(rng: np.random.Generator) -> dict[str, Substance]:
    """Substances at six months.

    Water content falls and myelin comes during the first year, so that the T1 of white matter, longer than that of
    grey matter at birth, crosses it at about this age: white matter's T1 is drawn within 2 % of grey matter's. The
    figures were chosen for that and are not taken from a table.
    """
    grey = Substance(0.92, float(rng.uniform(1400.0, 1600.0)), float(rng.uniform(105.0, 125.0)))
    white = Substance(0.91, grey.t1 * float(rng.uniform(0.98, 1.02)), grey.t2 * float(rng.uniform(0.93, 0.99)))
    return {"CSF": CSF.varied(rng, 0.04), "GM": grey, "WM": white, "myelin": Substance(0.87, 1150.0, 95.0)}


def contrasts_of(rng: np.random.Generator, grid: Grid, tissue: Tissue) -> dict[str, Array]:
    """Ideal images with grey matter at 1; myelin has begun in the deep white matter."""
    infant = draw_infant(rng)
    myelin = np.float32(rng.uniform(0.15, 0.4)) * np.exp(-((tissue.to_ventricle / np.float32(14.0)) ** 2))
    common = random_field(rng, 2.5, grid) * np.float32(0.02) + random_field(rng, 16.0, grid) * np.float32(0.035)
    ideal = {}
    for name, sequence in SEQUENCES.items():
        sign = np.float32(1.0 if name == "T2" else -1.0)
        white = ramp(sequence, infant["WM"], infant["myelin"], myelin)
        image = tissue.csf * np.float32(sequence(infant["CSF"])) + tissue.gm * np.float32(sequence(infant["GM"]))
        image += tissue.wm * white
        texture = 1.0 + sign * common + np.float32(0.025) * random_field(rng, 4.0, grid)
        ideal[name] = (image * texture / np.float32(sequence(infant["GM"]))).astype(np.float32)
    return ideal
