"""How a network of slices labels a volume: `HeadSliceInferer`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from monai.data import MetaTensor
from monai.inferers import SliceInferer
from torch import Tensor
from torch.nn import functional

from ..errors import InputError

_PRECISIONS = {"fp32": None, "bf16": torch.bfloat16}


class HeadSliceInferer(SliceInferer):
    """MONAI's `SliceInferer`, which can also keep to the head: each slice once, whole, without the empty space around.

    With a window it is MONAI's. Without one (None) the network sees the box around the voxels that are not empty, in
    the plane rounded up to sides that it can halve; slices of nothing but emptiness are left out. What it does not see
    is background. A window of 160 x 160 that moves over slices of 180 x 180 computes 3.2 times their pixels
    and averages what overlaps; a fully convolutional network needs neither.

    Args:
        roi_size: the window in the plane; a side of -1 is that of the slice; None for the box around the head.
        spatial_dim: the axis along which slices lie.
        sw_batch_size: slices at a time.
        precision: "fp32", or "bf16" for autocast where the processor has it (half the time, other last digits).
        divisor: what the sides of the box are multiples of.
        margin: pixels of background that are left around the head in the plane.
        background: the logit of what the network does not see, one for all maps or one each.
        empty: the value of the image beside the head.
        options: further ones of MONAI's `SlidingWindowInferer`.
    """

    def __init__(
        self,
        roi_size: Sequence[int] | None = None,
        spatial_dim: int = 2,
        sw_batch_size: int = 8,
        precision: str = "fp32",
        divisor: int = 16,
        margin: int = 2,
        background: float | Sequence[float] = -30.0,
        empty: float = 0.0,
        **options: Any,
    ) -> None:
        super().__init__(
            spatial_dim=spatial_dim, roi_size=(-1, -1) if roi_size is None else roi_size, sw_batch_size=sw_batch_size,
            **options,
        )  # fmt: skip
        if precision not in _PRECISIONS:
            raise InputError(f"precision: found {precision!r}, expected one of {', '.join(_PRECISIONS)}.")
        self.whole = roi_size is None
        self.precision = precision
        self.divisor = divisor
        self.margin = margin
        self.background = background
        self.empty = empty

    def __call__(self, inputs: Tensor, network: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """The network's output on the volume: (B, C, X, Y, Z) -> (B, K, X, Y, Z)."""

        def run(slices: Tensor, *more: Any, **options: Any) -> Any:
            kind = _PRECISIONS[self.precision]
            with torch.autocast(slices.device.type, dtype=kind, enabled=kind is not None):
                result = network(slices, *more, **options)
            return result.float() if kind is not None else result

        if not self.whole:
            return super().__call__(inputs, run, *args, **kwargs)
        result = self._label_head(inputs.as_subclass(Tensor), run)
        if isinstance(inputs, MetaTensor):
            return MetaTensor(result).copy_meta_from(inputs, copy_attr=False)
        return result

    def _label_head(self, volume: Tensor, network: Callable[[Tensor], Tensor]) -> Tensor:
        slices = volume.movedim(self.spatial_dim + 2, 1).flatten(0, 1)  # B C X Y Z -> B*Z C X Y
        filled = (slices != self.empty).any(dim=1)
        used = filled.flatten(1).any(dim=1).nonzero().squeeze(1)
        shape, result = slices.shape, None
        sides = [self._side(filled.any(dim=0).any(dim=1 - axis), shape[axis + 2]) for axis in (0, 1)]
        (left, width, before), (top, height, above) = sides
        for part in used.split(self.sw_batch_size):
            seen = slices[part, :, left : left + width, top : top + height]
            padding = (above, -(height + above) % self.divisor, before, -(width + before) % self.divisor)
            seen = functional.pad(seen, padding, value=self.empty).contiguous(memory_format=torch.channels_last)
            labelled = network(seen)[..., before : before + width, above : above + height]
            if result is None:
                result = self._unseen(labelled, (shape[0], labelled.shape[1], *shape[2:]))
            result[part, :, left : left + width, top : top + height] = labelled
        if result is None:  # nothing there: one slice tells how many maps there are
            maps = network(slices.new_full((1, shape[1], self.divisor, self.divisor), self.empty)).shape[1]
            result = self._unseen(slices, (shape[0], maps, *shape[2:]))
        result = result.unflatten(0, (len(volume), -1)).movedim(1, self.spatial_dim + 2)
        return result.contiguous()

    def _unseen(self, like: Tensor, shape: Sequence[int]) -> Tensor:
        """Maps (B, K, X, Y) of nothing but background, of the kind of another tensor."""
        values = torch.as_tensor(self.background, dtype=like.dtype, device=like.device).reshape(-1, 1, 1)
        return values.expand(*shape).clone()

    def _side(self, filled: Tensor, count: int) -> tuple[int, int, int]:
        """Of one side of the box: where it begins, its length in the volume, and how much padding goes before it."""
        at = filled.nonzero().flatten().tolist() or [0]
        start, end = max(0, at[0] - self.margin), min(count, at[-1] + 1 + self.margin)
        wanted = -(-(end - start) // self.divisor) * self.divisor
        start = max(0, min(start - (wanted - (end - start)) // 2, count - wanted))
        length = min(wanted, count - start)
        return start, length, (wanted - length) // 2
