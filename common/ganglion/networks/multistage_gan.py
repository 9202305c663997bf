"""The multi-stage GAN's own networks: image generator G2, refinement G3, and G1 and G3 fused for inference.

Source: Khaled and Han, multi-stage GAN for brain tissue from few labels: a coarse network G1 tells brain from
background, a generator G2 makes images from an image and noise, a refinement network G3 with dense skips tells tissues
apart. The paper names the blocks; widths, and what each network is given, are readings (docs/multistage_gan.md).
G1 and the discriminator are `WeightNormUNet`.
"""

from __future__ import annotations

from typing import Optional

import torch
from torch import nn

from .blocks import (
    CHANNEL_DROPOUTS,
    CONVOLUTIONS,
    INSTANCE_NORMS,
    LEAKY_GAIN,
    SLOPE,
    TRANSPOSED,
    beside,
    check_sides,
    check_spatial_dims,
    convolution,
    doubling,
    draw_kernels,
    halved,
)

SKIPS = ("dense", "plain")
NORMS = ("weight", "instance", "none")


class ImageGenerator(nn.Module):
    """G2: makes an image from an image, its coarse segmentation and noise: other noise, another image.

    An encoder of three halvings (convolution of kernel 4 and stride 2, instance norm, leaky rectifier); the noise,
    fully connected to 4 width channels, is laid over the whole bottom and mixed in by a convolution; a decoder of
    three doublings (transposed convolution of kernel and stride 2) with the encoder's features beside the first two.
    The convolution that mixes the noise in has no norm: instance norm subtracts from each channel its mean, and what
    the noise adds is the same everywhere but at the border, so that a norm there would take most of it out again.

    5.87 M parameters with two contrasts and width 32.

    Shapes: image (B, C, H, W, D) in [-1, 1], noise (B, noise_size) in [-1, 1], coarse (B, c, H, W, D) in [0, 1]
    -> (B, C, H, W, D) in (-1, 1); without D for two spatial axes.

    Args:
        in_channels: number of contrasts C.
        coarse_channels: channels of the coarse probability, 1 for the brain's; 0 for a network without a stage before.
        noise_size: entries of the noise.
        width: channels of the first layer.
        spatial_dims: 2 or 3.

    Raises:
        ValueError: for other ``spatial_dims``; in ``forward`` when a side is not divisible by 8, all of them are 8, or
            channels do not fit.
    """

    def __init__(
        self,
        in_channels: int = 2,
        coarse_channels: int = 1,
        noise_size: int = 200,
        width: int = 32,
        spatial_dims: int = 3,
    ) -> None:
        super().__init__()
        check_spatial_dims(spatial_dims)
        self.channels = in_channels + coarse_channels
        self.noise_size = noise_size
        plain, transposed = CONVOLUTIONS[spatial_dims], TRANSPOSED[spatial_dims]
        w = width

        def normed(layer: nn.Module, channels: int) -> nn.Sequential:
            norm = INSTANCE_NORMS[spatial_dims](channels, affine=True)
            return nn.Sequential(layer, norm, nn.LeakyReLU(SLOPE))

        self.encode0 = normed(plain(self.channels, w, kernel_size=3, padding=1), w)
        self.encode1 = normed(plain(w, 2 * w, kernel_size=4, stride=2, padding=1), 2 * w)
        self.encode2 = normed(plain(2 * w, 4 * w, kernel_size=4, stride=2, padding=1), 4 * w)
        self.encode3 = normed(plain(4 * w, 8 * w, kernel_size=4, stride=2, padding=1), 8 * w)
        self.spread = nn.Linear(noise_size, 4 * w)
        self.mix = nn.Sequential(plain(12 * w, 8 * w, kernel_size=3, padding=1), nn.LeakyReLU(SLOPE))
        self.decode2 = normed(transposed(8 * w, 4 * w, kernel_size=2, stride=2), 4 * w)
        self.decode1 = normed(transposed(8 * w, 2 * w, kernel_size=2, stride=2), 2 * w)
        self.decode0 = normed(transposed(4 * w, w, kernel_size=2, stride=2), w)
        self.out = plain(w, in_channels, kernel_size=3, padding=1)
        draw_kernels(self)

    def forward(
        self,
        image: torch.Tensor,
        noise: torch.Tensor,
        coarse: Optional[torch.Tensor] = None,  # noqa: UP045  TorchScript reads no other spelling on Python 3.10
    ) -> torch.Tensor:
        """Return a synthetic image (B, C, H, W, D)."""
        check_sides(image, 8, "image generator")
        if max(image.shape[2:]) <= 8:  # instance norm of the single voxel at the bottom would be zero
            raise ValueError("the image generator needs a side above 8, got 8 for all; the next fitting size is 16")
        level0 = self.encode0(beside(image, coarse, self.channels))
        level1 = self.encode1(level0)
        level2 = self.encode2(level1)
        level3 = self.encode3(level2)
        # B n -> B 4w 1 ... -> B 4w h w d: the same number everywhere
        spread = self.spread(noise).reshape([level3.shape[0], -1] + [1] * (level3.dim() - 2))
        spread = spread.expand([-1, -1] + list(level3.shape[2:]))  # noqa: RUF005  TorchScript unpacks no list
        bottom = self.mix(torch.cat([level3, spread], dim=1))
        up2 = torch.cat([self.decode2(bottom), level2], dim=1)
        up1 = torch.cat([self.decode1(up2), level1], dim=1)
        return torch.tanh(self.out(self.decode0(up1)))


