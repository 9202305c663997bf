"""One file of voxels: its header judged before anything is read, then its voxels, each error naming the file.

NIfTI, Analyze and MGH files are read through nibabel, `.mha` here (its axes turned from LPS to RAS). Loading for a
network and the data set's check use the same functions, so that what the check passes can be loaded.
"""

import gzip
import struct
import threading
import warnings
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
from nibabel.arrayproxy import ArrayProxy
from nibabel.filebasedimages import ImageFileError
from nibabel.imageglobals import logger
from nibabel.spatialimages import HeaderDataError

from . import metaimage
from .findings import FileError
from .headers import AGAIN, is_packed, read_claim
from .naming import ENDINGS, PAIR, is_volume

MAX_VOXELS = 2**29  # 512 million: 800 cubed, 2 GiB as float32
_MAX_DEFLATE = 1040  # deflate cannot shrink by more than 1032
_MAX_SURPLUS = 2**16  # bytes after the last voxel: some programs fill up blocks
_LEAST_SIDE, _MOST_SIDE = 0.5, 5000  # mm that the longest side of an image may have
_UNREADABLE = (
    OSError, EOFError, ValueError, TypeError, KeyError, IndexError, OverflowError, MemoryError, RuntimeError,
    zlib.error, struct.error, ImageFileError, HeaderDataError,
)  # fmt: skip

_thread = threading.local()
logger.addFilter(lambda record: not getattr(_thread, "quiet", False))


@dataclass(frozen=True)
class Volume:
    """An opened file of which only the header was read.

    Attributes:
        path: the file.
        shape: X, Y, Z of the grid.
        affine: 4 x 4, from voxel indices to millimetres in RAS.
        channels: number of volumes in the file: 1 for a 3-D file.
        dtype: numpy type of the stored voxels.
        voxels: reads them; gives X Y Z, or X Y Z C for a file of several channels: the stored numbers where no slope
            has to be applied, else float32.
        oriented: whether the header says where left and front are; else a guess stands in the affine.
    """

    path: Path
    shape: tuple[int, int, int]
    affine: np.ndarray
    channels: int
    dtype: np.dtype
    voxels: Callable[[], np.ndarray] = field(repr=False)
    oriented: bool = True


def open_volume(path: str | Path, max_voxels: int = MAX_VOXELS, use_qform: bool = False) -> Volume:
    """Read a file's header and judge it.

    Args:
        path: NIfTI, MGH or MetaImage; of an Analyze or NIfTI pair either file.
        max_voxels: how many voxels a file may claim.
        use_qform: take a NIfTI's qform where its sform cannot be used.

    Raises:
        FileError: if the file is missing, empty, of an unknown kind, unreadable, complex or coloured, has no usable
            affine or not three or four dimensions, or claims more voxels than it can hold.
    """
    path = Path(path)
    try:
        _require_file(path)
        if path.name.lower().endswith(".mha"):
            return _open_metaimage(path, max_voxels)
        if path.suffix.lower() in PAIR:
            return _open_pair(path, max_voxels, use_qform)
        return _open_nibabel(path, path, max_voxels, use_qform)
    except _UNREADABLE as error:
        raise _unreadable(path, error) from error


def read_voxels(volume: Volume) -> np.ndarray:
    """All voxels, X Y Z (or X Y Z C) as float32; a truncated or damaged file ends in a `FileError` that names it."""
    with np.errstate(over="ignore"):  # what float32 cannot hold becomes Inf, which is looked for
        return stored_voxels(volume).astype(np.float32, copy=False)


def stored_voxels(volume: Volume) -> np.ndarray:
    """As `read_voxels`, in the file's own type unless a slope is applied: spares a copy to those who convert anyway."""
    try:
        with np.errstate(over="ignore"):
            return volume.voxels()
    except _UNREADABLE as error:
        raise _unreadable(volume.path, error) from error


