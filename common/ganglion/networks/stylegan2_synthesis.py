"""StyleGAN2's generator of aligned contrasts with their label map, and its discriminator of both together.

Sources: Karras et al., Analyzing and improving the image quality of StyleGAN (2020), configuration F: input and output
skips in the generator, a residual discriminator; Son et al., ISMRM 2022, abstract 0102: eight channels, of which four
are contrasts and four, after a 1 x 1 convolution and softmax, probabilities of labels. Where that convolution sits is
not said; here it follows the sum of all skips and starts as the identity.
"""

import math
from contextlib import nullcontext

import torch
from torch import Tensor, nn

from .equalised import EqualConvolution, EqualLinear, activate
from .modulation import EPSILON, ModulatedConvolution, at_least_float32, in_full
from .resampling import Double, Filter

# Base and cap of the channels, layers of the mapping network.
SIZES: dict[str, tuple[int, int, int]] = {
    "slim": (2048, 96, 4),
    "tiny": (4096, 128, 4),
    "small": (8192, 256, 4),
    "half": (16384, 512, 8),
    "paper": (32768, 512, 8),
}
LEAST, MOST = 32, 512
STYLE = 512  # entries of z and of w
EXACT = 16  # side up to which, under autocast, everything is computed in float32
HEADS = ("labels", "all")


