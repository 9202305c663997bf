"""Draw docs/images/phantom_vs_real.png: a real subject above a simulated one.

Usage: `python docs/figures/phantom_vs_real.py REAL`, where REAL is the folder of the real scans with
`tcga_lgg_brats_space/sub-TCGA-FG-6692_*.nii.gz` in it (TCGA-LGG, The Cancer Imaging Archive, CC BY 3.0).
"""

import sys
from pathlib import Path

import nibabel
import numpy as np

from ganglion.data.phantom.cohorts import COHORTS

OUT = Path(__file__).resolve().parents[1] / "images" / "phantom_vs_real.png"
SEED, SUBJECT = 0, 13  # sub-014 of `ganglion phantom brats DIR --subjects 14 --seed 0`
REAL_NAMES = {"T1": "T1w", "T1ce": "T1ce", "T2": "T2w", "FLAIR": "FLAIR"}


def real_subject(folder: Path) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Images by contrast and the machine-made label of TCGA-FG-6692."""
    stem = folder / "tcga_lgg_brats_space" / "sub-TCGA-FG-6692"
    images = {name: nibabel.load(f"{stem}_{end}.nii.gz").get_fdata() for name, end in REAL_NAMES.items()}
    return images, nibabel.load(f"{stem}_tumour-auto.nii.gz").get_fdata()


def simulated_subject() -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Images by contrast and the label of the simulated subject."""
    cohort = COHORTS["brats"]
    images, label, _ = cohort.simulate(np.random.SeedSequence([SEED, cohort.code, SUBJECT]), 1.0)
    return images, label


def panel(image: np.ndarray, label: np.ndarray) -> np.ndarray:
    """The axial slice with most tumour, cut to 150 x 190 mm about the brain, front up, brightest voxels at 1."""
    level = int(np.argmax((label > 0).sum((0, 1))))
    x, y = (int(np.mean(np.flatnonzero((image[:, :, level] > 0).any(axis)))) for axis in (1, 0))
    part = image[max(x - 75, 0) : x + 75, max(y - 95, 0) : y + 95, level]
    return np.clip(part.T / np.percentile(image[image > 0], 99.7), 0.0, 1.0)


def main(folder: str) -> None:
    """Draw and write the figure."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    rows = {"real (TCGA-FG-6692)": real_subject(Path(folder)), "simulated (sub-014)": simulated_subject()}
    figure, axes = pyplot.subplots(2, 4, figsize=(6.6, 4.3))
    for row, (title, (images, label)) in enumerate(rows.items()):
        for column, name in enumerate(REAL_NAMES):
            axis = axes[row, column]
            axis.imshow(panel(images[name], label), cmap="gray", vmin=0, vmax=1, interpolation="bilinear")
            axis.set(xticks=[], yticks=[], title=name if row == 0 else "")
        axes[row, 0].set_ylabel(title)
    figure.subplots_adjust(0.04, 0.01, 0.995, 0.94, 0.02, 0.02)
    figure.savefig(OUT, dpi=110, metadata={"Software": None})


if __name__ == "__main__":
    main(sys.argv[1])
