"""SegAN's min-max game: the critic widens, and the segmenter narrows, one and the same distance.

With x the image, y the true map, p = sigmoid(S(x)), and D the multi-scale L1 distance of the critic's features:

    L_C = - D(C(x, p), C(x, y))                        minimised by the critic, p detached
    L_S = + w_D D(C(x, p), C(x, y)) + w_dice Dice(p, y)      minimised by the segmenter

There is no real-or-fake score. The two signs are the whole of the game: with one of them wrong both losses would
still fall, which is why a test holds them.

Source: Xue et al. 2018, eq. 2 and 3; the Dice term and the concatenated input are Giacomello et al. 2019.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from monai.losses import DiceLoss
from torch import nn

from ...keys import IMAGE, LABEL
from ...losses import multi_scale_l1


class CriticObjective:
    """L_C: the critic embeds predicted and true maps as far apart as it can.

    Args:
        reduction: how the scales are weighed, see :func:`multi_scale_l1`.
    """

    def __init__(self, reduction: str = "concat") -> None:
        self.reduction = reduction

    def __call__(self, networks: Mapping[str, nn.Module], batch: Mapping[str, Any]) -> dict[str, torch.Tensor]:
        """Return ``loss`` = -distance; the batch has image (B, C, H, W) in [0, 1] and label (B, 1, H, W) in {0, 1}."""
        image, truth = batch[IMAGE], batch[LABEL].float()
        with torch.no_grad():
            probability = networks["segmenter"](image).float().sigmoid()
        critic = networks["critic"]
        return {"loss": -multi_scale_l1(critic(image, probability), critic(image, truth), self.reduction)}


class SegmenterObjective:
    """L_S: the segmenter draws maps that the critic cannot tell from true ones, and that overlap with them.

    Args:
        distance_weight: weight of the critic's distance; 0 never calls the critic (S with Dice only).
        dice_weight: weight of the Dice term; 1 in the paper, 0 for the first SegAN.
        reduction: how the scales are weighed, see :func:`multi_scale_l1`.
        map_weight: weight of the mean |p - y| of the maps themselves; not in the paper, a control for the critic.
    """

    def __init__(
        self,
        distance_weight: float = 1.0,
        dice_weight: float = 1.0,
        reduction: str = "concat",
        map_weight: float = 0.0,
    ) -> None:
        self.distance_weight = distance_weight
        self.dice_weight = dice_weight
        self.map_weight = map_weight
        self.reduction = reduction
        # 1 - (2 sum p y + eps) / (sum p^2 + sum y^2 + eps), per image: finite also where both maps are empty
        self.dice = DiceLoss(squared_pred=True, smooth_nr=1e-6, smooth_dr=1e-6)

    def __call__(self, networks: Mapping[str, nn.Module], batch: Mapping[str, Any]) -> dict[str, torch.Tensor]:
        """Return ``loss`` and its parts ``distance``, ``dice`` and ``map``; shapes as for the critic."""
        image, truth = batch[IMAGE], batch[LABEL].float()
        probability = networks["segmenter"](image).float().sigmoid()
        terms = {"dice": self.dice(probability, truth)}
        loss = self.dice_weight * terms["dice"]
        if self.map_weight:
            terms["map"] = (probability - truth).abs().mean()
            loss = loss + self.map_weight * terms["map"]
        if self.distance_weight:
            critic = networks["critic"]
            with torch.no_grad():
                reference = critic(image, truth)
            terms["distance"] = multi_scale_l1(critic(image, probability), reference, self.reduction)
            loss = loss + self.distance_weight * terms["distance"]
        return {"loss": loss, **terms}
