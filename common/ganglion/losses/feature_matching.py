"""Generated images match real ones in what a discriminator's layer finds in them, on average."""

from __future__ import annotations

import torch

from .precision import at_least_float32

NORMS = ("l2", "l1")


def feature_matching(real: torch.Tensor, generated: torch.Tensor, norm: str = "l2") -> torch.Tensor:
    """Distance between the batch means of features: || mean_b f(x) - mean_b f(g) ||^2 per entry.

    Source: Salimans et al., Improved techniques for training GANs (2016), section 3.1, squared 2-norm; the few-shot
    GAN's code has the mean absolute difference (``l1``). The gradient reaches the generated side alone.

    Args:
        real: features of real images, (B, C, ...).
        generated: features of generated images, of the same shape but for the batch.
        norm: ``l2``, the mean square, or ``l1``.

    Returns:
        A scalar, at least 0.

    Raises:
        ValueError: when the norm is unknown or the shapes do not fit.
    """
    if norm not in NORMS:
        raise ValueError(f"norm is {norm!r}, expected one of {', '.join(NORMS)}")
    if real.shape[1:] != generated.shape[1:]:
        raise ValueError(f"feature shapes differ: {tuple(real.shape)} and {tuple(generated.shape)}")
    difference = at_least_float32(real.detach()).mean(dim=0) - at_least_float32(generated).mean(dim=0)
    return difference.square().mean() if norm == "l2" else difference.abs().mean()
