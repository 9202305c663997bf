"""StarGAN's discriminator, which also says of which contrast an image is, and its generator, kept as a baseline.

Source: Choi et al., StarGAN: unified generative adversarial networks for multi-domain image-to-image translation
(2018), Tables 4 and 5, and its code: leaky slope 0.01, no norm in the discriminator, as the gradient penalty needs
samples apart from each other. Where the code and this file differ: the generator's instance norms keep no running
statistics, which would make its images change in eval mode.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from .unified_multimodal import SLOPE, SegmentingStreams, with_code


class DomainDiscriminator(nn.Module):
    """D: how real each part of an image looks, and of which contrast the image is.

    44.74 M parameters with three contrasts, base 64, six layers and slices of 128 x 128, which they bring to 2 x 2.

    Shapes: (B, 1, side, side) in [-1, 1] -> scores (B, 1, side / 2^layers, side / 2^layers) and logits (B, contrasts).

    Args:
        contrasts: number of contrasts.
        side: of the slices, a multiple of 2^layers.
        base: channels of the first layer.
        layers: halvings.

    Raises:
        ValueError: when ``side`` cannot be halved so often; in ``forward`` for another size.
    """

    def __init__(self, contrasts: int, side: int = 128, base: int = 64, layers: int = 6) -> None:
        super().__init__()
        multiple = 2**layers
        if side % multiple:
            fitting = -(-side // multiple) * multiple
            raise ValueError(
                f"the discriminator needs a side divisible by {multiple}, got {side}; the next fitting side is "
                f"{fitting}"
            )
        self.side = side
        halvings: list[nn.Module] = []
        width = 1
        for layer in range(layers):
            halvings += [nn.Conv2d(width, base * 2**layer, kernel_size=4, stride=2, padding=1), nn.LeakyReLU(SLOPE)]
            width = base * 2**layer
        self.halve = nn.Sequential(*halvings)
        self.source = nn.Conv2d(width, 1, kernel_size=3, padding=1, bias=False)
        self.contrast = nn.Conv2d(width, contrasts, kernel_size=side // multiple, bias=False)

    def forward(self, image: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the map of scores and the logits of the contrasts."""
        if list(image.shape[2:]) != [self.side, self.side]:
            found = " x ".join([str(side) for side in image.shape[2:]])
            raise ValueError(f"the discriminator was made for slices of {self.side} x {self.side}, got {found}")
        features = self.halve(image)
        return self.source(features), self.contrast(features).flatten(1)


def normed(convolution: nn.Module, channels: int, activate: bool = True) -> list[nn.Module]:
    """A convolution, an instance norm with gain and shift, and a rectifier if asked for."""
    layers = [convolution, nn.InstanceNorm2d(channels, affine=True)]
    return [*layers, nn.ReLU()] if activate else layers


class ResidualBlock(nn.Module):
    """x + two convolutions of kernel 3 with norms, a rectifier between: (B, C, H, W) -> (B, C, H, W)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        first, second = (nn.Conv2d(channels, channels, kernel_size=3, padding=1, bias=False) for _ in range(2))
        self.change = nn.Sequential(*normed(first, channels), *normed(second, channels, activate=False))

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Return the features."""
        return features + self.change(features)


class StarGenerator(nn.Module):
    """StarGAN's generator: two halvings, six residual blocks, two doublings; the code comes as constant planes.

    8.43 M parameters with base 64, three channels and five domains, as in the source.

    Shapes: image (B, channels, H, W) in [-1, 1], code (B, contrasts) -> image (B, channels, H, W) in (-1, 1).

    Args:
        contrasts: number of contrasts.
        base: channels of the first layer.
        channels: of the image.
        blocks: residual blocks.
    """

    def __init__(self, contrasts: int, base: int = 64, channels: int = 1, blocks: int = 6) -> None:
        super().__init__()
        layers = normed(nn.Conv2d(channels + contrasts, base, kernel_size=7, padding=3, bias=False), base)
        for width in (base, 2 * base):
            halving = nn.Conv2d(width, 2 * width, kernel_size=4, stride=2, padding=1, bias=False)
            layers += normed(halving, 2 * width)
        layers += [ResidualBlock(4 * base) for _ in range(blocks)]
        for width in (4 * base, 2 * base):
            doubling = nn.ConvTranspose2d(width, width // 2, kernel_size=4, stride=2, padding=1, bias=False)
            layers += normed(doubling, width // 2)
        self.layers = nn.Sequential(*layers, nn.Conv2d(base, channels, kernel_size=7, padding=3, bias=False), nn.Tanh())

    def forward(self, image: torch.Tensor, code: torch.Tensor) -> torch.Tensor:
        """Return the translated image."""
        return self.layers(with_code(image, code))


class TranslateThenLabel(nn.Module):
    """The baseline `stargan_unet`: every image is translated into one contrast, of which a U-Net makes labels.

    Its parts: ``segmenter``, all of it, as :class:`AnyContrast` asks for; ``translator``, StarGAN's generator, which
    the segmenter holds, too.

    Shapes: image (B, 1, H, W) in [-1, 1], code (B, contrasts) of the wanted contrast -> logits (B, classes, H, W) and
    translated image (B, 1, H, W).

    Args:
        contrasts: number of contrasts.
        target: place of the contrast that everything is translated into.
        base: channels of the first level of both networks.
        classes: number of labels, background included.
        levels: halvings of the U-Net.
        dropout: of its last skip.
    """

    def __init__(
        self, contrasts: int, target: int, base: int = 64, classes: int = 2, levels: int = 4, dropout: float = 0.5
    ) -> None:
        super().__init__()
        self.segmenter = _ByTarget(
            StarGenerator(contrasts, base), SegmentingStreams(0, base, levels, classes, False, dropout, 0), target
        )

    @property
    def translator(self) -> nn.Module:
        """StarGAN's generator."""
        return self.segmenter.translator

    def forward(self, image: torch.Tensor, code: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the logits, which the code has no part in, and the translated image."""
        return self.segmenter(image, code), self.segmenter.translator(image, code)

    def segment(self, image: torch.Tensor, code: torch.Tensor) -> torch.Tensor:
        """Return the logits alone."""
        return self.segmenter(image, code)

    def translate(self, image: torch.Tensor, code: torch.Tensor) -> torch.Tensor:
        """Return the translated image alone."""
        return self.segmenter.translator(image, code)


class _ByTarget(nn.Module):
    """A U-Net behind a translator, whose images it takes as they are: its gradient does not reach the translator."""

    def __init__(self, translator: Any, unet: nn.Module, target: int) -> None:
        super().__init__()
        self.translator, self.unet, self.target = translator, unet, target

    def forward(self, image: torch.Tensor, code: torch.Tensor) -> torch.Tensor:
        wanted = torch.zeros_like(code)
        wanted[:, self.target] = 1.0
        return self.unet(self.translator(image, wanted).detach(), wanted)
