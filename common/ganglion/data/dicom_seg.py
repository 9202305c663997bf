"""A label map as a DICOM segmentation object, on the slices of the series that it was drawn on.

The result carries the patient and study of the series, which is what files it in an archive: treat it like the series.
It lies in the series' frame of reference, slice upon slice; a prediction may have its axes in any order.
"""

from __future__ import annotations

import fnmatch
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from .. import __version__
from ..errors import InputError
from ..keys import TISSUES, TUMOUR
from .codes import codes_found
from .dicom_series import Series, Stack, import_pydicom, read_series
from .extras import import_extra
from .findings import FileError
from .inputs import open_label
from .volumes import Volume, grid_text, read_voxels, same_grid
from .whole import written_whole

# Sets of labels that a prediction can have; what the codes of a file mean cannot be told by the file.
LABEL_SETS: dict[str, dict[int, str]] = {
    "whole-tumour": {1: "whole tumour"},
    "tumour": {code: name for code, name in TUMOUR.items() if code},
    "tissue": {code: name for code, name in TISSUES.items() if code},
}
# Name -> category and type: (value, scheme, meaning) of DICOM PS3.16, CID 7150, 7153, 7159, 7168 and 7169.
_ABNORMAL = ("49755003", "SCT", "Morphologically Abnormal Structure")
_TISSUE = ("85756007", "SCT", "Tissue")
_CODES: dict[str, tuple[tuple[str, str, str], tuple[str, str, str]]] = {
    "whole tumour": (_ABNORMAL, ("108369006", "SCT", "Neoplasm")),
    "necrotic and non-enhancing core": (_ABNORMAL, ("6574001", "SCT", "Necrosis")),
    "oedema": (_ABNORMAL, ("79654002", "SCT", "Edema")),
    "enhancing": (_ABNORMAL, ("C113842", "NCIt", "Enhancing Lesion")),
    "CSF": (("91720002", "SCT", "Body Substance"), ("65216001", "SCT", "Cerebrospinal Fluid")),
    "GM": (_TISSUE, ("389081007", "SCT", "Gray Matter")),
    "WM": (_TISSUE, ("389080008", "SCT", "White Matter")),
}
_OTHER = (_ABNORMAL, ("52988006", "SCT", "Lesion"))
_BRAIN = ("12738006", "SCT", "Brain")
# Tags that have to be there, though they may be empty; what was anonymised often lacks them.
_MAY_BE_EMPTY = (
    "PatientID", "PatientName", "PatientBirthDate", "PatientSex", "AccessionNumber", "StudyID", "StudyDate",
    "StudyTime", "ReferringPhysicianName",
)  # fmt: skip


@dataclass(frozen=True)
class Written:
    """What `write_dicom_seg` wrote.

    Attributes:
        path: the file.
        segments: name of each segment -> its voxels.
        series: the series that it lies on, as messages call it.
    """

    path: Path
    segments: dict[str, int]
    series: str

    def summary(self) -> str:
        """One line for the user."""
        segments = ", ".join(f"{name} {voxels} voxels" for name, voxels in self.segments.items())
        return f"{self.path}: {segments}; on series {self.series}"


def write_dicom_seg(
    prediction: str | Path,
    source: str | Path,
    out: str | Path,
    labels: str | Mapping[int, str],
    series: str | None = None,
    overwrite: bool = False,
) -> Written:
    """Write a label map as a DICOM segmentation.

    Args:
        prediction: label map whose grid is that of one of the series, its axes in any order.
        source: folder of the DICOM files that the prediction was made from.
        out: file to write.
        labels: what the codes mean: a name of `LABEL_SETS`, or code -> name, also as "1:core,2:oedema".
        series: pattern of the description of the series to lie on; by default the first by number that fits.
        overwrite: replace `out`.

    Raises:
        InputError: telling what is wrong and how to mend it.
    """
    path, target = Path(prediction), Path(out)
    if target.exists() and not overwrite:
        raise FileError(target, "a file in the way", "none", "Choose another name, or pass --overwrite.")
    highdicom = _import_highdicom(target)
    volume = open_label(path)
    voxels = read_voxels(volume)
    names = _names(path, codes_found(path, voxels), labels)
    chosen, label = _series_of(volume, voxels, read_series(Path(source)), series)
    segments = np.zeros(label.shape, dtype=np.uint8)
    for number, code in enumerate(names, start=1):
        segments[np.round(label) == code] = number
    counts = {name: int((segments == number).sum()) for number, name in enumerate(names.values(), start=1)}
    if not any(counts.values()):
        raise FileError(path, "no voxel with a label", "something to mark", "There is nothing to store for this case.")
    made = _make(highdicom, chosen, segments, list(names.values()))
    target.parent.mkdir(parents=True, exist_ok=True)
    with written_whole(target) as part:
        made.save_as(part)
    return Written(target, counts, chosen.name)


def _import_highdicom(where: Path) -> Any:
    mend = "Run: pip install highdicom (the extra 'dicom')"
    return import_extra("highdicom", "highdicom", where, "no highdicom to write it", mend)


