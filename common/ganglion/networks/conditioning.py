"""Instance norm whose scale and shift are said by a code: the GT layer, which any conditioned network may use."""

from __future__ import annotations

from typing import Optional

import torch
import torch.nn.functional as F
from torch import nn

EPS = 1e-5


class ConditionalInstanceNorm(nn.Module):
    """Adaptive instance norm: each channel is brought to mean 0 and variance 1 over space, then scaled and shifted.

        GT(x) = sigma * (x - mean(x)) / sqrt(var(x) + eps) + mu,      (sigma, mu) = (1, 0) + A code + b

    Mean and variance (biased) are those of one channel of one sample. A and b start from zero: the layer starts as
    plain instance norm, whatever the code.

    Two modes, by what is given:

    - A code a sample, (B, S): one sigma and mu a channel (``vector``). It moves what an image looks like and cannot
      say where anything lies.
    - A code a class, (B, K, S), and a map of the classes, (B, K, ...): sigma and mu of each voxel are those of its
      class (``tissue_map``). The map may be of another size: it is brought to the features' by nearest neighbours.
      Voxels of several classes in part get the sum over the classes, weighted by the map; those of none instance norm.

    Sources: Huang and Belongie, Arbitrary style transfer in real-time with adaptive instance normalization (2017),
    eq. 8; scale 1 + gamma: Choi et al., StarGAN v2 (2020); by class: Park et al., SPADE (2019), without its
    convolutions. Khaled and Ghaleb print it without the brackets around x - mean(x).

    Shapes: (B, C, H, W, D) -> (B, C, H, W, D), or any other number of spatial axes.

    Args:
        channels: number C of channels.
        code_size: entries S of a code.
        eps: added to the variance.

    Raises:
        ValueError: in ``forward``, when a code a class comes without a map, or a map with a code a sample.
    """

    def __init__(self, channels: int, code_size: int, eps: float = EPS) -> None:
        super().__init__()
        self.eps = eps
        self.scale_and_shift = nn.Linear(code_size, 2 * channels)
        nn.init.zeros_(self.scale_and_shift.weight)
        nn.init.zeros_(self.scale_and_shift.bias)

    def forward(
        self,
        features: torch.Tensor,
        code: torch.Tensor,
        classes: Optional[torch.Tensor] = None,  # noqa: UP045  TorchScript reads no other spelling on Python 3.10
    ) -> torch.Tensor:
        """Return the features with the code's statistics."""
        if (code.dim() == 3) != (classes is not None):
            raise ValueError("a code a class (B, K, S) needs a map of the classes, a code a sample (B, S) takes none")
        normed = instance_norm(features, self.eps)
        table = self.scale_and_shift(code)
        if classes is None:
            table = table.reshape(list(table.shape) + [1] * (features.dim() - 2))
            delta, shift = table.chunk(2, dim=1)
        else:
            delta, shift = placed(table, at_size(classes, features)).to(normed.dtype).chunk(2, dim=1)
        return torch.addcmul(normed + shift, normed, delta)


def instance_norm(features: torch.Tensor, eps: float = EPS) -> torch.Tensor:
    """Each channel of each sample (B, C, ...) brought to mean 0 and variance 1: torch's own, computed as groups of one.

    On a CPU torch's group norm takes a half of the time of its instance norm in float32, a sixth in bfloat16.
    """
    if not torch.jit.is_scripting():  # noqa: SIM102  the rest is not TorchScript
        if torch.compiler.is_compiling() or torch.onnx.is_in_onnx_export():
            return _norm_by_axes(features, eps)
    return F.group_norm(features, features.shape[1], eps=eps)


@torch.jit.unused
def _norm_by_axes(features: torch.Tensor, eps: float) -> torch.Tensor:
    """The same, its means taken along one axis after the other.

    ONNX Runtime adds all of a channel up one by one in float32: on slices of 240 x 224 its instance norm, and its mean
    over both axes, are off by 3e-4, this by 2e-6.
    """
    axes = features.dim() - 2
    centred = features - _mean(features, axes)
    return centred / torch.sqrt(_mean(centred * centred, axes) + eps)


def _mean(features: torch.Tensor, axes: int) -> torch.Tensor:
    for axis in range(axes):
        features = features.mean(dim=-1 - axis, keepdim=True)
    return features


def at_size(classes: torch.Tensor, features: torch.Tensor) -> torch.Tensor:
    """A map (B, K, ...) at the size of features (B, C, ...), by nearest neighbours."""
    if classes.shape[2:] == features.shape[2:]:
        return classes
    return F.interpolate(classes, size=features.shape[2:], mode="nearest")


def placed(table: torch.Tensor, classes: torch.Tensor) -> torch.Tensor:
    """Each voxel's row of a table: (B, K, N) and a map (B, K, ...) -> (B, N, ...)."""
    rows = torch.matmul(table.transpose(1, 2), classes.flatten(2).to(table.dtype))  # B N K, B K V -> B N V
    return rows.reshape([table.shape[0], table.shape[2]] + list(classes.shape[2:]))  # noqa: RUF005  TorchScript
