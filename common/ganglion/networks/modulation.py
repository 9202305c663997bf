"""Convolutions whose kernels a style scales, channel by channel of the input, and the precision that they run in."""

from __future__ import annotations

import math
from contextlib import AbstractContextManager, nullcontext

import torch
import torch.nn.functional as F
from torch import nn

from .equalised import EqualLinear
from .resampling import Filter

EPSILON = 1e-8


def in_full(tensor: torch.Tensor) -> AbstractContextManager[None]:
    """Autocast switched off where it is on, and nothing else; not for TorchScript."""
    if torch.is_autocast_enabled(tensor.device.type):
        return torch.autocast(tensor.device.type, enabled=False)
    return nullcontext()


def at_least_float32(tensor: torch.Tensor) -> torch.Tensor:
    """Half precision widened; for what runs under `in_full`."""
    return tensor.float() if tensor.dtype in (torch.bfloat16, torch.float16) else tensor


class ModulatedConvolution(nn.Module):
    """A convolution whose kernel each sample's style scales: (B, in, H, W) and (B, W) -> (B, out, H, W), or twice that.

    With s the style's scale of each input channel and w the kernel that all samples share, the sample's own kernel is
    w s, divided by its norm over input channels and pixels if `demodulate`. It is never made: as a convolution is
    linear in its input channels, s scales the input, and 1 / norm, one number an output channel, the output:

        y = d conv(s x, w),  d_o = 1 / sqrt( sum_i s_i^2 sum_k w_oik^2 + 1e-8 )

    That is one ordinary convolution whatever the batch, where the textbook has as many groups as samples.

    Source: Karras et al., Analyzing and improving the image quality of StyleGAN (2020), eq. 1 and 3, and section 2.2.

    Args:
        in_channels: channels of the input.
        out_channels: channels of the output.
        style_size: entries of the style.
        kernel_size: 1 or 3.
        double: whether the output is twice as large: a transposed convolution, then the filter; kernel 3 only.
        demodulate: whether kernels are brought to norm 1.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        style_size: int,
        kernel_size: int = 3,
        double: bool = False,
        demodulate: bool = True,
    ) -> None:
        super().__init__()
        self.style = EqualLinear(style_size, in_channels, bias_start=1.0)
        self.weight = nn.Parameter(torch.randn(out_channels, in_channels, kernel_size, kernel_size))
        self.scale = 1 / math.sqrt(in_channels * kernel_size**2)
        self.padding = kernel_size // 2
        self.epsilon = EPSILON
        self.doubles, self.demodulate = double, demodulate
        self.smooth = Filter(padding=1, gain=4.0) if double else nn.Identity()

    def forward(self, features: torch.Tensor, style: torch.Tensor) -> torch.Tensor:
        """Return the convolved features."""
        weight = self.weight * self.scale
        scales = self.style(style)  # B I
        features = features * scales[:, :, None, None].to(features.dtype)
        kernel = weight.to(features.dtype)
        if self.doubles:
            result = self.smooth(F.conv_transpose2d(features, kernel.transpose(0, 1), stride=2))
        else:
            result = F.conv2d(features, kernel, padding=self.padding)
        if self.demodulate:
            energy = weight.square().sum(dim=[2, 3])  # O I
            norms = torch.rsqrt(F.linear(scales.square(), energy.to(scales.dtype)) + self.epsilon)
            result = result * norms[:, :, None, None].to(result.dtype)
        return result
