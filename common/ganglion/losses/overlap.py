"""Overlap of labels: the Dice term that stands beside the cross-entropy wherever tissue is learned."""

from __future__ import annotations

import torch
from monai.losses import DiceLoss

from .precision import at_least_float32

_DICE = DiceLoss(softmax=True, to_onehot_y=True, squared_pred=True, smooth_nr=1e-6, smooth_dr=1e-6)


def tissue_dice(logits: torch.Tensor, label: torch.Tensor) -> torch.Tensor:
    """1 - 2 sum p y / (sum p^2 + sum y^2), p the softmax of the logits, y one-hot: mean over images and classes.

    MONAI's `DiceLoss` with squares in the denominator (Milletari, Navab, Ahmadi, V-Net, 2016), background included;
    1e-6 above and below lets a class that is neither there nor found cost nothing.

    Args:
        logits: (B, K, ...), K at least 2.
        label: (B, 1, ...), codes 0 to K - 1, of any type.

    Returns:
        A scalar between 0 and 1, float32 at least.
    """
    return _DICE(at_least_float32(logits), label)
