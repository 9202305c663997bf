"""A generator is kept from ignoring its noise."""

from __future__ import annotations

import torch

from .precision import at_least_float32


def mode_seeking(
    noise: torch.Tensor,
    other_noise: torch.Tensor,
    image: torch.Tensor,
    other_image: torch.Tensor,
    cap: float = 10.0,
    eps: float = 1e-5,
) -> torch.Tensor:
    """How much more two noises differ than the images made of them: mean |z1 - z2| / (mean |g1 - g2| + eps).

    Where that ratio is above ``cap``, its tangent at ``cap`` takes its place: at most twice the cap, and no steeper
    than there. Cut off at the cap, as one would think of first, it would have no gradient for a generator that ignores
    its noise, the one case it is for.

    Source: Mao et al., Mode seeking GANs for diverse image synthesis (2019), with 1-norms, as a ratio to minimise.

    Args:
        noise: z1, (B, N).
        other_noise: z2, (B, N), of the same conditions.
        image: g1, (B, C, ...), made of z1.
        other_image: g2, (B, C, ...), made of z2.
        cap: the ratio above which it grows no faster.
        eps: keeps the ratio finite.

    Returns:
        A scalar from 0 to twice the cap.
    """
    noises = (at_least_float32(noise) - at_least_float32(other_noise)).abs().mean().detach()
    images = (at_least_float32(image) - at_least_float32(other_image)).abs().mean() + eps
    knee = (noises / cap).clamp_min(eps)  # the difference of images at which the ratio is the cap
    return torch.where(images < knee, cap * (2 - images / knee), noises / torch.maximum(images, knee))