class DenseBlock(nn.Module):
    """Convolution of kernel 3, leaky rectifier, its output beside its input; once more; a convolution of kernel 1.

    Each of the first two convolutions adds channels / 2, the last one brings all to ``channels``.

    Shapes: (B, in_channels, ...) -> (B, channels, ...).
    """

    def __init__(self, in_channels: int, channels: int, spatial_dims: int, norm: str) -> None:
        super().__init__()
        half = channels // 2
        self.first = block_layer(in_channels, half, spatial_dims, norm)
        self.second = block_layer(in_channels + half, half, spatial_dims, norm)
        self.transition = convolution(in_channels + 2 * half, channels, 1, spatial_dims, norm == "weight")

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Return the block's features."""
        features = torch.cat([features, self.first(features)], dim=1)
        features = torch.cat([features, self.second(features)], dim=1)
        return self.transition(features)


def block_layer(in_channels: int, out_channels: int, spatial_dims: int, norm: str) -> nn.Sequential:
    """Convolution of kernel 3, normalised as ``norm`` says, and leaky rectifier."""
    layer = convolution(in_channels, out_channels, 3, spatial_dims, norm == "weight", LEAKY_GAIN)
    if norm == "instance":
        return nn.Sequential(layer, INSTANCE_NORMS[spatial_dims](out_channels, affine=True), nn.LeakyReLU(SLOPE))
    return nn.Sequential(layer, nn.LeakyReLU(SLOPE))


class DecoderBlock(nn.Module):
    """A transposed convolution of kernel and stride 2, the skips beside it, a dense block."""

    def __init__(self, in_channels: int, skip_channels: int, channels: int, spatial_dims: int, norm: str) -> None:
        super().__init__()
        self.up = doubling(in_channels, channels, spatial_dims, norm == "weight")
        self.block = DenseBlock(channels + skip_channels, channels, spatial_dims, norm)

    def forward(self, features: torch.Tensor, skip: torch.Tensor) -> torch.Tensor:
        """Return (B, channels, ...) of the skip's size."""
        return self.block(torch.cat([self.up(features), skip], dim=1))


class Refiner(nn.Module):
    """G3: tells tissues apart, given the image and the coarse segmentation; ends in logits.

    Four dense blocks of width 1, 2, 4, 8 times ``width``, each followed by average pooling; a convolution and dropout
    of whole channels at the bottom; four decoder blocks back. With dense skips the decoder of a level gets the features
    of that level's encoder and of every finer one, averaged down to its size; with plain skips its level's alone.

    12.08 M parameters with two contrasts, width 32 and dense skips, whatever the norm (10.07 M with plain ones).

    Shapes: image (B, C, H, W, D), coarse (B, c, H, W, D) in [0, 1] -> (B, out_channels, H, W, D), logits.

    Args:
        in_channels: number of contrasts C.
        out_channels: number of classes, background included.
        coarse_channels: channels of the coarse probability, 1 for the brain's; 0 for a network without a stage before.
        width: channels of the first block.
        skips: ``dense`` (the paper) or ``plain``.
        norm: ``weight``, as in the discriminator, ``instance`` (not at the bottom, where a patch may be one voxel) or
            ``none``; the paper says "normalisation" and not which.
        dropout: probability of dropping a channel at the bottom.
        spatial_dims: 2 or 3.

    Raises:
        ValueError: for unknown ``skips``, ``norm`` or ``spatial_dims``; in ``forward`` when a side is not divisible by
            16 or channels do not fit.
    """

    def __init__(
        self,
        in_channels: int = 2,
        out_channels: int = 4,
        coarse_channels: int = 1,
        width: int = 32,
        skips: str = "dense",
        norm: str = "weight",
        dropout: float = 0.2,
        spatial_dims: int = 3,
    ) -> None:
        super().__init__()
        check_spatial_dims(spatial_dims)
        for name, value, known in (("skips", skips, SKIPS), ("norm", norm, NORMS)):
            if value not in known:
                raise ValueError(f"{name} is {value!r}, expected one of {', '.join(known)}")
        self.channels = in_channels + coarse_channels
        self.takes_coarse = coarse_channels > 0
        self.dense = skips == "dense"
        widths = [width * 2**level for level in range(4)]
        skip = [sum(widths[: level + 1]) if self.dense else widths[level] for level in range(4)]
        inputs = [self.channels, *widths[:3]]
        self.encode = nn.ModuleList([DenseBlock(inputs[i], widths[i], spatial_dims, norm) for i in range(4)])
        bottom = block_layer(widths[3], widths[3], spatial_dims, "weight" if norm == "weight" else "none")
        self.bottom = nn.Sequential(bottom, CHANNEL_DROPOUTS[spatial_dims](dropout))
        above = [*widths[1:], widths[3]]
        self.decode = nn.ModuleList(
            [DecoderBlock(above[i], skip[i], widths[i], spatial_dims, norm) for i in reversed(range(4))]
        )
        self.out = convolution(width, out_channels, 1, spatial_dims, norm == "weight")

    def forward(
        self,
        image: torch.Tensor,
        coarse: Optional[torch.Tensor] = None,  # noqa: UP045  as above
    ) -> torch.Tensor:
        """Return the logits of each voxel: (B, out_channels, H, W, D)."""
        check_sides(image, 16, "refinement network")
        features = beside(image, coarse, self.channels)
        skips: list[torch.Tensor] = []
        for encode in self.encode:
            features = encode(features)
            if self.dense and len(skips) > 0:  # all finer levels, averaged down once more
                skips.append(torch.cat([halved(skips[-1]), features], dim=1))
            else:
                skips.append(features)
            features = halved(features)
        features = self.bottom(features)
        for decode in self.decode:
            features = decode(features, skips.pop())
        return self.out(features)


