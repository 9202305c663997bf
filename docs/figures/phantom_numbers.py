"""Write the table "How near it comes" of docs/phantom.md: lesion brightness, simulated and real.

Usage: `python docs/figures/phantom_numbers.py REAL`, REAL being the folder of the real scans. Each figure is the mean
of a label in an image divided by the median of the brain in that image.
"""

import sys
from pathlib import Path

import nibabel
import numpy as np

from ganglion.data.phantom.cohorts import COHORTS

SUBJECTS = 24
REAL = ["brats2013/sub-0001", "brats2013/sub-0003", "brats2013/sub-0005", "brats2013/sub-0006"]
REAL += ["tcga_lgg_brats_space/sub-TCGA-FG-6692"]
ROWS = {
    "oedema on FLAIR": ("FLAIR", 2),
    "core (1) on FLAIR": ("FLAIR", 1),
    "enhancing on FLAIR": ("FLAIR", 3),
    "oedema on T1ce": ("T1ce", 2),
    "core (1) on T1ce": ("T1ce", 1),
    "enhancing on T1ce": ("T1ce", 3),
}


def ratio(image: np.ndarray, where: np.ndarray) -> float:
    """Mean there over the median of the brain; not a number for an absent part."""
    return float(image[where].mean() / np.median(image[image > 0])) if where.sum() > 20 else float("nan")


def real_ratios(folder: Path) -> list[list[float]]:
    """A list of rows for each real subject; BraTS codes 3 (2013) and 4 become 1 and 3."""
    found = []
    for name in REAL:
        ending = "tumour" if "2013" in name else "tumour-auto"
        label = nibabel.load(folder / f"{name}_{ending}.nii.gz").get_fdata()
        label = np.select([label == 3, label == 4], [1, 3], label)
        images = {c: nibabel.load(folder / f"{name}_{c}.nii.gz").get_fdata() for c in ("FLAIR", "T1ce")}
        found.append([ratio(images[contrast], label == code) for contrast, code in ROWS.values()])
    return found


def simulated_ratios() -> list[list[float]]:
    """The same for the simulated subjects of seed 0 at 2 mm."""
    cohort, found = COHORTS["brats"], []
    for index in range(SUBJECTS):
        images, label, _ = cohort.simulate(np.random.SeedSequence([0, cohort.code, index]), 2.0)
        found.append([ratio(images[contrast], label == code) for contrast, code in ROWS.values()])
    return found


def main(folder: str) -> None:
    """Write the table's lines."""
    real, simulated = np.array(real_ratios(Path(folder))), np.array(simulated_ratios())
    for column, name in enumerate(ROWS):
        values = " ".join(f"{v:.2f}" for v in real[:, column])
        low, middle, high = np.nanpercentile(simulated[:, column], [5, 50, 95])
        sys.stdout.write(f"| {name} | {values} | {low:.2f} | {middle:.2f} | {high:.2f} |\n")


if __name__ == "__main__":
    main(sys.argv[1])
