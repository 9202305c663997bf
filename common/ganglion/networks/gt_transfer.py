"""The GT-layer transfer GAN's generator: an image of another tissue code from an image, a label map and noise.

Source: Khaled and Ghaleb, GAN with a ground-truth layer for brain tissue from few labels: encoders of image and label
map, a tissue mapping R, a boundary network, a decoder with GT layers. The paper gives boxes; widths, what each part is
given, and R's right form are readings (docs/gt_transfer.md). The discriminator, which is what labels, is
`WeightNormUNet`.
"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Optional

import torch
import torch.nn.functional as F
from torch import nn

from .blocks import CONVOLUTIONS, INSTANCE_NORMS, SLOPE, check_sides, check_spatial_dims
from .conditioning import ConditionalInstanceNorm

MODES = ("vector", "tissue_map")


class TransferGenerator(nn.Module):
    """G: makes an image with the anatomy of one image and the tissue code of a label map, and says where edges are.

    - MRI encoder: convolutions to width, and by three of kernel 4 and stride 2 to 8 width; one more of kernel 3.
      Instance norm. It is all that the decoder knows of the image: no skips, which would let G copy it.
    - GT encoder (mode ``vector``): the same shape from the label map, without a norm, which would take out how much
      there is of each tissue; its mean over space, fully connected to 4 width entries. In mode ``tissue_map`` each
      tissue has a learnt code of as many entries instead.
    - Tissue mapping R: code and noise through three full connections of 8 width.
    - Boundary network: from the MRI encoder three doublings to 4, 2 and 1 width, which stand beside the decoder's
      features, and the logit of an edge between tissues.
    - Decoder: residual blocks with GT layers at four sizes.

    14.23 M parameters with two contrasts, four tissues and width 32.

    Shapes: image (B, C, H, W, D) in [-1, 1], tissues (B, K, H, W, D) one-hot, noise (B, noise_size) in [-1, 1]
    -> image (B, C, H, W, D) in (-1, 1) and edge logits (B, 1, H, W, D), or None; without D for two spatial axes.

    Args:
        in_channels: number of contrasts C.
        classes: number of tissues K, background included.
        noise_size: entries of the noise.
        width: channels of the first layer; all others are multiples.
        mode: ``vector``, one code an image, which cannot place tissues; or ``tissue_map``, a code a tissue, placed
            voxel by voxel where the label map has it.
        boundary: whether there is a boundary network.
        gt_layer: whether the decoder is modulated; without it the norms are plain, and neither label map nor noise
            reach the image.
        spatial_dims: 2 or 3.

    Raises:
        ValueError: for other ``spatial_dims`` or ``mode``; in ``forward`` when a side is not divisible by 8, all of
            them are 8, or the label map is of another size or number of tissues.
    """

    def __init__(
        self,
        in_channels: int = 2,
        classes: int = 4,
        noise_size: int = 16,
        width: int = 32,
        mode: str = "vector",
        boundary: bool = True,
        gt_layer: bool = True,
        spatial_dims: int = 3,
    ) -> None:
        super().__init__()
        check_spatial_dims(spatial_dims)
        if mode not in MODES:
            raise ValueError(f"mode is {mode!r}, expected one of {', '.join(MODES)}")
        self.classes, self.noise_size, self.mode = classes, noise_size, mode
        self.image_encoder = image_encoder(in_channels, width, spatial_dims)
        encoder = TissueEncoder(classes, width, spatial_dims) if mode == "vector" else TissueCodes(classes, width)
        self.mapping = TissueMapping(encoder, 4 * width, noise_size, 8 * width) if gt_layer else None
        self.boundary = BoundaryNetwork(width, spatial_dims) if boundary else None
        self.decoder = Decoder(in_channels, width, boundary, 8 * width if gt_layer else 0, spatial_dims)
        draw_by_fan_in(self)
        self.decoder.calm()

    def forward(
        self, image: torch.Tensor, tissues: torch.Tensor, noise: torch.Tensor
    ) -> tuple[torch.Tensor, Optional[torch.Tensor]]:  # noqa: UP045  TorchScript
        """Return a synthetic image (B, C, H, W, D) and the logits of edges (B, 1, H, W, D), None without boundaries."""
        check_sides(image, 8, "generator")
        if max(image.shape[2:]) <= 8:  # instance norm of the single voxel at the bottom would be zero
            raise ValueError("the generator needs a side above 8, got 8 for all; the next fitting size is 16")
        self.check_tissues(image, tissues)
        bottom = self.image_encoder(image)
        code: Optional[torch.Tensor] = None  # noqa: UP045
        if self.mapping is not None:
            code = self.mapping(tissues, noise)
        beside: list[torch.Tensor] = []
        edges: Optional[torch.Tensor] = None  # noqa: UP045
        if self.boundary is not None:
            beside, edges = self.boundary(bottom)
        return self.decoder(bottom, beside, code, tissues if self.mode == "tissue_map" else None), edges

    def check_tissues(self, image: torch.Tensor, tissues: torch.Tensor) -> None:
        """Raise a ValueError unless the label map is one-hot of all tissues and of the image's size."""
        wanted = [image.shape[0], self.classes] + list(image.shape[2:])  # noqa: RUF005  TorchScript
        if list(tissues.shape) != wanted:
            raise ValueError(f"the label map is {list(tissues.shape)}, expected {wanted}: one-hot, of the image's size")


