"""An encoder finds the noise in a generated image: a bound on the images' entropy."""

from __future__ import annotations

import torch

from .precision import at_least_float32


def noise_recovery(
    noise: torch.Tensor, mean: torch.Tensor, log_deviation: torch.Tensor, limit: float = 10.0
) -> torch.Tensor:
    """Gaussian negative log-likelihood of the noise, log sd + (z - mean)^2 / (2 sd^2), summed over its entries.

    Small where the encoder can tell from the image which noise made it, so that other noise must give other images.
    The constant log sqrt(2 pi) is left out. torch's own form takes a variance, whose exponential may overflow.

    Source: Dai et al., Good semi-supervised learning that requires a bad GAN (2017), the variational bound on
    the generator's entropy; sum over entries and mean over the batch as in the few-shot GAN's code.

    Args:
        noise: z, (B, N).
        mean: the encoder's mean, (B, N).
        log_deviation: its log standard deviation, (B, N), held within -limit and limit.
        limit: see above.

    Returns:
        A scalar of either sign.
    """
    log_deviation = at_least_float32(log_deviation).clamp(-limit, limit)
    squared = ((at_least_float32(noise) - at_least_float32(mean)) * torch.exp(-log_deviation)).square()
    return (log_deviation + 0.5 * squared).sum(dim=1).mean()