def _unreadable(path: Path, error: BaseException) -> FileError:
    what = " ".join(str(error).replace(str(path), path.name).split())[:160] or type(error).__name__
    return FileError(path, f"an unreadable or truncated file ({what})", "an image", AGAIN)


def _require_file(path: Path) -> None:
    if not path.is_file():
        if path.is_symlink() and not path.exists():
            mend = "Mend the link, or convert again."
            raise FileError(path, "a link to a file that is gone", "an image file", mend, "missing")
        found = "a folder" if path.is_dir() else "a device or pipe" if path.exists() else "no file"
        raise FileError(path, found, "an image file", "Correct the path.", "missing")
    if not is_volume(path) and path.suffix.lower() not in PAIR:
        raise FileError(path, "an unknown kind of file", ", ".join((*ENDINGS, *PAIR)), "Convert it to NIfTI.")
    if path.stat().st_size == 0:
        raise FileError(path, "an empty file (0 bytes)", "an image", AGAIN)


def _open_pair(path: Path, max_voxels: int, use_qform: bool) -> Volume:
    halves = {half.suffix.lower(): half for half in path.parent.iterdir() if half.stem == path.stem}
    for ending in PAIR:
        half = halves.get(ending)
        if half is None or not half.is_file() or half.stat().st_size == 0:
            found = f"an empty {half.name}" if half is not None and half.is_file() else f"no {path.stem}{ending}"
            raise FileError(path, f"{found} beside it", "header and image, .hdr and .img", AGAIN, "missing")
    return _open_nibabel(halves[".hdr"], halves[".img"], max_voxels, use_qform)


def _open_nibabel(path: Path, held_by: Path, max_voxels: int, use_qform: bool) -> Volume:
    """Open a file whose voxels lie in `held_by`: the file itself, or the other half of a pair."""
    claim = read_claim(path)
    spatial, channels = _judge_shape(path, claim.shape)
    packed = is_packed(path)
    _judge_size(path, spatial, channels, max_voxels)
    _judge_bytes(held_by, spatial, channels, claim.itemsize, claim.offset, packed, exact=not packed)
    image = _load_quietly(path)
    stored = np.dtype(image.get_data_dtype())
    affine, oriented = _affine_of(path, image, use_qform)
    _judge_extent(path, spatial, affine, max_voxels)

    def voxels() -> np.ndarray:
        data = _packed_voxels(path, image) if packed else _plain_voxels(image)
        return data.reshape(spatial if channels == 1 else (*spatial, channels))

    return Volume(path, spatial, affine, channels, stored, voxels, oriented)


def _load_quietly(path: Path) -> Any:
    """What nibabel opens, without its remarks on stderr about fields that it sets right."""
    _thread.quiet = True
    try:
        return nib.load(path)
    finally:
        _thread.quiet = False


def _plain_voxels(image: Any) -> np.ndarray:
    return _from_proxy(image.dataobj)


def _from_proxy(proxy: Any) -> np.ndarray:
    """The stored numbers, or float32 where a slope is applied to them."""
    scaled = (proxy.slope, proxy.inter) != (1, 0)
    return np.asarray(proxy.__array__(np.float32) if scaled else proxy.get_unscaled())


def _packed_voxels(path: Path, image: Any) -> np.ndarray:
    """The voxels of a gzip file, read to its end, so that its checksum is looked at."""
    proxy = image.dataobj
    with gzip.open(path, "rb") as stream:
        spec = (proxy.shape, proxy.dtype, proxy.offset, proxy.slope, proxy.inter)
        data = _from_proxy(ArrayProxy(stream, spec, order=proxy.order))
        surplus = len(stream.read(_MAX_SURPLUS + 1))
    if surplus > _MAX_SURPLUS and not path.name.lower().endswith(".mgz"):
        raise _surplus(path, "more than " + str(_MAX_SURPLUS), proxy.shape)
    return data


def _surplus(path: Path, count: object, shape: Sequence[int]) -> FileError:
    claimed = "x".join(map(str, shape))
    return FileError(path, f"{count} bytes after the {claimed} voxels that the header claims", "the end", AGAIN)


