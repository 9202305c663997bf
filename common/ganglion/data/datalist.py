"""`dataset.json`: the one description of a data set (Decathlon form), read into items for MONAI and written.

    {"name": ..., "channel_names": {"0": "T1", ...}, "labels": {"background": 0, ...}, "numTraining": 8,
     "seed": 0, "file_ending": ".nii.gz", "label_map": {"4": 3},
     "training": [{"subject": "sub-001",
                   "image": ["sub-001/sub-001_T1.nii.gz", ...] or "sub-001/sub-001.nii.gz",
                   "label": "sub-001/sub-001_label.nii.gz"}, ...],
     "validation": [...], "test": [...], "unlabeled": [...]}

Paths are POSIX and relative to the folder. `label_map` (optional) says which code of the files is which of Ganglion's.
An entry that does not have all contrasts names those of its files: `"contrasts": ["T2"]`; of a 4-D file, those to use.
"""

import hashlib
import json
import os
import posixpath
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

from ..errors import InputError
from ..keys import CHANNELS, CODES, HELD, IMAGE, LABEL, SECTIONS, SUBJECT
from .findings import FileError
from .naming import canonical_contrast, contrast_of, safe_subject, subject_of
from .whole import written_whole

FILE_NAME = "dataset.json"
_HOW = (
    "Make one: python -m ganglion data convert LAYOUT SRC DST; or simulate one: python -m ganglion phantom brats DIR "
    "--subjects 20"
)

_TRAINED_ON = ("training", "unlabeled")
_ON_MISSING = ("error", "take", "leave out")

_MAX_PATH = 1000
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")
_ADDRESS = re.compile(r"~|file:|[A-Za-z][A-Za-z0-9+.-]+://", re.IGNORECASE)
_MAX_BYTES = 2**28  # of dataset.json: a million subjects need half of it


@dataclass(frozen=True)
class DataList:
    """A `dataset.json` whose form was judged.

    Attributes:
        folder: the data set's folder.
        contrasts: names of the channels in the files' order.
        labels: names of the label codes.
        label_map: code in the files -> Ganglion's code; None if the file states none.
        sections: list name -> entries as they stand in the file.
    """

    folder: Path
    contrasts: tuple[str, ...]
    labels: dict[str, int]
    label_map: dict[int, int] | None
    sections: dict[str, list[dict[str, Any]]]


def read_dataset_json(dataset_dir: str | Path | None) -> DataList:
    """Read `<dataset_dir>/dataset.json` and judge its form.

    Raises:
        InputError: telling which part of the file is wrong and the command or change that mends it.
    """
    if dataset_dir is None or not str(dataset_dir).strip():
        raise InputError(f"dataset_dir is not set, expected a folder with {FILE_NAME}. Pass --dataset_dir DIR. {_HOW}")
    folder = Path(dataset_dir)
    path = folder / FILE_NAME
    if not folder.is_dir():
        raise FileError(folder, "no such folder", "a data set (dataset_dir)", f"Pass --dataset_dir DIR. {_HOW}")
    if not path.is_file():
        raise FileError(folder, f"no {FILE_NAME} in the folder", "a data set (dataset_dir)", _HOW)
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise ValueError(f"{path.stat().st_size} bytes, more than {_MAX_BYTES}")
        content = json.loads(path.read_text(encoding="utf-8-sig"))  # Windows editors put a mark before it
    except (OSError, ValueError, RecursionError) as error:
        raise FileError(path, f"no valid JSON ({error})", "an object", f"Correct it. {_HOW}") from error
    if not isinstance(content, dict):
        raise FileError(path, f"a {type(content).__name__}", "an object with lists of subjects", _HOW)
    if "channel_names" not in content and "modality" in content:
        mend = "Run: python -m ganglion data convert msd SRC DST"
        raise FileError(path, "the Decathlon's own file (modality)", "channel_names and lists of subjects", mend)
    sections = {name: _entries(path, name, content.get(name, [])) for name in SECTIONS}
    contrasts, labels = _channel_names(path, content.get("channel_names")), content.get("labels", {})
    if not isinstance(labels, dict) or not all(_is_code(code) for code in labels.values()):
        raise FileError(path, f"labels {labels!r}", 'names and codes such as {"background": 0}', "Correct it.")
    return DataList(folder, contrasts, labels, _label_map(path, content.get("label_map")), sections)


