"""The noise generator and the noise encoder of the baselines `standard_gan`, `fm_gan` and `bad_gan`.

Sources: Mondal, Dolz, Desrosiers, Few-shot 3D multi-modal medical image segmentation using generative adversarial
learning (2018), layers as in its code; Dai et al., Good semi-supervised learning that requires a bad GAN (2017), for
what the encoder is there for.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import nn

from .blocks import BATCH_NORMS, CONVOLUTIONS, TRANSPOSED, check_spatial_dims, draw_kernels


class NoiseGenerator(nn.Module):
    """Makes a patch from noise alone: a full connection, four transposed convolutions, tanh.

    Batch norm and rectifier after all but the last. 2.20 M parameters with two contrasts and patches of 32.

    Shapes: (B, noise_size) -> (B, out_channels, *patch_size) in (-1, 1).

    Args:
        out_channels: number of contrasts.
        patch_size: sides of the patch, one for all or one each; divisible by 16.
        noise_size: entries of the noise, which the paper's code draws from U(-1, 1).
        width: channels after the last hidden layer; 8 times as many after the first.
        spatial_dims: 2 or 3.

    Raises:
        ValueError: when ``patch_size`` or ``spatial_dims`` does not fit.
    """

    def __init__(
        self,
        out_channels: int = 2,
        patch_size: int | Sequence[int] = 32,
        noise_size: int = 200,
        width: int = 64,
        spatial_dims: int = 3,
    ) -> None:
        super().__init__()
        check_spatial_dims(spatial_dims)
        sides = [patch_size] * spatial_dims if isinstance(patch_size, int) else list(patch_size)
        fitting = [max(16, -(-side // 16) * 16) for side in sides]
        if sides != fitting or len(sides) != spatial_dims:
            raise ValueError(
                f"patch_size is {patch_size}, expected {spatial_dims} sides divisible by 16; "
                f"the next fitting size is {' x '.join(map(str, fitting))}"
            )
        self.noise_size = noise_size
        w = width
        self.start = [8 * w] + [side // 16 for side in sides]
        norm, transposed = BATCH_NORMS[spatial_dims], TRANSPOSED[spatial_dims]
        self.expand = nn.Linear(noise_size, math.prod(self.start))
        self.first = nn.Sequential(norm(8 * w), nn.ReLU())
        layers: list[nn.Module] = []
        for wide in (8 * w, 4 * w, 2 * w):
            layers += [transposed(wide, wide // 2, kernel_size=2, stride=2), norm(wide // 2), nn.ReLU()]
        self.grow = nn.Sequential(*layers)
        self.out = transposed(w, out_channels, kernel_size=2, stride=2)
        draw_kernels(self)

    def forward(self, noise: torch.Tensor) -> torch.Tensor:
        """Return patches: (B, noise_size) -> (B, C, H, W, D)."""
        start = self.first(self.expand(noise).unflatten(1, self.start))
        return torch.tanh(self.out(self.grow(start)))


class NoiseEncoder(nn.Module):
    """E of the bad GAN: says from a generated patch which noise it was made of.

    Three convolutions of kernel 5 and stride 2 without padding, batch norm and rectifier after each; a full connection
    to mean and logarithm of the standard deviation of each entry of the noise, see `losses.noise_recovery`.
    A patch of 32 is one voxel by then; what is left of larger ones is averaged (the paper's code takes 32 only).

    20.7 M parameters with two contrasts.

    Shapes: (B, in_channels, H, W, D) -> mean and log standard deviation, each (B, noise_size).

    Args:
        in_channels: number of contrasts.
        noise_size: entries of the noise.
        width: channels of the first layer.
        spatial_dims: 2 or 3.

    Raises:
        ValueError: for other ``spatial_dims``; in ``forward`` when a side is below 29.
    """

    def __init__(self, in_channels: int = 2, noise_size: int = 200, width: int = 128, spatial_dims: int = 3) -> None:
        super().__init__()
        check_spatial_dims(spatial_dims)
        layers: list[nn.Module] = []
        for inside, outside in ((in_channels, width), (width, 2 * width), (2 * width, 4 * width)):
            convolution = CONVOLUTIONS[spatial_dims](inside, outside, kernel_size=5, stride=2)
            layers += [convolution, BATCH_NORMS[spatial_dims](outside), nn.ReLU()]
        self.encode = nn.Sequential(*layers)
        self.out = nn.Linear(4 * width, 2 * noise_size)
        draw_kernels(self)

    def forward(self, image: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return mean and log standard deviation of the noise, each (B, noise_size)."""
        if min(image.shape[2:]) < 29:
            found = " x ".join([str(side) for side in image.shape[2:]])
            raise ValueError(f"the noise encoder needs sides of 29 and more, got {found}; the next fitting size is 32")
        features = self.encode(image).flatten(2).mean(dim=2)
        mean, log_deviation = self.out(features).chunk(2, dim=1)
        return mean, log_deviation
