"""DICOM series of parallel slices: headers first, judged as a whole; pixels only of what passed.

1. Every file's header is read, up to the pixels, and only the tags that are needed: no name, no date of birth.
2. Files are grouped by SeriesInstanceUID.
3. A series that shall be used is judged: one kind of image, one orientation, slices in equal steps along their normal,
   none missing, none twice. Slices are put in order by position, never by number or file name.
4. Its pixels are decoded slice by slice, the rescale slope applied.

Source of the geometry: DICOM PS3.3 C.7.6.2.1.1; patient coordinates are turned from LPS to RAS.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from .extras import import_extra
from .findings import FileError
from .nifti import without_loss, write_volume
from .volumes import MAX_VOXELS, Volume

_TAGS = [
    "SOPClassUID", "SOPInstanceUID", "Modality", "SeriesDescription", "ContrastBolusAgent", "PatientID", "StudyDate",
    "StudyTime", "StudyInstanceUID", "SeriesInstanceUID", "SeriesNumber", "FrameOfReferenceUID", "ImageType",
    "ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing", "Rows", "Columns", "NumberOfFrames",
    "SamplesPerPixel", "PhotometricInterpretation", "EchoTime", "ImagesInAcquisition", "SliceThickness",
    "SpacingBetweenSlices",
]  # fmt: skip
_DIRECTORY = "1.2.840.10008.1.3.10"  # a DICOMDIR
_ENHANCED = "1.2.840.10008.5.1.4.1.1.4.1"
_SAME = ("SOPClassUID", "Rows", "Columns", "PixelSpacing", "EchoTime", "FrameOfReferenceUID")
_CHOOSE = "Choose another series with --map, or take this one out."
_UNREADABLE = (
    OSError, EOFError, ValueError, TypeError, KeyError, IndexError, AttributeError, RuntimeError, MemoryError,
)  # fmt: skip
_DCM2NIIX = "Convert it with dcm2niix and use the layout 'folder'."


def import_pydicom(where: Path) -> Any:
    """The package pydicom; an error that says how to install it if it is not there."""
    mend = "Run: pip install 'pydicom>=3' (the extra 'dicom')"
    return import_extra("pydicom", "pydicom", where, "DICOM and no pydicom to read it", mend)


@dataclass(frozen=True)
class Slice:
    """One file and the tags of its header that are needed."""

    path: Path
    header: Any

    def text(self, tag: str) -> str:
        """A tag as text, "" if it is missing or empty."""
        value = self.header.get(tag)
        return "" if value is None else str(value).strip()

    def numbers(self, tag: str, count: int) -> np.ndarray:
        """A tag as numbers.

        Raises:
            FileError: if it is missing or holds anything else.
        """
        try:
            values = np.array([float(value) for value in self.header.get(tag) or ()])
        except (TypeError, ValueError):
            values = np.empty(0)
        if values.shape != (count,) or not np.isfinite(values).all():
            found = f"no {tag}, or not of {count} numbers"
            raise FileError(self.path, found, "the position of the slice in space", _DCM2NIIX)
        return values


@dataclass(frozen=True)
class Stack:
    """Slices in order, and where they lie.

    Attributes:
        slices: from the first along the normal to the last.
        shape: columns, rows, slices.
        affine: from (column, row, slice) to millimetres in RAS.
    """

    slices: tuple[Slice, ...]
    shape: tuple[int, int, int]
    affine: np.ndarray

    @property
    def grid(self) -> Volume:
        """The grid as a volume that messages can name; its voxels are not read."""
        return Volume(self.slices[0].path.parent, self.shape, self.affine, 1, np.dtype(np.float32), self.voxels)

    def voxels(self) -> np.ndarray:
        """All voxels (column, row, slice), float32, rescaled."""
        voxels = np.empty(self.shape, dtype=np.float32)
        for number, one in enumerate(self.slices):
            voxels[:, :, number] = _pixels(one, self.shape).T
        return voxels


class Series:
    """All files of one SeriesInstanceUID.

    Args:
        slices: in the order of their paths.
    """

    def __init__(self, slices: Sequence[Slice]) -> None:
        self.slices = tuple(slices)

    @property
    def name(self) -> str:
        """What messages call it: its description as the scanner wrote it, and the number of files."""
        return f"'{self.description}' ({len(self.slices)} files)"

    @property
    def description(self) -> str:
        """SeriesDescription."""
        return self.slices[0].text("SeriesDescription")

    @property
    def folder(self) -> Path:
        """Folder of the first file, by which errors name the series."""
        return self.slices[0].path.parent

    def text(self, tag: str) -> str:
        """A tag of the first slice."""
        return self.slices[0].text(tag)

    @cached_property
    def stack(self) -> Stack:
        """The slices in order, judged by their headers alone.

        Raises:
            FileError: if they do not make one volume.
        """
        self._judge_kind()
        orientation = self._one_orientation()
        rows, columns = int(self.text("Rows")), int(self.text("Columns"))
        if rows * columns * len(self.slices) > MAX_VOXELS:
            raise self._fault(f"{columns}x{rows}x{len(self.slices)} voxels", f"at most {MAX_VOXELS}", _CHOOSE)
        between_rows, between_columns = self.slices[0].numbers("PixelSpacing", 2)
        if min(between_rows, between_columns) <= 0:
            raise self._fault("PixelSpacing of 0", "millimetres", _DCM2NIIX)
        along_row, along_column = orientation[:3], orientation[3:]
        normal = np.cross(along_row, along_column)
        ordered, positions = self._in_order(normal)
        step = self._one_step(positions, normal, tolerance=0.1 * min(between_rows, between_columns))
        lps = np.eye(4)
        lps[:3] = np.stack([along_row * between_columns, along_column * between_rows, step, positions[0]], axis=1)
        return Stack(ordered, (columns, rows, len(ordered)), np.diag([-1.0, -1.0, 1.0, 1.0]) @ lps)

    def judge(self) -> None:
        """Judge the headers; raises what `stack` raises."""
        _ = self.stack

    def write(self, target: Path) -> None:
        """Write the series as NIfTI; nothing of the header goes there but the grid."""
        stack = self.stack
        write_volume(target, without_loss(stack.voxels()), stack.affine)

    def _judge_kind(self) -> None:
        for one in self.slices:
            if one.text("SOPClassUID") == _ENHANCED or one.text("NumberOfFrames") not in ("", "1"):
                found = f"a multi-frame (enhanced) image in series {self.name}"
                raise FileError(one.path, found, "one slice a file", _DCM2NIIX)
            if one.text("SamplesPerPixel") not in ("", "1") or one.text("PhotometricInterpretation") != "MONOCHROME2":
                raise FileError(one.path, f"coloured or inverted pixels in series {self.name}", "MR images", _CHOOSE)
            for tag in ("Rows", "Columns"):
                if not one.text(tag).isdigit() or int(one.text(tag)) < 1:
                    raise FileError(one.path, f"no {tag}", "the size of the slice", "Export the series again.")
            _require_decoder(one)
        for tag in _SAME:
            values = sorted({one.text(tag) for one in self.slices})
            if len(values) > 1:
                shown = "" if tag.endswith("UID") else f": {', '.join(values[:4])}"
                raise self._fault(f"mixed images ({len(values)} values of {tag}{shown})", "one kind", _CHOOSE)
        if len(self.slices) < 2:
            raise self._fault("one slice", "a volume", _CHOOSE)

    def _one_orientation(self) -> np.ndarray:
        first = self.slices[0].numbers("ImageOrientationPatient", 6)
        row, column = first[:3], first[3:]
        square = abs(row @ row - 1) < 1e-2 and abs(column @ column - 1) < 1e-2 and abs(row @ column) < 1e-2
        if not square:
            raise self._fault("ImageOrientationPatient that is no pair of unit vectors", "one", _DCM2NIIX)
        for one in self.slices:
            off = np.abs(one.numbers("ImageOrientationPatient", 6) - first).max()
            if off > 1e-3:
                raise self._fault("slices that are not parallel (a localizer?)", "parallel slices", _CHOOSE)
        return first

    def _in_order(self, normal: np.ndarray) -> tuple[tuple[Slice, ...], np.ndarray]:
        positions = np.stack([one.numbers("ImagePositionPatient", 3) for one in self.slices])
        order = np.argsort(positions @ normal, kind="stable")
        return tuple(self.slices[i] for i in order), positions[order]

    def _one_step(self, positions: np.ndarray, normal: np.ndarray, tolerance: float) -> np.ndarray:
        gaps = np.diff(positions @ normal)
        usual = float(np.median(gaps[gaps > 1e-3])) if (gaps > 1e-3).any() else 0.0
        twice = int((gaps < 0.05 * usual).sum()) if usual else len(gaps)
        if twice:
            expected = "each position once (several echoes, times or copies in one series?)"
            raise self._fault(f"{twice} slices at a position that another has", expected, _CHOOSE)
        missing = int(np.maximum(np.round(gaps / usual) - 1, 0).sum())
        if missing:
            at = int(np.argmax(gaps)) + 1
            found = f"{missing} missing slices (the first gap of {gaps.max():.2f} mm after slice {at} by position)"
            raise self._fault(found, f"a slice each {usual:.2f} mm", "Export the series again, whole.")
        stated = [float(one) for one in map(self.text, ("SpacingBetweenSlices", "SliceThickness")) if _is_number(one)]
        if len(stated) == 2 and usual > 1.5 * max(stated):  # some write the gap alone into the first of them
            found = f"slices {usual:.2f} mm apart, where the header says {stated[0]:g} mm"
            raise self._fault(found, "every slice", f"Export the series again, whole. Is it whole? {_DCM2NIIX}")
        if np.abs(gaps - usual).max() > max(0.02, 0.05 * usual):
            found = f"slice distances from {gaps.min():.2f} to {gaps.max():.2f} mm"
            raise self._fault(found, "equal ones", _DCM2NIIX)
        step = (positions[-1] - positions[0]) / len(gaps)
        line = positions[0] + np.arange(len(positions))[:, None] * step
        sideways = np.linalg.norm(step - (step @ normal) * normal) * len(gaps)
        if sideways > tolerance or np.abs(positions - line).max() > max(tolerance, 0.05 * usual):
            raise self._fault("slices shifted sideways (a tilted gantry?)", "a straight stack", _DCM2NIIX)
        return step

    def _fault(self, found: str, expected: str, mend: str) -> FileError:
        return FileError(self.folder, f"{found} in series {self.name}", expected, mend)


def read_series(src: Path, leave_out: Path | None = None, modality: str = "MR") -> list[Series]:
    """All series of a modality below a folder, in the order of their first files; other files are passed over.

    Raises:
        FileError: a file that calls itself .dcm or begins like DICOM cannot be read, or there is none.
    """
    pydicom = import_pydicom(src)
    groups: dict[str, list[Slice]] = {}
    for path in sorted(src.rglob("*")):
        hidden = any(part.startswith(".") for part in path.relative_to(src).parts)
        if hidden or not path.is_file() or (leave_out and path.is_relative_to(leave_out)):
            continue
        one = _read_header(pydicom, path)
        if one is not None and one.text("Modality") == modality:
            groups.setdefault(one.text("SeriesInstanceUID"), []).append(one)
    if not groups:
        raise FileError(src, f"no DICOM file of modality {modality}", "image series", "Correct SRC.")
    return [Series(slices) for slices in groups.values()]


def _read_header(pydicom: Any, path: Path) -> Slice | None:
    """The header of a file, None if the file is none of DICOM's images."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # values that break a rule of the standard, and are judged where used
            header = pydicom.dcmread(path, stop_before_pixels=True, specific_tags=_TAGS)
            syntax = str(header.file_meta.get("TransferSyntaxUID", ""))
            one = Slice(path, header)
            texts = {tag: one.text(tag) for tag in _TAGS}  # decodes every value now, while the error can name the file
        if str(header.file_meta.get("MediaStorageSOPClassUID", "")) == _DIRECTORY:
            return None
        if not syntax or not texts["Modality"] or not texts["SeriesInstanceUID"]:
            raise ValueError("the header ends before Modality and SeriesInstanceUID")
        return one
    except pydicom.errors.InvalidDicomError as error:
        if path.suffix.lower() in (".dcm", ".ima"):
            raise _unreadable(path, error) from error
        return None
    except _UNREADABLE as error:
        raise _unreadable(path, error) from error


