"""What can be mended in one volume without inventing anything, and how it is told that it can.

Each remedy gives the mended voxels and a word on what it did, or raises `NotSafe` with the reason why it did nothing.
"""

from collections.abc import Sequence

import numpy as np

from .onto_grid import onto_grid
from .volumes import Volume

_MOST_BROKEN = 0.01  # share of NaN and Inf voxels that may lie inside the head
_INSIDE = 0.95  # share of an image's voxels that has to lie on the other grid, each way
_LABEL_INSIDE = 0.999
_COVERS = 0.8  # share of the other grid that an image has to cover
_POINTS = 200_000


class NotSafe(Exception):  # noqa: N818  an answer, not a fault
    """The reason why a fault is left to the user."""


def without_nonfinite(voxels: np.ndarray) -> tuple[np.ndarray, str]:
    """Voxels (X, Y, Z or X, Y, Z, C) with NaN and Inf replaced by 0: few of them, or NaN used as background."""
    finite = np.isfinite(voxels)
    broken = int(voxels.size - finite.sum())
    if not broken:
        return voxels, ""
    corners = voxels[np.ix_(*([0, -1] for _ in range(3)))]
    background = np.isnan(corners).all() and not np.isinf(voxels).any()
    if broken > _MOST_BROKEN * voxels.size and not (background and finite.any()):
        raise NotSafe(f"{broken / voxels.size:.0%} of the voxels are not finite, and not as background")
    named = "NaN background" if background else f"{broken} voxels that are not finite"
    return np.where(finite, voxels, 0).astype(np.float32), f"{named} set to 0"


def on_grid_of(voxels: np.ndarray, volume: Volume, like: Volume, is_label: bool) -> np.ndarray:
    """Voxels (X, Y, Z) of `volume` on another grid: linear for images, nearest for labels, 0 outside.

    Raises:
        NotSafe: if the two do not lie in one place, so that the headers rather than the grids differ.
    """
    marked = voxels != 0
    share = _share_inside(np.argwhere(marked), volume.affine, like)
    least = _LABEL_INSIDE if is_label else _INSIDE
    if share < least:
        raise NotSafe(
            f"only {share:.0%} of what it shows lies on the grid of {like.path.name}; the headers may be wrong"
        )
    if not is_label:
        covered = _share_inside(np.argwhere(np.ones(like.shape, dtype=bool)), like.affine, volume)
        if covered < _COVERS:
            raise NotSafe(f"it covers only {covered:.0%} of the grid of {like.path.name}")
    result = onto_grid(voxels, volume, like, order=0 if is_label else 1)
    if marked.any() and not result.any():
        raise NotSafe(f"nothing of it is left on the grid of {like.path.name}")
    return np.asarray(result, dtype=np.float32)


def _share_inside(indices: np.ndarray, affine: np.ndarray, other: Volume) -> float:
    """The share of voxels whose centres lie inside another volume's box (half a voxel around its centres)."""
    if len(indices) == 0:
        return 1.0
    indices = indices[:: max(1, len(indices) // _POINTS)]
    between = np.linalg.inv(other.affine) @ affine
    there = indices @ between[:3, :3].T + between[:3, 3]
    inside = (there >= -0.5) & (there <= np.asarray(other.shape) - 0.5)
    return float(inside.all(axis=1).mean())


def channels_of(voxels: np.ndarray, count: int) -> list[np.ndarray]:
    """Volumes of a 4-D image (X, Y, Z, C), if there is one for each of `count` contrasts."""
    if voxels.ndim != 4 or voxels.shape[3] != count:
        have = voxels.shape[3] if voxels.ndim == 4 else 1
        raise NotSafe(f"{have} volumes are not one for each of {count} contrasts")
    return [np.ascontiguousarray(voxels[..., i]) for i in range(count)]


def only_volume(voxels: np.ndarray) -> tuple[np.ndarray, str]:
    """The one volume of a 4-D image (X, Y, Z, C) that says something: the others are equal to it, or empty."""
    first = voxels[..., 0]
    if all(np.array_equal(first, voxels[..., i], equal_nan=True) for i in range(1, voxels.shape[3])):
        return np.ascontiguousarray(first), f"{voxels.shape[3]} equal volumes, the first taken"
    full = [i for i in range(voxels.shape[3]) if voxels[..., i].min() < voxels[..., i].max()]
    if len(full) == 1:
        return np.ascontiguousarray(voxels[..., full[0]]), f"volume {full[0]} taken, the others being empty"
    raise NotSafe(f"it holds {voxels.shape[3]} different volumes, and nothing tells which is meant")


def merged_label(voxels: np.ndarray, codes: Sequence[int]) -> tuple[np.ndarray, str]:
    """One map of codes from a label (X, Y, Z, C) with a channel of 0 and 1 for each code, or each but background."""
    codes = sorted(set(codes))
    if not np.isin(voxels, (0, 1)).all() or (voxels.sum(axis=-1) > 1).any():
        raise NotSafe("its channels overlap or hold more than 0 and 1")
    if voxels.shape[-1] == len(codes) and (voxels.sum(axis=-1) == 1).all():
        chosen = codes
    elif voxels.shape[-1] == len(codes) - 1 and codes[0] == 0:
        chosen = codes[1:]
    else:
        raise NotSafe(f"{voxels.shape[-1]} channels are not one for each of the codes {list(codes)}")
    label = sum(code * voxels[..., i] for i, code in enumerate(chosen))
    return np.asarray(label, dtype=np.float32), f"channels merged into the codes {list(chosen)}"


def chosen_by_name(told: Sequence[str | None], contrasts: Sequence[str]) -> list[int]:
    """Which file is which contrast, by what the files' names tell; each contrast has to be told once."""
    missing = [name for name in contrasts if told.count(name) != 1]
    if missing:
        raise NotSafe(f"the files' names do not tell which one is {' and which '.join(missing)}")
    return [told.index(name) for name in contrasts]
