"""SegAN: a segmenter and a multi-scale feature critic, both two-dimensional.

Sources:
    Xue et al., SegAN: adversarial network with multi-scale L1 loss for medical image segmentation (2018).
    Giacomello, Loiacono, Mainardi, Transfer learning from brain tumour segmentation between MRI modalities with
    adversarial networks (2019), whose critic takes image and map side by side.

Where the reference code and this file differ: leaky slope 0.2 as in SegAN (the second paper's code has 0.3, its
framework's default) and batch norm momentum 0.1 in torch's sense (that code's 0.1 means 0.9 in torch's).
"""

from __future__ import annotations

import math

import torch
from torch import nn

CRITIC_INPUTS = ("mask", "concat", "mix")


def initialise_convolutions(module: nn.Module) -> None:
    """Draw kernels from N(0, 2 / (k^2 c_out)) and set biases to zero (SegAN's reference code)."""
    for layer in module.modules():
        if isinstance(layer, nn.Conv2d):
            nn.init.normal_(layer.weight, std=math.sqrt(2.0 / (math.prod(layer.kernel_size) * layer.out_channels)))
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)


def halve(in_channels: int, out_channels: int, norm: bool = True) -> nn.Sequential:
    """Convolution of kernel 4 and stride 2, batch norm unless it is the first layer, leaky rectifier.

    Shapes: (B, in_channels, H, W) -> (B, out_channels, H/2, W/2).
    """
    convolution = nn.Conv2d(in_channels, out_channels, kernel_size=4, stride=2, padding=1, bias=not norm)
    layers = [convolution, nn.BatchNorm2d(out_channels)] if norm else [convolution]
    return nn.Sequential(*layers, nn.LeakyReLU(0.2))


def double(in_channels: int, out_channels: int) -> nn.Sequential:
    """Bilinear upsampling by two, convolution of kernel 3, batch norm, rectifier.

    Shapes: (B, in_channels, H, W) -> (B, out_channels, 2H, 2W).
    """
    return nn.Sequential(
        nn.Upsample(scale_factor=2.0, mode="bilinear", align_corners=False),
        nn.Conv2d(in_channels, out_channels, kernel_size=3, padding=1, bias=False),
        nn.BatchNorm2d(out_channels),
        nn.ReLU(),
    )


class Segmenter(nn.Module):
    """S of SegAN: four halvings, four doublings, skips by addition; ends in logits.

    Shapes: (B, in_channels, H, W), values in [0, 1] -> (B, out_channels, H, W), logits.

    Args:
        in_channels: number of contrasts.
        out_channels: number of maps; 1 for the whole tumour.
        width: channels of the first layer; 64 in the paper (4.305 M parameters with one contrast).
        dropout: probability of dropping a feature map before the last convolution; 0 in the paper.

    Raises:
        ValueError: in ``forward`` when H or W is not divisible by 16.
    """

    def __init__(self, in_channels: int = 4, out_channels: int = 1, width: int = 64, dropout: float = 0.0) -> None:
        super().__init__()
        self.encode1 = halve(in_channels, width, norm=False)
        self.encode2 = halve(width, 2 * width)
        self.encode3 = halve(2 * width, 4 * width)
        self.encode4 = halve(4 * width, 8 * width)
        self.decode3 = double(8 * width, 4 * width)
        self.decode2 = double(4 * width, 2 * width)
        self.decode1 = double(2 * width, width)
        self.out = nn.Sequential(
            nn.Upsample(scale_factor=2.0, mode="bilinear", align_corners=False),
            nn.Dropout2d(dropout),
            nn.Conv2d(width, out_channels, kernel_size=3, padding=1),
        )
        initialise_convolutions(self)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Return the logits of each pixel: (B, C, H, W) -> (B, out_channels, H, W)."""
        height, width = image.shape[-2], image.shape[-1]
        if height % 16 != 0 or width % 16 != 0:
            raise ValueError(
                f"the segmenter needs sides divisible by 16, got {height} x {width}; "
                f"the next fitting size is {-(-height // 16) * 16} x {-(-width // 16) * 16}"
            )
        level1 = self.encode1(image)
        level2 = self.encode2(level1)
        level3 = self.encode3(level2)
        level4 = self.encode4(level3)
        up3 = self.decode3(level4) + level3
        up2 = self.decode2(up3) + level2
        up1 = self.decode1(up2) + level1
        return self.out(up1)


class Critic(nn.Module):
    """C of SegAN: embeds an image together with a map and returns features of several scales; it has no score.

    Shapes: image (B, in_channels, H, W) and map (B, map_channels, H, W), both in [0, 1] -> four tensors: its own input
    and the outputs of three halvings, (B, width, H/2, W/2), (B, 2 width, H/4, W/4), (B, 4 width, H/8, W/8).

    Args:
        in_channels: number of contrasts.
        map_channels: number of maps.
        width: channels of the first layer; 64 in the paper.
        critic_input: ``mask`` multiplies the image by the map (SegAN, blind where the image is 0), ``concat`` puts
            them side by side (the default), ``mix`` does both.
        spectral: whether the kernels are spectrally normalised, one of the guards that keep the critic Lipschitz.

    Raises:
        ValueError: when ``critic_input`` is none of the three.
    """

    def __init__(
        self,
        in_channels: int = 4,
        map_channels: int = 1,
        width: int = 64,
        critic_input: str = "concat",
        spectral: bool = False,
    ) -> None:
        super().__init__()
        if critic_input not in CRITIC_INPUTS:
            raise ValueError(f"critic_input is {critic_input!r}, expected one of {', '.join(CRITIC_INPUTS)}")
        self.critic_input = critic_input
        masked, beside = in_channels * map_channels, in_channels + map_channels
        channels = {"mask": masked, "concat": beside, "mix": beside + masked}[critic_input]
        self.stage1 = halve(channels, width, norm=False)
        self.stage2 = halve(width, 2 * width)
        self.stage3 = halve(2 * width, 4 * width)
        initialise_convolutions(self)
        if spectral:
            for stage in (self.stage1, self.stage2, self.stage3):
                nn.utils.parametrizations.spectral_norm(stage[0])

    def join(self, image: torch.Tensor, map_: torch.Tensor) -> torch.Tensor:
        """Combine image and map into the critic's input f^0, as ``critic_input`` says."""
        if self.critic_input == "concat":
            return torch.cat([image, map_], dim=1)
        # B C H W -> B C 1 H W times B 1 M H W -> B C*M H W: each contrast masked by each map
        masked = (image.unsqueeze(2) * map_.unsqueeze(1)).flatten(1, 2)
        return masked if self.critic_input == "mask" else torch.cat([image, map_, masked], dim=1)

    def forward(self, image: torch.Tensor, map_: torch.Tensor) -> list[torch.Tensor]:
        """Return the features f^0 (the input itself) to f^3."""
        features = [self.join(image, map_)]
        for stage in (self.stage1, self.stage2, self.stage3):
            features.append(stage(features[-1]))
        return features
