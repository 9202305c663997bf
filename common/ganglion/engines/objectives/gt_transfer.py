"""The GT-layer transfer GAN's phases: a generator that is told tissues, and what the discriminator learns from it.

The batch is that of `few_labels`. With x_c an unlabelled image for one half and a labelled one for the other, y_s a
label map drawn from the labelled ones, z noise, x_f = G(x_c, y_s, z), e the generator's edge logits, f the
discriminator's features and s its score:

    L_G = w_f |mean f(x_u) - mean f(x_f)|^2 + w_a softplus(-s(x_f))
          + w_r |G(x_l, y_l, z) - x_l|^2 + w_e BCE(e(x_l), edges of y_l)                     discriminator frozen

and the discriminator's loss is that of `few_labels`, on x_f. Optional third stage, with tissues placed by a map:

    L_S = CE(D(x_l), y_l) + w_s CE(D(G(x_c, y', z)), y'),      y' a drawn label map, flipped and bent; G frozen

Source: Khaled and Ghaleb, eq. 1 to 8, which cannot be computed as printed; docs/gt_transfer.md says why, and how
each was read.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
import torch.nn.functional as F
from monai.networks import one_hot
from torch import Tensor

from ...errors import InputError
from ...keys import IMAGE, LABEL, LABELLED, UNLABELLED
from ...losses import edge_loss, labelled_loss, mode_seeking, tissue_dice, tissue_edges
from .few_labels import Generate, Networks, against


class Transfer(Generate):
    """How the network `generator` is asked for images of other tissue codes.

    Args:
        noise_size: entries of the noise, drawn from U(-1, 1).
        classes: number K of tissues, background included.
        labelled_share: share of a batch whose image is a labelled one, rounded down; unlabelled ones make the rest.
    """

    def __init__(self, noise_size: int = 16, classes: int = 4, labelled_share: float = 0.5) -> None:
        super().__init__(noise_size)
        if not 0 <= labelled_share <= 1:
            raise InputError(f"labelled_share is {labelled_share}, expected a number from 0 to 1.")
        self.classes = classes
        self.labelled_share = labelled_share

    def draw(self, batch: Mapping[str, Any]) -> tuple[Tensor, Tensor, Tensor]:
        """What a batch of images is made from.

        Returns:
            Images (B, C, X, Y, Z), unlabelled ones first; label maps (B, 1, X, Y, Z), drawn from the labelled ones; and
            which labelled images stand at the end.
        """
        labelled, unlabelled = batch[LABELLED][IMAGE], batch[UNLABELLED][IMAGE]
        size, known = len(unlabelled), len(labelled)
        count = min(int(self.labelled_share * size), known)
        device = unlabelled.device
        chosen = torch.randperm(known, device=device)[:count]
        others = torch.randperm(size, device=device)[: size - count]
        label = batch[LABELLED][LABEL][torch.randint(known, (size,), device=device)]
        return torch.cat([unlabelled[others], labelled[chosen]]), label, chosen

    def make(
        self, networks: Networks, image: Tensor, label: Tensor, noise: Tensor | None = None
    ) -> tuple[Tensor, Tensor | None]:
        """Images of the tissue codes of label maps (B, 1, X, Y, Z), and edge logits; None draws the noise."""
        return networks["generator"](image, one_hot(label, self.classes), self.noise(image) if noise is None else noise)

    def of_batch(self, networks: Networks, batch: Mapping[str, Any], labelled: bool = False) -> Tensor:
        """Images for the discriminator's step."""
        image, label, _ = self.draw(batch)
        return self.make(networks, image, label)[0]


class TransferObjective:
    """L_G: images that pass for real whatever the code, and are the image itself with its own code.

    Args:
        generate: how images are generated.
        feature_weight: weight of feature matching.
        adversarial_weight: weight of the adversarial term; small, since feature matching does better alone.
        reconstruction_weight: weight of the squared difference from a labelled image, made with its own label map.
        edge_weight: weight of the boundary network's loss on labelled images.
        edge_positive_weight: how much an edge counts there.
        feature_norm: ``l2``, or ``l1`` as in the few-shot GAN's code.
        diversity_weight: weight of mode seeking: a labelled image with its own code and with another, each with noise
            of its own, should differ as their noises do. Not in the paper; for a generator that ignores its code.
    """

    def __init__(
        self,
        generate: Transfer,
        feature_weight: float = 1.0,
        adversarial_weight: float = 0.1,
        reconstruction_weight: float = 10.0,
        edge_weight: float = 1.0,
        edge_positive_weight: float = 5.0,
        feature_norm: str = "l2",
        diversity_weight: float = 0.0,
    ) -> None:
        if not (feature_weight or adversarial_weight or reconstruction_weight or edge_weight):
            raise InputError("all weights of the generator's terms are 0, expected at least one above 0.")
        self.generate = generate
        self.feature_weight = feature_weight
        self.adversarial_weight = adversarial_weight
        self.reconstruction_weight = reconstruction_weight
        self.edge_weight = edge_weight
        self.edge_positive_weight = edge_positive_weight
        self.feature_norm = feature_norm
        self.diversity_weight = diversity_weight

    def __call__(self, networks: Networks, batch: Mapping[str, Any]) -> dict[str, Tensor]:
        """Return ``loss``, its parts, and how much other code and noise change an image; no edges, no such part."""
        ours, own = batch[LABELLED][IMAGE], batch[LABELLED][LABEL]
        image, label, chosen = self.generate.draw(batch)
        # No batch norm: one pass over both gives what two passes would.
        images, labels = torch.cat([image, ours]), torch.cat([label, own])
        noise = self.generate.noise(images)
        made, edges = self.generate.make(networks, images, labels, noise)
        generated, again = made[: len(image)], made[len(image) :].float()
        terms: dict[str, Tensor] = {"reconstruction": (again - ours).square().mean()}
        weights = {"reconstruction": self.reconstruction_weight}
        if edges is not None:
            wanted = tissue_edges(one_hot(own, self.generate.classes))
            terms["edges"] = edge_loss(edges[len(image) :], wanted, self.edge_positive_weight)
            weights["edges"] = self.edge_weight
        asked = {"features": self.feature_weight, "adversarial": self.adversarial_weight}
        if any(asked.values()):
            real, pair = batch[UNLABELLED][IMAGE], (self.feature_weight, self.adversarial_weight)
            terms |= against(networks["discriminator"], real, generated, pair, self.feature_norm)
        loss = torch.stack([{**weights, **asked}[name] * value for name, value in terms.items()]).sum()
        if len(chosen):
            at = slice(len(image) - len(chosen), len(image))
            other, same = made[at].float(), again[chosen]
            terms["code_effect"] = (other - same).detach().abs().mean()
            if self.diversity_weight:
                terms["diversity"] = mode_seeking(noise[at], noise[len(image) :][chosen], other, same)
                loss = loss + self.diversity_weight * terms["diversity"]
        return {"loss": loss, **terms}


