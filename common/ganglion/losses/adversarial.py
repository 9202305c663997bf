"""The adversarial losses that the multi-stage GAN's paper reviews, in their right form, by one argument.

A score is the discriminator's last number before any sigmoid, of any shape; for the discriminator of K + 1 classes it
is `semi_supervised.real_score`. With x real, g generated and D = sigmoid(score):

| kind | discriminator minimises | generator minimises |
| --- | --- | --- |
| minimax (Goodfellow et al. 2014, eq. 1) | - E log D(x) - E log(1 - D(g)) | E log(1 - D(g)) |
| non_saturating (the same, section 3) | the same | - E log D(g) |
| wasserstein (Arjovsky et al. 2017, eq. 3) | E score(g) - E score(x), then clips its kernels | - E score(g) |
| wasserstein_gp (Gulrajani et al. 2017, eq. 3) | the same, plus 10 times `gradient_penalty` | the same |
| least_squares (Mao et al. 2017, eq. 2, without its 1/2) | E (score(x) - 1)^2 + E score(g)^2 | E (score(g) - 1)^2 |
| auxiliary_classifier (Odena et al. 2017, eq. 2, 3) | non_saturating, plus the classes of x and g | the same, of g |

What the paper prints otherwise: the min-max without a logarithm in its second term; the sign of eq. 2; the captions
"generator" and "discriminator" of eq. 1 and 2 and of eq. 3 and 4 swapped; the sign of the second term of eq. 5; eq. 6,
which is the Wasserstein generator, under the name of non-saturating; signs, D(x^2) and D(x - 1)^2 in eq. 7 and 8; one
heading for the Wasserstein loss with penalty and the auxiliary classifier, which are two losses; eq. 14, its own
generator, in the saturating form. MONAI's `PatchAdversarialLoss` has least squares and, through a sigmoid whose
gradient is exactly 0 at -120, the discriminator's first row; none of the others.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F

from .precision import at_least_float32
from .semi_supervised import labelled_loss

KINDS = ("minimax", "non_saturating", "wasserstein", "wasserstein_gp", "least_squares", "auxiliary_classifier")

Classified = tuple[torch.Tensor, torch.Tensor]  # logits (B, K, ...) and codes (B, ...) or (B, 1, ...)


def discriminator_loss(
    real: torch.Tensor, generated: torch.Tensor, kind: str = "non_saturating", classified: Sequence[Classified] = ()
) -> torch.Tensor:
    """What the discriminator minimises.

    Args:
        real: scores of real images, any shape.
        generated: scores of generated images, any shape.
        kind: one of the table above. Clipping (``ClampWeights`` after the step) and the gradient penalty
            (`gradient_penalty`) are not in here.
        classified: for ``auxiliary_classifier``: class logits and true codes, of real and of generated images.

    Returns:
        A scalar: at least 0 but for the two of Wasserstein.

    Raises:
        ValueError: when the kind is unknown, or ``classified`` is given for another kind or missing.
    """
    _check(kind, classified)
    real, generated = at_least_float32(real), at_least_float32(generated)
    if kind in ("wasserstein", "wasserstein_gp"):
        return generated.mean() - real.mean()
    if kind == "least_squares":
        return (real - 1).square().mean() + generated.square().mean()
    return F.softplus(-real).mean() + F.softplus(generated).mean() + _classes(classified)


def generator_loss(
    generated: torch.Tensor, kind: str = "non_saturating", classified: Sequence[Classified] = ()
) -> torch.Tensor:
    """What the generator minimises.

    Args:
        generated: scores of generated images, any shape.
        kind: one of the table above.
        classified: for ``auxiliary_classifier``: class logits of generated images and the codes they were made for.

    Returns:
        A scalar: at least 0 but for ``minimax`` (at most 0) and the two of Wasserstein.

    Raises:
        ValueError: as `discriminator_loss`.
    """
    _check(kind, classified)
    generated = at_least_float32(generated)
    if kind == "minimax":
        return -F.softplus(generated).mean()
    if kind in ("wasserstein", "wasserstein_gp"):
        return -generated.mean()
    if kind == "least_squares":
        return (generated - 1).square().mean()
    return F.softplus(-generated).mean() + _classes(classified)


def _check(kind: str, classified: Sequence[Classified]) -> None:
    if kind not in KINDS:
        raise ValueError(f"kind is {kind!r}, expected one of {', '.join(KINDS)}")
    if (kind == "auxiliary_classifier") != bool(classified):
        wanted = "needs" if kind == "auxiliary_classifier" else "takes no"
        raise ValueError(f"kind {kind!r} {wanted} classified: pairs of class logits and codes")


def _classes(classified: Sequence[Classified]) -> torch.Tensor | float:
    """Sum of the cross-entropies of all pairs."""
    return sum((labelled_loss(logits, codes) for logits, codes in classified), 0.0)
