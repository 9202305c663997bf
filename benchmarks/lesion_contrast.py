"""How visible is a lesion on each contrast? `python -m benchmarks.lesion_contrast DATASET_DIR [--section test]`

For each subject, contrast and part of the lesion: the probability that a voxel of that part is brighter than one of the
brain within 10 mm around the whole lesion (the area under the ROC curve of the intensity alone). 0.5: invisible by
intensity; 0 or 1: told apart by a threshold. Prints mean, sd and n over subjects. Explains which contrast an
intensity-based network can learn from, before any network is trained.
"""

from __future__ import annotations

from collections.abc import Iterator

import fire
import nibabel
import numpy as np
from scipy.ndimage import distance_transform_edt
from scipy.stats import mannwhitneyu

from ganglion.data import load_items, read_dataset_json
from ganglion.keys import TUMOUR

RING_MM = 10.0
PARTS = {"whole tumour": (1, 2, 3), **{name: (code,) for code, name in TUMOUR.items() if code}}


def visibility(image: np.ndarray, label: np.ndarray, spacing: tuple[float, ...]) -> dict[str, float]:
    """For each part that the subject has: the area under the curve against the ring."""
    lesion = label > 0
    ring = (distance_transform_edt(~lesion, sampling=spacing) <= RING_MM) & ~lesion & (image > 0)
    found = {}
    for part, codes in PARTS.items():
        inside = np.isin(label, codes)
        if inside.any() and ring.any():
            wins = mannwhitneyu(image[inside], image[ring]).statistic
            found[part] = float(wins / (inside.sum() * ring.sum()))
    return found


def measure(dataset_dir: str, section: str) -> Iterator[tuple[str, dict[str, float]]]:
    """Contrast and visibilities, subject by subject."""
    names = read_dataset_json(dataset_dir).contrasts
    for item in load_items(dataset_dir, section):
        truth = nibabel.load(item["label"])
        codes = {int(code): ours for code, ours in item.get("codes", {}).items()}
        label = np.asarray(truth.dataobj).astype(int)
        label = np.vectorize(lambda code, codes=codes: codes.get(code, code))(label) if codes else label
        for name, file in zip(names, item["image"], strict=True):
            image = np.asarray(nibabel.load(file).dataobj, dtype=np.float64)
            yield name, visibility(image, label, truth.header.get_zooms()[:3])


def main(dataset_dir: str, section: str = "test") -> None:
    """Print one line a contrast and part."""
    values: dict[tuple[str, str], list[float]] = {}
    for name, found in measure(dataset_dir, section):
        for part, value in found.items():
            values.setdefault((name, part), []).append(value)
    print(f"{'contrast':<8}{'part':<34}{'mean':>6}{'sd':>6}{'n':>5}")
    for (name, part), numbers in values.items():
        spread = f"{np.std(numbers, ddof=1):6.2f}" if len(numbers) > 1 else "     -"
        print(f"{name:<8}{part:<34}{np.mean(numbers):6.2f}{spread}{len(numbers):5d}")


if __name__ == "__main__":
    fire.Fire(main)