def channels_by_side(size: str, resolution: int) -> dict[int, int]:
    """Channels at each side from 4 to the resolution, with the checks of both arguments.

    Raises:
        ValueError: for an unknown size, or a resolution that is no power of two from 32 to 512.
    """
    if size not in SIZES:
        raise ValueError(f"size is {size!r}, expected one of {', '.join(SIZES)}")
    if resolution not in [2**power for power in range(5, 10)]:
        raise ValueError(f"resolution is {resolution}, expected a power of two from {LEAST} to {MOST}")
    base, cap, _ = SIZES[size]
    return {2**power: min(base // 2**power, cap) for power in range(2, int(math.log2(resolution)) + 1)}


class Mapping(nn.Module):
    """From drawn numbers to a style: z (B, 512), normalised -> w (B, 512).

    Args:
        layers: full connections.
        multiplier: of their learning rate.
    """

    average: Tensor

    def __init__(self, layers: int = 8, multiplier: float = 0.01) -> None:
        super().__init__()
        connections = [EqualLinear(STYLE, STYLE, multiplier=multiplier, active=True) for _ in range(layers)]
        self.layers = nn.Sequential(*connections)
        self.epsilon = EPSILON
        self.register_buffer("average", torch.zeros(STYLE))

    def forward(self, z: torch.Tensor) -> torch.Tensor:
        """Return w, in float32 at least."""
        if torch.jit.is_scripting():
            return self.compute(z)
        else:  # noqa: RET505  TorchScript leaves out the branch, not what follows one
            with in_full(z):
                return self.compute(at_least_float32(z))

    def compute(self, z: torch.Tensor) -> torch.Tensor:
        """Return w in the type of z."""
        return self.layers(z * torch.rsqrt(z.square().mean(dim=1, keepdim=True) + self.epsilon))


class StyledConvolution(nn.Module):
    """Modulated convolution, noise, bias, rectifier: (B, in, H, W) and (B, 512) -> (B, out, S, S).

    The noise is the same at each call unless it is asked for anew; its strength is trained and starts at 0.
    """

    noise: Tensor

    def __init__(self, in_channels: int, out_channels: int, side: int, double: bool) -> None:
        super().__init__()
        self.convolution = ModulatedConvolution(in_channels, out_channels, STYLE, double=double)
        drawn = torch.randn(1, 1, side, side, generator=torch.Generator().manual_seed(2 * side + double))
        self.register_buffer("noise", drawn)
        self.strength = nn.Parameter(torch.zeros(1))
        self.bias = nn.Parameter(torch.zeros(out_channels))

    def forward(self, features: torch.Tensor, style: torch.Tensor, draw_noise: bool) -> torch.Tensor:
        """Return features at the layer's side."""
        features = self.convolution(features, style)
        noise = torch.randn_like(features[:, :1]) if draw_noise else self.noise.to(features.dtype)
        added = noise * self.strength.to(features.dtype) + self.bias[:, None, None].to(features.dtype)
        return activate(features + added)


class ToImage(nn.Module):
    """Features to channels of the image: (B, C, S, S) and (B, 512) -> (B, channels, S, S), in float32 at least."""

    def __init__(self, in_channels: int, channels: int) -> None:
        super().__init__()
        self.convolution = ModulatedConvolution(in_channels, channels, STYLE, kernel_size=1, demodulate=False)
        self.bias = nn.Parameter(torch.zeros(channels))

    def forward(self, features: torch.Tensor, style: torch.Tensor) -> torch.Tensor:
        """Return what the features add to the image."""
        if torch.jit.is_scripting():
            return self.convolution(features, style) + self.bias[:, None, None]
        else:  # noqa: RET505
            with in_full(features):
                features = at_least_float32(features)
                return self.convolution(features, style) + self.bias[:, None, None]


class FirstBlock(nn.Module):
    """The learned 4 x 4 start of the pyramid: (B, 2, 512) -> features (B, C, 4, 4) and image (B, channels, 4, 4)."""

    def __init__(self, channels: int, image_channels: int) -> None:
        super().__init__()
        self.constant = nn.Parameter(torch.randn(1, channels, 4, 4))
        self.refine = StyledConvolution(channels, channels, 4, double=False)
        self.to_image = ToImage(channels, image_channels)

    def forward(self, styles: torch.Tensor, draw_noise: bool) -> tuple[torch.Tensor, torch.Tensor]:
        """Return features and image."""
        if torch.jit.is_scripting():
            features = self.compute(styles, draw_noise)
        else:
            with in_full(styles):
                features = self.compute(at_least_float32(styles), draw_noise)
        return features, self.to_image(features, styles[:, 1])

    def compute(self, styles: torch.Tensor, draw_noise: bool) -> torch.Tensor:
        """Return the features."""
        start = self.constant.to(styles.dtype).expand(styles.shape[0], -1, -1, -1)
        return self.refine(start, styles[:, 0], draw_noise)


class SynthesisBlock(nn.Module):
    """Features and image of half the side, and styles (B, 3, 512) -> features and image of the side.

    One style a convolution and one for the image. The next block's first convolution has the style of this block's
    image, as in the source.
    """

    def __init__(self, in_channels: int, out_channels: int, side: int, image_channels: int) -> None:
        super().__init__()
        self.exact = side <= EXACT
        self.enlarge = StyledConvolution(in_channels, out_channels, side, double=True)
        self.refine = StyledConvolution(out_channels, out_channels, side, double=False)
        self.to_image = ToImage(out_channels, image_channels)
        self.enlarge_image = Double()

    def forward(
        self, features: torch.Tensor, image: torch.Tensor, styles: torch.Tensor, draw_noise: bool
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return features and image."""
        if torch.jit.is_scripting():
            features = self.compute(features, styles, draw_noise)
        else:
            with in_full(features) if self.exact else nullcontext():
                features = self.compute(features, styles, draw_noise)
        return features, self.double_image(image) + self.to_image(features, styles[:, 2])

    def double_image(self, image: torch.Tensor) -> torch.Tensor:
        """Return the image of twice the side, in its own precision."""
        if torch.jit.is_scripting():
            return self.enlarge_image(image)
        else:  # noqa: RET505
            with in_full(image):
                return self.enlarge_image(image)

    def compute(self, features: torch.Tensor, styles: torch.Tensor, draw_noise: bool) -> torch.Tensor:
        """Return the features of the block's side."""
        features = self.enlarge(features, styles[:, 0], draw_noise)
        return self.refine(features, styles[:, 1], draw_noise)


class JointGenerator(nn.Module):
    """Contrasts and label probabilities out of nothing: (B, 512) -> (B, contrasts + labels, R, R).

    The first channels are the contrasts, linear, trained to [-1, 1]; the others are probabilities of the labels, of
    sum 1. The same z gives the same image, in any batch, unless noise is drawn anew.

    Args:
        contrasts: channels of the image.
        labels: codes of the label map, background included.
        size: ``slim``, ``tiny``, ``small``, ``half`` or ``paper``: channels and depth of the mapping.
        resolution: R, a power of two from 32 to 512.
        head: what the 1 x 1 convolution before the softmax sees: ``labels``, its own channels, or ``all``.

    Raises:
        ValueError: for an unknown size, resolution or head.
    """

    def __init__(
        self, contrasts: int = 4, labels: int = 4, size: str = "tiny", resolution: int = 64, head: str = "labels"
    ) -> None:
        super().__init__()
        widths = channels_by_side(size, resolution)
        if head not in HEADS:
            raise ValueError(f"head is {head!r}, expected one of {', '.join(HEADS)}")
        self.contrasts, self.labels, self.resolution = contrasts, labels, resolution
        self.style_count = 2 * len(widths)
        self.mapping = Mapping(SIZES[size][2])
        self.first = FirstBlock(widths[4], contrasts + labels)
        sides = [side for side in widths if side > 4]
        blocks = [SynthesisBlock(widths[side // 2], widths[side], side, contrasts + labels) for side in sides]
        self.blocks = nn.ModuleList(blocks)
        seen = labels if head == "labels" else contrasts + labels
        self.seen = seen
        self.head = nn.Conv2d(seen, labels, kernel_size=1)
        self.head.weight = nn.Parameter(torch.eye(seen)[seen - labels :, :, None, None].contiguous())
        self.head.bias = nn.Parameter(torch.zeros(labels))

    def forward(self, latent: torch.Tensor, truncation: float = 1.0, draw_noise: bool = False) -> torch.Tensor:
        """Draw images.

        Args:
            latent: z, (B, 512), standard normal, or w, (B, ``style_count``, 512), one a layer.
            truncation: how far from the average w lies, from 0 (the average image) to 1 (as it is); of z only.
            draw_noise: whether noise is drawn anew, as in training.

        Returns:
            (B, contrasts + labels, R, R).
        """
        if latent.dim() == 2:
            style = self.mapping.average + truncation * (self.mapping(latent) - self.mapping.average)
            styles = style[:, None].expand(-1, self.style_count, -1)
        else:
            styles = latent
        features, image = self.first(styles[:, 0:2], draw_noise)
        for number, block in enumerate(self.blocks):
            features, image = block(features, image, styles[:, 2 * number + 1 : 2 * number + 4], draw_noise)
        return self.finish(image)

    def finish(self, image: torch.Tensor) -> torch.Tensor:
        """Return the image with probabilities in place of the raw channels of labels."""
        raw = image[:, -self.seen :].to(self.first.constant.dtype)  # float32, unless weights are in half
        if torch.jit.is_scripting():
            logits = self.head(raw)
        else:
            with in_full(image):
                logits = self.head(raw)
        logits = logits.to(image.dtype)
        return torch.cat([image[:, : self.contrasts], torch.softmax(logits, dim=1)], dim=1)

    @torch.jit.ignore
    def styles(self, z: torch.Tensor, other: torch.Tensor | None = None, crossover: int | None = None) -> torch.Tensor:
        """One style a layer, (B, style_count, 512): those of z, and from layer ``crossover`` on those of ``other``."""
        styles = self.mapping(z)[:, None].expand(-1, self.style_count, -1)
        if other is None:
            return styles
        taken = (torch.arange(self.style_count, device=z.device) < (crossover or 0))[None, :, None]
        return torch.where(taken, styles, self.mapping(other)[:, None])


class MinibatchDeviation(nn.Module):
    """Appends how much samples of a group differ, one number a group: (B, C, H, W) -> (B, C + 1, H, W).

    Source: Karras et al., Progressive growing of GANs (2018), section 3; groups of four: StyleGAN2. Of a batch smaller
    than a group, all samples are one group.
    """

    def __init__(self, group: int = 4) -> None:
        super().__init__()
        self.group = group
        self.epsilon = EPSILON

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Return the features with one more channel.

        Raises:
            ValueError: when the batch cannot be divided into groups.
        """
        B, C, H, W = features.shape
        group = min(self.group, B)
        if B % group != 0:
            raise ValueError(f"a batch of {B} cannot be divided into groups of {group}; set drop_last, or another size")
        grouped = features.reshape(group, B // group, C, H, W)
        deviation = (grouped.var(dim=0, unbiased=False) + self.epsilon).sqrt().mean(dim=[1, 2, 3])
        return torch.cat([features, deviation.repeat(group)[:, None, None, None].expand(B, 1, H, W)], dim=1)


class DiscriminatorBlock(nn.Module):
    """A residual block that halves the side: (B, in, H, W) -> (B, out, H / 2, W / 2)."""

    def __init__(self, in_channels: int, out_channels: int, side: int) -> None:
        super().__init__()
        self.exact = side <= EXACT
        self.shortcut = nn.Sequential(
            Filter(padding=1, stride=2), EqualConvolution(in_channels, out_channels, 1, bias=False, active=False)
        )
        self.residual = nn.Sequential(
            EqualConvolution(in_channels, in_channels, 3),
            Filter(padding=2),
            EqualConvolution(in_channels, out_channels, 3, half=True),
        )

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Return the sum of both paths, of unchanged variance."""
        if torch.jit.is_scripting():
            return (self.shortcut(features) + self.residual(features)) * math.sqrt(0.5)
        else:  # noqa: RET505
            with in_full(features) if self.exact else nullcontext():
                features = at_least_float32(features) if self.exact else features
                return (self.shortcut(features) + self.residual(features)) * math.sqrt(0.5)


class JointDiscriminator(nn.Module):
    """Judges contrasts and label map together: (B, channels, R, R) -> scores (B, 1).

    Args:
        channels: of contrasts and labels.
        size: as of the generator.
        resolution: R, a power of two from 32 to 512.
        group: samples that minibatch deviation compares.

    Raises:
        ValueError: for an unknown size or resolution.
    """

    def __init__(self, channels: int = 8, size: str = "tiny", resolution: int = 64, group: int = 4) -> None:
        super().__init__()
        widths = channels_by_side(size, resolution)
        self.resolution = resolution
        self.from_image = EqualConvolution(channels, widths[resolution], 1)
        sides = sorted((side for side in widths if side > 4), reverse=True)
        self.blocks = nn.ModuleList([DiscriminatorBlock(widths[side], widths[side // 2], side) for side in sides])
        self.deviation = MinibatchDeviation(group)
        self.last = EqualConvolution(widths[4] + 1, widths[4], 3)
        self.connected = EqualLinear(widths[4] * 16, widths[4], active=True)
        self.score = EqualLinear(widths[4], 1)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Return one score a sample, before any sigmoid."""
        return self.with_features(image)[0]

    def with_features(self, image: torch.Tensor) -> tuple[torch.Tensor, list[torch.Tensor]]:
        """Return the scores and the features of every block, from the largest side to 4 x 4."""
        if image.shape[-1] != self.resolution or image.shape[-2] != self.resolution:
            found = f"{image.shape[-2]} x {image.shape[-1]}"
            raise ValueError(f"the discriminator judges images of {self.resolution} x {self.resolution}, got {found}")
        features = self.from_image(image)
        kept: list[torch.Tensor] = []
        for block in self.blocks:
            features = block(features)
            kept.append(features)
        if torch.jit.is_scripting():
            return self.judge(features), kept
        else:  # noqa: RET505
            with in_full(features):
                return self.judge(at_least_float32(features)), kept

    def judge(self, features: torch.Tensor) -> torch.Tensor:
        """Return scores of features (B, C, 4, 4)."""
        return self.score(self.connected(self.last(self.deviation(features)).flatten(1)))
