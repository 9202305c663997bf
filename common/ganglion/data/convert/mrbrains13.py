"""MRBrainS13: a numbered folder a subject below `TrainingData` and `TestData`, all files of one name.

`TrainingData/1/T1.nii`, `T1_IR.nii`, `T2_FLAIR.nii` lie on one grid of 0.958 x 0.958 x 3 mm, `T1_1mm.nii` (left out) on
its own. `LabelsForTraining.nii` has the eight structures, `LabelsForTesting.nii` 1 CSF, 2 grey, 3 white matter.
"""

from collections.abc import Sequence
from pathlib import Path

from ..codes import NAMED_MAPS
from ..findings import FileError
from ..naming import stem
from .cases import Case, Source, nothing_found, one_each, one_label, volumes_in
from .mrbrains import CONTRASTS, case_of, source_of

_FILES = {"t1": "T1", "t1_ir": "T1-IR", "t2_flair": "FLAIR"}
_LABELS = ("LabelsForTraining", "LabelsForTesting")
_EXAMPLE = "TrainingData/1/T1.nii, T1_IR.nii, T2_FLAIR.nii and LabelsForTraining.nii"


def find(
    src: Path,
    contrasts: Sequence[str] | None = None,
    leave_out: Path | None = None,
    label_name: str | None = None,
    remove: bool = False,
) -> Source:
    """All subjects of an MRBrainS13 folder; those of the test set have no label.

    Args:
        src: the folder that holds TrainingData and TestData, or either.
        contrasts: contrasts to take, in order.
        leave_out: a folder below `src` to leave out.
        label_name: "LabelsForTraining" (the default) or "LabelsForTesting".
        remove: set what the challenge does not score to 0 in the images.
    """
    wanted_label = label_name or _LABELS[0]
    if wanted_label not in _LABELS or (remove and wanted_label != _LABELS[0]):
        expected = _LABELS[0] if remove else " or ".join(_LABELS)
        raise FileError(src, f"label name {wanted_label}", expected, "Correct --label-name.")
    chosen = tuple(contrasts or CONTRASTS)
    files = volumes_in(src, leave_out, also=(".mhd",))
    cases = [_case(src, folder, files, chosen, wanted_label, remove) for folder in _folders(files)]
    if not cases:
        raise nothing_found(src, "mrbrains13", _EXAMPLE)
    mapping = NAMED_MAPS["mrbrains"] if wanted_label == _LABELS[0] else None
    return source_of("MRBrainS13, converted.", chosen, cases, mapping, remove, [])


def _folders(files: Sequence[Path]) -> list[Path]:
    raw = [file for file in files if file.suffix.lower() == ".mhd" and stem(file).lower() in _FILES]
    if raw:
        mend = "Take the archive of .nii files, or convert each with itk: itk.imwrite(itk.imread(name), other_name)."
        raise FileError(raw[0], "MetaImage files (.mhd and .raw)", "NIfTI files", mend)
    return sorted({file.parent for file in files if stem(file).lower() in _FILES})


def _case(
    src: Path, folder: Path, files: Sequence[Path], contrasts: Sequence[str], label_name: str, remove: bool
) -> Case:
    subject = subject_of(src, folder)
    images: dict[str, list[Path]] = {}
    labels = []
    for file in files:
        if file.parent == folder and stem(file).lower() in _FILES:
            images.setdefault(_FILES[stem(file).lower()], []).append(file)
        elif file.parent == folder and stem(file) == label_name:
            labels.append(file)
    return case_of(subject, one_each(folder, subject, images, contrasts), one_label(folder, subject, labels), remove)


def subject_of(src: Path, folder: Path) -> str:
    """`training-1` or `test-1`, since both halves count from 1; the folder's name alone if it lies in neither."""
    above = [src.resolve().name, *folder.relative_to(src).parts[:-1]]
    half = next((name for part in reversed(above) for name in ("training", "test") if name in part.lower()), "")
    return f"{half}-{folder.name}" if half else folder.name
