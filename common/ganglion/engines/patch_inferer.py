"""How a network of patches labels a volume: `HeadPatchInferer`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from monai.inferers import SlidingWindowInferer
from torch import Tensor

from ..errors import InputError

_PRECISIONS = {"fp32": None, "bf16": torch.bfloat16}
_OUTPUTS = ("logits", "probabilities")


class HeadPatchInferer(SlidingWindowInferer):
    """MONAI's `SlidingWindowInferer` that blends probabilities and leaves out windows in which there is no head.

    Where windows overlap, probabilities are averaged with Gaussian weights. Averaging arg-max labels and rounding, as
    reference code does, makes the tissue between two others of a tie between them: CSF (1) and WM (3) become GM (2).
    A window that is empty throughout is background with probability 1 and never reaches the network.

    Args:
        roi_size: sides of the window in voxels.
        sw_batch_size: windows at a time.
        overlap: share of a window that overlaps with the next one along each axis.
        outputs: what the network gives: "logits" of classes (softmax is taken here), or "probabilities".
        empty: value of the voxels beside the head, in all channels; also what is padded with.
        precision: "fp32", or "bf16" for autocast where the device has it.
        options: further ones of MONAI's `SlidingWindowInferer`.
    """

    def __init__(
        self,
        roi_size: Sequence[int] | int,
        sw_batch_size: int = 4,
        overlap: Sequence[float] | float = 0.5,
        outputs: str = "logits",
        empty: float = -1.0,
        precision: str = "fp32",
        **options: Any,
    ) -> None:
        options = {"mode": "gaussian", "cval": empty, **options}
        super().__init__(roi_size=roi_size, sw_batch_size=sw_batch_size, overlap=overlap, **options)
        for name, value, known in (("precision", precision, _PRECISIONS), ("outputs", outputs, _OUTPUTS)):
            if value not in known:
                raise InputError(f"{name}: found {value!r}, expected one of {', '.join(known)}.")
        self.outputs = outputs
        self.empty = empty
        self.precision = precision

    def __call__(self, inputs: Tensor, network: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """Probabilities of the classes of a volume: (B, C, X, Y, Z) -> (B, K, X, Y, Z), the first class background."""

        def label(windows: Tensor, *more: Any, **given: Any) -> Tensor:
            filled = (windows != self.empty).flatten(1).any(dim=1)
            # One window goes through the network even where all are empty: it tells how many classes there are.
            seen = filled if bool(filled.any()) else torch.arange(len(windows), device=filled.device) == 0
            found = self._probabilities(network, windows[seen], *more, **given)
            result = found.new_zeros((len(windows), *found.shape[1:]))
            result[:, 0] = 1.0
            result[filled] = found[filled[seen]]
            return result

        return super().__call__(inputs, label, *args, **kwargs)

    def _probabilities(self, network: Callable[..., Any], windows: Tensor, *more: Any, **given: Any) -> Tensor:
        kind = _PRECISIONS[self.precision]
        with torch.autocast(windows.device.type, dtype=kind, enabled=kind is not None):
            result = network(windows, *more, **given)
        result = result.float()
        return result.softmax(dim=1) if self.outputs == "logits" else result
