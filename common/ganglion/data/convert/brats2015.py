"""BraTS 2015 as the Virtual Skeleton Database gives it: `.mha`, a folder a file, below HGG and LGG.

`HGG/brats_2013_pat0001_1/VSD.Brain.XX.O.MR_T1c.54514/VSD.Brain.XX.O.MR_T1c.54514.mha`; the label's name has `.OT.`.
Label codes: 1 necrosis, 2 oedema, 3 non-enhancing, 4 enhancing: 3 is read as 1 and 4 as 3. `brats_tcia_pat105_0001` and
`_0002` are time points of one patient and stay together.
"""

import re
from collections.abc import Sequence
from pathlib import Path

from ...keys import CONTRASTS
from ..codes import NAMED_MAPS
from ..naming import parse
from .cases import Case, Source, nothing_found, one_file_each, one_label, volumes_in

_GRADES = ("HGG", "LGG")


def find(src: Path, contrasts: Sequence[str] | None = None, leave_out: Path | None = None) -> Source:
    """All subjects of a BraTS 2015 folder; those of the test set have no label."""
    contrasts = tuple(contrasts or CONTRASTS)
    subjects: dict[Path, list[Path]] = {}
    for file in volumes_in(src, leave_out):
        if file.name.startswith("VSD."):
            subjects.setdefault(file.parent.parent, []).append(file)
    if not subjects:
        raise nothing_found(src, "brats2015", "HGG/brats_2013_pat0001_1/VSD.Brain.XX.O.MR_T1.54513/VSD...54513.mha")
    cases = []
    for folder, files in subjects.items():
        labels = [file for file in files if parse(file).kind == "label"]
        images = [file for file in files if parse(file).kind == "image"]
        grade = next((part for part in reversed(folder.parts) if part in _GRADES), "")
        chosen = one_file_each(folder, folder.name, images, contrasts)
        patient = re.sub(r"_\d+$", "", folder.name)
        cases.append(Case(folder.name, chosen, one_label(folder, folder.name, labels), grade, patient))
    graded = "grade" if any(case.stratum for case in cases) else ""
    return Source("BraTS 2015, converted.", contrasts, cases, label_map=NAMED_MAPS["brats2013"], stratified_by=graded)