def draw_by_fan_in(module: nn.Module) -> None:
    """Draw kernels so that a leaky rectifier keeps the signal's size, biases 0; GT layers stay neutral."""
    neutral = {layer.scale_and_shift for layer in module.modules() if isinstance(layer, ConditionalInstanceNorm)}
    for layer in module.modules():
        if isinstance(layer, nn.modules.conv._ConvNd | nn.Linear) and layer not in neutral:
            nn.init.kaiming_normal_(layer.weight, a=SLOPE)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)


def image_encoder(in_channels: int, width: int, spatial_dims: int) -> nn.Sequential:
    """The MRI encoder: (B, in_channels, H, W, D) -> (B, 8 width, H/8, W/8, D/8)."""
    plain, norm = CONVOLUTIONS[spatial_dims], INSTANCE_NORMS[spatial_dims]
    widths = [width * 2**level for level in range(4)]
    layers: list[nn.Module] = [plain(in_channels, width, kernel_size=3, padding=1)]
    for inside, outside in pairwise(widths):
        layers += [norm(inside, affine=True), nn.LeakyReLU(SLOPE)]
        layers += [plain(inside, outside, kernel_size=4, stride=2, padding=1)]
    bottom = widths[-1]
    layers += [norm(bottom, affine=True), nn.LeakyReLU(SLOPE), plain(bottom, bottom, kernel_size=3, padding=1)]
    return nn.Sequential(*layers, norm(bottom, affine=True), nn.LeakyReLU(SLOPE))


class TissueEncoder(nn.Module):
    """The GT encoder: one code for a whole label map, (B, K, H, W, D) -> (B, 4 width)."""

    def __init__(self, classes: int, width: int, spatial_dims: int) -> None:
        super().__init__()
        plain = CONVOLUTIONS[spatial_dims]
        layers: list[nn.Module] = [plain(classes, width, kernel_size=3, padding=1), nn.LeakyReLU(SLOPE)]
        for inside, outside in ((width, 2 * width), (2 * width, 4 * width), (4 * width, 4 * width)):
            layers += [plain(inside, outside, kernel_size=4, stride=2, padding=1), nn.LeakyReLU(SLOPE)]
        self.encode = nn.Sequential(*layers)
        self.out = nn.Linear(4 * width, 4 * width)

    def forward(self, tissues: torch.Tensor) -> torch.Tensor:
        """Return the code."""
        return self.out(self.encode(tissues).flatten(2).mean(dim=2))


class TissueCodes(nn.Module):
    """A learnt code of each tissue, the same for all label maps: (B, K, H, W, D) -> (B, K, 4 width)."""

    def __init__(self, classes: int, width: int) -> None:
        super().__init__()
        self.codes = nn.Parameter(torch.randn(classes, 4 * width))

    def forward(self, tissues: torch.Tensor) -> torch.Tensor:
        """Return the codes."""
        return self.codes.unsqueeze(0).expand([tissues.shape[0], -1, -1])


class TissueMapping(nn.Module):
    """R without its last connection, which is each GT layer's own: tissue code and noise -> (B, out) or (B, K, out)."""

    def __init__(self, encoder: nn.Module, code_size: int, noise_size: int, out: int) -> None:
        super().__init__()
        self.encoder = encoder
        sizes = (code_size + noise_size, out, out, out)
        layers: list[nn.Module] = []
        for inside, outside in pairwise(sizes):
            layers += [nn.Linear(inside, outside), nn.LeakyReLU(SLOPE)]
        self.map = nn.Sequential(*layers)

    def forward(self, tissues: torch.Tensor, noise: torch.Tensor) -> torch.Tensor:
        """Return what the GT layers are given."""
        code = self.encoder(tissues)
        noise = noise.to(code.dtype)
        if code.dim() == 3:
            noise = noise.unsqueeze(1).expand([-1, code.shape[1], -1])
        return self.map(torch.cat([code, noise], dim=-1))


class BoundaryNetwork(nn.Module):
    """Features of the image's edges at three sizes, and the logits of edges: from (B, 8 width, H/8, W/8, D/8)."""

    def __init__(self, width: int, spatial_dims: int) -> None:
        super().__init__()
        self.levels = nn.ModuleList()
        for inside, outside in ((8 * width, 4 * width), (4 * width, 2 * width), (2 * width, width)):
            layer = CONVOLUTIONS[spatial_dims](inside, outside, kernel_size=3, padding=1)
            norm = INSTANCE_NORMS[spatial_dims](outside, affine=True)
            self.levels.append(nn.Sequential(layer, norm, nn.LeakyReLU(SLOPE)))
        self.out = CONVOLUTIONS[spatial_dims](width, 1, kernel_size=1)

    def forward(self, features: torch.Tensor) -> tuple[list[torch.Tensor], torch.Tensor]:
        """Return the features, coarsest first, and the edge logits (B, 1, H, W, D)."""
        found: list[torch.Tensor] = []
        for level in self.levels:
            features = level(doubled(features))
            found.append(features)
        return found, self.out(features)


