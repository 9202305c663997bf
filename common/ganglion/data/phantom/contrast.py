"""Contrasts: tissues and lesions turned into ideal images, before the scanner."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from .anatomy import Tissue
from .fields import Array, Grid, random_field
from .mimics import Mimics
from .signal import Sequence, Substance, ramp
from .tumour import Tumour, TumourDraw


@dataclass(frozen=True)
class Lesion:
    """The substances of one subject's lesions.

    Args:
        oedema: white matter at its wettest.
        solid: core that is solid tumour.
        fluid: core that has turned to fluid.
        rim: enhancing tumour before the agent.
        agent: concentration of the contrast agent in the rim, mM.
        cystic: mean share of fluid in the core.
        strength: share of `oedema` near the core.
    """

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


@dataclass(frozen=True)
class LesionMaps:
    """Soft shares of the tumour's parts and what varies inside them (X, Y, Z each).

    Args:
        dead: share of necrotic or non-enhancing core.
        rim: share of enhancing tumour.
        water: how far white matter has turned to oedema, mimics included.
        fluid: share of fluid in the core.
        agent: concentration of the contrast agent in the rim, mM.
        faint: slight enhancement of the core.
        grain: uneven signal of core and rim, about 1.
    """

    dead: Array
    rim: Array
    water: Array
    fluid: Array
    agent: Array
    faint: Array
    grain: Array


@dataclass(frozen=True)
class TumourSignal:
    """A lesion's substances and where they lie."""

    lesion: Lesion
    maps: LesionMaps


def lesion_maps(rng: np.random.Generator, grid: Grid, tumour: Tumour, lesion: Lesion, mimics: Mimics) -> LesionMaps:
    """Draw how the tumour's parts vary inside."""
    soft = max(0.35, float(rng.uniform(0.5, 1.4)) / grid.spacing[0])
    dead, wet, rim = (ndimage.gaussian_filter((tumour.label == k).astype(np.float32), soft) for k in (1, 2, 3))
    uneven = 0.6 * random_field(rng, 5.0, grid) + 0.8 * random_field(rng, 14.0, grid)
    base = rng.uniform(0.35, 0.9)
    inside = (
        lesion.strength * (base + (1.0 - base) * tumour.nearness) * (1.0 + np.float32(rng.uniform(0.1, 0.35)) * uneven)
    )
    water = np.clip(np.maximum(wet * np.clip(inside, 0.25, 1.2), mimics.water), 0.0, 1.0)
    lumps = random_field(rng, 6.0, grid)
    fluid = np.clip(lesion.cystic + np.float32(rng.uniform(0.06, 0.35)) * lumps, 0.0, 1.0)
    agent = np.float32(lesion.agent) * np.clip(1.0 + np.float32(rng.uniform(0.15, 0.5)) * lumps, 0.15, 2.0)
    faint = np.float32(rng.uniform(0.0, 0.12)) * np.clip(1.0 + uneven, 0.0, 2.0).astype(np.float32)
    grain = 1.0 + np.float32(rng.uniform(0.03, 0.16)) * random_field(rng, 5.0, grid)
    return LesionMaps(dead, rim, water, fluid, agent, faint, grain)


def gain_of_water(sequence: Sequence, healthy: dict[str, Substance], wet: Substance, water: Array) -> Array:
    """By how much free water changes a tissue's signal (X, Y, Z)."""
    return ramp(sequence, healthy["WM"], wet, water) / np.float32(sequence(healthy["WM"]))


def compose(
    name: str,
    sequence: Sequence,
    healthy: dict[str, Substance],
    tissue: Tissue,
    mimics: Mimics,
    tumour: TumourSignal,
) -> Array:
    """The ideal image of one contrast.

    1. The tissues' signals by their shares, white and grey matter brightened or darkened by free water.
    2. Outside the brain, what stripping has left.
    3. The tumour's core and rim over it, then blood vessels.

    Args:
        name: the contrast; "T1ce" alone shows the agent, "FLAIR" alone moving fluid.
        sequence: its signal equation.
        healthy: substances "CSF", "GM" and "WM".
        tissue: tissue fractions.
        mimics: what is bright and no tumour.
        tumour: the tumour, and the substance that white matter nears where it holds free water.
    """
    enhanced, lesion, maps = name == "T1ce", tumour.lesion, tumour.maps
    csf, grey, white = (
        sequence(s.with_contrast(c if enhanced else 0.0))
        for s, c in ((healthy["CSF"], 0.0), (healthy["GM"], 0.04), (healthy["WM"], 0.015))
    )
    image = tissue.gm * np.float32(grey) + tissue.wm * np.float32(white)
    image *= gain_of_water(sequence, healthy, lesion.oedema, maps.water)
    image += tissue.csf * (np.float32(csf) + (mimics.flow * np.float32(grey) if name == "FLAIR" else np.float32(0.0)))
    image += np.clip(tissue.depth / 1.5, 0.0, 1.0) * (mimics.rim * np.float32(white) - image)
    dead = ramp(sequence, lesion.solid, lesion.fluid, maps.fluid)
    agent = maps.agent * (1.0 if enhanced else 0.0)
    rim = ramp(sequence, lesion.rim, lesion.rim.with_contrast(3.0), agent / 3.0)
    dead = dead * (1.0 + maps.faint) if enhanced else dead
    image *= 1.0 - maps.dead - maps.rim
    image += (dead * maps.dead + rim * maps.rim) * maps.grain
    blood = sequence(healthy["GM"].with_contrast(2.5)) if enhanced else 0.4 * grey
    weight = mimics.vessels * (0.9 if enhanced else 0.5)
    return (image + weight * (np.float32(blood) - image)).astype(np.float32)