def _names(path: Path, found: Sequence[int], labels: str | Mapping[int, str]) -> dict[int, str]:
    """Code -> name, for every code that the labels name."""
    expected = f"{', '.join(LABEL_SETS)}, or codes and names as 1:core,2:oedema"
    if isinstance(labels, str) and labels in LABEL_SETS:
        names = LABEL_SETS[labels]
    else:
        pairs = (pair.partition(":")[::2] for pair in labels.split(",")) if isinstance(labels, str) else labels.items()
        try:
            names = {int(code): str(name).strip() for code, name in pairs}
        except ValueError as error:
            raise InputError(f"labels: found {labels!r}, expected {expected}.") from error
    if not names or not all(names.values()) or len(set(names.values())) < len(names) or not all(c > 0 for c in names):
        raise InputError(f"labels: found {labels!r}, expected {expected}, each code above 0 and each name once.")
    strange = [code for code in found if code and code not in names]
    if strange:
        shown = ", ".join(map(str, strange[:8]))
        mend = "Say with --labels what each code means."
        raise FileError(path, f"codes {shown} that the labels do not name", f"{sorted(names)}", mend)
    return dict(sorted(names.items()))


def _series_of(
    volume: Volume, voxels: np.ndarray, series: Sequence[Series], pattern: str | None
) -> tuple[Series, np.ndarray]:
    """The series whose grid a label map has, and the label map (column, row, slice) of that series."""
    fitting: list[tuple[Series, np.ndarray]] = []
    others: list[str] = []
    for one in series:
        if pattern and not fnmatch.fnmatchcase(one.description.lower(), pattern.lower()):
            continue
        try:
            turned = _on_grid(volume, voxels, one.stack)
        except FileError:  # a localizer, for one; what it lacks does not matter unless nothing fits
            turned = None
            others.append(f"{one.name}: not one volume")
        else:
            others += [] if turned is not None else [f"{one.name}: {grid_text(one.stack.grid)}"]
        if turned is not None:
            fitting.append((one, turned))
    if not fitting:
        found = f"grid {grid_text(volume)}, which no series has ({'; '.join(others[:6]) or 'none is called so'})"
        mend = "Give the series that the scan was converted from, and the prediction as inference wrote it."
        raise FileError(volume.path, found, "the grid of one series", mend)
    return min(fitting, key=lambda pair: _number(pair[0]))


def _number(series: Series) -> int:
    text = series.text("SeriesNumber")
    return int(text) if text.lstrip("+-").isdigit() else 0


def _on_grid(volume: Volume, voxels: np.ndarray, stack: Stack) -> np.ndarray | None:
    """The voxels with their axes turned to the series' own; None if they do not lie on its grid."""
    import nibabel as nib

    turn = nib.io_orientation(np.linalg.inv(stack.affine) @ volume.affine)
    if np.isnan(turn).any():
        return None
    turned = np.asarray(nib.apply_orientation(voxels, turn))
    affine = volume.affine @ nib.orientations.inv_ornt_aff(turn, volume.shape)
    shape = (turned.shape[0], turned.shape[1], turned.shape[2])
    grid = Volume(volume.path, shape, affine, 1, volume.dtype, lambda: turned)
    return turned if same_grid(stack.grid, grid) else None


def _make(highdicom: Any, series: Series, segments: np.ndarray, names: Sequence[str]) -> Any:
    descriptions = [_description(highdicom, number, name) for number, name in enumerate(names, start=1)]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return highdicom.seg.Segmentation(
                source_images=_headers(series),
                pixel_array=segments.transpose(2, 1, 0),
                segmentation_type=highdicom.seg.SegmentationTypeValues.BINARY,
                segment_descriptions=descriptions,
                series_instance_uid=highdicom.UID(),
                series_number=100 * max(_number(series), 0) + 1,
                sop_instance_uid=highdicom.UID(),
                instance_number=1,
                manufacturer="Ganglion",
                manufacturer_model_name="Ganglion",
                software_versions=__version__,
                device_serial_number="0",
                series_description="Segmentation (automatic)",
                content_label="SEGMENTATION",
            )
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        what = " ".join(str(error).split())[:160]
        mend = "Take the series as the scanner sent it; a tag may have been removed since."
        raise FileError(series.folder, f"headers that make no segmentation ({what})", "MR images", mend) from error


def _headers(series: Series) -> list[Any]:
    """The headers of the slices in order, whole but for the pixels; tags that may be empty are made so if they lack."""
    pydicom = import_pydicom(series.folder)
    headers = [pydicom.dcmread(one.path, stop_before_pixels=True) for one in series.stack.slices]
    for header in headers:
        for tag in _MAY_BE_EMPTY:
            if tag not in header:
                setattr(header, tag, "")
    return headers


def _description(highdicom: Any, number: int, name: str) -> Any:
    from pydicom.sr.coding import Code

    category, kind = _CODES.get(name, _OTHER)
    family = Code("123110", "DCM", "Artificial Intelligence")
    return highdicom.seg.SegmentDescription(
        segment_number=number,
        segment_label=name[:64],
        segmented_property_category=Code(*category),
        segmented_property_type=Code(*kind),
        algorithm_type=highdicom.seg.SegmentAlgorithmTypeValues.AUTOMATIC,
        algorithm_identification=highdicom.AlgorithmIdentificationSequence("Ganglion", family, __version__),
        anatomic_regions=[Code(*_BRAIN)],
    )
