"""One network learns from another's opinion where that one is sure."""

from __future__ import annotations

import torch
import torch.nn.functional as F

from .precision import at_least_float32


def posterior_consistency(
    logits: torch.Tensor, teacher_logits: torch.Tensor, temperature: float = 1.0, threshold: float = 0.8
) -> tuple[torch.Tensor, torch.Tensor]:
    """KL(p || q) per voxel, p = softmax of the teacher's logits / T, stopped, and q = softmax of one's own logits.

    Voxels where the largest p is below the threshold count as 0, and the mean is over all voxels, so that a teacher who
    is seldom sure weighs little.

    Source: the multi-stage GAN's note on how the adversary reaches the refinement network, which the paper leaves open;
    confidence threshold as in Sohn et al., FixMatch (2020), eq. 4, with the whole posterior in place of its largest
    class.

    Args:
        logits: (B, K, ...) of the network that learns.
        teacher_logits: (B, K, ...) of the discriminator on the same images; no gradient reaches it.
        temperature: T, above 1 for a softer p.
        threshold: from 0 (every voxel counts) to 1.

    Returns:
        The loss, a scalar of at least 0, and the share of voxels that counted, without gradient.
    """
    log_p = torch.log_softmax(at_least_float32(teacher_logits.detach()) / temperature, dim=1)
    log_q = torch.log_softmax(at_least_float32(logits), dim=1)
    sure = (log_p.amax(dim=1).exp() >= threshold).to(log_p.dtype)
    divergence = F.kl_div(log_q, log_p, reduction="none", log_target=True).sum(dim=1)
    return (sure * divergence).mean(), sure.mean()
