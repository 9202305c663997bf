"""One network for any contrast: two streams, one that segments and one that translates, with attention across.

Sources: Yuan et al., Unified attentional generative adversarial network for brain tumor segmentation from multimodal
unpaired images (UAGAN, 2019), whose code gives the layers; Choi et al., StarGAN (2018), for the code of the wanted
contrast. Where the code and this file differ: the translated image goes through a tanh, since real ones lie in [-1, 1];
and the wanted contrast sets gain and shift of the translating stream's norms. Tiled as constant planes it reaches the
deep layers only from the rim, since the norm behind the first convolution takes a constant out again
(docs/unified_multimodal.md). The older form is `conditioning="tile"`.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any, Optional

import torch
import torch.nn.functional as F
from torch import nn

from .blocks import check_sides
from .conditioning import ConditionalInstanceNorm, instance_norm

CONDITIONINGS = ("cin", "tile")
FUSIONS = ("mean", "learnt")
SLOPE = 0.01
BACKGROUND = -1.0  # of images in [-1, 1]


class ConvolutionBlock(nn.Module):
    """Convolution of kernel 3, instance norm (by a code where ``code_size`` is not 0), leaky rectifier.

    Shapes: (B, in_channels, H, W) and, where the norm is conditional, code (B, code_size) -> (B, out_channels, H, W).
    """

    def __init__(self, in_channels: int, out_channels: int, code_size: int = 0) -> None:
        super().__init__()
        self.convolve = nn.Conv2d(in_channels, out_channels, kernel_size=3, padding=1)
        self.norm = ConditionalInstanceNorm(out_channels, code_size) if code_size else None
        self.act = nn.LeakyReLU(SLOPE)

    def forward(self, features: torch.Tensor, code: Optional[torch.Tensor] = None) -> torch.Tensor:  # noqa: UP045
        """Return the features; without a conditional norm the code is not looked at."""
        features = self.convolve(features)
        if self.norm is None:
            features = instance_norm(features)
        elif code is not None:
            features = self.norm(features, code)
        return self.act(features)


class DoubleBlock(nn.Module):
    """Two blocks of convolution, norm and rectifier: (B, in_channels, H, W) -> (B, out_channels, H, W)."""

    def __init__(self, in_channels: int, out_channels: int, code_size: int = 0) -> None:
        super().__init__()
        self.first = ConvolutionBlock(in_channels, out_channels, code_size)
        self.second = ConvolutionBlock(out_channels, out_channels, code_size)

    def forward(self, features: torch.Tensor, code: Optional[torch.Tensor] = None) -> torch.Tensor:  # noqa: UP045
        """Return the features."""
        return self.second(self.first(features, code), code)


class Encoder(nn.Module):
    """Double blocks with maxima of 2 x 2 between them; dropout on the last skip.

    Shapes: (B, in_channels, H, W) -> skips (B, base 2^i, H / 2^i, W / 2^i), i from 0 to ``levels`` - 1.
    """

    def __init__(self, in_channels: int, base: int, levels: int, dropout: float, code_size: int = 0) -> None:
        super().__init__()
        widths = [in_channels] + [base * 2**level for level in range(levels)]
        self.levels = nn.ModuleList(DoubleBlock(inside, outside, code_size) for inside, outside in pairwise(widths))
        self.dropout = nn.Dropout(dropout)

    def forward(self, image: torch.Tensor, code: torch.Tensor) -> list[torch.Tensor]:
        """Return the skips, finest first."""
        skips: list[torch.Tensor] = []
        for number, level in enumerate(self.levels):
            image = level(image if number == 0 else F.max_pool2d(image, 2), code)
            skips.append(image)
        skips[-1] = self.dropout(skips[-1])
        return skips


class CrossAttention(nn.Module):
    """What a stream takes from the other: `own + sigmoid(conv3(other)) * [conv3, norm, rectifier](other)`.

    Shapes: own and other (B, C, H, W) -> (B, C, H, W).
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.gate = nn.Conv2d(channels, channels, kernel_size=3, padding=1)
        self.transform = ConvolutionBlock(channels, channels)

    def forward(self, own: torch.Tensor, other: torch.Tensor) -> torch.Tensor:
        """Return the stream's own features and what passes the gate of the other's."""
        return own + torch.sigmoid(self.gate(other)) * self.transform(other)


