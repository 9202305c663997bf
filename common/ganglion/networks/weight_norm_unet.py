"""The weight-normalised U-Net of few-shot GANs: discriminator and segmenter in one.

Sources:
    Mondal, Dolz, Desrosiers, Few-shot 3D multi-modal medical image segmentation using generative adversarial learning
    (2018): layers, weight normalisation, average pooling.
    Salimans et al., Improved techniques for training GANs (2016): K outputs stand for K + 1 classes, see
    `losses.semi_supervised`.

There is no batch norm, since its statistics would mix real and generated images; and none of a patch, since the mean
brightness of a patch tells tissues apart.
"""

from __future__ import annotations

import torch
from torch import nn

from .blocks import LEAKY_GAIN, SLOPE, check_sides, check_spatial_dims, convolution, doubling, draw_kernels, halved

TAPS = ("bottom", "last")


class WeightNormUNet(nn.Module):
    """Three halvings by average pooling, three doublings, skips side by side; ends in K logits a voxel.

    Level l (0 to 2) has two convolutions of kernel 3 with 2^l width channels, the bottom two with 8 width; the way up
    is a transposed convolution of kernel and stride 2 that keeps the channels, the skip beside it, two convolutions.
    Leaky rectifiers of slope 0.2. As a discriminator of K + 1 classes the last class, "generated", has a logit of zero.

    With two contrasts: 6.53 M parameters at width 32 and four outputs (D of the multi-stage GAN), 1.63 M at width 16
    and two outputs (its coarse network G1).

    Shapes: (B, in_channels, H, W, D) -> (B, out_channels, H, W, D), logits; without D for two spatial axes.

    Args:
        in_channels: number of contrasts.
        out_channels: number K of classes, background included.
        width: channels of the first level; 32 in the paper's code.
        spatial_dims: 2 or 3.
        weight_norm: whether each kernel is g v / |v|. Without it kernels start from N(0, 0.05^2), as for a critic
            whose kernels are clipped: clipping g v / |v| entry by entry bounds nothing.
        gain: first value of each g before a leaky rectifier; the default keeps the size of the signal, the paper's
            code has 1. Layers without a rectifier start from 1.
        tap: which features `with_features` gives: ``bottom``, the first convolution at the bottom (as in the
            paper's code), or ``last``, what the output layer sees.

    Raises:
        ValueError: for other ``spatial_dims`` or ``tap``; in ``forward`` when a side is not divisible by 8.
    """

    def __init__(
        self,
        in_channels: int = 2,
        out_channels: int = 4,
        width: int = 32,
        spatial_dims: int = 3,
        weight_norm: bool = True,
        gain: float = LEAKY_GAIN,
        tap: str = "bottom",
    ) -> None:
        super().__init__()
        check_spatial_dims(spatial_dims)
        if tap not in TAPS:
            raise ValueError(f"tap is {tap!r}, expected one of {', '.join(TAPS)}")
        self.tap = tap
        w, dims = width, spatial_dims

        def layer(inside: int, outside: int) -> nn.Sequential:
            return nn.Sequential(convolution(inside, outside, 3, dims, weight_norm, gain), nn.LeakyReLU(SLOPE))

        def pair(inside: int, outside: int) -> nn.Sequential:
            return nn.Sequential(*layer(inside, outside), *layer(outside, outside))

        self.encode0 = pair(in_channels, w)
        self.encode1 = pair(w, 2 * w)
        self.encode2 = pair(2 * w, 4 * w)
        self.bottom_first = layer(4 * w, 8 * w)
        self.bottom_second = layer(8 * w, 8 * w)
        self.up2 = doubling(8 * w, 8 * w, dims, weight_norm)
        self.decode2 = pair(12 * w, 4 * w)
        self.up1 = doubling(4 * w, 4 * w, dims, weight_norm)
        self.decode1 = pair(6 * w, 2 * w)
        self.up0 = doubling(2 * w, 2 * w, dims, weight_norm)
        self.decode0 = pair(3 * w, w)
        self.out = convolution(w, out_channels, 3, dims, weight_norm)
        if not weight_norm:
            draw_kernels(self)

    def with_features(self, image: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return logits (B, K, H, W, D) and features, (B, 8 width, H/8, W/8, D/8) or, last, (B, width, H, W, D)."""
        check_sides(image, 8, "network")
        level0 = self.encode0(image)
        level1 = self.encode1(halved(level0))
        level2 = self.encode2(halved(level1))
        bottom = self.bottom_first(halved(level2))
        up2 = self.decode2(torch.cat([level2, self.up2(self.bottom_second(bottom))], dim=1))
        up1 = self.decode1(torch.cat([level1, self.up1(up2)], dim=1))
        up0 = self.decode0(torch.cat([level0, self.up0(up1)], dim=1))
        return self.out(up0), bottom if self.tap == "bottom" else up0

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Return the logits of each voxel: (B, C, H, W, D) -> (B, K, H, W, D)."""
        return self.with_features(image)[0]
