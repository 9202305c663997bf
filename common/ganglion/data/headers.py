"""What a NIfTI, Analyze or MGH header claims, read from its own bytes and judged before any reader believes it.

A reader that trusts a header makes room for what it claims, skips to where it says that the voxels begin, and takes
what lies there for an image. So the few fields that steer it are looked at first: at most 540 bytes of the file.
"""

import gzip
import struct
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from .findings import FileError

AGAIN = "Copy or export the file again."
_MAX_OFFSET = 2**26  # 64 MiB of extensions before the voxels
_NIFTI1, _NIFTI2, _MGH = 348, 540, 284
_COMPLEX = {32: "complex64", 1792: "complex128", 2048: "complex256"}
_COLOURED = {128: "RGB", 2304: "RGBA"}
_SIZES = {2: 1, 4: 2, 8: 4, 16: 4, 64: 8, 256: 1, 512: 2, 768: 4, 1024: 8, 1280: 8, 1536: 16}  # datatype code -> bytes
_MGH_SIZES = {0: 1, 1: 4, 3: 4, 4: 2}


@dataclass(frozen=True)
class Claim:
    """What a header claims of its voxels.

    Attributes:
        shape: sides of the array, as stored.
        itemsize: bytes a voxel.
        offset: bytes before the first voxel, in the file that holds them.
    """

    shape: tuple[int, ...]
    itemsize: int
    offset: int


def is_packed(path: Path) -> bool:
    """Whether the file's name says that it is compressed as a whole."""
    return path.name.lower().endswith((".gz", ".mgz"))


def read_claim(path: Path) -> Claim:
    """Read and judge the claims of a header.

    Raises:
        FileError: naming the field that cannot be.
    """
    raw = _first_bytes(path)
    return _mgh(path, raw) if path.name.lower().endswith(".mgz") else _nifti(path, raw)


def _first_bytes(path: Path) -> bytes:
    with open(path, "rb") as file:
        start = file.read(_NIFTI2)
    packed = start[:2] == b"\x1f\x8b"
    if packed and not is_packed(path):
        found = "gzip data in a file that is not named .gz"
        raise FileError(path, found, "an uncompressed file", f"Rename it to {path.name}.gz.", "packing")
    if is_packed(path) and not packed:
        mend = "Rename it to .nii." if _is_nifti(start) else AGAIN
        found = "an uncompressed file" if _is_nifti(start) else "an unreadable or truncated file (no gzip data)"
        raise FileError(path, found, "gzip data, as the name says", mend, "packing" if _is_nifti(start) else "file")
    if packed:
        with gzip.open(path, "rb") as stream:
            return stream.read(_NIFTI2)
    return start


def _is_nifti(raw: bytes) -> bool:
    return raw[344:348] in (b"n+1\0", b"ni1\0") or raw[4:8] == b"n+2\0"


def _nifti(path: Path, raw: bytes) -> Claim:
    if len(raw) < _NIFTI1:
        found = f"an unreadable or truncated file ({len(raw)} bytes of header)"
        raise FileError(path, found, f"{_NIFTI1} bytes", AGAIN)
    ends = [end for end in "<>" if struct.unpack(end + "i", raw[:4])[0] in (_NIFTI1, _NIFTI2)]
    if not ends:
        found = f"an unreadable or truncated file (its first bytes are {raw[:4].hex()})"
        raise FileError(path, found, "a NIfTI header, which begins with its length, 348 or 540", AGAIN)
    end, two = ends[0], struct.unpack(ends[0] + "i", raw[:4])[0] == _NIFTI2
    single = path.name.lower().endswith((".nii", ".nii.gz"))
    magic = raw[4:8] if two else raw[344:348]
    if single and magic != (b"n+2\0" if two else b"n+1\0"):
        found = f"an unreadable file (magic {magic!r})"
        raise FileError(path, found, "b'n+1\\x00' or b'n+2\\x00' of a single-file NIfTI", AGAIN)
    if two and len(raw) < _NIFTI2:
        found = f"an unreadable or truncated file ({len(raw)} bytes of header)"
        raise FileError(path, found, f"{_NIFTI2} bytes", AGAIN)
    dims = struct.unpack(end + ("8q" if two else "8h"), raw[16:80] if two else raw[40:56])
    code = struct.unpack(end + "h", raw[12:14] if two else raw[70:72])[0]
    offset = struct.unpack(end + ("q" if two else "f"), raw[168:176] if two else raw[108:112])[0]
    if not 1 <= dims[0] <= 7:
        raise FileError(path, f"{dims[0]} dimensions (dim[0])", "3, or 4 for a file of all contrasts", AGAIN, "shape")
    _judge_datatype(path, code)
    _judge_voxel_size(path, raw, end, two)
    _judge_offset(path, offset, least=(544 if two else 352) if single else 0)
    return Claim(tuple(int(n) for n in dims[1 : 1 + dims[0]]), _SIZES[code], int(offset))


def _judge_datatype(path: Path, code: int) -> None:
    if code in _COMPLEX:
        found = f"complex voxels ({_COMPLEX[code]})"
        raise FileError(path, found, "real ones", "Export the magnitude image.", "type")
    if code in _COLOURED:
        mend = "Export it as a grey-scale volume."
        raise FileError(path, f"{_COLOURED[code]} voxels", "one number a voxel", mend, "type")
    if code not in _SIZES:
        known = ", ".join(map(str, _SIZES))
        raise FileError(path, f"the unknown datatype {code}", f"a number type ({known})", AGAIN, "type")


def _judge_voxel_size(path: Path, raw: bytes, end: str, two: bool) -> None:
    """Refuse a voxel size of 0 or NaN where nothing but it states the grid: readers would take 1 mm instead."""
    pair = raw[344:347] in (b"ni1", b"n+1")
    sform = struct.unpack(end + "i", raw[348:352])[0] if two else struct.unpack(end + "h", raw[254:256])[0]
    sides = struct.unpack(end + ("3d" if two else "3f"), raw[112:136] if two else raw[80:92])
    stated = sform > 0 and (two or pair)
    if not stated and not all(np.isfinite(side) and side != 0 for side in sides):
        found = f"a zero or degenerate affine (a voxel size of {' x '.join(f'{side:g}' for side in sides)} mm)"
        raise FileError(path, found, "voxel sides in millimetres", "Correct pixdim, or export it again.", "affine")


def _judge_offset(path: Path, offset: float, least: int) -> None:
    if not np.isfinite(offset) or not least <= offset <= _MAX_OFFSET:
        found = f"voxels that begin at byte {offset:g} (vox_offset)"
        raise FileError(path, found, f"a place from {least} to {_MAX_OFFSET}", AGAIN)


def _mgh(path: Path, raw: bytes) -> Claim:
    if len(raw) < _MGH:
        found = f"an unreadable or truncated file ({len(raw)} bytes of header)"
        raise FileError(path, found, f"{_MGH} bytes", AGAIN)
    version, *dims = struct.unpack(">5i", raw[:20])
    code = struct.unpack(">i", raw[20:24])[0]
    if version != 1:
        raise FileError(path, f"an unreadable file (version {version})", "an MGH header of version 1", AGAIN)
    if code not in _MGH_SIZES:
        found = f"the unknown datatype {code}"
        raise FileError(path, found, f"a number type ({', '.join(map(str, _MGH_SIZES))})", AGAIN, "type")
    return Claim(tuple(dims), _MGH_SIZES[code], _MGH)
