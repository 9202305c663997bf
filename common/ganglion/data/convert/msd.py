"""Task01_BrainTumour of the Medical Segmentation Decathlon: one 4-D file a subject, its own order and codes.

`imagesTr/BRATS_001.nii.gz` holds FLAIR, T1w, T1gd, T2w; `labelsTr/BRATS_001.nii.gz` 1 oedema, 2 non-enhancing,
3 enhancing: 1 and 2 are swapped on loading. `imagesTs` has no labels. Its `dataset.json`, where present, counts.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..codes import NAMED_MAPS
from ..findings import FileError
from ..naming import canonical_contrast, is_volume, stem
from .cases import TUMOUR_LABELS, TUMOUR_WORDS, Case, Source, nothing_found

_ORDER = ("FLAIR", "T1", "T1ce", "T2")


def find(src: Path, contrasts: Sequence[str] | None = None, leave_out: Path | None = None) -> Source:
    """All subjects of a Decathlon brain-tumour folder; those of imagesTs have no label.

    Args:
        src: the folder that holds imagesTr.
        contrasts: not used but judged: a 4-D file is taken whole, and what is used is chosen on loading.
        leave_out: not used; only imagesTr, labelsTr and imagesTs are looked at.
    """
    cases = []
    for folder in ("imagesTr", "imagesTs"):
        for image in sorted((src / folder).glob("*")):
            if is_volume(image):
                label = src / folder.replace("images", "labels") / image.name
                cases.append(Case(stem(image), (image,), label if label.is_file() else None))
    if not cases:
        raise nothing_found(src, "msd", "imagesTr/BRATS_001.nii.gz and labelsTr/BRATS_001.nii.gz")
    stated = _own_json(src)
    order = tuple(canonical_contrast(str(name)) for name in stated.get("modality", {}).values()) or _ORDER
    missing = [name for name in contrasts or () if name not in order]
    if missing:
        raise FileError(src, f"contrasts {', '.join(order)}", f"{', '.join(missing)} too", "Leave --contrasts out.")
    label_map = _label_map(src, stated.get("labels"))
    return Source("Medical Segmentation Decathlon, Task01, converted.", order, cases, label_map=label_map)


def _own_json(src: Path) -> Mapping[str, Any]:
    path = src / "dataset.json"
    try:
        content = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    except (OSError, ValueError) as error:
        raise FileError(path, f"no valid JSON ({error})", "the Decathlon's dataset.json", "Unpack it again.") from error
    return content if isinstance(content, dict) and "channel_names" not in content else {}


def _label_map(src: Path, labels: Any) -> dict[int, int]:
    """Ganglion's codes for the codes whose names the file states; the Decathlon's order if it states none."""
    if not isinstance(labels, dict) or not labels:
        return dict(NAMED_MAPS["msd"])
    ours = {"background": 0, **TUMOUR_WORDS}
    mapping = {}
    for code, name in labels.items():
        known = next((value for word, value in ours.items() if word in str(name).lower()), None)
        if known is None:
            found = f"label {code!r} named {name!r}"
            expected = f"names of {', '.join(TUMOUR_LABELS)}"
            raise FileError(src / "dataset.json", found, expected, "Is this Task01_BrainTumour? Else use 'folder'.")
        if int(code) != known:
            mapping[int(code)] = known
    return mapping
