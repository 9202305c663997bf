"""The unified network's game: label any contrast, translate it into any other, and label what was translated.

With x an image of contrast c, y its labels, c' a contrast drawn for it from the batch, (p, g) = G(x, c') the labels and
the image that G gives, (q, b) = G(g, c) what it gives for its own image on the way back, D the scores and C the critic:

    L_D = E D(g) - E D(x) + w_gp E(|grad D| - 1)^2 + w_c CE(contrast of x, c)                        g detached
    L_C = - D_ms(C(x, p), C(x, y))                                                                  p detached
    L_G = - E D(g) + w_c CE(contrast of g, c') + w_cycle E |x - b|
          + w_s S(p, y) + w_shape(t) S(q, y) + w_ms D_ms(C(x, p), C(x, y))
    S   = CE with class weights + w_dice Dice

w_shape grows from 0: until g is an image of something, its labels teach nothing. The batch holds `image` (B, 1, H, W)
in [-1, 1], `label` (B, 1, H, W) of codes and `contrast` (B,), places in the list of contrasts.

Sources: Yuan et al., UAGAN (2019), and its code; StarGAN (Choi et al. 2018), eq. 1 to 6; the multi-scale distance:
Xue et al., SegAN (2018). Where the code and this file differ: the penalty is that of the mean of the map of scores,
which is what the loss takes, not of their sum; class weights are 1 and Dice stands beside the cross-entropy, since
0.02 for the background lets labels spread (docs/unified_multimodal.md).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from monai.losses import DiceLoss
from torch import Tensor, nn

from ...keys import CONTRAST, IMAGE, LABEL
from ...losses import (
    between,
    discriminator_loss,
    generator_loss,
    gradient_penalty,
    labelled_loss,
    multi_scale_l1,
)
from ..trainer import unwrap

Networks = Mapping[str, nn.Module]
KIND = "wasserstein_gp"


class Segmentation:
    """S: how far labels are from the true ones.

    Args:
        class_weights: of the cross-entropy, one a class; None for all alike. 0.02 and 0.98 in UAGAN's code.
        dice_weight: of 1 - Dice of all classes but the background, over the whole batch; 0 in UAGAN's code.
    """

    def __init__(self, class_weights: Sequence[float] | None = None, dice_weight: float = 1.0) -> None:
        self.class_weights, self.dice_weight = class_weights, dice_weight
        self.dice = DiceLoss(include_background=False, to_onehot_y=True, softmax=True, batch=True)

    def __call__(self, logits: Tensor, label: Tensor) -> Tensor:
        """A scalar for logits (B, K, H, W) and codes (B, 1, H, W)."""
        loss = labelled_loss(logits, label, self.class_weights)
        return loss + self.dice_weight * self.dice(logits.float(), label) if self.dice_weight else loss


def codes_of(contrast: Tensor, contrasts: int, image: Tensor) -> Tensor:
    """One-hot codes (B, contrasts) of places (B,), of the image's type."""
    return F.one_hot(contrast.long(), contrasts).to(image.dtype)


def wanted_of(contrast: Tensor) -> Tensor:
    """For each image a contrast to be translated into: those of the batch in another order, so that it may be its own.

    Drawn on the CPU, so that every device draws the same.
    """
    return contrast[torch.randperm(len(contrast)).to(contrast.device)]


def seen_by_critic(image: Tensor, logits: Tensor) -> tuple[Tensor, Tensor]:
    """An image in [0, 1], since a mask hides where it is 0, and probabilities of all labels but the background."""
    return (image + 1) / 2, logits.float().softmax(dim=1)[:, 1:]


def true_maps(label: Tensor, classes: int) -> Tensor:
    """Codes (B, 1, H, W) one-hot, without the background: (B, classes - 1, H, W)."""
    return F.one_hot(label.squeeze(1).long(), classes).movedim(-1, 1)[:, 1:].float()


