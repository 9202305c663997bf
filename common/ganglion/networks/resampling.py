"""Images made twice as large or half as large by a short binomial filter, so that nothing aliases.

Source: Karras et al., Analyzing and improving the image quality of StyleGAN (2020), appendix B, after Zhang, Making
convolutional networks shift-invariant again (2019): the filter [1, 3, 3, 1] along each axis. A convolution of each
channel with a constant kernel: torch differentiates it twice, as gradient penalties need, and deterministically. The
two axes in one pass were as fast as one after the other on a CPU. MONAI's `separable_filtering` takes filters of odd
length and no stride.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class Filter(nn.Module):
    """Smooth by [1, 3, 3, 1] / 8 along both axes: (B, C, H, W) -> (B, C, H + 2 padding - 3, W + 2 padding - 3).

    Args:
        padding: zeros on each side.
        stride: of every how many results one is computed.
        gain: what the filter sums to; 4 after zeros were put between the pixels.
    """

    kernel: Tensor

    def __init__(self, padding: int, stride: int = 1, gain: float = 1.0) -> None:
        super().__init__()
        self.padding, self.stride = padding, stride
        line = torch.tensor([1.0, 3.0, 3.0, 1.0]) / 8
        self.register_buffer("kernel", (torch.outer(line, line) * gain)[None, None], persistent=False)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Return the smoothed image."""
        channels = image.shape[1]
        kernel = self.kernel.to(image.dtype).expand(channels, -1, -1, -1)
        # A stride of 2 costs the backward pass of bfloat16 on a CPU twelve times as much as computing everything does.
        stride = self.stride if image.is_cuda else 1
        result = F.conv2d(image, kernel, padding=self.padding, stride=stride, groups=channels)
        return result if stride == self.stride else result[:, :, :: self.stride, :: self.stride]


class Double(nn.Module):
    """Twice the size: (B, C, H, W) -> (B, C, 2H, 2W); inside, a constant stays as it is, beyond the border is 0."""

    kernel: Tensor

    def __init__(self) -> None:
        super().__init__()
        line = torch.tensor([1.0, 3.0, 3.0, 1.0]) / 4
        self.register_buffer("kernel", torch.outer(line, line)[None, None], persistent=False)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Return the larger image."""
        channels = image.shape[1]
        kernel = self.kernel.to(image.dtype).expand(channels, -1, -1, -1)
        return F.conv_transpose2d(image, kernel, stride=2, padding=1, groups=channels)
