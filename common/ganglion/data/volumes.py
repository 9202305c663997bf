"""One file of voxels: its header judged before anything is read, then its voxels, each error naming the file.

NIfTI and MGH files are read through nibabel, `.mha` through itk (axes turned from its LPS to RAS). Loading for a
network and the data set's check use the same functions, so that what the check passes can be loaded.
"""

import re
import struct
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
from nibabel.filebasedimages import ImageFileError
from nibabel.spatialimages import HeaderDataError

from .findings import FileError
from .naming import ENDINGS, is_volume

_AGAIN = "Copy or export the file again."
MAX_VOXELS = 2**29  # 512 million: 800 cubed, 2 GiB as float32
_MAX_DEFLATE = 1040  # deflate cannot shrink by more than 1032
_UNREADABLE = (
    OSError, EOFError, ValueError, TypeError, KeyError, IndexError, OverflowError, MemoryError, RuntimeError,
    zlib.error, struct.error, ImageFileError, HeaderDataError,
)  # fmt: skip


@dataclass(frozen=True)
class Volume:
    """An opened file of which only the header was read.

    Attributes:
        path: the file.
        shape: X, Y, Z of the grid.
        affine: 4 x 4, from voxel indices to millimetres in RAS.
        channels: number of volumes in the file: 1 for a 3-D file.
        dtype: numpy type of the stored voxels.
        voxels: reads them; gives X Y Z, or X Y Z C for a file of several channels, as float32 with the slope applied.
    """

    path: Path
    shape: tuple[int, int, int]
    affine: np.ndarray
    channels: int
    dtype: np.dtype
    voxels: Callable[[], np.ndarray] = field(repr=False)


def open_volume(path: str | Path) -> Volume:
    """Read a file's header and judge it.

    Raises:
        FileError: if the file is missing, empty, of an unknown kind, unreadable, complex or coloured, has no usable
            affine or not three or four dimensions, or claims more voxels than it can hold.
    """
    path = Path(path)
    if not path.is_file():
        if path.is_symlink():
            raise FileError(path, "a link to a file that is gone", "an image file", "Mend the link, or convert again.")
        raise FileError(path, "a folder" if path.is_dir() else "no file", "an image file", "Correct the path.")
    if not is_volume(path):
        raise FileError(path, "an unknown kind of file", ", ".join(ENDINGS), "Convert it to NIfTI.")
    if path.stat().st_size == 0:
        raise FileError(path, "an empty file (0 bytes)", "an image", _AGAIN)
    try:
        return _open_metaimage(path) if path.name.lower().endswith(".mha") else _open_nibabel(path)
    except _UNREADABLE as error:
        raise _unreadable(path, error) from error


def read_voxels(volume: Volume) -> np.ndarray:
    """All voxels, X Y Z (or X Y Z C) as float32; a truncated or damaged file ends in a `FileError` that names it."""
    try:
        return volume.voxels()
    except _UNREADABLE as error:
        raise _unreadable(volume.path, error) from error


def _unreadable(path: Path, error: BaseException) -> FileError:
    what = " ".join(str(error).replace(str(path), path.name).split())[:160] or type(error).__name__
    return FileError(path, f"an unreadable or truncated file ({what})", "an image", _AGAIN)


def _open_nibabel(path: Path) -> Volume:
    image: Any = nib.load(path)
    shape = tuple(int(n) for n in image.shape)
    stored = np.dtype(image.get_data_dtype())
    spatial, channels = _judge_shape(path, shape)
    _judge_type(path, stored)
    _judge_size(path, spatial, channels, stored.itemsize, packed=path.name.lower().endswith((".gz", ".mgz")))
    affine = judge_affine(path, np.asarray(image.affine, dtype=np.float64))

    def voxels() -> np.ndarray:
        data = np.asarray(image.get_fdata(dtype=np.float32, caching="unchanged"))
        return data.reshape(spatial if channels == 1 else (*spatial, channels))

    return Volume(path, spatial, affine, channels, stored, voxels)


