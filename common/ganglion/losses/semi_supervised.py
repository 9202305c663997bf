"""A discriminator of K + 1 classes that learns from labelled, unlabelled and generated images.

Its K logits l_1 ... l_K are those of the real classes; the further class, "generated", has the fixed logit 0. With
s = log sum_k exp l_k per voxel, Z = exp s, the probability of "real" is D = Z / (Z + 1) = sigmoid(s), and the K + 1
probabilities, renormalised over the real classes, are the softmax of the K logits.

Sources: Salimans et al., Improved techniques for training GANs (2016), section 5; per voxel: Mondal, Dolz, Desrosiers
(2018). Both seeds print the same terms with a misplaced "+1": their unlabelled term is log(Z / Z + 1), a
constant without gradient; their generated term, log(1 / Z + 1), falls without bound. The forms here are those of
log Z / (Z + 1) and log 1 / (Z + 1), written so that no exponential overflows.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F

from .precision import at_least_float32


def real_score(logits: torch.Tensor) -> torch.Tensor:
    """s, the logit of "real": log sum_k exp l_k.

    Args:
        logits: (B, K, ...), any real numbers.

    Returns:
        (B, ...), float32 at least; sigmoid(s) is the probability that the voxel is real.
    """
    return torch.logsumexp(at_least_float32(logits), dim=1)


def labelled_loss(
    logits: torch.Tensor, label: torch.Tensor, class_weights: torch.Tensor | Sequence[float] | None = None
) -> torch.Tensor:
    """- log softmax_K(l) at the true class: cross-entropy among the real classes, mean over voxels.

    With class weights it is the weighted mean, so that weights which are all alike change nothing; the few-shot GAN's
    code divides by the number of voxels instead. A common shift of all logits leaves it as it is: see
    `drift_penalty`.

    Args:
        logits: (B, K, ...).
        label: (B, ...) or (B, 1, ...), codes 0 to K - 1, of any type.
        class_weights: K numbers.

    Returns:
        A scalar, at least 0.
    """
    if label.dim() == logits.dim():
        label = label.squeeze(1)
    logits = at_least_float32(logits)
    if class_weights is not None:
        class_weights = torch.as_tensor(class_weights, dtype=logits.dtype, device=logits.device)
    return F.cross_entropy(logits, label.long(), weight=class_weights)


def unlabelled_loss(logits: torch.Tensor) -> torch.Tensor:
    """- log Z / (Z + 1) = softplus(-s), mean over voxels: an image without labels is real, of whatever class.

    Args:
        logits: (B, K, ...) for unlabelled images.

    Returns:
        A scalar, at least 0.
    """
    return F.softplus(-real_score(logits)).mean()


def generated_loss(logits: torch.Tensor) -> torch.Tensor:
    """- log 1 / (Z + 1) = softplus(s), mean over voxels: a generated image is none of the real classes.

    Args:
        logits: (B, K, ...) for generated images, which are detached in the discriminator's own step.

    Returns:
        A scalar, at least 0.
    """
    return F.softplus(real_score(logits)).mean()


def logit_drift(logits: torch.Tensor) -> torch.Tensor:
    """Mean s without gradient, to be logged for real and for generated images.

    Args:
        logits: (B, K, ...).

    Returns:
        A scalar. Far below 0 for real images: the discriminator calls everything generated.
    """
    return real_score(logits.detach()).mean()


def drift_penalty(logits: torch.Tensor, limit: float = 0.0) -> torch.Tensor:
    """Mean over voxels of max(|s| - limit, 0)^2: holds the common level of the logits, which no other term sees.

    Meant for a weight of about 0.001. Source of the form: Karras et al., Progressive growing of GANs (2018), appendix
    A.1, on the critic's score of real images.

    Args:
        logits: (B, K, ...).
        limit: how far s may go for nothing.

    Returns:
        A scalar, at least 0.
    """
    return F.relu(real_score(logits).abs() - limit).square().mean()
