"""Learning tissue from few labels against a generator: a discriminator of K + 1 classes, and what it plays against.

The batch has two parts, drawn independently: `labelled` with image (B, C, X, Y, Z) in [-1, 1] and label (B, 1, X, Y, Z)
of codes 0 to K - 1, and `unlabelled` with image. With l the discriminator's K logits, s = logsumexp l and g generated:

    L_D = w_l CE(l(x_l), y_l) + w_i Dice(l(x_l), y_l)
          + w_u softplus(-s(x_u)) + w_g softplus(s(g)) + w_d s^2                             g detached
    L_G = w_f |mean f(x_u) - mean f(g)|^2 + w_a softplus(-s(g)) + w_m |z1 - z2| / |g1 - g2|  discriminator frozen

The methods differ in where g comes from: noise alone (the baselines), or an image, its coarse map and noise.

Sources: Salimans et al. 2016, section 5 and 3.1; Mondal, Dolz, Desrosiers 2018; Khaled and Han, eq. 11 to 14, whose
misprints `losses.semi_supervised` and `losses.adversarial` list; mode seeking: Mao et al. 2019; the encoder: Dai et al.
2017.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from ...errors import InputError
from ...keys import IMAGE, LABEL, LABELLED, UNLABELLED
from ...losses import (
    between,
    discriminator_loss,
    drift_penalty,
    feature_matching,
    generated_loss,
    generator_loss,
    gradient_penalty,
    labelled_loss,
    logit_drift,
    mode_seeking,
    noise_recovery,
    real_score,
    tissue_dice,
    unlabelled_loss,
)

Networks = Mapping[str, nn.Module]
K_PLUS_1 = "k_plus_1"
_OF_LABELLED = "auxiliary_classifier"  # the one adversary that has to know the classes of what is generated


def brain_probability(networks: Networks, image: Tensor) -> Tensor | None:
    """The coarse network's probability of brain, (B, 1, X, Y, Z), without gradient; None without such a network."""
    if "coarse" not in networks:
        return None
    with torch.no_grad():
        return networks["coarse"](image).float().softmax(dim=1)[:, 1:].to(image.dtype)


class Generate:
    """How the network `generator` is asked for images.

    Args:
        noise_size: entries of its noise, drawn from U(-1, 1) as in the few-shot GAN's code.
        from_image: whether it is given an image (and the coarse network's map of it, if there is one) beside the noise.
    """

    def __init__(self, noise_size: int = 200, from_image: bool = True) -> None:
        self.noise_size = noise_size
        self.from_image = from_image

    def noise(self, image: Tensor) -> Tensor:
        """Noise for a batch like `image`: (B, noise_size)."""
        return torch.rand(len(image), self.noise_size, device=image.device) * 2 - 1

    def __call__(self, networks: Networks, image: Tensor, noise: Tensor) -> Tensor:
        """Images of the shape of `image`, (B, C, X, Y, Z)."""
        generator = networks["generator"]
        if not self.from_image:
            return generator(noise)
        return generator(image, noise, brain_probability(networks, image))

    def of_batch(self, networks: Networks, batch: Mapping[str, Any], labelled: bool = False) -> Tensor:
        """Images for the discriminator's step, made from a batch's unlabelled images, or from its labelled ones."""
        image = batch[LABELLED if labelled else UNLABELLED][IMAGE]
        return self(networks, image, self.noise(image))


class SupervisedObjective:
    """Cross-entropy and Dice on labelled images alone: the baseline `unet`, the discriminator's network, no adversary.

    The terms are those that teach the methods' own networks, so that what a method gains is not its loss.

    Args:
        network: name of the network that is trained, which ends in K logits.
        class_weights: K numbers, or None for all alike.
        dice_weight: weight of Dice.
    """

    def __init__(
        self, network: str = "discriminator", class_weights: list[float] | None = None, dice_weight: float = 1.0
    ) -> None:
        self.network = network
        self.class_weights = class_weights
        self.dice_weight = dice_weight

    def __call__(self, networks: Networks, batch: Mapping[str, Any]) -> dict[str, Tensor]:
        """Return ``loss`` and its parts ``cross_entropy`` and ``dice``."""
        label = batch[LABELLED][LABEL]
        logits = networks[self.network](batch[LABELLED][IMAGE]).float()
        terms = {"cross_entropy": labelled_loss(logits, label, self.class_weights), "dice": tissue_dice(logits, label)}
        return {"loss": terms["cross_entropy"] + self.dice_weight * terms["dice"], **terms}


