"""BIDS: `sub-01/ses-1/anat/sub-01_ses-1_T1w.nii.gz`, labels in `derivatives/<pipeline>/`, read through pybids.

Contrasts: suffixes T1w, T2w, FLAIR; T1w with a `ce-` entity is T1ce. Labels: suffix `dseg`, else a `mask` that is no
brain mask. Sessions of one subject are cases of their own that stay in one list. SRC may be a derivative data set
itself (brain-extracted images, say); then its own images and labels are taken. Strata come from `participants.tsv`.
"""

import csv
import fnmatch
import json
import warnings
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ..extras import import_extra
from ..findings import FileError
from ..naming import stem
from .bids_codes import meaning_of
from .cases import Case, Source, nothing_found, one_each, shared_contrasts
from .folder import learn_codes

_SUFFIXES = {"T1w": "T1", "T2w": "T2", "FLAIR": "FLAIR"}
_BRAIN = ("brain", "head", "bet")
_STRATA = ("grade", "diagnosis", "group", "site")  # columns of participants.tsv, the first that is there is taken
_DESCRIPTION = "dataset_description.json"


def find(
    src: Path,
    contrasts: Sequence[str] | None = None,
    leave_out: Path | None = None,
    label_name: str | None = None,
    label_map: Mapping[int, int] | None = None,
    contrast_map: Mapping[str, str] | None = None,
) -> Source:
    """All subjects and sessions of a BIDS data set.

    Args:
        src: the folder with `dataset_description.json`.
        contrasts: contrasts to take; by default those that every session has.
        leave_out: a folder below `src` to leave out.
        label_name: how a label's name ends (`dseg`, `label-lesion_mask`), after `PIPELINE/` if two pipelines have one.
        label_map: code in the files -> Ganglion's code.
        contrast_map: contrast -> pattern of its files' names without ending (`*_acq-mprage_T1w`).
    """
    notes: list[str] = []
    raw, derived = _indexed(src, leave_out, notes)
    images: dict[tuple[str, str], dict[str, list[Path]]] = {}
    for file in raw:
        contrast = _contrast(file, contrast_map or {})
        if contrast:
            images.setdefault(_key(file), {}).setdefault(contrast, []).append(Path(file.path))
    if not images:
        raise nothing_found(src, "bids", "sub-01/anat/sub-01_T1w.nii.gz")
    have = {_name(key): set(own) for key, own in images.items()}
    wanted = tuple(contrasts or contrast_map or shared_contrasts(have, notes))
    labels = _labels(src, derived, label_name, images, notes)
    strata, column = _strata(src)
    cases = []
    for key, own in sorted(images.items()):
        mend = "Say which with --map, as T1=*_acq-mprage_T1w, or choose the contrasts that all have (--contrasts)."
        chosen = one_each(src, _name(key), own, wanted, mend)
        cases.append(Case(_name(key), chosen, labels.get(key), strata.get(key[0], ""), patient=key[0]))
    names, mapping = _codes(src, [labels[key] for key in sorted(labels)], label_name, label_map, notes)
    return Source("BIDS, converted.", wanted, cases, names, mapping, column if any(strata.values()) else "", notes)


def _indexed(src: Path, leave_out: Path | None, notes: list[str]) -> tuple[list[Any], list[Any]]:
    """Images that may be inputs, and those that may be labels."""
    bids = import_extra("bids", "pybids", src, "no pybids to read it", "Run: pip install pybids")
    root = _description(src)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what pybids cannot index is listed below, by name
        indexer = bids.BIDSLayoutIndexer(validate=False, index_metadata=False)
        pipelines = _pipelines(src, notes)
        layout = bids.BIDSLayout(src, validate=False, derivatives=pipelines or False, indexer=indexer)
    own = [file for file in layout.get(scope="self", extension=[".nii", ".nii.gz"]) if _kept(file, leave_out)]
    derived = [
        file
        for pipeline in layout.derivatives.values()
        for file in pipeline.get(extension=[".nii", ".nii.gz"])
        if _kept(file, leave_out)
    ]
    return own, derived + (own if root.get("DatasetType") == "derivative" else [])


def _description(src: Path) -> dict[str, Any]:
    path = src / _DESCRIPTION
    mend = 'Write one: {"Name": "...", "BIDSVersion": "1.8.0"}; or use layout "folder".'
    if not path.is_file():
        raise FileError(src, f"no {_DESCRIPTION}", "the top folder of a BIDS data set", mend)
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise FileError(path, f"no valid JSON ({error})", "a description", mend) from error
    if not isinstance(content, dict) or not {"Name", "BIDSVersion"} <= set(content):
        raise FileError(path, "no Name or no BIDSVersion", "both", mend)
    return content


