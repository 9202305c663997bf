"""The multi-stage GAN's own phases: brain or not (G1), and tissues (G3), taught by labels and by the discriminator.

    L_G1 = Dice + CE on 1[y > 0]
    L_G3 = CE_w + Dice on labelled images + lambda(t) KL( softmax D(x_u) || softmax G3(x_u) ) where D is sure

Discriminator and image generator are those of `few_labels`. The paper (Khaled and Han) does not say how the adversary
reaches G3; that it does so through the discriminator's posterior is a reading, see docs/multistage_gan.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from ...keys import IMAGE, LABEL, LABELLED, UNLABELLED
from ...losses import labelled_loss, posterior_consistency, tissue_dice
from .few_labels import Networks, brain_probability


class CoarseObjective:
    """L_G1: brain against background, on labelled images."""

    def __call__(self, networks: Networks, batch: Mapping[str, Any]) -> dict[str, Tensor]:
        """Return ``loss`` and its parts ``dice`` and ``cross_entropy``."""
        image, label = batch[LABELLED][IMAGE], batch[LABELLED][LABEL]
        logits, brain = networks["coarse"](image).float(), (label > 0).long()
        terms = {"dice": tissue_dice(logits, brain), "cross_entropy": labelled_loss(logits, brain)}
        return {"loss": terms["dice"] + terms["cross_entropy"], **terms}


class RefinerObjective:
    """L_G3: tissues, from labels, and from what the discriminator is sure of on unlabelled images.

    Args:
        class_weights: of the cross-entropy, K numbers, or None.
        dice_weight: weight of Dice.
        consistency_weight: largest weight of the consistency with the discriminator; 0 needs no discriminator.
        ramp: updates over which that weight grows from 0; counted here and kept in checkpoints.
        temperature: of the discriminator's posterior.
        threshold: its largest probability from which on a voxel counts.
    """

    def __init__(
        self,
        class_weights: list[float] | None = None,
        dice_weight: float = 1.0,
        consistency_weight: float = 0.5,
        ramp: int = 0,
        temperature: float = 1.0,
        threshold: float = 0.8,
    ) -> None:
        self.class_weights = class_weights
        self.dice_weight = dice_weight
        self.consistency_weight = consistency_weight
        self.ramp = ramp
        self.temperature = temperature
        self.threshold = threshold
        self.updates = 0

    def __call__(self, networks: Networks, batch: Mapping[str, Any]) -> dict[str, Tensor]:
        """Return ``loss``, its parts, the weight of the consistency and the share of voxels that it rests on."""
        labelled, label = batch[LABELLED][IMAGE], batch[LABELLED][LABEL]
        image = labelled
        if self.consistency_weight:
            image = torch.cat([labelled, batch[UNLABELLED][IMAGE]])  # one pass: nothing in the network mixes samples
        logits = networks["refiner"](image, brain_probability(networks, image)).float()
        ours, theirs = logits[: len(labelled)], logits[len(labelled) :]
        terms = {"cross_entropy": labelled_loss(ours, label, self.class_weights), "dice": tissue_dice(ours, label)}
        loss = terms["cross_entropy"] + self.dice_weight * terms["dice"]
        if self.consistency_weight:
            with torch.no_grad():
                teacher = networks["discriminator"](image[len(labelled) :])
            terms["consistency"], terms["sure"] = posterior_consistency(
                theirs, teacher, self.temperature, self.threshold
            )
            weight = self.consistency_weight * min(1.0, self.updates / self.ramp if self.ramp else 1.0)
            terms["consistency_weight"] = loss.new_tensor(weight)
            loss = loss + weight * terms["consistency"]
        self.updates += 1
        return {"loss": loss, **terms}

    def state_dict(self) -> dict[str, Any]:
        """How far the ramp has come."""
        return {"updates": self.updates}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on where a checkpoint was written."""
        self.updates = int(state["updates"])
