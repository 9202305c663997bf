"""BraTS 2018 to 2023: a folder a subject, files `<subject>_t1.nii.gz`, `_t1ce`, `_t2`, `_flair`, `_seg` or `-t1n`, ...

Label codes: 1 necrotic and non-enhancing, 2 oedema, 4 enhancing until 2021 and 3 since 2023; 4 is read as 3. Grades
come from folders HGG and LGG (2018, 2019) or from name_mapping.csv (2018 to 2020). Subjects of 2023 whose names differ
only in the last number are time points of one patient and stay together.
"""

import csv
import re
from collections.abc import Sequence
from pathlib import Path

from ...keys import CONTRASTS
from ..naming import parse
from .cases import Case, Source, nothing_found, one_file_each, one_label, volumes_in

_GRADES = ("HGG", "LGG")


def find(src: Path, contrasts: Sequence[str] | None = None, leave_out: Path | None = None) -> Source:
    """All subjects of a BraTS folder; those without a segmentation have no label."""
    contrasts = tuple(contrasts or CONTRASTS)
    folders: dict[Path, list[Path]] = {}
    for file in volumes_in(src, leave_out):
        folders.setdefault(file.parent, []).append(file)
    listed = _listed_grades(src)
    cases = [case for folder, files in folders.items() for case in _cases(folder, files, contrasts, listed)]
    if not cases:
        raise nothing_found(src, "brats", "BraTS20_Training_001/BraTS20_Training_001_t1ce.nii.gz")
    graded = "grade" if any(case.stratum for case in cases) else ""
    return Source("BraTS, converted.", contrasts, cases, label_map={4: 3}, stratified_by=graded)


def _cases(folder: Path, files: list[Path], contrasts: Sequence[str], listed: dict[str, str]) -> list[Case]:
    images: dict[str, list[Path]] = {}
    labels: list[Path] = []
    for file in files:
        name = parse(file)
        if name.kind == "image":
            images.setdefault(name.before or folder.name, []).append(file)
        elif name.kind == "label":
            labels.append(file)
    cases = []
    for subject, own in images.items():
        # One subject a folder owns its label whatever the name: 2020's subject 355 has `W39_1998.09.19_Segm.nii`.
        own_labels = labels if len(images) == 1 else [label for label in labels if parse(label).before == subject]
        grade = next((part for part in reversed(folder.parts) if part in _GRADES), listed.get(subject, ""))
        patient = re.sub(r"-\d{3}$", "", subject) if subject.startswith("BraTS-") else subject
        chosen = one_file_each(folder, subject, own, contrasts)
        cases.append(Case(subject, chosen, one_label(folder, subject, own_labels), grade, patient))
    return cases


def _listed_grades(src: Path) -> dict[str, str]:
    """Subject -> grade from every name_mapping.csv below `src` (columns Grade and BraTS_20xx_subject_ID)."""
    grades: dict[str, str] = {}
    for table in sorted(src.rglob("*name_mapping*.csv")):
        with open(table, newline="", encoding="utf-8-sig") as file:
            for row in csv.DictReader(file):
                grade = next((str(v) for k, v in row.items() if k and k.strip().lower() == "grade"), "")
                names = [v for k, v in row.items() if k and "subject_id" in k.lower() and isinstance(v, str)]
                grades.update({name: grade for name in names if grade})
    return grades
