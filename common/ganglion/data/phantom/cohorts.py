"""The cohorts that can be simulated, by name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ... import keys
from ..codes import NAMED_MAPS
from . import brats, iseg, mrbrains

Simulation = Callable[[np.random.SeedSequence, float], tuple[dict[str, np.ndarray], np.ndarray, np.ndarray]]


@dataclass(frozen=True)
class Cohort:
    """What a cohort holds and how one of its subjects is made.

    Args:
        name: name on the command line.
        code: number that goes into the seed, so that cohorts differ.
        description: one sentence for `dataset.json`.
        contrasts: names of the images in channel order.
        labels: code of each label.
        simulate: takes the subject's seed and the spacing in mm; gives images by contrast, label and affine.
        label_map: which code is which of Ganglion's, where they differ.
    """

    name: str
    code: int
    description: str
    contrasts: tuple[str, ...]
    labels: dict[str, int]
    simulate: Simulation
    label_map: dict[int, int] | None = None


COHORTS: dict[str, Cohort] = {
    "brats": Cohort(
        "brats",
        1,
        "simulated adult brains with a glioma, four contrasts, skull-stripped; no scan of any patient",
        keys.CONTRASTS,
        {name: code for code, name in keys.TUMOUR.items()},
        brats.simulate,
    ),
    "iseg": Cohort(
        "iseg",
        2,
        "simulated six-month-old infants in the isointense phase, T1 and T2, skull-stripped; no scan of any child",
        ("T1", "T2"),
        {name: code for code, name in keys.TISSUES.items()},
        iseg.simulate,
    ),
    "mrbrains": Cohort(
        "mrbrains",
        3,
        "simulated ageing adults, T1, T1-IR and FLAIR in thick slices, skull-stripped; no scan of any patient",
        ("T1", "IR", "FLAIR"),
        mrbrains.LABELS,
        mrbrains.simulate,
        NAMED_MAPS["mrbrains"],
    ),
}
