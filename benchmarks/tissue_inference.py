"""Labelling the tissues of a head of 1 mm, file to file, against MONAI's DynUNet in MONAI's sliding windows."""

from __future__ import annotations

from pathlib import Path

from .inference import Side, measure_sides, ours
from .machine import Rates
from .side_by_side import ROOT, Row, Size, simulated_case

CONFIGS = ROOT / "bundles" / "multistage_gan" / "configs"
SMALL = {"coarse_width": 2, "refiner_width": 2, "spacing": [6.0, 6.0, 6.0]}
# The paper's width at 1 mm takes minutes a case on a core: 15.8 GFLOP a window, several hundred windows.
SIDES = [ours("multistage_gan", CONFIGS, ["inference.json"], SMALL, 0.5)]
PEER = Side(
    "MONAI's DynUNet of about the same size, same window and overlap of 0.5",
    [ROOT / "benchmarks" / "dynunet.json"],
    {"filters": [2, 2, 2, 2, 2], "spacing": [6.0, 6.0, 6.0]},
)


def measure(folder: Path, size: Size, rates: Rates) -> list[Row]:
    """Every tissue bundle's reference configuration on an infant's head."""
    return measure_sides(SIDES, PEER, simulated_case(folder, size, cohort="iseg"), folder, size, rates)
