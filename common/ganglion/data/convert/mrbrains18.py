"""MRBrainS18: a folder a subject, `training/070/pre/reg_T1.nii.gz`, `reg_IR.nii.gz`, `FLAIR.nii.gz`, and `segm.nii.gz`.

`pre` holds the scans with the bias field corrected, `orig` as they were; both hold `T1.nii.gz` and `IR.nii.gz` before
registration too. `reg_T1`, `reg_IR` and FLAIR lie on the label's grid of 0.958 x 0.958 x 3 mm and are taken.
"""

from collections.abc import Sequence
from pathlib import Path

from ..codes import NAMED_MAPS
from ..naming import stem
from .cases import Case, Source, nothing_found, one_each, one_label, volumes_in
from .mrbrains import CONTRASTS, case_of, source_of

# The file of each contrast, the registered one first.
_FILES = {"T1": ("reg_t1", "t1"), "T1-IR": ("reg_ir", "ir"), "FLAIR": ("flair",)}
_FOLDERS = ("pre", "orig")


def find(
    src: Path, contrasts: Sequence[str] | None = None, leave_out: Path | None = None, remove: bool = False
) -> Source:
    """All subjects of an MRBrainS18 folder, scans with the bias field corrected; those without segm have no label.

    Args:
        src: the folder that holds the subjects' folders, at any depth.
        contrasts: contrasts to take, in order.
        leave_out: a folder below `src` to leave out.
        remove: set what the challenge does not score to 0 in the images.
    """
    chosen = tuple(contrasts or CONTRASTS)
    files = volumes_in(src, leave_out)
    names = {name for own in _FILES.values() for name in own}
    found = {file.parent for file in files if file.parent.name in _FOLDERS and stem(file).lower() in names}
    notes: list[str] = []
    cases = [_case(subject, files, chosen, remove, notes) for subject in sorted({folder.parent for folder in found})]
    if not cases:
        raise nothing_found(src, "mrbrains18", "training/1/pre/reg_T1.nii.gz, pre/FLAIR.nii.gz and segm.nii.gz")
    return source_of("MRBrainS18, converted.", chosen, cases, NAMED_MAPS["mrbrains"], remove, notes)


def _case(folder: Path, files: Sequence[Path], contrasts: Sequence[str], remove: bool, notes: list[str]) -> Case:
    own = [file for file in files if file.is_relative_to(folder)]
    kinds = {kind: [file for file in own if file.parent == folder / kind] for kind in _FOLDERS}
    kind = _FOLDERS[0] if kinds[_FOLDERS[0]] else _FOLDERS[1]
    if kind != _FOLDERS[0]:
        notes.append(f"{folder.name}: taken from orig, since there is no pre; its bias field is not corrected")
    images: dict[str, list[Path]] = {}
    for contrast, names in _FILES.items():
        by_name = [[file for file in kinds[kind] if stem(file).lower() == name] for name in names]
        first = next((matching for matching in by_name if matching), [])
        if first:
            images[contrast] = first
    labels = [file for file in own if file.parent == folder and stem(file).lower() == "segm"]
    return case_of(
        folder.name, one_each(folder, folder.name, images, contrasts), one_label(folder, folder.name, labels), remove
    )