class DiscriminatorObjective:
    """L_D: real images score high and are known by their contrast; translated ones score low.

    Args:
        contrasts: number of contrasts.
        penalty_weight: of the gradient penalty.
        contrast_weight: of the cross-entropy of contrasts.
    """

    def __init__(self, contrasts: int, penalty_weight: float = 10.0, contrast_weight: float = 1.0) -> None:
        self.contrasts, self.penalty_weight, self.contrast_weight = contrasts, penalty_weight, contrast_weight

    def __call__(self, networks: Networks, batch: Mapping[str, Any]) -> dict[str, Tensor]:
        """Return ``loss``, mean scores of both kinds, the unweighted ``penalty``, and how ``contrast`` is told."""
        image, contrast = batch[IMAGE], batch[CONTRAST]
        generator: Any = networks["generator"]
        with torch.no_grad():
            drawn = generator.translate(image, codes_of(wanted_of(contrast), self.contrasts, image))
        discriminator = networks["discriminator"]
        real, told = discriminator(image)
        theirs, _ = discriminator(drawn)
        terms = {
            "score_real": real.float().mean(),
            "score_drawn": theirs.float().mean(),
            "penalty": gradient_penalty(lambda points: discriminator(points)[0], between(image, drawn)),
            "contrast": F.cross_entropy(told.float(), contrast.long()),
        }
        loss = discriminator_loss(real, theirs, KIND)
        loss = loss + self.penalty_weight * terms["penalty"] + self.contrast_weight * terms["contrast"]
        return {"loss": loss, **terms}


class CriticObjective:
    """L_C: the critic embeds given and true labels as far apart as it can.

    Args:
        contrasts: number of contrasts.
        reduction: how the critic's scales are weighed, see :func:`multi_scale_l1`.
    """

    def __init__(self, contrasts: int, reduction: str = "concat") -> None:
        self.contrasts, self.reduction = contrasts, reduction

    def __call__(self, networks: Networks, batch: Mapping[str, Any]) -> dict[str, Tensor]:
        """Return ``loss`` = - distance."""
        image, generator = batch[IMAGE], networks["generator"]
        segment: Any = generator.segment
        with torch.no_grad():
            logits = segment(image, codes_of(wanted_of(batch[CONTRAST]), self.contrasts, image))
        seen, maps = seen_by_critic(image, logits)
        critic, truth = networks["critic"], true_maps(batch[LABEL], logits.shape[1])
        return {"loss": -multi_scale_l1(critic(seen, maps), critic(seen, truth), self.reduction)}