class DiscriminatorObjective:
    """L_D: labels where there are labels, "real" for unlabelled images, "generated" for generated ones.

    Args:
        generate: how images are generated.
        labelled_weight: weight of the cross-entropy.
        unlabelled_weight: weight of the term on unlabelled images.
        generated_weight: weight of the term on generated images.
        class_weights: of the cross-entropy, K numbers, or None.
        adversary: ``k_plus_1``, or a kind of `losses.discriminator_loss` on the score s in place of
            the two terms on unlabelled and generated images; `unlabelled_weight` is then the weight of its loss.
        penalty_weight: of the gradient penalty, used with ``wasserstein_gp``.
        drift_weight: of s^2 on labelled and unlabelled images, which holds the level of the logits.
        dice_weight: of Dice on labelled images, for a discriminator that labels or teaches; the paper has none.
    """

    def __init__(
        self,
        generate: Generate,
        labelled_weight: float = 1.0,
        unlabelled_weight: float = 1.0,
        generated_weight: float = 1.0,
        class_weights: list[float] | None = None,
        adversary: str = K_PLUS_1,
        penalty_weight: float = 10.0,
        drift_weight: float = 0.0,
        dice_weight: float = 0.0,
    ) -> None:
        self.generate = generate
        self.labelled_weight = labelled_weight
        self.unlabelled_weight = unlabelled_weight
        self.generated_weight = generated_weight
        self.class_weights = class_weights
        self.adversary = adversary
        self.penalty_weight = penalty_weight
        self.drift_weight = drift_weight
        self.dice_weight = dice_weight

    def __call__(self, networks: Networks, batch: Mapping[str, Any]) -> dict[str, Tensor]:
        """Return ``loss``, its parts, and the mean scores of real and of generated images, which should not drift."""
        labelled, label, unlabelled = batch[LABELLED][IMAGE], batch[LABELLED][LABEL], batch[UNLABELLED][IMAGE]
        with torch.no_grad():
            generated = self.generate.of_batch(networks, batch, self.adversary == _OF_LABELLED).to(labelled.dtype)
        discriminator = networks["discriminator"]
        # No batch norm: one pass over all three gives what three passes would.
        sizes = [len(labelled), len(unlabelled), len(generated)]
        ours, theirs, fakes = discriminator(torch.cat([labelled, unlabelled, generated])).split(sizes)
        terms = {"labelled": labelled_loss(ours, label, self.class_weights)}
        terms |= self._adversary(discriminator, (ours, label), unlabelled, theirs, generated, fakes)
        loss = self.labelled_weight * terms["labelled"] + terms.pop("adversarial_loss")
        if self.dice_weight:
            terms["dice"] = tissue_dice(ours, label)
            loss = loss + self.dice_weight * terms["dice"]
        if self.drift_weight:
            terms["drift"] = drift_penalty(torch.cat([ours, theirs]))
            loss = loss + self.drift_weight * terms["drift"]
        scores = {"score_real": logit_drift(theirs), "score_generated": logit_drift(fakes)}
        return {"loss": loss, **terms, **scores}

    def _adversary(
        self,
        discriminator: nn.Module,
        known: tuple[Tensor, Tensor],
        unlabelled: Tensor,
        theirs: Tensor,
        generated: Tensor,
        fakes: Tensor,
    ) -> dict[str, Tensor]:
        if self.adversary == K_PLUS_1:
            terms = {"unlabelled": unlabelled_loss(theirs), "generated": generated_loss(fakes)}
            loss = self.unlabelled_weight * terms["unlabelled"] + self.generated_weight * terms["generated"]
            return {**terms, "adversarial_loss": loss}
        classified = [(fakes, known[1])] if self.adversary == _OF_LABELLED else []
        score = discriminator_loss(real_score(theirs), real_score(fakes), self.adversary, classified)
        terms, loss = {"adversarial": score}, self.unlabelled_weight * score
        if self.adversary == "wasserstein_gp":
            points = between(unlabelled, generated)
            terms["penalty"] = gradient_penalty(lambda image: real_score(discriminator(image)), points)
            loss = loss + self.penalty_weight * terms["penalty"]
        return {**terms, "adversarial_loss": loss}