class Decoder(nn.Module):
    """GT residual blocks at H/8, H/4, H/2 and H, to an image in (-1, 1); ``code_size`` 0 for plain instance norms."""

    def __init__(self, out_channels: int, width: int, boundary: bool, code_size: int, spatial_dims: int) -> None:
        super().__init__()
        self.bottom = GTBlock(8 * width, 8 * width, code_size, spatial_dims)
        self.levels = nn.ModuleList()
        for inside, outside in ((8 * width, 4 * width), (4 * width, 2 * width), (2 * width, width)):
            self.levels.append(GTBlock(inside + outside * boundary, outside, code_size, spatial_dims))
        self.act = nn.LeakyReLU(SLOPE)
        self.out = CONVOLUTIONS[spatial_dims](width, out_channels, kernel_size=3, padding=1)

    @torch.no_grad()
    def calm(self) -> None:
        """Let first images lie where tanh has a gradient."""
        for kernel in self.out.parameters():
            kernel.mul_(0.25)

    def forward(
        self,
        features: torch.Tensor,
        beside: list[torch.Tensor],
        code: Optional[torch.Tensor],  # noqa: UP045
        classes: Optional[torch.Tensor],  # noqa: UP045
    ) -> torch.Tensor:
        """Return an image; ``beside`` holds the boundary network's features, coarsest first, or nothing."""
        features = self.bottom(features, code, classes)
        for number, level in enumerate(self.levels):
            features = doubled(features)
            if len(beside) > 0:
                features = torch.cat([features, beside[number]], dim=1)
            features = level(features, code, classes)
        return torch.tanh(self.out(self.act(features)))


class GTBlock(nn.Module):
    """GT layer, leaky rectifier, convolution of kernel 3, twice; beside it the input; their sum over the root of 2."""

    def __init__(self, in_channels: int, out_channels: int, code_size: int, spatial_dims: int) -> None:
        super().__init__()
        plain = CONVOLUTIONS[spatial_dims]
        self.first = ModulatedNorm(in_channels, code_size, spatial_dims)
        self.convolve_first = plain(in_channels, out_channels, kernel_size=3, padding=1)
        self.second = ModulatedNorm(out_channels, code_size, spatial_dims)
        self.convolve_second = plain(out_channels, out_channels, kernel_size=3, padding=1)
        same = in_channels == out_channels
        self.shortcut = nn.Identity() if same else plain(in_channels, out_channels, kernel_size=1)
        self.act = nn.LeakyReLU(SLOPE)

    def forward(
        self,
        features: torch.Tensor,
        code: Optional[torch.Tensor],  # noqa: UP045
        classes: Optional[torch.Tensor],  # noqa: UP045
    ) -> torch.Tensor:
        """Return (B, out_channels, ...)."""
        change = self.convolve_first(self.act(self.first(features, code, classes)))
        change = self.convolve_second(self.act(self.second(change, code, classes)))
        return (self.shortcut(features) + change) / math.sqrt(2.0)


class ModulatedNorm(nn.Module):
    """A GT layer, or a plain instance norm where ``code_size`` is 0."""

    def __init__(self, channels: int, code_size: int, spatial_dims: int) -> None:
        super().__init__()
        self.modulated = ConditionalInstanceNorm(channels, code_size) if code_size else None
        self.plain = None if code_size else INSTANCE_NORMS[spatial_dims](channels, affine=True)

    def forward(
        self,
        features: torch.Tensor,
        code: Optional[torch.Tensor],  # noqa: UP045
        classes: Optional[torch.Tensor],  # noqa: UP045
    ) -> torch.Tensor:
        """Return the normalised features."""
        if self.modulated is not None and code is not None:
            return self.modulated(features, code, classes)
        if self.plain is not None:
            return self.plain(features)
        raise ValueError("a GT layer needs a code")


def doubled(features: torch.Tensor) -> torch.Tensor:
    """Twice the size along each axis, linearly between voxel centres: (B, C, H, ...) -> (B, C, 2H, ...).

    What torch's own gives; that has no deterministic gradient on a GPU and is faster on a CPU, where it is used.
    """
    if not features.is_cuda:
        return F.interpolate(features, scale_factor=2.0, mode="bilinear" if features.dim() == 4 else "trilinear")
    for axis in range(2, features.dim()):
        side = features.shape[axis]
        inner, first = features.narrow(axis, 0, side - 1), features.narrow(axis, 0, 1)
        outer, last = features.narrow(axis, 1, side - 1), features.narrow(axis, side - 1, 1)
        before, after = torch.cat([first, inner], dim=axis), torch.cat([outer, last], dim=axis)
        pair = [0.75 * features + 0.25 * before, 0.75 * features + 0.25 * after]
        features = torch.stack(pair, dim=axis + 1).flatten(axis, axis + 1)
    return features
