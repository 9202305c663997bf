"""What several networks share: layers by number of spatial axes, weight normalisation, checks at the door."""

from __future__ import annotations

import math
from typing import Optional

import torch
import torch.nn.functional as F
from torch import nn


def convolve3d(
    features: torch.Tensor,
    kernel: torch.Tensor,
    bias: Optional[torch.Tensor],  # noqa: UP045  TorchScript reads no other spelling on Python 3.10
    stride: list[int],
    padding: list[int],
) -> torch.Tensor:
    """Convolution over three axes as torch has it; in float32 where bfloat16 on a CPU gives a wrong gradient.

    Where the first axis is shorter than the kernel (a patch of 32 halved four times), torch 2.13 leaves parts of the
    kernel's bfloat16 gradient as they stood in memory: a training diverges after a while, or worse, does not.
    """
    if not torch.jit.is_scripting():  # noqa: SIM102  the rest is not TorchScript
        if torch.is_autocast_enabled("cpu") and features.device.type == "cpu" and features.shape[2] < kernel.shape[2]:
            with torch.autocast("cpu", enabled=False):
                wide = None if bias is None else bias.float()
                return F.conv3d(features.float(), kernel.float(), wide, stride, padding)
    return F.conv3d(features, kernel, bias, stride, padding)


class Convolution3d(nn.Conv3d):
    """torch's layer, computed by :func:`convolve3d`; groups and dilation are not for it."""

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Return the convolved features."""
        return convolve3d(features, self.weight, self.bias, list(self.stride), list(self.padding))  # type: ignore[arg-type]


CONVOLUTIONS: dict[int, type[nn.Module]] = {2: nn.Conv2d, 3: Convolution3d}
TRANSPOSED: dict[int, type[nn.Module]] = {2: nn.ConvTranspose2d, 3: nn.ConvTranspose3d}
CHANNEL_DROPOUTS: dict[int, type[nn.Module]] = {2: nn.Dropout2d, 3: nn.Dropout3d}
INSTANCE_NORMS: dict[int, type[nn.Module]] = {2: nn.InstanceNorm2d, 3: nn.InstanceNorm3d}
BATCH_NORMS: dict[int, type[nn.Module]] = {2: nn.BatchNorm2d, 3: nn.BatchNorm3d}

SLOPE = 0.2  # of every leaky rectifier
LEAKY_GAIN = math.sqrt(2.0 / (1.0 + SLOPE**2))  # keeps the mean square of what passes through a leaky rectifier
KERNEL_STD = 0.05


def check_spatial_dims(spatial_dims: int) -> None:
    """Raise a ValueError unless there are two or three spatial axes."""
    if spatial_dims not in CONVOLUTIONS:
        raise ValueError(f"spatial_dims is {spatial_dims}, expected 2 or 3")


def check_sides(image: torch.Tensor, multiple: int, what: str) -> None:
    """Raise a ValueError that names the next fitting size unless all sides of (B, C, ...) are multiples of a number."""
    for side in image.shape[2:]:
        if side % multiple != 0:
            found = " x ".join([str(each) for each in image.shape[2:]])
            fitting = " x ".join([str((each + multiple - 1) // multiple * multiple) for each in image.shape[2:]])
            raise ValueError(
                f"the {what} needs sides divisible by {multiple}, got {found}; the next fitting size is {fitting}"
            )


def beside(image: torch.Tensor, coarse: Optional[torch.Tensor], channels: int) -> torch.Tensor:  # noqa: UP045  TorchScript
    """Put the coarse probability (B, c, ...), where there is one, behind an image's channels; ``channels`` in all.

    Raises:
        ValueError: when the sum is not the number of channels that the network was made for.
    """
    joined = image if coarse is None else torch.cat([image, coarse], dim=1)
    if joined.shape[1] != channels:
        raise ValueError(f"image and coarse probability have {joined.shape[1]} channels together, expected {channels}")
    return joined


def draw_kernels(module: nn.Module, std: float = KERNEL_STD) -> None:
    """Draw the kernels of all convolutions and full connections from N(0, std^2), set their biases to zero."""
    for layer in module.modules():
        if isinstance(layer, nn.modules.conv._ConvNd | nn.Linear):
            nn.init.normal_(layer.weight, std=std)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)


def halved(features: torch.Tensor) -> torch.Tensor:
    """Average pooling by 2: (B, C, H, W, D) -> (B, C, H/2, W/2, D/2), sides even; also for two spatial axes.

    Neighbours are added axis by axis: torch's own pooling of three axes has no deterministic gradient on a GPU and no
    half precision on a CPU, and a convolution of each channel alone has a slow gradient on a CPU.
    """
    features = (features[:, :, ::2] + features[:, :, 1::2]) * 0.5
    features = (features[:, :, :, ::2] + features[:, :, :, 1::2]) * 0.5
    if features.dim() == 4:
        return features
    return (features[:, :, :, :, ::2] + features[:, :, :, :, 1::2]) * 0.5


class WeightNormConvolution(nn.Module):
    """A convolution, plain or transposed, whose kernel is g v / |v|, one g and one |v| an output channel.

    Both are trained. v starts from N(0, 0.05^2), as in the few-shot GAN's code, the bias from zero. torch's own
    parametrisation computes the same, but a TorchScript program of it refuses to run.

    Source: Salimans and Kingma, Weight normalization (2016), eq. 2.

    Shapes: (B, in_channels, ...) -> (B, out_channels, ...), as torch's convolution of the same arguments.

    Args:
        in_channels: channels of the input.
        out_channels: channels of the output.
        kernel_size: same for all axes.
        stride: 1, or 2 for the transposed kind, which has no padding.
        padding: zeros on each side.
        transposed: whether it is the transposed convolution.
        spatial_dims: 2 or 3.
        gain: first value of g.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int,
        stride: int = 1,
        padding: int = 0,
        transposed: bool = False,
        spatial_dims: int = 3,
        gain: float = 1.0,
    ) -> None:
        super().__init__()
        outer = (in_channels, out_channels) if transposed else (out_channels, in_channels)
        ones = (1, out_channels) if transposed else (out_channels, 1)
        self.direction = nn.Parameter(torch.randn(*outer, *[kernel_size] * spatial_dims) * KERNEL_STD)
        self.gain = nn.Parameter(torch.full([*ones, *[1] * spatial_dims], gain))
        self.bias = nn.Parameter(torch.zeros(out_channels))
        self.stride, self.padding, self.transposed, self.spatial_dims = stride, padding, transposed, spatial_dims
        self.axes = [axis for axis in range(spatial_dims + 2) if axis != int(transposed)]

    def kernel(self) -> torch.Tensor:
        """Return g v / |v|, of the shape that torch's convolution takes."""
        return self.direction * (self.gain / torch.linalg.vector_norm(self.direction, dim=self.axes, keepdim=True))

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Return the convolved features."""
        kernel = self.kernel()
        if self.transposed:
            if self.spatial_dims == 2:
                return F.conv_transpose2d(features, kernel, self.bias, self.stride, self.padding)
            return F.conv_transpose3d(features, kernel, self.bias, self.stride, self.padding)
        if self.spatial_dims == 2:
            return F.conv2d(features, kernel, self.bias, self.stride, self.padding)
        return convolve3d(features, kernel, self.bias, [self.stride] * 3, [self.padding] * 3)


def convolution(
    in_channels: int, out_channels: int, kernel_size: int, spatial_dims: int, weight_norm: bool, gain: float = 1.0
) -> nn.Module:
    """A convolution that keeps the size, weight-normalised or as torch draws it."""
    padding = kernel_size // 2
    if weight_norm:
        return WeightNormConvolution(
            in_channels, out_channels, kernel_size, padding=padding, spatial_dims=spatial_dims, gain=gain
        )
    return CONVOLUTIONS[spatial_dims](in_channels, out_channels, kernel_size, padding=padding)


def doubling(in_channels: int, out_channels: int, spatial_dims: int, weight_norm: bool) -> nn.Module:
    """A transposed convolution of kernel and stride 2, weight-normalised or not."""
    if weight_norm:
        return WeightNormConvolution(in_channels, out_channels, 2, stride=2, transposed=True, spatial_dims=spatial_dims)
    return TRANSPOSED[spatial_dims](in_channels, out_channels, kernel_size=2, stride=2)
