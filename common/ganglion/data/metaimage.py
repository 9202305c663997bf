"""MetaImage files (`.mha`): a header of text lines, then the voxels, plain or as one zlib stream.

Read here rather than by itk: the header's claims are judged before anything is made room for, a stream is unpacked no
further than the header says, and a damaged one is an error instead of a picture half empty.

Source: https://itk.org/Wiki/ITK/MetaIO/Documentation
"""

import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from .findings import FileError
from .headers import AGAIN

_HEADER = 2**16  # bytes in which the header has to end
_CHUNK = 2**20
_TYPES = {
    "MET_CHAR": "i1", "MET_UCHAR": "u1", "MET_SHORT": "i2", "MET_USHORT": "u2", "MET_INT": "i4", "MET_UINT": "u4",
    "MET_LONG": "i4", "MET_ULONG": "u4", "MET_LONG_LONG": "i8", "MET_ULONG_LONG": "u8", "MET_FLOAT": "f4",
    "MET_DOUBLE": "f8",
}  # fmt: skip


@dataclass(frozen=True)
class MetaHeader:
    """A header that was understood.

    Attributes:
        path: the file.
        shape: sides of the array, the fastest first.
        dtype: of the stored voxels, with their byte order.
        affine: 4 x 4, from voxel indices to millimetres in RAS (files say LPS).
        offset: bytes before the voxels.
        packed: whether they are a zlib stream.
    """

    path: Path
    shape: tuple[int, ...]
    dtype: np.dtype
    affine: np.ndarray
    offset: int
    packed: bool


def read_header(path: Path) -> MetaHeader:
    """Read the header of an `.mha` file.

    Raises:
        FileError: if it is none, or of a kind that is not read: voxels in another file, as text, or of several
            components.
    """
    with open(path, "rb") as file:
        raw = file.read(_HEADER)
    fields, offset = _fields(path, raw)
    where = fields.get("ElementDataFile")
    if where is None:
        raise FileError(path, "an unreadable file (no ElementDataFile)", "a MetaImage header", AGAIN)
    if where != "LOCAL":
        found = f"voxels in another file ({where[:80]!r})"
        raise FileError(path, found, "ElementDataFile = LOCAL", "Convert the file to NIfTI.")
    if fields.get("BinaryData", "True").lower() == "false":
        raise FileError(path, "voxels written as text", "BinaryData = True", "Convert the file to NIfTI.")
    components = fields.get("ElementNumberOfChannels", "1")
    if components != "1":
        mend = "Export it as a grey-scale volume."
        raise FileError(path, f"{components} components a voxel", "one number a voxel", mend, "type")
    kind = fields.get("ElementType", "")
    if kind not in _TYPES:
        raise FileError(path, f"the unknown ElementType {kind!r}", f"one of {', '.join(_TYPES)}", AGAIN, "type")
    big = _either(fields, "BinaryDataByteOrderMSB", "ElementByteOrderMSB").lower() == "true"
    shape = tuple(int(n) for n in _numbers(path, fields, "DimSize"))
    if str(len(shape)) != fields.get("NDims", "3") or not shape:
        found = f"{len(shape)} sides for NDims = {fields.get('NDims', '')}"
        raise FileError(path, found, "as many", AGAIN, "shape")
    packed = fields.get("CompressedData", "False").lower() == "true"
    dtype = np.dtype((">" if big else "<") + _TYPES[kind])
    return MetaHeader(path, shape, dtype, _affine(path, fields, len(shape)), offset, packed)


def read_array(header: MetaHeader) -> np.ndarray:
    """The stored voxels, in the order of `header.shape`.

    Raises:
        FileError: if the file ends early, its stream is damaged, or there is more than the header claims.
    """
    count = int(np.prod(header.shape, dtype=object)) * header.dtype.itemsize
    with open(header.path, "rb") as file:
        file.seek(header.offset)
        if not header.packed:
            data = bytearray(count)
            got = file.readinto(data)
        else:
            stream = zlib.decompressobj(47)  # zlib or gzip
            data = bytearray()
            while len(data) < count and not stream.eof and (chunk := file.read(_CHUNK)):
                data += stream.decompress(chunk, count - len(data) + 1)
                while stream.unconsumed_tail and len(data) < count:
                    data += stream.decompress(stream.unconsumed_tail, count - len(data) + 1)
            if len(data) == count:  # the stream's checksum follows
                data += stream.decompress(stream.unconsumed_tail + file.read(64), 1)
            got = len(data) if stream.eof else min(len(data), count - 1)
    if got != count:
        found = f"an unreadable or truncated file ({got} bytes of voxels, or a broken end)"
        raise FileError(header.path, found, f"{count} bytes", AGAIN)
    return np.frombuffer(data, dtype=header.dtype).reshape(header.shape, order="F")


def _fields(path: Path, raw: bytes) -> tuple[dict[str, str], int]:
    """The `key = value` lines up to ElementDataFile, and where the voxels begin."""
    fields: dict[str, str] = {}
    at = 0
    while (end := raw.find(b"\n", at)) >= 0:
        line, at = raw[at:end], end + 1
        key, equals, value = line.decode("latin-1").partition("=")
        if not equals:
            break
        fields[key.strip()] = value.strip()
        if key.strip() == "ElementDataFile":
            return fields, at
    if not {"NDims", "DimSize", "ObjectType"} & set(fields):
        raise FileError(path, "an unreadable file (no MetaImage header)", "lines such as NDims = 3", AGAIN)
    raise FileError(path, "an unreadable or truncated file (its header does not end)", "ElementDataFile = LOCAL", AGAIN)


def _either(fields: dict[str, str], *names: str) -> str:
    return next((fields[name] for name in names if name in fields), "")


def _numbers(path: Path, fields: dict[str, str], name: str) -> list[float]:
    try:
        return [float(word) for word in fields.get(name, "").split()]
    except ValueError as error:
        found = f"an unreadable file ({name} = {fields[name][:60]!r})"
        raise FileError(path, found, "numbers", AGAIN) from error


def _affine(path: Path, fields: dict[str, str], n: int) -> np.ndarray:
    """RAS from voxel indices; each group of n numbers of the matrix is the direction of one axis."""

    def values(default: list[float], *names: str) -> np.ndarray:
        name = next((name for name in names if name in fields), None)
        given = default if name is None else _numbers(path, fields, name)
        if len(given) != len(default):
            raise FileError(path, f"{len(given)} numbers for {name}", f"{len(default)} of them", AGAIN, "affine")
        return np.asarray(given, dtype=np.float64)

    spacing = values([1.0] * n, "ElementSpacing", "ElementSize")
    origin = values([0.0] * n, "Offset", "Position", "Origin")
    axes = values(list(np.eye(n).ravel()), "TransformMatrix", "Rotation", "Orientation").reshape(n, n)
    affine, m = np.eye(4), min(n, 3)
    affine[:m, :m] = (axes * spacing[:, None])[:m, :m].T
    affine[:m, 3] = origin[:m]
    return np.diag([-1.0, -1.0, 1.0, 1.0]) @ affine