class DecoderLevel(nn.Module):
    """Twice the size by a transposed convolution, beside a skip, through a double block.

    Shapes: features (B, 2 width, H / 2, W / 2) and skip (B, width, H, W) -> (B, width, H, W).
    """

    def __init__(self, width: int, code_size: int) -> None:
        super().__init__()
        self.enlarge = nn.ConvTranspose2d(2 * width, width, kernel_size=2, stride=2)
        self.block = DoubleBlock(2 * width, width, code_size)

    def forward(self, features: torch.Tensor, skip: torch.Tensor, code: torch.Tensor) -> torch.Tensor:
        """Return the features."""
        return self.block(torch.cat([skip, self.enlarge(features)], dim=1), code)


class Decoder(nn.Module):
    """Doubles the size level by level beside the encoder's skips, which cross attention may enrich; ends in maps.

    Shapes: features (B, base 2^levels, H / 2^levels, W / 2^levels), the stream's own skips and the other's, finest
    first -> (B, out_channels, H, W).
    """

    def __init__(self, out_channels: int, base: int, levels: int, attention: bool, code_size: int = 0) -> None:
        super().__init__()
        widths = [base * 2**level for level in reversed(range(levels))]
        self.attend = nn.ModuleList(CrossAttention(width) for width in widths if attention)
        self.levels = nn.ModuleList(DecoderLevel(width, code_size) for width in widths)
        self.out = nn.Conv2d(base, out_channels, kernel_size=1)

    def forward(
        self, features: torch.Tensor, own: list[torch.Tensor], other: list[torch.Tensor], code: torch.Tensor
    ) -> torch.Tensor:
        """Return the maps."""
        skips = own[::-1]
        for number, attend in enumerate(self.attend):
            skips[number] = attend(skips[number], other[len(other) - 1 - number])
        for number, level in enumerate(self.levels):
            features = level(features, skips[number], code)
        return self.out(features)


class SegmentingStreams(nn.Module):
    """What of the unified generator labels an image: both encoders, the shared centre, the segmenting decoder.

    Without attention the translating encoder is of no use to it, and is left out.

    Shapes: image (B, 1, H, W) and code (B, contrasts) -> logits (B, classes, H, W).
    """

    def __init__(
        self, contrasts: int, base: int, levels: int, classes: int, attention: bool, dropout: float, code_size: int
    ) -> None:
        super().__init__()
        self.multiple = 2**levels
        self.segment_encoder = Encoder(1, base, levels, dropout)
        self.translate_encoder = Encoder(1 + contrasts, base, levels, dropout, code_size) if attention else None
        self.centre = DoubleBlock(base * 2 ** (levels - 1), base * 2**levels)
        self.decoder = Decoder(classes, base, levels, attention)

    def label(self, skips: list[torch.Tensor], others: list[torch.Tensor], code: torch.Tensor) -> torch.Tensor:
        """Return the logits from the skips of both encoders."""
        return self.decoder(self.bottom(skips), skips, others, code)

    def bottom(self, skips: list[torch.Tensor]) -> torch.Tensor:
        """Return what the centre makes of a stream's last skip: the one module that both streams go through."""
        return self.centre(F.max_pool2d(skips[-1], 2))

    def forward(self, image: torch.Tensor, code: torch.Tensor) -> torch.Tensor:
        """Return the logits."""
        check_sides(image, self.multiple, "unified network")
        skips, others = self.segment_encoder(image, code), [image]
        if self.translate_encoder is not None:
            others = self.translate_encoder(with_code(image, code), code)
        return self.label(skips, others, code)


class TranslatingPart(nn.Module):
    """What of the unified generator only translation needs: its decoder; its encoder where there is no attention."""

    def __init__(self, contrasts: int, base: int, levels: int, attention: bool, dropout: float, code_size: int) -> None:
        super().__init__()
        self.encoder = None if attention else Encoder(1 + contrasts, base, levels, dropout, code_size)
        self.decoder = Decoder(1, base, levels, attention, code_size)


