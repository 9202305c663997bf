"""Layers with an equalised learning rate: weights are stored near N(0, 1) and scaled where they are used.

Adam moves every stored weight by about as much; the scale 1 / sqrt(fan in), that of He's initialisation, then makes
layers of all sizes learn alike. Source: Karras et al., Progressive growing of GANs (2018), section 4.1; the learning
rate's multiplier: Karras et al., A style-based generator (2019), appendix C.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import nn

from .blocks import SLOPE

GAIN = math.sqrt(2.0)  # of every leaky rectifier here: keeps the variance of what passes


def activate(features: torch.Tensor, slope: float = SLOPE, gain: float = GAIN) -> torch.Tensor:
    """Leaky rectifier of slope 0.2 with gain sqrt 2, any shape."""
    return F.leaky_relu(features, slope) * gain


class EqualLinear(nn.Module):
    """Full connection: (B, in_features) -> (B, out_features).

    Args:
        in_features: entries of the input.
        out_features: entries of the output.
        bias_start: first value of the bias.
        multiplier: of the learning rate of weight and bias.
        active: whether the leaky rectifier follows.
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        bias_start: float = 0.0,
        multiplier: float = 1.0,
        active: bool = False,
    ) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(out_features, in_features) / multiplier)
        self.bias = nn.Parameter(torch.full([out_features], bias_start / multiplier))
        self.scale = multiplier / math.sqrt(in_features)
        self.multiplier = multiplier
        self.active = active

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Return the connected features."""
        weight, bias = self.weight * self.scale, self.bias * self.multiplier
        result = F.linear(features, weight.to(features.dtype), bias.to(features.dtype))
        return activate(result) if self.active else result


class EqualConvolution(nn.Module):
    """Convolution of an odd kernel: (B, in_channels, H, W) -> (B, out_channels, H, W), or half the size.

    Args:
        in_channels: channels of the input.
        out_channels: channels of the output.
        kernel_size: 1 or 3.
        half: whether the input, smoothed before by a `Filter`, is taken at every other pixel without padding.
        bias: whether there is one.
        active: whether the leaky rectifier follows.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int,
        half: bool = False,
        bias: bool = True,
        active: bool = True,
    ) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(out_channels, in_channels, kernel_size, kernel_size))
        self.bias = nn.Parameter(torch.zeros(out_channels)) if bias else None
        self.scale = 1 / math.sqrt(in_channels * kernel_size**2)
        self.stride, self.padding = (2, 0) if half else (1, kernel_size // 2)
        self.active = active

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Return the convolved features."""
        bias = None if self.bias is None else self.bias.to(features.dtype)
        weight = (self.weight * self.scale).to(features.dtype)
        result = F.conv2d(features, weight, bias, stride=self.stride, padding=self.padding)
        return activate(result) if self.active else result
