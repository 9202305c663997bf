"""Where tissues meet: targets of a boundary network, and its loss."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from monai.transforms import LabelToContour

from .precision import at_least_float32


def tissue_edges(tissues: torch.Tensor) -> torch.Tensor:
    """Voxels at the rim of a tissue: MONAI's contour (`LabelToContourd`) of each tissue, the largest over all.

    A voxel is one if any of its neighbours, diagonal ones included, is of another class, background included. Beyond
    the patch everything goes on as at its rim: MONAI's contour alone makes an edge where a tissue touches that rim.

    Args:
        tissues: (B, K, H, W[, D]), one-hot; the first class is background and has no rim of its own.

    Returns:
        (B, 1, H, W[, D]), float32, 0 or 1.
    """
    wide = F.pad(tissues[:, 1:].float(), [1, 1] * (tissues.dim() - 2), mode="replicate")
    rims = LabelToContour()(wide.flatten(0, 1)).reshape(wide.shape)
    inside = (slice(None), slice(None), *[slice(1, -1)] * (tissues.dim() - 2))
    return torch.as_tensor(rims)[inside].amax(dim=1, keepdim=True)


def edge_loss(logits: torch.Tensor, edges: torch.Tensor, positive_weight: float = 5.0) -> torch.Tensor:
    """Binary cross-entropy of edge logits, in which an edge counts more than what is none.

    Args:
        logits: (B, 1, ...), any real numbers.
        edges: of the same shape, 0 or 1.
        positive_weight: how much an edge counts.

    Returns:
        A scalar, at least 0.
    """
    logits = at_least_float32(logits)
    weight = torch.as_tensor(positive_weight, dtype=logits.dtype, device=logits.device)
    return F.binary_cross_entropy_with_logits(logits, edges.to(logits.dtype), pos_weight=weight)