class UnifiedGenerator(nn.Module):
    """G: labels an image of any contrast and translates it into a wanted one.

    Two U-Nets share their centre, and each takes from the other's skips by cross attention. With attention the code of
    the wanted contrast therefore bears on the labels too: give the image's own where only labels are wanted.

    60.44 M parameters with three contrasts, base 64 and ``tile``, as in UAGAN's code; ``cin`` adds gains and shifts.

    Shapes: image (B, 1, H, W) in [-1, 1], code (B, contrasts) one-hot of the wanted contrast -> logits
    (B, classes, H, W) and image (B, 1, H, W) in (-1, 1).

    Args:
        contrasts: number of contrasts.
        base: channels of the first level.
        classes: number of labels, background included.
        attention: whether each stream looks at the other's skips.
        conditioning: ``cin``, norms of the translating stream by the code, beside the code as constant planes; or
            ``tile``, the planes alone.
        levels: halvings; 4 in the source, whose slices of 128 x 128 they bring to 8 x 8.
        dropout: of the last skips; 0.5 in the source.

    Raises:
        ValueError: for another ``conditioning``; in ``forward`` when a side cannot be halved so often.
    """

    def __init__(
        self,
        contrasts: int,
        base: int = 64,
        classes: int = 2,
        attention: bool = True,
        conditioning: str = "cin",
        levels: int = 4,
        dropout: float = 0.5,
    ) -> None:
        super().__init__()
        if conditioning not in CONDITIONINGS:
            raise ValueError(f"conditioning is {conditioning!r}, expected one of {', '.join(CONDITIONINGS)}")
        code_size = contrasts if conditioning == "cin" else 0
        self.contrasts = contrasts
        self.segmenter = SegmentingStreams(contrasts, base, levels, classes, attention, dropout, code_size)
        self.translator = TranslatingPart(contrasts, base, levels, attention, dropout, code_size)

    def forward(self, image: torch.Tensor, code: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return logits and translated image."""
        skips, others = self._encode(image, code)
        return self.segmenter.label(skips, others, code), self._draw(skips, others, code)

    def segment(self, image: torch.Tensor, code: torch.Tensor) -> torch.Tensor:
        """Return the logits alone, without what only translation needs."""
        return self.segmenter(image, code)

    def translate(self, image: torch.Tensor, code: torch.Tensor) -> torch.Tensor:
        """Return the translated image alone."""
        skips, others = self._encode(image, code)
        return self._draw(skips, others, code)

    def _encode(self, image: torch.Tensor, code: torch.Tensor) -> tuple[list[torch.Tensor], list[torch.Tensor]]:
        check_sides(image, self.segmenter.multiple, "unified network")
        encoder: Any = self.segmenter.translate_encoder or self.translator.encoder
        return self.segmenter.segment_encoder(image, code), encoder(with_code(image, code), code)

    def _draw(self, skips: list[torch.Tensor], others: list[torch.Tensor], code: torch.Tensor) -> torch.Tensor:
        features = self.segmenter.bottom(others)
        return torch.tanh(self.translator.decoder(features, others, skips, code))


class PlainUNet(nn.Module):
    """The baseline: one of the two streams alone, which knows of no contrast; 31.03 M parameters with base 64.

    Shapes: image (B, 1, H, W) in [-1, 1] -> logits (B, classes, H, W), and the image as it came, in the place of a
    translated one; the code is not looked at.

    Args:
        base: channels of the first level.
        classes: number of labels, background included.
        levels: halvings.
        dropout: of the last skip.
    """

    def __init__(self, base: int = 64, classes: int = 2, levels: int = 4, dropout: float = 0.5) -> None:
        super().__init__()
        self.segmenter = SegmentingStreams(0, base, levels, classes, False, dropout, 0)

    def forward(self, image: torch.Tensor, code: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the logits and the image."""
        return self.segmenter(image, code), image

    def segment(self, image: torch.Tensor, code: torch.Tensor) -> torch.Tensor:
        """Return the logits alone."""
        return self.segmenter(image, code)


class AnyContrast(nn.Module):
    """The deployed network: labels of a slice from whichever of its contrasts there are.

    Each contrast that is there is labelled by itself, with its own code; their probabilities are averaged, or weighed
    by a learnt weight a contrast. A contrast is missing where its channel is at the background's value throughout; a
    slice of nothing but background is background. The output is the logarithm of a probability.

    Shapes: (B, contrasts, H, W) in [-1, 1] -> logits (B, classes, H, W).

    Args:
        generator: a network with a part ``segmenter``, which is held, not copied: (B, 1, H, W) and a one-hot code.
        contrasts: number of contrasts.
        fusion: ``mean``, or ``learnt`` for a softmax over the weights of the contrasts that are there.
        dropout: None keeps the generator's; MONAI Label asks for another one, to see how sure the network is.

    Raises:
        ValueError: for another ``fusion``; in ``forward`` for another number of channels.
    """

    def __init__(self, generator: Any, contrasts: int, fusion: str = "mean", dropout: float | None = None) -> None:
        super().__init__()
        if fusion not in FUSIONS:
            raise ValueError(f"fusion is {fusion!r}, expected one of {', '.join(FUSIONS)}")
        self.contrasts = contrasts
        self.background = BACKGROUND
        self.segmenter: nn.Module = generator.segmenter
        for layer in self.segmenter.modules():
            if isinstance(layer, nn.Dropout) and dropout is not None:
                layer.p = dropout
        self.fusion = nn.Parameter(torch.zeros(contrasts)) if fusion == "learnt" else None

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Return the logits."""
        if image.shape[1] != self.contrasts:
            raise ValueError(f"the network needs {self.contrasts} channels, a contrast each, got {image.shape[1]}")
        present = (image > self.background).flatten(2).any(dim=2)  # B n
        nothing = torch.logical_not(present.any(dim=1, keepdim=True))
        present = torch.cat([present[:, :1] | nothing, present[:, 1:]], dim=1)
        maps = self.probabilities(image, present)  # B n K H W
        weight = present.to(maps.dtype)
        if self.fusion is not None:
            weight = weight * torch.exp(self.fusion.to(maps.dtype))
        weight = weight / weight.sum(dim=1, keepdim=True)
        fused = (maps * weight[:, :, None, None, None]).sum(dim=1)
        something = torch.logical_not(nothing)[:, :, None, None].to(fused.dtype)
        fused = torch.cat([fused[:, :1], fused[:, 1:] * something], dim=1)
        return torch.log(fused.clamp(min=1e-7))

    def probabilities(self, image: torch.Tensor, present: torch.Tensor) -> torch.Tensor:
        """Probabilities of each contrast by itself, (B, n, K, H, W), and of those that are missing anything finite."""
        if not torch.jit.is_scripting():  # noqa: SIM102  the rest is not TorchScript
            if not (torch.jit.is_tracing() or torch.compiler.is_compiling() or torch.onnx.is_in_onnx_export()):
                return self._of_present(image, present)
        single = image.reshape(-1, 1, image.shape[2], image.shape[3])
        maps = self.segmenter(single, self._codes(image).flatten(0, 1)).float().softmax(dim=1)
        return maps.reshape(-1, self.contrasts, maps.shape[1], maps.shape[2], maps.shape[3])

    def _codes(self, image: torch.Tensor) -> torch.Tensor:
        """The code of each channel's own contrast, (B, n, n)."""
        codes = torch.eye(self.contrasts, dtype=image.dtype, device=image.device)
        return codes.unsqueeze(0).expand(image.shape[0], -1, -1)

    @torch.jit.unused
    def _of_present(self, image: torch.Tensor, present: torch.Tensor) -> torch.Tensor:
        """The same, computed for the contrasts that are there alone."""
        found = self.segmenter(image[present].unsqueeze(1), self._codes(image)[present]).float().softmax(dim=1)
        maps = found.new_zeros((*present.shape, *found.shape[1:]))
        maps[present] = found
        return maps


def with_code(image: torch.Tensor, code: torch.Tensor) -> torch.Tensor:
    """An image (B, 1, H, W) and a code (B, n) as constant planes behind it: (B, 1 + n, H, W)."""
    planes = code.to(image.dtype)[:, :, None, None].expand(-1, -1, image.shape[2], image.shape[3])
    return torch.cat([image, planes], dim=1)
