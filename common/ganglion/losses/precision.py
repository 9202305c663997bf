"""In which precision losses are computed."""

from __future__ import annotations

import torch


def at_least_float32(tensor: torch.Tensor) -> torch.Tensor:
    """Return a tensor in float32, or as it is in float64: losses of half-precision outputs are not summed in half."""
    return tensor.to(torch.promote_types(tensor.dtype, torch.float32))