class GeneratorObjective:
    """L_G: images whose features are like those of real ones, that pass for real, and that differ where the noise does.

    Args:
        generate: how images are generated.
        feature_weight: weight of feature matching.
        adversarial_weight: weight of the adversarial term.
        diversity_weight: weight of mode seeking; 0 draws one noise only.
        recovery_weight: weight of the noise's negative log-likelihood under ``encoder``, a network of the bad GAN that
            the phase then trains as well.
        adversary: ``k_plus_1`` (non-saturating, on s), or a kind of `losses.generator_loss`.
        feature_norm: ``l2``, or ``l1`` as in the few-shot GAN's code.
    """

    def __init__(
        self,
        generate: Generate,
        feature_weight: float = 1.0,
        adversarial_weight: float = 0.1,
        diversity_weight: float = 0.0,
        recovery_weight: float = 0.0,
        adversary: str = K_PLUS_1,
        feature_norm: str = "l2",
    ) -> None:
        if not (feature_weight or adversarial_weight or diversity_weight or recovery_weight):
            raise InputError("all weights of the generator's terms are 0, expected at least one above 0.")
        self.generate = generate
        self.feature_weight = feature_weight
        self.adversarial_weight = adversarial_weight
        self.diversity_weight = diversity_weight
        self.recovery_weight = recovery_weight
        self.adversary = adversary
        self.feature_norm = feature_norm

    def __call__(self, networks: Networks, batch: Mapping[str, Any]) -> dict[str, Tensor]:
        """Return ``loss`` and the terms whose weight is not 0."""
        labelled = self.adversary == _OF_LABELLED
        image = batch[LABELLED if labelled else UNLABELLED][IMAGE]
        noise = self.generate.noise(image)
        generated = self.generate(networks, image, noise)
        terms: dict[str, Tensor] = {}
        if self.feature_weight or self.adversarial_weight:
            codes = batch[LABELLED][LABEL] if labelled else None
            real, asked = batch[UNLABELLED][IMAGE], (self.feature_weight, self.adversarial_weight)
            terms |= against(
                networks["discriminator"], real, generated, asked, self.feature_norm, self.adversary, codes
            )
        if self.diversity_weight:
            other_noise = self.generate.noise(image)
            other = self.generate(networks, image, other_noise)
            terms["diversity"] = mode_seeking(noise, other_noise, generated, other)
        if self.recovery_weight:
            terms["recovery"] = noise_recovery(noise, *networks["encoder"](generated))
        weights = {
            "features": self.feature_weight,
            "adversarial": self.adversarial_weight,
            "diversity": self.diversity_weight,
            "recovery": self.recovery_weight,
        }
        return {"loss": torch.stack([weights[name] * value for name, value in terms.items()]).sum(), **terms}


def against(
    discriminator: Any,
    real: Tensor,
    generated: Tensor,
    weights: tuple[float, float],
    feature_norm: str = "l2",
    adversary: str = K_PLUS_1,
    codes: Tensor | None = None,
) -> dict[str, Tensor]:
    """The generator's terms that the discriminator gives, ``features`` and ``adversarial``, if their weight is not 0.

    Args:
        discriminator: a network with ``with_features``, frozen.
        real: real images.
        generated: generated ones.
        weights: of feature matching and of the adversarial term.
        feature_norm: see `feature_matching`.
        adversary: see `GeneratorObjective`.
        codes: for ``auxiliary_classifier``: the classes that the images were generated for.
    """
    feature_weight, adversarial_weight = weights
    logits, features = discriminator.with_features(generated)
    terms = {}
    if feature_weight:
        with torch.no_grad():
            _, wanted = discriminator.with_features(real)
        terms["features"] = feature_matching(wanted, features, feature_norm)
    if adversarial_weight:
        kind = "non_saturating" if adversary == K_PLUS_1 else adversary
        classified = [] if codes is None else [(logits, codes)]
        terms["adversarial"] = generator_loss(real_score(logits), kind, classified)
    return terms