class SyntheticLabelsObjective:
    """L_S: the discriminator learns tissues from labelled images and from synthetic ones whose labels are known.

    Their labels are known only where the generator places tissues by the label map (mode ``tissue_map``).

    Args:
        generate: how images are generated.
        class_weights: of the cross-entropy, K numbers, or None.
        synthetic_weight: weight of the synthetic images.
        bend: standard deviation, in voxels, of the displacements of four points along each axis that bend a label map.
        dice_weight: weight of Dice beside each cross-entropy.
    """

    def __init__(
        self,
        generate: Transfer,
        class_weights: list[float] | None = None,
        synthetic_weight: float = 1.0,
        bend: float = 2.0,
        dice_weight: float = 0.0,
    ) -> None:
        self.generate = generate
        self.class_weights = class_weights
        self.synthetic_weight = synthetic_weight
        self.bend = bend
        self.dice_weight = dice_weight

    def __call__(self, networks: Networks, batch: Mapping[str, Any]) -> dict[str, Tensor]:
        """Return ``loss`` and its parts ``labelled`` and ``synthetic``.

        Raises:
            InputError: when the generator does not place tissues.
        """
        mode = getattr(networks["generator"], "mode", "none")
        if mode != "tissue_map":
            raise InputError(
                f"synthetic labelled images: found a generator of mode {mode!r}, whose images have no known labels, "
                "expected 'tissue_map'; train it with --mode tissue_map."
            )
        labelled, label = batch[LABELLED][IMAGE], batch[LABELLED][LABEL]
        with torch.no_grad():
            image, drawn, _ = self.generate.draw(batch)
            drawn = bent(flipped(drawn), self.bend)
            synthetic = self.generate.make(networks, image, drawn)[0].to(labelled.dtype)
        sizes = [len(labelled), len(synthetic)]
        ours, theirs = networks["discriminator"](torch.cat([labelled, synthetic])).split(sizes)
        terms = {"labelled": self._tissues(ours, label), "synthetic": self._tissues(theirs, drawn)}
        return {"loss": terms["labelled"] + self.synthetic_weight * terms["synthetic"], **terms}

    def _tissues(self, logits: Tensor, label: Tensor) -> Tensor:
        loss = labelled_loss(logits, label, self.class_weights)
        return loss + self.dice_weight * tissue_dice(logits, label) if self.dice_weight else loss


def flipped(label: Tensor) -> Tensor:
    """Each map (B, 1, X, ...) turned left to right, or not, by chance."""
    turn = torch.rand(len(label), device=label.device) < 0.5
    return torch.where(turn.reshape(-1, *[1] * (label.dim() - 1)), label.flip(2), label)


def bent(label: Tensor, deviation: float) -> Tensor:
    """Each map (B, 1, ...) bent smoothly, by displacements of four points an axis with this deviation in voxels."""
    axes = label.dim() - 2
    if not deviation:
        return label
    coarse = torch.randn(len(label), axes, *[4] * axes, device=label.device) * deviation
    smooth = {2: "bilinear", 3: "trilinear"}[axes]
    field = F.interpolate(coarse, size=label.shape[2:], mode=smooth, align_corners=True)
    # grid_sample counts axes from the last, and a whole side as 2.
    sides = torch.tensor(list(label.shape[:1:-1]), dtype=field.dtype, device=label.device)
    still = torch.eye(axes, axes + 1, device=label.device).expand(len(label), -1, -1)
    grid = F.affine_grid(still, [len(label), 1, *label.shape[2:]], align_corners=False)
    grid = grid + field.flip(1).movedim(1, -1) * 2 / sides
    return F.grid_sample(label.float(), grid, mode="nearest", padding_mode="border", align_corners=False)
