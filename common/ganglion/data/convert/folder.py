"""A plain folder: images whose names tell contrast and subject, labels whose names end in label, seg, lesion, mask, ...

`sub-01_T1w.nii.gz`, `sub-01/T1.nii.gz`, `T1/sub-01_T1.nii.gz` all do: files of one name before the contrast belong
together; a name of nothing but the contrast takes its folder's name. A brain mask is not a label.
"""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from ...keys import TISSUES
from ..codes import NAMED_MAPS, codes_found, coding_for
from ..findings import FileError
from ..inputs import open_label
from ..naming import parse, stem
from ..volumes import read_voxels
from .cases import (
    TISSUE_LABELS,
    TUMOUR_LABELS,
    Case,
    Source,
    nothing_found,
    one_file_each,
    one_label,
    shared_contrasts,
    volumes_in,
)

# Time points of one patient (sub-01_ses-2, sub-01_visit3) go into the same list.
_SESSION = re.compile(r"[_-](?:ses|session|visit|time|tp)[-_]?[A-Za-z0-9]+$", re.IGNORECASE)
_LOOKED_AT = 20  # labels read to learn the codes; the check reads all


def find(
    src: Path,
    contrasts: Sequence[str] | None = None,
    leave_out: Path | None = None,
    label_name: str | None = None,
    label_map: Mapping[int, int] | None = None,
) -> Source:
    """All subjects of a folder.

    Args:
        src: the folder, searched with all folders below.
        contrasts: contrasts to take; by default those that every subject has.
        leave_out: a folder below `src` to leave out.
        label_name: how a label's name ends (`lesion`, `tumour-auto`); by default any usual word.
        label_map: code in the files -> Ganglion's code.
    """
    images: dict[str, list[Path]] = {}
    labels: dict[str, list[Path]] = {}
    for file in volumes_in(src, leave_out):
        kind, subject = _kind_and_subject(src, file, label_name)
        if kind == "image":
            images.setdefault(subject, []).append(file)
        elif kind == "label":
            labels.setdefault(subject, []).append(file)
    if not images:
        raise nothing_found(src, "folder", "sub-01_T1.nii.gz, sub-01_FLAIR.nii.gz, sub-01_label.nii.gz")
    if label_name and not labels:
        raise FileError(src, f"no file that ends in {label_name}", "labels", "Correct --label-name.")
    notes = _strays(labels, images)
    have = {subject: {parse(file).contrast or "" for file in files} for subject, files in images.items()}
    wanted = tuple(contrasts or shared_contrasts(have, notes))
    cases, chosen_labels = [], []
    for subject, own in images.items():
        chosen = one_file_each(src, subject, own, wanted)
        label = one_label(src, subject, labels.get(subject, []))
        chosen_labels += [label] if label else []
        cases.append(Case(subject, chosen, label, patient=_SESSION.sub("", subject)))
    names, mapping = learn_codes(chosen_labels, label_name, label_map)
    return Source("Converted from a folder of images.", wanted, cases, names, mapping, notes=notes)


def _kind_and_subject(src: Path, file: Path, label_name: str | None) -> tuple[str, str]:
    name = parse(file)
    kind, before = name.kind, name.before
    if label_name:
        kind = "label" if stem(file).lower().endswith(label_name.lower()) else ("other" if kind == "label" else kind)
        if kind == "label":
            before = stem(file)[: -len(label_name)].rstrip(" ._-")
    if not before:
        before = "_".join(file.parent.relative_to(src).parts) or src.name
    return kind, before


def _strays(labels: Mapping[str, Sequence[Path]], images: Mapping[str, Sequence[Path]]) -> list[str]:
    strays = sorted(set(labels) - set(images))
    return [f"labels without images were left out: {', '.join(strays[:5])}"] if strays else []


def some_codes(labels: Sequence[Path]) -> list[int]:
    """The codes found in a number of labels, evenly taken."""
    chosen = sorted({int(i) for i in np.linspace(0, len(labels) - 1, _LOOKED_AT)}) if labels else []
    return sorted({code for i in chosen for code in codes_found(labels[i], read_voxels(open_label(labels[i])))})


def learn_codes(
    labels: Sequence[Path], label_name: str | None, label_map: Mapping[int, int] | None
) -> tuple[dict[str, int], dict[int, int] | None]:
    """Names of the labels' codes, and the map to Ganglion's codes if one is stated or known."""
    found = some_codes(labels)
    word = (label_name or (parse(labels[0]).word if labels else "") or "label").lower()
    if label_map is not None:
        names = TISSUE_LABELS if label_map in (NAMED_MAPS["iseg"], NAMED_MAPS["mrbrains"]) else TUMOUR_LABELS
        _, changes = coding_for(labels[0], found, sorted(names.values()), label_map) if labels else ("", {})
        return dict(names), dict(label_map) or changes
    if set(found) <= {0, 1}:
        return {"background": 0, word: 1}, None
    if "tissue" in word and set(found) <= set(TISSUES):
        return dict(TISSUE_LABELS), None
    _, mapping = coding_for(labels[0], found, sorted(TUMOUR_LABELS.values()))
    return dict(TUMOUR_LABELS), mapping or None