def fuse(refined: torch.Tensor, coarse: torch.Tensor) -> torch.Tensor:
    """Log-probabilities of the classes from the logits of both stages, each of which may veto the other.

    p(k) is proportional to p3(k) p1(brain) for k >= 1 and p(0) to p3(0) p1(background): the product of two opinions on
    "brain or not", with G3's opinion on which tissue. Computed from logarithms, in float32, so that two networks that
    are certain of opposite things give numbers all the same. The paper says "fusing" and gives no formula.

    Args:
        refined: logits (B, K, ...) of G3, class 0 being the background.
        coarse: logits (B, 2, ...) of G1: background, brain.

    Returns:
        (B, K, ...), logarithms of probabilities that sum to 1.
    """
    refined, opinion = refined.float(), torch.log_softmax(coarse.float(), dim=1)
    background, tissues = refined[:, :1] + opinion[:, :1], refined[:, 1:] + opinion[:, 1:]
    return torch.log_softmax(torch.cat([background, tissues], dim=1), dim=1)


class CoarseToFine(nn.Module):
    """G1 and G3 as the one network that labels: image in, probabilities out.

    It ends in probabilities, not logits, since windows that overlap are to be averaged as probabilities.

    Shapes: (B, C, H, W, D) -> (B, K, H, W, D), at least 0, sums of 1 over K, float32.

    Args:
        refiner: G3; it is given G1's probability of "brain" if it takes one.
        coarse: G1, two logits (background, brain); None for a refiner that works alone.
        fusion: whether the two are fused by `fuse`; without, the answer is G3's alone.
        dropout: probability of dropping a channel at the refiner's bottom, in place of its own; for clients that
            measure doubt by it.

    Raises:
        ValueError: when ``coarse`` is None and needed.
    """

    def __init__(
        self, refiner: Refiner, coarse: nn.Module | None = None, fusion: bool = True, dropout: float | None = None
    ) -> None:
        super().__init__()
        if coarse is None and (fusion or refiner.takes_coarse):
            why = "fusion is on" if fusion else "the refiner takes a coarse probability"
            raise ValueError(f"coarse is None, but {why}: give the coarse network")
        self.refiner = refiner
        self.coarse = coarse
        self.guided = refiner.takes_coarse
        self.fusion = fusion
        for layer in refiner.modules():
            if dropout is not None and isinstance(layer, (nn.Dropout2d, nn.Dropout3d)):
                layer.p = dropout

    def log_probabilities(self, image: torch.Tensor) -> torch.Tensor:
        """Return the logarithms of the probabilities (B, K, H, W, D)."""
        if self.coarse is None:
            return torch.log_softmax(self.refiner(image).float(), dim=1)
        coarse = self.coarse(image)
        if self.guided:
            refined = self.refiner(image, torch.softmax(coarse.float(), dim=1)[:, 1:].to(image.dtype))
        else:
            refined = self.refiner(image)
        if self.fusion:
            return fuse(refined, coarse)
        return torch.log_softmax(refined.float(), dim=1)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Return the probabilities of the classes: (B, C, H, W, D) -> (B, K, H, W, D)."""
        return self.log_probabilities(image).exp()