def load_items(
    dataset_dir: str | Path | None,
    section: str,
    contrasts: Sequence[str] | None = None,
    labels: bool = True,
    allow_outside: bool = False,
    count: int | None = None,
    seed: int = 0,
    without: str = "",
    on_missing: str = "error",
) -> list[dict[str, Any]]:
    """The items of one list of a data set, for a MONAI dataset.

    Args:
        dataset_dir: folder with `dataset.json`.
        section: "training", "validation", "test" or "unlabeled".
        contrasts: contrasts wanted, in order; None takes all of the file's own.
        labels: whether each item has to have a label.
        allow_outside: whether paths may leave the folder.
        count: how many of the list, for trainings with few labels; None takes all. Which ones depends on `seed` and
            the subjects' names alone, and those of a smaller count are among those of a larger one.
        seed: another one chooses other subjects.
        without: what to do where the list is empty, told in the error.
        on_missing: what to do about a subject that lacks some of the contrasts wanted: "error"; "take" what there is,
            which the item tells as `contrasts`; or "leave out" who has none of them, as well.

    Returns:
        Items with `subject`, `image` (absolute paths, one a contrast; or one 4-D file and its `channels`) and, when
        `labels`, `label` and, if the data set states a label map, `codes`.

    Raises:
        InputError: telling what is wrong in which file and how to mend it; also if somebody in a list to train on,
            labelled or not, is in the validation or test list too, by name or by file.
    """
    data = read_dataset_json(dataset_dir)
    path = data.folder / FILE_NAME
    if section not in SECTIONS:
        raise InputError(f"list {section!r} of {path} was asked for, expected one of {', '.join(SECTIONS)}.")
    entries = data.sections[section]
    if not entries:
        full = ", ".join(f"{name} {len(e)}" for name, e in data.sections.items() if e) or "all lists are empty"
        raise FileError(
            path, f"the list '{section}' empty or missing ({full})", "at least one subject", without or _HOW
        )
    wanted = tuple(canonical_contrast(name) for name in contrasts) if contrasts is not None else data.contrasts
    if on_missing not in _ON_MISSING:
        raise InputError(f"on_missing: found {on_missing!r}, expected one of {', '.join(_ON_MISSING)}.")
    missing = [name for name in wanted if name not in data.contrasts]
    if len(missing) == len(wanted) or (missing and on_missing == "error"):
        raise FileError(
            path,
            f"contrasts {', '.join(data.contrasts)}, without {', '.join(missing)}",
            ", ".join(wanted),
            "Choose the configuration for the contrasts that you have, or convert the data with them.",
        )
    if on_missing == "leave out":
        entries = [entry for entry in entries if set(held_contrasts(data, entry)) & set(wanted)] or entries
    items = [_item(data, section, entry, wanted, labels, allow_outside, on_missing) for entry in entries]
    if section in _TRAINED_ON:
        _require_apart(data, section, items, allow_outside)
    return _some(path, section, _each_once(path, items), count, seed)


def inference_items(
    dataset_dir: str | Path | None = None,
    section: str = "test",
    contrasts: Sequence[str] | None = None,
    images: Any = None,
    allow_outside: bool = False,
) -> list[dict[str, Any]]:
    """Items without labels: of a data set, or of image files given by hand.

    Args:
        dataset_dir: folder with `dataset.json`, used when `images` is None.
        section: which of its lists.
        contrasts: contrasts wanted, in order.
        images: one file (4-D, or 3-D with its siblings beside it), a list of files (one subject), or a list of lists of
            files (a subject each).
        allow_outside: whether paths in `dataset.json` may leave the folder.
    """
    if images is None or images == "" or images == []:
        return load_items(dataset_dir, section, contrasts, labels=False, allow_outside=allow_outside)
    if isinstance(images, str | Path):
        subjects: list[Any] = [images]
    elif all(isinstance(image, str | Path) for image in images):
        subjects = [list(images)]
    else:
        subjects = list(images)
    return _each_once(Path("images"), [_given_item(image, contrasts) for image in subjects])


def held_contrasts(data: DataList, entry: Mapping[str, Any]) -> tuple[str, ...]:
    """Names of the contrasts that an entry has, in the order of its files; those of a 4-D file that are to be used.

    Raises:
        FileError: if it names contrasts that the data set has not, or one twice, or not as many as it has files.
    """
    where, image = data.folder / FILE_NAME, entry[IMAGE]
    name = safe_subject(str(entry.get(SUBJECT) or subject_of(image if isinstance(image, str) else image[0])))
    stated = entry.get(HELD)
    if stated is None:
        held = data.contrasts
    elif isinstance(stated, list) and stated and all(isinstance(one, str) for one in stated):
        held = tuple(canonical_contrast(one) for one in stated)
    else:
        found = f"contrasts {stated!r} of subject {name}"
        raise FileError(where, found, 'names such as ["T2"]', "Correct it, or leave it out.", "contrasts")
    if len(set(held)) < len(held) or not set(held) <= set(data.contrasts):
        found = f"contrasts {', '.join(held)} of subject {name}"
        raise FileError(where, found, f"some of {', '.join(data.contrasts)}, each once", "Correct it.", "contrasts")
    if not isinstance(image, str) and len(image) != len(held):
        raise wrong_count(where, name, len(image), held)
    return held