def _affine_of(path: Path, image: Any, use_qform: bool) -> tuple[np.ndarray, bool]:
    """The affine, and whether the header states it."""
    header = image.header
    if not hasattr(header, "get_qform"):
        stated = bool(header.get("goodRASFlag", 0)) if isinstance(image, nib.MGHImage) else False
        return judge_affine(path, np.asarray(image.affine, dtype=np.float64)), stated
    coded = [int(header[name]) > 0 for name in ("sform_code", "qform_code")]
    try:
        return judge_affine(path, np.asarray(image.affine, dtype=np.float64)), any(coded)
    except FileError as fault:
        qform = _usable_qform(path, header) if all(coded) else None
        if qform is None:
            raise
        if use_qform:
            return qform, True
        mend = "Mend the header, or have its qform taken: python -m ganglion data check DIR --fix DST"
        raise FileError(path, fault.finding.found, fault.finding.expected, mend, "sform") from fault


def _usable_qform(path: Path, header: Any) -> np.ndarray | None:
    try:
        return judge_affine(path, np.asarray(header.get_qform(), dtype=np.float64))
    except (FileError, ValueError, HeaderDataError):
        return None


def _open_metaimage(path: Path, max_voxels: int) -> Volume:
    header = metaimage.read_header(path)
    spatial, channels = _judge_shape(path, header.shape)
    _judge_size(path, spatial, channels, max_voxels)
    size = header.dtype.itemsize
    _judge_bytes(path, spatial, channels, size, header.offset, header.packed, exact=not header.packed)
    affine = judge_affine(path, header.affine)
    _judge_extent(path, spatial, affine, max_voxels)

    def voxels() -> np.ndarray:
        data = metaimage.read_array(header)
        return data.reshape(spatial if channels == 1 else (*spatial, channels))

    return Volume(path, spatial, affine, channels, header.dtype, voxels)


def _judge_shape(path: Path, shape: tuple[int, ...]) -> tuple[tuple[int, int, int], int]:
    """Split a stored shape into the grid and the number of channels (a fourth axis, or a fifth for vectors)."""
    sides = [n for i, n in enumerate(shape) if i < 3 or n != 1]
    if len(sides) not in (3, 4) or min(shape, default=0) < 1:
        raise FileError(
            path,
            f"shape {'x'.join(map(str, shape))}",
            "a 3-D volume (or one 4-D file of all contrasts)",
            "Export it as 3-D, or split it (nibabel.four_to_three).",
            "shape",
        )
    return (sides[0], sides[1], sides[2]), (sides[3] if len(sides) == 4 else 1)


def _judge_size(path: Path, spatial: Sequence[int], channels: int, max_voxels: int) -> None:
    if int(np.prod([*map(int, spatial), channels], dtype=object)) > max_voxels:
        claim = f"a header that claims {_sides(spatial, channels)} voxels"
        mend = "Crop or resample it, or allow more (--max-voxels; in a config: max_voxels)."
        raise FileError(path, claim, f"at most {max_voxels}", mend, "size")


def _judge_bytes(
    path: Path, spatial: Sequence[int], channels: int, itemsize: int, offset: int, packed: bool, exact: bool
) -> None:
    count = int(np.prod([*map(int, spatial), channels, itemsize], dtype=object)) + offset
    size = path.stat().st_size
    held = size * (_MAX_DEFLATE if packed else 1)
    if count > held:
        claim = f"a truncated file or false header ({_sides(spatial, channels)} voxels claimed, {count} bytes)"
        raise FileError(path, claim, f"no more than the {held} bytes that such a file can hold", AGAIN)
    if exact and size - count > _MAX_SURPLUS:
        raise _surplus(path, size - count, (*spatial, channels) if channels > 1 else spatial)


def _sides(spatial: Sequence[int], channels: int) -> str:
    return "x".join(map(str, (*spatial, channels) if channels > 1 else spatial))


