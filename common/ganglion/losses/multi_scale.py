"""Distances between the features that a critic finds at several scales."""

from __future__ import annotations

from collections.abc import Sequence

import torch

REDUCTIONS = ("concat", "layer_mean")


def multi_scale_l1(
    features: Sequence[torch.Tensor], reference: Sequence[torch.Tensor], reduction: str = "concat"
) -> torch.Tensor:
    """Multi-scale L1 distance between two lists of feature tensors of the same shapes.

    Computed in float32 whatever the features' type, since the difference of two bfloat16 numbers that are nearly
    equal has few digits left.

    Source: SegAN's multi-scale loss. ``layer_mean`` is that paper's equation, (1/L) sum_i mean |f^i - g^i|;
    ``concat`` is what SegAN-CAT's code computes: the mean over all features laid end to end, so that a layer weighs
    as many times as it has entries.

    Args:
        features: tensors (B, C_i, H_i, W_i), one a scale.
        reference: tensors of the same shapes.
        reduction: ``concat`` or ``layer_mean``.

    Returns:
        A scalar, at least 0.

    Raises:
        ValueError: when the reduction is unknown or the lists do not match.
    """
    if reduction not in REDUCTIONS:
        raise ValueError(f"reduction is {reduction!r}, expected one of {', '.join(REDUCTIONS)}")
    if [f.shape for f in features] != [r.shape for r in reference]:
        shapes = [[tuple(each.shape) for each in group] for group in (features, reference)]
        raise ValueError(f"feature shapes differ: {shapes[0]} and {shapes[1]}")
    differences = [(f.float() - r.float()).abs() for f, r in zip(features, reference, strict=True)]
    if reduction == "layer_mean":
        return torch.stack([d.mean() for d in differences]).mean()
    return torch.stack([d.sum() for d in differences]).sum() / sum(d.numel() for d in differences)
