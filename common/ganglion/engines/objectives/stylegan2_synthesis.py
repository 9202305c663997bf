"""StyleGAN2's four phases, for images with label maps: discriminator, its penalty, generator, its path length.

With x real and g drawn images beside their maps in the form that `label_forms` gives them:

    L_D  = E softplus(D(g)) + E softplus(-D(x))        each iteration
    L_R1 = k gamma / 2 E |grad_x D(x)|^2               each k-th, k = 16
    L_G  = E softplus(-D(g))                           each iteration
    L_PL = k 2 E (|J^T y| - a)^2                       each k-th, k = 4, on half a batch, of the contrasts alone

a is the running mean of |J^T y|. Each phase shares its network's optimiser, `engines.LazyAdam`. The batch holds `image`
(B, C, H, W) in [-1, 1] and `label` (B, 1, H, W) of codes.

Sources: Karras et al., Analyzing and improving the image quality of StyleGAN (2020); R1: Mescheder et al., Which
training methods for GANs do actually converge? (2018), eq. 9. Path length leaves labels out, since the softmax shrinks
their gradient to nothing where it is sure.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import torch
from monai.losses import DiceCELoss
from torch import Tensor, nn

from ...keys import IMAGE, LABEL
from ...losses import discriminator_loss, feature_matching, generator_loss, gradient_penalty, path_lengths
from .. import processes
from ..adaptive_augmentation import AdaptiveAugmentation
from ..trainer import unwrap
from .label_forms import DISCRIMINATOR, LABEL_DISCRIMINATOR, LabelForm

Networks = Mapping[str, nn.Module]
GENERATOR = "generator"
LATENT = 512


class Draw:
    """How the network `generator` is asked for images in training.

    Args:
        mixing: probability that layers from a random one on take another style.
    """

    def __init__(self, mixing: float = 0.9) -> None:
        self.mixing = mixing

    def styles(self, networks: Networks, count: int, device: torch.device) -> Tensor:
        """Styles of every layer, (count, layers, W), with gradient to the mapping."""
        generator: Any = unwrap(networks[GENERATOR])
        z = torch.randn(count, LATENT, device=device)
        if self.mixing == 0 or float(torch.rand(())) >= self.mixing:
            return generator.styles(z)
        crossover = int(torch.randint(1, generator.style_count, ()))
        return generator.styles(z, torch.randn(count, LATENT, device=device), crossover)

    def __call__(self, networks: Networks, count: int, device: torch.device) -> Tensor:
        """Images with probabilities of labels, (count, C + labels, H, W), with noise drawn anew."""
        return networks[GENERATOR](self.styles(networks, count, device), draw_noise=True)


class _WithAugmentation:
    """An objective whose augmentation's state it keeps in checkpoints; phases share one augmentation."""

    def __init__(self, draw: Draw, form: LabelForm, augmentation: AdaptiveAugmentation | None = None) -> None:
        self.draw, self.form = draw, form
        self.augmentation = AdaptiveAugmentation() if augmentation is None else augmentation

    def state_dict(self) -> dict[str, Any]:
        """Of the augmentation."""
        return {"augmentation": self.augmentation.state_dict()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on where a checkpoint was written."""
        self.augmentation.load_state_dict(state["augmentation"])

    def sureness(self, joint: Tensor) -> Tensor:
        """Mean probability of the most probable label."""
        return joint[:, -self.form.labels :].detach().amax(dim=1).mean()

    def views(self, joint: Tensor) -> dict[str, Tensor]:
        """Views of drawn images, augmented."""
        return {name: self.augmentation(view) for name, view in self.form.drawn(joint).items()}


class DiscriminatorObjective(_WithAugmentation):
    """L_D, summed over all discriminators of the label form.

    Args:
        draw: how images are drawn.
        form: how label maps are shown.
        augmentation: of what is shown; it learns from the scores of real images here.
    """

    def __call__(self, networks: Networks, batch: Mapping[str, Any]) -> dict[str, Tensor]:
        """Return ``loss``, mean scores of both kinds, how sure drawn labels are and how often images are augmented."""
        with torch.no_grad():
            joint = self.draw(networks, len(batch[IMAGE]), batch[IMAGE].device)
            drawn = self.views(joint)
        real = self.form.real(batch[IMAGE], batch[LABEL])
        terms: dict[str, Tensor] = {}
        losses = []
        for name, view in drawn.items():
            network = networks[name]
            # Two passes: minibatch deviation compares samples, and must not compare real with drawn ones.
            scores, theirs = network(self.augmentation(real[name])), network(view)
            losses.append(discriminator_loss(scores, theirs))
            suffix = "" if name == DISCRIMINATOR else "_labels"
            terms |= {f"score_real{suffix}": scores.detach().mean(), f"score_drawn{suffix}": theirs.detach().mean()}
            if name == DISCRIMINATOR:
                self.augmentation.watch(scores)
        terms |= {"sureness": self.sureness(joint), "augmented": joint.new_tensor(self.augmentation.probability)}
        return {"loss": torch.stack(losses).sum(), **terms}


class DiscriminatorPenaltyObjective(_WithAugmentation):
    """L_R1, summed over all discriminators; and how well images are judged without their labels, as a warning.

    Args:
        draw: how images are drawn.
        form: how label maps are shown.
        gamma: weight of the penalty.
        interval: ``every`` of the phase, by which the loss is multiplied.
        augmentation: of what is shown.
    """

    def __init__(
        self,
        draw: Draw,
        form: LabelForm,
        gamma: float = 1.0,
        interval: int = 16,
        augmentation: AdaptiveAugmentation | None = None,
    ) -> None:
        super().__init__(draw, form, augmentation)
        self.gamma, self.interval = gamma, interval

    def __call__(self, networks: Networks, batch: Mapping[str, Any]) -> dict[str, Tensor]:
        """Return ``loss``, the unweighted ``penalty`` and the accuracy with all labels 0, where they are shown."""
        real = {name: self.augmentation(view) for name, view in self.form.real(batch[IMAGE], batch[LABEL]).items()}
        scores: list[Tensor] = []

        def judged(name: str, view: Tensor) -> Tensor:
            scores.append(networks[name](view))
            return scores[-1]

        penalties = [gradient_penalty(partial(judged, name), view, target=0.0) for name, view in real.items()]
        penalty = torch.stack(penalties).sum()
        # Every weight gets a gradient, if of 0, which processes that share one wait for.
        loss = 0.5 * self.gamma * self.interval * penalty + 0 * torch.cat(scores).sum()
        terms = {"loss": loss, "penalty": penalty}
        shown = LABEL_DISCRIMINATOR if LABEL_DISCRIMINATOR in real else DISCRIMINATOR
        with torch.no_grad():
            drawn = self.views(self.draw(networks, len(batch[IMAGE]), batch[IMAGE].device))[shown]
            judge = unwrap(networks[shown])
            right = [
                (sign * judge(self.form.without_labels(view)) > 0).float().mean()
                for sign, view in ((1, real[shown]), (-1, drawn))
            ]
        return {**terms, "accuracy_without_labels": torch.stack(right).mean()}


class GeneratorObjective(_WithAugmentation):
    """L_G, summed over all discriminators; moves the average style as well.

    Args:
        draw: how images are drawn.
        form: how label maps are shown.
        average_beta: how much of the average style is kept in each update.
        feature_weight: of matching the second discriminator's features, where there is one.
        augmentation: of what is shown.
    """

    def __init__(
        self,
        draw: Draw,
        form: LabelForm,
        average_beta: float = 0.995,
        feature_weight: float = 2.0,
        augmentation: AdaptiveAugmentation | None = None,
    ) -> None:
        super().__init__(draw, form, augmentation)
        self.average_beta, self.feature_weight = average_beta, feature_weight

    def __call__(self, networks: Networks, batch: Mapping[str, Any]) -> dict[str, Tensor]:
        """Return ``loss``, its parts and how sure drawn labels are."""
        image = batch[IMAGE]
        styles = self.draw.styles(networks, len(image), image.device)
        self._follow(unwrap(networks[GENERATOR]), styles)
        joint = networks[GENERATOR](styles, draw_noise=True)
        terms, losses = {"sureness": self.sureness(joint)}, []
        for name, view in self.views(joint).items():
            if name == LABEL_DISCRIMINATOR and self.feature_weight:
                judge: Any = networks[name]
                scores, features = judge.with_features(view)
                with torch.no_grad():
                    real = self.augmentation(self.form.real(image, batch[LABEL])[name])
                    wanted = judge.with_features(real)[1]
                pairs = zip(wanted, features, strict=True)
                terms["features"] = torch.stack([feature_matching(*pair, norm="l1") for pair in pairs]).mean()
                losses.append(self.feature_weight * terms["features"])
            else:
                scores = networks[name](view)
            losses.append(generator_loss(scores))
        return {"loss": torch.stack(losses).sum(), **terms}

    @torch.no_grad()
    def _follow(self, generator: Any, styles: Tensor) -> None:
        """Move the average style towards the mean of this batch, over all processes."""
        mean = processes.average(styles[:, 0].detach().float().mean(dim=0))
        generator.mapping.average.lerp_(mean.to(generator.mapping.average.dtype), 1 - self.average_beta)


class LabellingObjective:
    """Dice and cross-entropy of the network `segmenter`: how the downstream experiment trains on real and drawn slices.

    Labels are codes. Dice is that of all labels but the background, over the whole batch.
    """

    def __init__(self) -> None:
        self.compare = DiceCELoss(include_background=False, to_onehot_y=True, softmax=True, batch=True)

    def __call__(self, networks: Networks, batch: Mapping[str, Any]) -> dict[str, Tensor]:
        """Return ``loss``."""
        return {"loss": self.compare(networks["segmenter"](batch[IMAGE]).float(), batch[LABEL])}


class PathLengthObjective:
    """L_PL: a step in the space of styles moves the contrasts by the same length anywhere.

    Args:
        draw: how images are drawn.
        contrasts: channels of the image that count, the first ones.
        weight: 2 in the source.
        interval: ``every`` of the phase, by which the loss is multiplied.
        decay: how far the running mean goes towards the present one.
        share: of the batch that is drawn.
    """

    def __init__(
        self,
        draw: Draw,
        contrasts: int = 4,
        weight: float = 2.0,
        interval: int = 4,
        decay: float = 0.01,
        share: float = 0.5,
    ) -> None:
        self.draw, self.contrasts, self.weight = draw, contrasts, weight
        self.interval, self.decay, self.share = interval, decay, share
        self.mean = torch.zeros(())

    def __call__(self, networks: Networks, batch: Mapping[str, Any]) -> dict[str, Tensor]:
        """Return ``loss``, the mean ``length`` and the unweighted ``penalty``."""
        device = batch[IMAGE].device
        count = max(1, int(len(batch[IMAGE]) * self.share))
        with torch.autocast(device.type, enabled=False):
            styles = self.draw.styles(networks, count, device)
            joint = networks[GENERATOR](styles, draw_noise=True)
            image = joint[:, : self.contrasts]
            lengths = path_lengths(image, styles, torch.randn_like(image))
        with torch.no_grad():
            length = processes.average(lengths.mean())
            self.mean = torch.lerp(self.mean.to(device), length, self.decay)
        penalty = (lengths - self.mean).square().mean()
        loss = self.weight * self.interval * penalty + 0 * joint.sum()  # a gradient for every weight, as above
        return {"loss": loss, "length": length, "penalty": penalty}

    def state_dict(self) -> dict[str, Any]:
        """The running mean."""
        return {"mean": self.mean}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on where a checkpoint was written."""
        self.mean = state["mean"].clone()