def _open_metaimage(path: Path) -> Volume:
    with open(path, "rb") as file:
        text = file.read(4096)
    where = re.search(rb"^ElementDataFile\s*=\s*(\S+)", text, re.MULTILINE)
    if where is None or where[1] != b"LOCAL":
        found = "no ElementDataFile" if where is None else f"voxels in another file ({where[1][:80]!r})"
        raise FileError(path, found, "ElementDataFile = LOCAL", "Convert the file to NIfTI.")
    itk = _import_itk(path)
    reader = itk.MetaImageIO.New()
    reader.SetFileName(str(path))
    reader.ReadImageInformation()
    n = reader.GetNumberOfDimensions()
    stored = np.dtype(_ITK_TYPES.get(str(reader.GetComponentTypeAsString(reader.GetComponentType())), "V1"))
    components = int(reader.GetNumberOfComponents())
    if components != 1:
        raise _coloured(path, f"{components} components a voxel")
    spatial, channels = _judge_shape(path, tuple(int(reader.GetDimensions(i)) for i in range(n)))
    _judge_type(path, stored)
    packed = re.search(rb"^CompressedData\s*=\s*True", text, re.MULTILINE | re.IGNORECASE) is not None
    _judge_size(path, spatial, channels, stored.itemsize, packed)
    affine = np.eye(4)
    for i in range(3):
        affine[:3, i] = np.asarray(reader.GetDirection(i))[:3] * reader.GetSpacing(i)
        affine[i, 3] = reader.GetOrigin(i)
    affine = judge_affine(path, np.diag([-1.0, -1.0, 1.0, 1.0]) @ affine)

    def voxels() -> np.ndarray:
        data = np.asarray(itk.array_from_image(itk.imread(str(path)))).astype(np.float32)
        return data.transpose(*range(data.ndim)[::-1]).reshape(spatial if channels == 1 else (*spatial, channels))

    return Volume(path, spatial, affine, channels, stored, voxels)


_ITK_TYPES = {
    "char": "i1", "unsigned_char": "u1", "short": "i2", "unsigned_short": "u2", "int": "i4", "unsigned_int": "u4",
    "long": "i8", "unsigned_long": "u8", "long_long": "i8", "unsigned_long_long": "u8", "float": "f4", "double": "f8",
}  # fmt: skip


def _import_itk(path: Path) -> Any:
    try:
        import itk
    except ImportError as error:
        raise FileError(path, "an .mha file and no itk to read it", "itk installed", "Run: pip install itk") from error
    return itk


def _judge_shape(path: Path, shape: tuple[int, ...]) -> tuple[tuple[int, int, int], int]:
    """Split a stored shape into the grid and the number of channels (a fourth axis, or a fifth for vectors)."""
    sides = [n for i, n in enumerate(shape) if i < 3 or n != 1]
    if len(sides) not in (3, 4) or min(shape, default=0) < 1:
        raise FileError(
            path,
            f"shape {'x'.join(map(str, shape))}",
            "a 3-D volume (or one 4-D file of all contrasts)",
            "Export it as 3-D, or split it (nibabel.four_to_three).",
        )
    return (sides[0], sides[1], sides[2]), (sides[3] if len(sides) == 4 else 1)


def _judge_type(path: Path, stored: np.dtype) -> None:
    if stored.kind == "c":
        raise FileError(path, f"complex voxels ({stored})", "real ones", "Export the magnitude image.")
    if stored.names is not None or stored.kind not in "iuf":
        raise _coloured(path, "RGB or unknown voxels")


def _coloured(path: Path, found: str) -> FileError:
    return FileError(path, found, "one number a voxel", "Export it as a grey-scale volume.")


def _judge_size(path: Path, spatial: Sequence[int], channels: int, itemsize: int, packed: bool) -> None:
    count = int(np.prod([*map(int, spatial), channels], dtype=object))
    held = path.stat().st_size * (_MAX_DEFLATE if packed else 1)
    grid = "x".join(map(str, (*spatial, channels) if channels > 1 else spatial))
    if count > MAX_VOXELS * min(channels, 8):
        raise FileError(path, f"a header that claims {grid} voxels", f"at most {MAX_VOXELS}", "Crop or resample it.")
    if count * itemsize > held:
        claim = f"a truncated file or false header ({grid} voxels claimed, {count * itemsize} bytes)"
        raise FileError(path, claim, f"no more than the {held} bytes that such a file can hold", _AGAIN)


def judge_affine(path: Path, affine: np.ndarray) -> np.ndarray:
    """Return the affine if it can be used.

    Raises:
        FileError: if it is not finite or its axes do not span space (a zero sform).
    """
    axes = affine[:3, :3]
    if not np.isfinite(affine).all() or abs(np.linalg.det(axes)) < 1e-9:
        raise FileError(
            path,
            f"a zero or degenerate affine {np.round(axes, 3).tolist()}",
            "voxel axes in millimetres",
            "Mend sform or qform in the header, or export the file again.",
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
            "Resample it to that file, or convert the data with --resample-to first.",
        )


def nonfinite_text(data: np.ndarray) -> str | None:
    """None if all voxels are finite, else how many are not and where the first lies."""
    finite = np.isfinite(data)
    if finite.all():
        return None
    bad = np.argwhere(~finite)
    kinds = ", ".join(name for name, test in (("NaN", np.isnan), ("Inf", np.isinf)) if test(data).any())
    return f"{len(bad)} {kinds} voxels, the first at index {tuple(int(i) for i in bad[0])}"