def write_dataset_json(dataset_dir: str | Path, content: Mapping[str, Any]) -> Path:
    """Write `<dataset_dir>/dataset.json` whole or not at all, and judge its form by reading it back."""
    folder = Path(dataset_dir)
    folder.mkdir(parents=True, exist_ok=True)
    content = {**content, "numTraining": len(content.get("training", []))}
    with written_whole(folder / FILE_NAME) as part:
        part.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    read_dataset_json(folder)
    return folder / FILE_NAME


def inside(folder: Path, relative: Any, allow_outside: bool = False) -> Path:
    """The absolute path of an entry's file.

    The path as written must stay inside the folder. Links that lie inside the folder are followed: they are how
    `convert` refers to images that lie elsewhere, and a text file alone cannot make one.

    Raises:
        InputError: if the path is absolute or leaves the folder, unless `allow_outside`.
    """
    where = folder / FILE_NAME
    if not isinstance(relative, str) or not relative.strip() or _UNPRINTABLE.search(relative):
        found = f"{str(relative)[:_MAX_PATH]!r} for a file"
        raise FileError(where, found, "a relative path of printable characters", "Correct it.", "path")
    if len(relative) > _MAX_PATH:
        found = f"a path of {len(relative)} characters ({relative[:40]!r}...)"
        raise FileError(where, found, f"at most {_MAX_PATH}", "Correct it.", "path")
    if _ADDRESS.match(relative):
        found = f"{relative!r}, an address or a home folder"
        raise FileError(where, found, "a path relative to the data set's folder", "Correct it.", "path")
    if _leaves(relative) and not allow_outside:
        mend = "Correct it, or, if you trust this file, allow it (--allow-outside; in a config: allow_outside)."
        raise FileError(where, f"path {relative!r}, which leaves the data folder", "a path inside it", mend, "path")
    return Path(os.path.abspath(folder / relative))


def _leaves(text: str) -> bool:
    """Whether a path as written is absolute or climbs out of its folder, read as POSIX or as Windows reads it."""
    pure, windows = PurePosixPath(text), PureWindowsPath(text)
    if pure.is_absolute() or windows.drive or windows.root:
        return True
    readings = (posixpath.normpath(text), posixpath.normpath(text.replace("\\", "/")))
    return any(".." in PurePosixPath(reading).parts for reading in readings)


def wrong_count(path: Path, subject: str, count: int, contrasts: Sequence[str]) -> FileError:
    """The fault of an entry that lists too few or too many images."""
    found = f"{count} images of subject {subject}"
    mend = "Add what is missing, take out what is too much, or drop the subject."
    return FileError(path, found, f"{len(contrasts)}: {', '.join(contrasts)}", mend, "contrasts")


def _item(
    data: DataList,
    section: str,
    entry: dict[str, Any],
    wanted: Sequence[str],
    labels: bool,
    allow_outside: bool,
    on_missing: str,
) -> dict[str, Any]:
    image, path = entry[IMAGE], data.folder / FILE_NAME
    single = isinstance(image, str)
    files = [inside(data.folder, file, allow_outside) for file in ([image] if single else image)]
    item: dict[str, Any] = {SUBJECT: safe_subject(str(entry.get(SUBJECT) or subject_of(files[0])))}
    held = held_contrasts(data, entry)
    chosen = [name for name in wanted if name in held]
    if not chosen or (len(chosen) < len(wanted) and on_missing == "error"):
        lacks = ", ".join(name for name in wanted if name not in held)
        mend = "Drop the subject, or choose a configuration for its contrasts; unified_multimodal takes any of them."
        found = f"subject {item[SUBJECT]} of '{section}' with {', '.join(held)}, without {lacks}"
        raise FileError(path, found, ", ".join(wanted), mend, "contrasts")
    item[IMAGE] = str(files[0]) if single else [str(files[held.index(name)]) for name in chosen]
    if single:
        item[CHANNELS] = [data.contrasts.index(name) for name in chosen]
    if on_missing != "error":
        item[HELD] = chosen
    if labels:
        if not entry.get(LABEL):
            mend = "Add the label, or move the subject to the list 'unlabeled'."
            found = f"subject {item[SUBJECT]} of '{section}' without a label"
            raise FileError(path, found, "a label file", mend, "unlabelled")
        item[LABEL] = str(inside(data.folder, entry[LABEL], allow_outside))
        if data.label_map is not None:
            item[CODES] = dict(data.label_map)
    return item