def _judge_extent(path: Path, spatial: Sequence[int], affine: np.ndarray, max_voxels: int) -> None:
    """Refuse a size in millimetres that is none of a body: resampling to millimetres would follow it."""
    sides = np.linalg.norm(affine[:3, :3], axis=0) * np.asarray(spatial, dtype=np.float64)
    if np.prod(np.maximum(sides, 1)) > max_voxels or not _LEAST_SIDE < sides.max() < _MOST_SIDE:
        found = f"an extent of {' x '.join(f'{side:.3g}' for side in sides)} mm"
        mend = "Correct the voxel size in the header (is it in metres or microns?), or export the file again."
        raise FileError(path, found, "that of a head", mend, "affine")


def judge_affine(path: Path, affine: np.ndarray) -> np.ndarray:
    """Return the affine if it can be used.

    Raises:
        FileError: if it is not finite or its axes do not span space (a zero sform).
    """
    axes = affine[:3, :3]
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        sides = np.linalg.norm(axes, axis=0)
        flat = not np.isfinite(affine).all() or not sides.min() > 0 or not np.isfinite(sides).all()
        flat = flat or abs(np.linalg.det(axes / sides)) < 1e-6
    if flat:
        raise FileError(
            path,
            f"a zero or degenerate affine {np.round(axes, 3).tolist()}",
            "voxel axes in millimetres",
            "Mend sform or qform in the header, or export the file again.",
            "affine",
        )
    return affine


def grid_text(volume: Volume) -> str:
    """A grid in few words: `240x240x155, 1.00x1.00x1.00 mm, LPS, origin (0.0, 239.0, 0.0)`."""
    spacing = "x".join(f"{side:.2f}" for side in np.linalg.norm(volume.affine[:3, :3], axis=0))
    origin = ", ".join(f"{v:.1f}" for v in volume.affine[:3, 3])
    axes = "".join(str(code) for code in nib.aff2axcodes(volume.affine))
    return f"{'x'.join(map(str, volume.shape))}, {spacing} mm, {axes}, origin ({origin})"


def same_grid(first: Volume, other: Volume) -> bool:
    """Whether two grids agree: equal shapes, and no corner further off than a twentieth of the smallest voxel side."""
    if first.shape != other.shape:
        return False
    corners = np.array([(*corner, 1.0) for corner in product(*((0, n - 1) for n in first.shape))]).T
    distance = np.linalg.norm(((first.affine - other.affine) @ corners)[:3], axis=0).max()
    return bool(distance <= 0.05 * np.linalg.norm(first.affine[:3, :3], axis=0).min())


def require_same_grid(first: Volume, other: Volume) -> None:
    """Raise a `FileError` that names both files and grids unless both volumes lie on one grid."""
    if not same_grid(first, other):
        raise FileError(
            other.path,
            f"another grid than that of {first.path.name} ({grid_text(other)})",
            grid_text(first),
            "Convert with --resample-to first, or have it resampled: python -m ganglion data check DIR --fix DST.",
            "grid",
        )


def nonfinite_text(data: np.ndarray) -> str | None:
    """None if all voxels are finite, else how many are not and where the first lies."""
    finite = np.isfinite(data)
    if finite.all():
        return None
    bad = np.argwhere(~finite)
    kinds = ", ".join(name for name, test in (("NaN", np.isnan), ("Inf", np.isinf)) if test(data).any())
    return f"{len(bad)} {kinds} voxels, the first at index {tuple(int(i) for i in bad[0])}"


def require_finite(path: Path, data: np.ndarray) -> None:
    """Raise a `FileError` that counts NaN and Inf voxels and places the first, if there are any."""
    found = nonfinite_text(data)
    if found is not None:
        mend = (
            "Mend the file (python -m ganglion data check DIR --fix DST); where on_nonfinite is 'zero' they become 0."
        )
        raise FileError(path, found, "finite numbers", mend, "nonfinite")
