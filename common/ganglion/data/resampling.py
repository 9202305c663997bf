"""Linear resampling an axis at a time, for grids whose axes are parallel: MONAI's numbers at a fraction of its work."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from monai.data import MetaTensor
from monai.data.utils import AFFINE_TOL
from monai.networks.utils import to_norm_affine
from monai.transforms import SpatialResample
from monai.transforms.inverse import TraceableTransform
from monai.utils import TraceKeys, get_equivalent_dtype, get_torch_dtype_from_string
from torch.nn import functional

_PARALLEL = 1e-9  # voxels by which an axis may stray: far below what a float32 value shows
_BLOCK = 16  # planes that are mixed at a time, so that intermediate values stay in the processor's cache


class ParallelResample(SpatialResample):
    """MONAI's `SpatialResample`, done an axis at a time where the grids' axes are parallel.

    A change of voxel size moves no axis into another, so trilinear interpolation is three linear ones. MONAI samples
    at a grid of positions instead, eight neighbours each, and holds that grid (three float64 numbers a voxel) and
    the image as float64. Values agree to the last float32 digit, and what is 0 there is 0 here; records for `Invertd`
    are the same. Whatever is not linear interpolation of a three-dimensional image with a repeated border on the CPU
    is left to MONAI.
    """

    def __call__(
        self,
        img: torch.Tensor,
        dst_affine: Any = None,
        spatial_size: Any = None,
        mode: Any = None,
        padding_mode: Any = None,
        align_corners: bool | None = None,
        dtype: Any = None,
        lazy: bool | None = None,
    ) -> torch.Tensor:
        """The image (C, X, Y, Z) on the grid `dst_affine`, `spatial_size`."""
        chosen = {
            "mode": self.mode if mode is None else mode,
            "padding_mode": self.padding_mode if padding_mode is None else padding_mode,
            "align_corners": self.align_corners if align_corners is None else align_corners,
        }
        linear = str(chosen["mode"]) == "bilinear" and str(chosen["padding_mode"]) == "border"
        stated = dst_affine is not None and isinstance(spatial_size, Sequence)
        map_ = None
        fits = img.ndim == 4 and img.device.type == "cpu" and len(img) > 0
        if linear and stated and fits and not (self.lazy if lazy is None else lazy) and isinstance(img, MetaTensor):
            map_ = parallel_map(img.affine, dst_affine)
        if map_ is None or _unchanged(map_, img.shape[1:], spatial_size):
            return super().__call__(img, dst_affine, spatial_size, dtype=dtype, lazy=lazy, **chosen)
        precision = get_equivalent_dtype(dtype or self.dtype or img.dtype, torch.Tensor)
        return self._resample(img, map_, [int(n) for n in spatial_size], precision, chosen)

    def _resample(
        self, img: MetaTensor, map_: np.ndarray, shape: list[int], precision: torch.dtype, chosen: dict[str, Any]
    ) -> MetaTensor:
        record = {
            "dtype": str(precision)[6:],
            "mode": str(chosen["mode"]),
            "padding_mode": str(chosen["padding_mode"]),
            "align_corners": chosen["align_corners"],
            "src_affine": img.affine.to(torch.float64),
        }
        meta = TraceableTransform.track_transform_meta(
            img,
            sp_size=torch.tensor(shape),
            affine=torch.from_numpy(map_),
            extra_info=record,
            orig_size=tuple(img.shape[1:]),
            transform_info=self.get_transform_info(),
        )
        result = MetaTensor(resample_axes(img.as_tensor(), map_, shape, precision))
        return result.copy_meta_from(meta)

    def inverse(self, data: torch.Tensor) -> torch.Tensor:
        """The data on the grid that they came from."""
        transform = self.pop_transform(data)
        record = dict(transform[TraceKeys.EXTRA_INFO])
        record["dtype"] = get_torch_dtype_from_string(record["dtype"])
        if record.get("align_corners") == TraceKeys.NONE:
            record["align_corners"] = False
        with self.trace_transform(False):
            return self(data, record.pop("src_affine"), transform[TraceKeys.ORIG_SIZE], **record)


def parallel_map(source: Any, target: Any) -> np.ndarray | None:
    """The map from target to source indices, 4 x 4, if it moves no axis into another, else None."""
    map_ = np.linalg.solve(np.asarray(source, dtype=np.float64), np.asarray(target, dtype=np.float64))
    stray = map_[:3, :3] - np.diag(np.diag(map_)[:3])
    return map_ if map_.shape == (4, 4) and np.abs(stray).max() <= _PARALLEL else None


def resample_axes(image: torch.Tensor, map_: np.ndarray, shape: Sequence[int], precision: torch.dtype) -> torch.Tensor:
    """Interpolate linearly along each axis, the border repeated.

    Args:
        image: (C, X, Y, Z).
        map_: 4 x 4 from indices of the result to indices of the image; its axes are parallel.
        shape: X, Y, Z of the result.
        precision: type in which it is calculated.

    Returns:
        (C, *shape), float32.
    """
    steps = _positions(map_, image.shape[1:], shape)
    result = torch.empty((len(image), *shape), dtype=torch.float32)
    # The axis that shrinks most goes first and the one that grows most last: the fewest values between. Of axes that
    # are alike the one that is contiguous goes first: planes are copied several times faster than single values.
    order = sorted(range(3), key=lambda axis: (round(shape[axis] / image.shape[axis + 1], 1), -axis))
    for source, target in zip(image, result, strict=True):
        values = source
        for axis in order[:2]:
            values = _mix(values, steps[axis], axis, precision)
        last = order[2]
        for start in range(0, shape[last], _BLOCK):
            part = _mix(values, steps[last][start : start + _BLOCK], last, precision)
            target.narrow(last, start, part.shape[last]).copy_(part)
    return result


def _positions(map_: np.ndarray, source: Sequence[int], target: Sequence[int]) -> list[np.ndarray]:
    """Where each plane of the result lies in the image, an array an axis, with the very round-off of MONAI's grid.

    Round-off leaves a trace: next to the head, MONAI's 0 becomes 1e-12, which counts as head where voxels that are not
    0 are looked for. Weights and scores in use were made so.
    """
    theta = to_norm_affine(torch.from_numpy(map_)[None], source, target, align_corners=False, zero_centered=False)
    theta = theta[:, :3].flip(1)
    theta = torch.cat([theta[..., :3].flip(2), theta[..., 3:]], dim=2)  # torch names axes from the last to the first
    steps = []
    for axis, (size, count) in enumerate(zip(source, target, strict=True)):
        line = [1, 1, 1, 1, 1]
        line[axis + 2] = count
        grid = functional.affine_grid(theta, line, align_corners=False)[0, ..., 2 - axis].flatten()
        steps.append((((grid + 1) * size - 1) / 2).clamp(0, size - 1).numpy())
    return steps


def _mix(values: torch.Tensor, positions: np.ndarray, axis: int, precision: torch.dtype) -> torch.Tensor:
    """Values at positions along one axis, mixed from both neighbours, or merely taken where no position is between."""
    low = np.floor(positions).astype(np.int64)
    weight = torch.from_numpy(positions - low).to(precision)
    below = values.index_select(axis, torch.from_numpy(low))
    if not bool(weight.any()):
        return below
    above = values.index_select(axis, torch.from_numpy(np.minimum(low + 1, values.shape[axis] - 1)))
    weight = weight.reshape([-1 if i == axis else 1 for i in range(3)])
    return torch.lerp(below.to(precision), above.to(precision), weight)


def _unchanged(map_: np.ndarray, source: Sequence[int], target: Sequence[int]) -> bool:
    return list(source) == [int(n) for n in target] and bool(np.allclose(map_, np.eye(4), atol=AFFINE_TOL))