class GeneratorObjective:
    """L_G: labels, translation and the way back, all of one network.

    Args:
        contrasts: number of contrasts.
        segmentation: S.
        segmentation_weight: of the labels of real images; 100 in the source.
        shape_weight: of the labels of translated images, once it has grown; 0 never compares them.
        shape_ramp: updates over which that weight grows from 0; counted here and kept in checkpoints.
        adversarial_weight: of the discriminator's score.
        contrast_weight: of the contrast that the discriminator tells.
        cycle_weight: of the way back.
        distance_weight: of the critic's distance; 0 never calls the critic.
        reduction: how the critic's scales are weighed.
    """

    def __init__(
        self,
        contrasts: int,
        segmentation: Segmentation,
        segmentation_weight: float = 100.0,
        shape_weight: float = 100.0,
        shape_ramp: int = 0,
        adversarial_weight: float = 1.0,
        contrast_weight: float = 1.0,
        cycle_weight: float = 10.0,
        distance_weight: float = 10.0,
        reduction: str = "concat",
    ) -> None:
        self.contrasts, self.segmentation, self.reduction = contrasts, segmentation, reduction
        self.shape_weight, self.shape_ramp, self.distance_weight = shape_weight, shape_ramp, distance_weight
        self.weights = {
            "segmentation": segmentation_weight,
            "adversarial": adversarial_weight,
            "contrast": contrast_weight,
            "cycle": cycle_weight,
        }
        self.updates = 0

    def __call__(self, networks: Networks, batch: Mapping[str, Any]) -> dict[str, Tensor]:
        """Return ``loss`` and its unweighted terms."""
        image, label, contrast = batch[IMAGE], batch[LABEL], batch[CONTRAST]
        generator, wanted = networks["generator"], wanted_of(contrast)
        logits, drawn = generator(image, codes_of(wanted, self.contrasts, image))
        again, back = generator(drawn, codes_of(contrast, self.contrasts, drawn))
        scores, told = networks["discriminator"](drawn)
        terms = {
            "segmentation": self.segmentation(logits, label),
            "adversarial": generator_loss(scores, KIND),
            "contrast": F.cross_entropy(told.float(), wanted.long()),
            "cycle": (image - back.float()).abs().mean(),
        }
        loss = torch.stack([self.weights[name] * term for name, term in terms.items()]).sum()
        if self.shape_weight:
            terms["shape"] = self.segmentation(again, label)
            loss = loss + self.grown() * terms["shape"]
        else:
            loss = loss + 0 * again.sum()  # a gradient for every weight, which processes that share one wait for
        if self.distance_weight:
            terms["distance"] = self.distance(networks["critic"], image, logits, label)
            loss = loss + self.distance_weight * terms["distance"]
        self.updates += 1
        return {"loss": loss, **terms}

    def grown(self) -> float:
        """The weight of the labels of translated images at this update."""
        return self.shape_weight * min(1.0, self.updates / self.shape_ramp if self.shape_ramp else 1.0)

    def distance(self, critic: nn.Module, image: Tensor, logits: Tensor, label: Tensor) -> Tensor:
        """D_ms of given and true labels."""
        seen, maps = seen_by_critic(image, logits)
        with torch.no_grad():
            reference = critic(seen, true_maps(label, logits.shape[1]))
        return multi_scale_l1(critic(seen, maps), reference, self.reduction)

    def state_dict(self) -> dict[str, Any]:
        """How far the ramp has come."""
        return {"updates": self.updates}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from there."""
        self.updates = int(state["updates"])


class LabellingObjective:
    """S alone, for images whose wanted contrast is their own, as when the network is used.

    All that a baseline learns; beside the game it is a cheap phase of each iteration, and translation one of each k-th.

    Args:
        contrasts: number of contrasts.
        segmentation: S.
        weight: of S, that of the game where both share an optimiser.
    """

    def __init__(self, contrasts: int, segmentation: Segmentation, weight: float = 1.0) -> None:
        self.contrasts, self.segmentation, self.weight = contrasts, segmentation, weight

    def __call__(self, networks: Networks, batch: Mapping[str, Any]) -> dict[str, Tensor]:
        """Return ``loss`` and the unweighted ``segmentation``."""
        image, generator = batch[IMAGE], networks["generator"]
        code = codes_of(batch[CONTRAST], self.contrasts, image)
        if unwrap(generator) is generator:
            segment: Any = generator.segment
            loss = self.segmentation(segment(image, code), batch[LABEL])
        else:  # processes that share it wait for a gradient of every weight
            logits, drawn = generator(image, code)
            loss = self.segmentation(logits, batch[LABEL]) + 0 * drawn.sum()
        return {"loss": self.weight * loss, "segmentation": loss}


class FusionObjective:
    """S of the deployed network, for images of several contrasts (B, n, H, W): what its weights of contrasts learn.

    Args:
        segmentation: S.
    """

    def __init__(self, segmentation: Segmentation) -> None:
        self.segmentation = segmentation

    def __call__(self, networks: Networks, batch: Mapping[str, Any]) -> dict[str, Tensor]:
        """Return ``loss``."""
        return {"loss": self.segmentation(networks["segmenter"](batch[IMAGE]), batch[LABEL])}
