"""NIfTI files whose bytes depend on the voxels alone."""

from __future__ import annotations

import gzip
import io
from pathlib import Path

import numpy as np

COMPRESSION = 3


def write_volume(path: Path, values: np.ndarray, affine: np.ndarray, description: str = "") -> None:
    """Write NIfTI-1 with gzip, without the time and the file name that gzip would put in: same values, same bytes.

    The header's field `descrip` takes the first 79 bytes of the description.
    """
    import nibabel

    image = nibabel.Nifti1Image(values, affine)
    image.set_sform(affine, code=1)
    image.set_qform(affine, code=1)
    image.header.set_xyzt_units("mm")
    image.header["descrip"] = description.encode("ascii", "replace")[:79]
    buffer = io.BytesIO()
    with gzip.GzipFile(filename="", mode="wb", compresslevel=COMPRESSION, fileobj=buffer, mtime=0) as stream:
        stream.write(image.to_bytes())
    path.write_bytes(buffer.getvalue())


def without_loss(values: np.ndarray) -> np.ndarray:
    """The voxels as uint8 or int16 where these hold them exactly, else as float32."""
    values = np.asarray(values, dtype=np.float32)
    if np.isfinite(values).all() and np.array_equal(values, np.round(values)):
        for kind in (np.uint8, np.int16):
            limits = np.iinfo(kind)
            if limits.min <= values.min(initial=0) and values.max(initial=0) <= limits.max:
                return values.astype(kind)
    return values