def _pipelines(src: Path, notes: list[str]) -> list[Path]:
    """Folders of derivatives that pybids can read; the others go into `notes`, since it passes over them in silence."""
    found = []
    for folder in sorted([src / "derivatives", *(src / "derivatives").glob("*")]):
        described = (folder / _DESCRIPTION).is_file()
        if described:
            found.append(folder)
        elif folder.is_dir() and any(folder.glob("sub-*")):
            mend = f'add a {_DESCRIPTION} with Name, BIDSVersion and "GeneratedBy": [{{"Name": "{folder.name}"}}]'
            notes.append(f"{folder.relative_to(src).as_posix()} was passed over: {mend}")
    return found


def _kept(file: Any, leave_out: Path | None) -> bool:
    return "subject" in file.entities and not (leave_out and Path(file.path).is_relative_to(leave_out.resolve()))


def _contrast(file: Any, contrast_map: Mapping[str, str]) -> str | None:
    for mapped, pattern in contrast_map.items():
        if fnmatch.fnmatchcase(stem(file.path).lower(), pattern.lower()):
            return mapped
    entities = file.entities
    contrast = _SUFFIXES.get(str(entities.get("suffix", "")))
    if contrast == "T1" and entities.get("ceagent"):
        contrast = "T1ce"
    return None if contrast in contrast_map else contrast


def _key(file: Any) -> tuple[str, str]:
    return str(file.entities["subject"]), str(file.entities.get("session", ""))


def _name(key: tuple[str, str]) -> str:
    return f"sub-{key[0]}" + (f"_ses-{key[1]}" if key[1] else "")


def _labels(
    src: Path,
    derived: Iterable[Any],
    label_name: str | None,
    images: Mapping[tuple[str, str], Any],
    notes: list[str],
) -> dict[tuple[str, str], Path]:
    """The label of each session; one without a session is that of the subject's only session."""
    pipeline, _, ending = (label_name or "").rpartition("/")
    found: dict[tuple[str, str], dict[str, list[Path]]] = {}
    sessions: dict[str, list[tuple[str, str]]] = {}
    for key in images:
        sessions.setdefault(key[0], []).append(key)
    for file in derived:
        kind, path, key = _label_kind(file, ending), Path(file.path), _key(file)
        own = sessions.get(key[0], [])
        key = own[0] if key not in images and not key[1] and len(own) == 1 else key
        if kind and pipeline in ("", *path.parts):
            found.setdefault(key, {}).setdefault(kind, []).append(path)
    if label_name and not found:
        raise FileError(src, f"no file of derivatives that ends in {label_name}", "labels", "Correct --label-name.")
    strays = sorted(_name(key) for key in found if key not in images)
    if strays:
        notes.append(f"labels without images were left out: {', '.join(strays[:5])}")
    chosen = {}
    for key in (key for key in found if key in images):
        files = found[key].get("dseg") or found[key]["mask"]
        if len(files) > 1:
            names = ", ".join(file.relative_to(src.resolve()).as_posix() for file in sorted(files))
            mend = "Say which with --label-name: the ending of its name, or PIPELINE/ENDING."
            raise FileError(src, f"{len(files)} labels of {_name(key)} ({names})", "one", mend)
        chosen[key] = files[0]
    return chosen


def _codes(
    src: Path, labels: list[Path], label_name: str | None, label_map: Mapping[int, int] | None, notes: list[str]
) -> tuple[dict[str, int], dict[int, int] | None]:
    """Names of the labels' codes and the map to Ganglion's: as BIDS says for `dseg`, as in any folder for masks."""
    if labels and label_map is None and all(stem(label).endswith("dseg") for label in labels):
        return meaning_of(labels, src.resolve(), notes)
    return learn_codes(labels, label_name.rpartition("/")[2] if label_name else None, label_map)


def _label_kind(file: Any, ending: str) -> str:
    """What kind of label a file is: `dseg`, `mask`, or "" for none."""
    entities = file.entities
    if ending:
        return "dseg" if stem(file.path).lower().endswith(ending.lower()) else ""
    suffix = str(entities.get("suffix", ""))
    said = " ".join(str(entities.get(name, "")) for name in ("desc", "label")).lower()
    if suffix == "mask" and not any(word in said for word in _BRAIN):
        return "mask" if said.strip() else ""  # a mask that says nothing of itself is a brain mask
    return suffix if suffix == "dseg" else ""


def _strata(src: Path) -> tuple[dict[str, str], str]:
    """Subject -> stratum and the name of the column it stands in."""
    table = src / "participants.tsv"
    if not table.is_file():
        return {}, ""
    with open(table, newline="", encoding="utf-8-sig") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    columns = list(rows[0]) if rows else []
    column = next((name for wanted in _STRATA for name in columns if name and name.lower() == wanted), "")
    if not column or "participant_id" not in columns:
        return {}, ""
    values = {str(row["participant_id"]).removeprefix("sub-"): str(row[column] or "") for row in rows}
    return {subject: "" if value == "n/a" else value for subject, value in values.items()}, column