def _is_number(text: str) -> bool:
    try:
        return float(text) > 0
    except ValueError:
        return False


def _unreadable(path: Path, error: BaseException) -> FileError:
    what = " ".join(str(error).replace(str(path), path.name).split())[:120] or type(error).__name__
    return FileError(path, f"an unreadable or truncated DICOM file ({what})", "a DICOM image", "Export it again.")


def _require_decoder(one: Slice) -> None:
    """Raise a `FileError` if the pixels are packed in a way that nothing installed can unpack."""
    from pydicom.pixels import get_decoder

    syntax = one.header.file_meta.TransferSyntaxUID
    try:
        known = not syntax.is_compressed or get_decoder(syntax).is_available
    except (NotImplementedError, ValueError):
        known = False
    if not known:
        mend = "Run: pip install pylibjpeg pylibjpeg-libjpeg; or unpack it with dcmdjpeg or gdcmconv --raw."
        raise FileError(one.path, f"pixels packed as {syntax.name}", "a packing that can be read here", mend)


def _pixels(one: Slice, shape: tuple[int, int, int]) -> np.ndarray:
    """The pixels of one slice (row, column), float32, rescaled."""
    pydicom = import_pydicom(one.path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            data = pydicom.dcmread(one.path)
            pixels = np.asarray(data.pixel_array, dtype=np.float32)
            slope, intercept = float(data.get("RescaleSlope") or 1), float(data.get("RescaleIntercept") or 0)
    except _UNREADABLE as error:
        raise _unreadable(one.path, error) from error
    if pixels.shape != (shape[1], shape[0]):
        raise _unreadable(one.path, ValueError(f"pixels of shape {pixels.shape}, header {shape[1], shape[0]}"))
    return pixels * np.float32(slope) + np.float32(intercept)
