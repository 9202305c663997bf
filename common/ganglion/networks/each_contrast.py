"""What the unified network says of each contrast by itself: labels to score subsets from, and translations."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn


class EachContrast(nn.Module):
    """Probability of the foreground from each contrast alone, as the deployed network sees it before it fuses them.

    Shapes: (B, contrasts, H, W) in [-1, 1] -> (B, contrasts, H, W) in [0, 1], 0 where a contrast is missing.

    Args:
        network: an `AnyContrast`, which is held, not copied.
    """

    def __init__(self, network: Any) -> None:
        super().__init__()
        self.network = network

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Return the probabilities."""
        present = there(image, self.network.background)
        if not bool(present.any()):
            return torch.zeros_like(image)
        maps = self.network.probabilities(image, present)  # B n K H W
        return (1.0 - maps[:, :, 0]) * present[:, :, None, None].to(maps.dtype)


class MissingContrasts(nn.Module):
    """Each contrast as a translation of the others that are there: the mean over them.

    A contrast is translated from the others even where it is there itself. Where no other is there the map is the
    background, and so is every voxel that none of the sources shows.

    Shapes: (B, contrasts, H, W) in [-1, 1] -> (B, contrasts, H, W) in [-1, 1].

    Args:
        generator: translates (B, 1, H, W) by ``translate``, given a one-hot code (B, contrasts) of the wanted contrast.
        contrasts: number of contrasts.
        background: value of an image beside the head.
        targets: places of the contrasts to make; None for all.
    """

    def __init__(
        self, generator: Any, contrasts: int, background: float = -1.0, targets: list[int] | None = None
    ) -> None:
        super().__init__()
        self.generator = generator
        self.contrasts = contrasts
        self.background = background
        self.targets = list(range(contrasts)) if targets is None else list(targets)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Return the translations."""
        present = there(image, self.background)
        made = torch.full_like(image, self.background)
        for target in self.targets:
            sources = present.clone()
            sources[:, target] = False
            if bool(sources.any()):
                each, chosen = torch.zeros_like(image), image[sources].unsqueeze(1)
                each[sources] = self.generator.translate(chosen, self.code(target, chosen))[:, 0].to(image.dtype)
                number = sources.sum(dim=1).clamp(min=1)[:, None, None]
                shown = ((image > self.background) & sources[:, :, None, None]).any(dim=1)
                made[:, target] = torch.where(shown, each.sum(dim=1) / number, made[:, target])
        return made

    def code(self, target: int, like: torch.Tensor) -> torch.Tensor:
        """One-hot code of a contrast for a batch, (B, contrasts)."""
        code = like.new_zeros((len(like), self.contrasts))
        code[:, target] = 1.0
        return code


class EveryTranslation(MissingContrasts):
    """Each contrast translated into each other one, and what the segmenter says of the translations.

    Shapes: (B, n, H, W) -> (B, 2 n n, H, W): map ``n i + j`` is contrast i as j, the n n maps behind them are the
    probability of the foreground in it. Where i is missing both are background; i as i is the image itself.

    Args:
        generator: as `MissingContrasts` takes it; labels by ``segment``, given the code of the image's own contrast.
        contrasts: number n of contrasts.
        background: value of an image beside the head.
    """

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Return translations and probabilities."""
        present = there(image, self.background)
        images, marked = [], []
        for source in range(self.contrasts):
            seen, shown = image[:, source : source + 1], image[:, source : source + 1] > self.background
            for target in range(self.contrasts):
                code = self.code(target, seen)
                made = seen if target == source else self.generator.translate(seen, code).to(image.dtype)
                made = torch.where(shown, made, torch.full_like(made, self.background))
                foreground = 1.0 - self.generator.segment(made, code).float().softmax(dim=1)[:, :1]
                images.append(made)
                marked.append(foreground * present[:, source, None, None, None])
        return torch.cat([*images, *marked], dim=1)


def there(image: torch.Tensor, background: float) -> torch.Tensor:
    """Which contrasts of each slice show anything: (B, n, H, W) -> (B, n)."""
    return (image > background).flatten(2).any(dim=2)