def _some(where: Path, section: str, items: list[dict[str, Any]], count: int | None, seed: int) -> list[dict[str, Any]]:
    """So many of the items, in the list's order; all if no number is given."""
    if count is None:
        return items
    if isinstance(count, bool) or not isinstance(count, int) or not 1 <= count <= len(items):
        found = f"{len(items)} subjects in the list '{section}', of which {count!r} were asked for"
        raise FileError(where, found, f"a whole number from 1 to {len(items)}", "Ask for fewer, or add subjects.")
    by_chance = sorted(items, key=lambda item: hashlib.sha256(f"{seed}:{item[SUBJECT]}".encode()).hexdigest())
    chosen = {item[SUBJECT] for item in by_chance[:count]}
    return [item for item in items if item[SUBJECT] in chosen]


def _each_once(where: Path, items: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The items, if no two share a name, since outputs and scores are named by subject."""
    names = [item[SUBJECT] for item in items]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        mend = "Give each its own name, of letters, digits, - and _, or drop one."
        raise FileError(where, f"subject {', '.join(twice)} twice", "each subject once", mend)
    return items


def _require_apart(data: DataList, section: str, items: list[dict[str, Any]], allow_outside: bool) -> None:
    """Whoever is validated or tested on must not be trained on, with or without a label, under whatever name."""
    held: dict[str, tuple[str, str]] = {}
    for other in SECTIONS:
        for entry in data.sections[other] if other not in _TRAINED_ON else []:
            paths = _real_paths(data.folder, entry[IMAGE], allow_outside)
            name = safe_subject(str(entry.get(SUBJECT) or subject_of(paths[0] if paths else "")))
            held |= dict.fromkeys((name, *paths), (name, other))
    for item in items:
        for key in (item[SUBJECT], *_real_paths(data.folder, item[IMAGE], True)):
            if key in held:
                name, other = held[key]
                alias = f", as {name}" if name != item[SUBJECT] else ""
                found = f"subject {item[SUBJECT]} of '{section}' also in '{other}'{alias}"
                mend = "Leave it in one of the two: nobody may be tested on whom the training has seen."
                raise FileError(data.folder / FILE_NAME, found, "subjects apart", mend, "twice")


def _real_paths(folder: Path, image: str | list[str], allow_outside: bool) -> list[str]:
    """Where an entry's files lie once links are followed; those that may not be named at all are left out."""
    paths = []
    for file in [image] if isinstance(image, str) else image:
        try:
            paths.append(os.path.realpath(inside(folder, file, allow_outside)))
        except FileError:  # a fault of its own list, told when that one is asked for
            continue
    return paths


def _given_item(image: Any, contrasts: Sequence[str] | None) -> dict[str, Any]:
    files = [Path(image)] if isinstance(image, str | Path) else [Path(file) for file in image]
    if not files:
        raise InputError("images: found an empty list, expected image files.")
    wanted = [canonical_contrast(name) for name in contrasts or ()]
    told = [contrast_of(file) for file in files]
    if len(files) == len(wanted) and sorted(map(str, told)) == sorted(wanted):
        files = [files[told.index(name)] for name in wanted]  # names tell the order better than the command line
    paths = [os.path.abspath(file) for file in files]
    return {SUBJECT: subject_of(files[0]), IMAGE: paths[0] if len(paths) == 1 else paths}


def _entries(path: Path, name: str, entries: Any) -> list[dict[str, Any]]:
    if not isinstance(entries, list):
        raise FileError(path, f"'{name}' as {type(entries).__name__}", "a list of subjects", "Correct it.")
    for number, entry in enumerate(entries):
        image = entry.get(IMAGE) if isinstance(entry, dict) else None
        files = [image] if isinstance(image, str) else image
        if not isinstance(files, list) or not files or not all(isinstance(file, str) for file in files):
            found = f"image {image!r} in entry {number} of '{name}'"
            raise FileError(path, found, "a file or a list of files, one a contrast", "Correct it.")
    return entries


def _channel_names(path: Path, names: Any) -> tuple[str, ...]:
    values = list(names.values()) if isinstance(names, dict) else names
    keys = list(names) if isinstance(names, dict) else None
    ordered = keys is None or keys == [str(i) for i in range(len(keys))]
    if not isinstance(values, list) or not values or not ordered or not all(isinstance(v, str) for v in values):
        raise FileError(path, f"channel_names {names!r}", 'names such as {"0": "T1", "1": "FLAIR"}', _HOW)
    contrasts = tuple(canonical_contrast(value) for value in values)
    if len(set(contrasts)) != len(contrasts):
        raise FileError(path, f"a contrast twice in channel_names {list(contrasts)}", "each once", "Correct it.")
    return contrasts


def _label_map(path: Path, stated: Any) -> dict[int, int] | None:
    if stated is None:
        return None
    try:
        return {int(code): int(ours) for code, ours in stated.items()}
    except (AttributeError, TypeError, ValueError) as error:
        raise FileError(path, f"label_map {stated!r}", 'codes such as {"4": 3}', "Correct it.") from error


def _is_code(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
