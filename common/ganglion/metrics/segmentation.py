"""Scores of one binary region of one subject, on the whole volume, through MONAI's metric functions.

Libraries define the surface distances differently (edge voxels or surface elements, percentile of each direction or of
both pooled), so the words in `DEFINITIONS` go wherever the numbers go.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence

import numpy as np
import torch
from monai.metrics import (
    compute_average_surface_distance,
    compute_confusion_matrix_metric,
    compute_dice,
    compute_hausdorff_distance,
    get_confusion_matrix,
)

METRICS = ("dice", "precision", "sensitivity", "hd95_mm", "assd_mm", "volume_error_ml")

DEFINITIONS = {
    "dice": "2 TP / (2 TP + FP + FN) over the voxels of the whole volume (MONAI compute_dice)",
    "precision": "TP / (TP + FP) over the voxels of the whole volume (MONAI confusion matrix)",
    "sensitivity": "TP / (TP + FN) over the voxels of the whole volume (MONAI confusion matrix)",
    "hd95_mm": (
        "larger of the two directed 95th percentiles of the Euclidean distance, in mm, between the centres of edge "
        "voxels (mask without its erosion by face neighbours), linear interpolation (MONAI compute_hausdorff_distance)"
    ),
    "assd_mm": (
        "mean over the edge voxels of both masks, pooled, of the distance in mm to the nearest edge voxel of the other "
        "(MONAI compute_average_surface_distance, symmetric)"
    ),
    "volume_error_ml": "predicted minus labelled volume in ml; positive means too much was marked",
    "empty": (
        "both_empty: Dice, precision, sensitivity 1, distances 0; pred_empty or label_empty: Dice, precision, "
        "sensitivity 0, distances equal to the image's diagonal in mm; such subjects stay in the mean and are flagged"
    ),
}


def lower_is_better(metric: str) -> bool:
    """Whether a smaller number is the better one: distances in mm, and the size of an error in ml."""
    return metric.endswith(("_mm", "_ml"))


def score_subject(
    pred: np.ndarray | torch.Tensor, label: np.ndarray | torch.Tensor, spacing: Sequence[float]
) -> dict[str, float | str]:
    """Score one binary region of one subject.

    Args:
        pred: prediction (X, Y, Z) or (1, X, Y, Z); every value above 0 counts as the region.
        label: truth on the same grid, likewise.
        spacing: voxel size in mm, one number an axis.

    Returns:
        One value for each name in `METRICS`, `pred_ml`, `label_ml`, and `empty`: "" or the policy that was applied
        (see `DEFINITIONS`).

    Raises:
        ValueError: if the grids or the number of spacings do not fit.
    """
    mask_p, mask_y = _region(pred), _region(label)
    if mask_p.shape != mask_y.shape:
        raise ValueError(f"prediction has the grid {tuple(mask_p.shape)}, its label {tuple(mask_y.shape)}")
    if len(spacing) != mask_p.ndim or min(spacing) <= 0:
        raise ValueError(f"expected {mask_p.ndim} positive voxel sizes in mm, found {tuple(spacing)}")
    voxel_ml = math.prod(spacing) / 1000.0
    pred_ml, label_ml = int(mask_p.sum()) * voxel_ml, int(mask_y.sum()) * voxel_ml
    volumes = {"volume_error_ml": pred_ml - label_ml, "pred_ml": pred_ml, "label_ml": label_ml}
    if pred_ml == 0 or label_ml == 0:
        return _empty_case(pred_ml == 0, label_ml == 0, mask_p.shape, spacing) | volumes
    return _overlap_and_distance(*_crop(mask_p, mask_y), spacing) | volumes | {"empty": ""}


def _region(values: np.ndarray | torch.Tensor) -> torch.Tensor:
    """Boolean mask (X, Y, Z) of what is above 0, free of metadata."""
    mask = torch.as_tensor(np.asarray(values.detach().cpu() if isinstance(values, torch.Tensor) else values) > 0)
    return mask[0] if mask.ndim == 4 and mask.shape[0] == 1 else mask


def _crop(mask_p: torch.Tensor, mask_y: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Cut both to the box around their union: exact, since nothing outside enters any of the metrics."""
    either = mask_p | mask_y
    box = []
    for axis in range(either.ndim):
        others = tuple(other for other in range(either.ndim) if other != axis)
        hit = torch.nonzero(either.any(dim=others) if others else either).flatten()
        box.append(slice(int(hit[0]), int(hit[-1]) + 1))
    return mask_p[tuple(box)], mask_y[tuple(box)]


def _overlap_and_distance(
    mask_p: torch.Tensor, mask_y: torch.Tensor, spacing: Sequence[float]
) -> dict[str, float | str]:
    p, y = mask_p[None, None].float(), mask_y[None, None].float()  # (B=1, C=1, X, Y, Z)
    confusion = get_confusion_matrix(y_pred=p, y=y, include_background=True)
    mm = [float(size) for size in spacing]
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", category=FutureWarning)  # MONAI 1.6 calls an argument that it deprecates
        hd95 = compute_hausdorff_distance(p, y, include_background=True, percentile=95, spacing=mm)
        assd = compute_average_surface_distance(p, y, include_background=True, symmetric=True, spacing=mm)
    return {
        "dice": float(compute_dice(p, y, include_background=True, ignore_empty=False)),
        "precision": float(compute_confusion_matrix_metric("precision", confusion)),
        "sensitivity": float(compute_confusion_matrix_metric("sensitivity", confusion)),
        "hd95_mm": float(hd95),
        "assd_mm": float(assd),
    }


def _empty_case(
    pred_empty: bool, label_empty: bool, shape: Sequence[int], spacing: Sequence[float]
) -> dict[str, float | str]:
    both = pred_empty and label_empty
    overlap = 1.0 if both else 0.0
    distance = 0.0 if both else math.hypot(*(n * size for n, size in zip(shape, spacing, strict=True)))
    scores: dict[str, float | str] = dict.fromkeys(("dice", "precision", "sensitivity"), overlap)
    scores |= dict.fromkeys(("hd95_mm", "assd_mm"), distance)
    return scores | {"empty": "both_empty" if both else "pred_empty" if pred_empty else "label_empty"}
