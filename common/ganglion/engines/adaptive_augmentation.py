"""Adaptive augmentation of what a discriminator sees, for images of any number of channels."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from ..errors import InputError
from . import processes

_MOST = 0.125  # of a side: a shift by whole pixels
_SPREAD = 0.2  # of the binary logarithm of a scale
_SHIFT = 0.125  # of a side: spread of a shift by parts of pixels


class AdaptiveAugmentation:
    """Flips, quarter turns, shifts and scales with a probability p that follows how sure the discriminator is.

    Real and generated images are augmented alike, so that what a generator must imitate is the augmented
    distribution, from which, for p below about 0.8, that of the images can be told. All channels of a sample are moved
    in the same way: contrasts and soft labels stay aligned. Colour is left alone: contrasts are no colours. So is
    rotation by any angle: without it, every move is one matrix for rows and one for columns, which differentiates
    twice, and deterministically on a GPU.

    p grows by images / `images_per_unit` when the mean sign of scores of real images is above `target` and falls when
    it is below, every `every` calls of `watch`. p and the mean under way are checkpointed.

    Source: Karras et al., Training generative adversarial networks with limited data (2020), section 3.1 and
    appendix B, the groups pixel blitting and geometric.

    Args:
        target: mean sign that p is steered to, 0.6 in the source; None leaves p as it is.
        probability: p at the start.
        every: calls of `watch` between changes.
        images_per_unit: images in which p may go from 0 to 1.
    """

    def __init__(
        self, target: float | None = None, probability: float = 0.0, every: int = 4, images_per_unit: float = 500_000
    ) -> None:
        if target is not None and not -1 < target < 1:
            raise InputError(f"AdaptiveAugmentation: target is {target}, expected a number between -1 and 1, or null")
        if not 0 <= probability <= 1 or every < 1 or not images_per_unit > 0:
            raise InputError(
                f"AdaptiveAugmentation: probability {probability}, every {every}, images_per_unit {images_per_unit}: "
                "expected a number from 0 to 1, a whole number from 1 on and a number above 0"
            )
        self.target, self.every, self.images_per_unit = target, every, images_per_unit
        self.probability = float(probability)
        self.signs, self.images, self.calls = 0.0, 0, 0

    def __call__(self, images: Tensor) -> Tensor:
        """Images (B, C, H, W) of square shape, moved; the very same tensor while p is 0."""
        if self.probability == 0:
            return images
        with torch.autocast(images.device.type, enabled=False):
            return move_images(images.float(), *draw_moves(images, self.probability))

    @torch.no_grad()
    def watch(self, scores: Tensor) -> None:
        """Learn from the scores of (augmented) real images, (B, ...)."""
        if self.target is None:
            return
        counted = scores.new_tensor([float(scores.detach().float().sign().mean()) * len(scores), len(scores)])
        signs, images = processes.total(counted.double()).tolist()
        self.signs, self.images, self.calls = self.signs + signs, self.images + int(images), self.calls + 1
        if self.calls % self.every == 0:
            above = self.signs / self.images - self.target
            step = self.images / self.images_per_unit
            self.probability = min(1.0, max(0.0, self.probability + (step if above > 0 else -step)))
            self.signs, self.images = 0.0, 0

    def state_dict(self) -> dict[str, Any]:
        """p, and what was seen since its last change."""
        return {name: getattr(self, name) for name in ("probability", "signs", "images", "calls")}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on where a checkpoint was written."""
        self.probability, self.signs = float(state["probability"]), float(state["signs"])
        self.images, self.calls = int(state["images"]), int(state["calls"])


def draw_moves(images: Tensor, probability: float) -> tuple[Tensor, Tensor, Tensor]:
    """Moves for a batch: whether axes are swapped (B,), and scale and shift in pixels of rows and of columns (B, 2)."""
    count, side, device = len(images), images.shape[-1], images.device

    def chosen() -> Tensor:
        return (torch.rand(count, device=device) < probability).float()

    flip = chosen() * torch.randint(0, 2, (count,), device=device)
    turns = (chosen() * torch.randint(0, 4, (count,), device=device)).long()
    whole = chosen()[:, None] * ((torch.rand(count, 2, device=device) * 2 - 1) * _MOST * side).round()
    size = chosen() * torch.randn(count, device=device) * _SPREAD
    stretch = chosen() * torch.randn(count, device=device) * _SPREAD
    part = chosen()[:, None] * torch.randn(count, 2, device=device) * _SHIFT * side
    scale = torch.stack([size + stretch, size - stretch], dim=1).exp2()
    mirrored = torch.stack([(turns % 4 >= 2).float(), ((turns == 1) | (turns == 2)).float()], dim=1)
    mirrored[:, 1] = (mirrored[:, 1] + flip) % 2
    return turns % 2 == 1, scale * (1 - 2 * mirrored), whole + part


def move_images(images: Tensor, swap: Tensor, scale: Tensor, shift: Tensor) -> Tensor:
    """Apply moves to (B, C, S, S), linear between pixels; beyond the border is what lies at it."""
    images = torch.where(swap[:, None, None, None], images.mT, images)
    centre = (images.shape[-1] - 1) / 2
    places = torch.arange(images.shape[-1], device=images.device) - centre
    sources = places * scale[:, :, None] + shift[:, :, None] + centre  # B 2 S
    sources = sources.clamp(0, 2 * centre)
    weights = (1 - (sources[..., None] - places - centre).abs()).clamp_min(0)  # B 2 S S: to, from
    return weights[:, None, 0] @ images @ weights[:, None, 1].mT
