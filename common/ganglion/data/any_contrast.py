"""Items for a network that takes whichever contrast there is: one contrast at a time, or any subset of them."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..errors import InputError
from ..keys import CHANNELS, CONTRAST, HELD, IMAGE, SUBJECT
from .datalist import FILE_NAME, inference_items, load_items, read_dataset_json
from .findings import FileError
from .naming import canonical_contrast
from .unpair import draw_one

_log = logging.getLogger(__name__)


def contrast_items(
    dataset_dir: str | Path | None,
    section: str,
    contrasts: Sequence[str] | None = None,
    labels: bool = True,
    allow_outside: bool = False,
    count: int | None = None,
    seed: int = 0,
    one_each: bool = False,
) -> list[dict[str, Any]]:
    """The items of one list of a data set, one for each contrast of each subject, for a training on unpaired scans.

    A subject that was left one contrast (`ganglion data unpair`) gives one item, a subject with four gives four. Those
    without any of the contrasts asked for give none.

    Args:
        dataset_dir: folder with `dataset.json`.
        section: "training", "validation", "test" or "unlabeled".
        contrasts: contrasts to learn, in order; None takes the file's own.
        labels: whether each item has to have a label.
        allow_outside: whether paths may leave the folder.
        count: how many subjects of the list; None takes all. With the seed that `ganglion data unpair` was given, a
            smaller number of subjects has every contrast as often as any other, or once more.
        seed: another one chooses other subjects, and other contrasts.
        one_each: leave each subject one of its contrasts, as `ganglion data unpair` with that seed would.

    Returns:
        Items with `subject`, `image` (a list of one file; or one 4-D file and its one channel under `channels`),
        `contrasts` (its name), `contrast` (its place in the list asked for) and, when `labels`, `label`.

    Raises:
        InputError: as `load_items`; also if no subject has any of the contrasts.
    """
    data = read_dataset_json(dataset_dir)
    wanted = [canonical_contrast(name) for name in contrasts or data.contrasts]
    options: dict[str, Any] = {"labels": labels, "allow_outside": allow_outside, "on_missing": "leave out"}
    subjects = load_items(dataset_dir, section, wanted, count=count, seed=seed, **options)
    left: dict[str, str] = {}
    if one_each:
        everybody = load_items(dataset_dir, section, data.contrasts, **options)
        names, held = [item[SUBJECT] for item in everybody], [item[HELD] for item in everybody]
        left = {name: one for name, (one,) in zip(names, draw_one(names, held, data.contrasts, seed), strict=True)}
    items = []
    for subject in subjects:
        for place, name in enumerate(subject[HELD]):
            if left.get(subject[SUBJECT], name) != name:
                continue
            item = {**subject, HELD: [name], CONTRAST: wanted.index(name)}
            key = CHANNELS if CHANNELS in subject else IMAGE
            items.append({**item, key: [subject[key][place]]})
    if not items:
        found = f"nobody of '{section}' left {', '.join(wanted)} by seed {seed}"
        raise FileError(
            data.folder / FILE_NAME, found, "one or more", "Add subjects, or take another seed.", "contrasts"
        )
    counts = ", ".join(f"{name} {sum(item[HELD] == [name] for item in items)}" for name in wanted)
    _log.info("%s: %d subjects, one contrast at a time: %s", section, len(subjects), counts)
    return items


def subset_items(
    dataset_dir: str | Path | None = None,
    section: str = "test",
    contrasts: Sequence[str] | None = None,
    images: Any = None,
    labels: bool = False,
    take: Sequence[str] | str | None = None,
    stand_in: Mapping[str, str] | None = None,
    allow_outside: bool = False,
) -> list[dict[str, Any]]:
    """The items of one list of a data set, or of image files given by hand, each with the contrasts that it has.

    Args:
        dataset_dir: folder with `dataset.json`, used when `images` is None.
        section: which of its lists.
        contrasts: contrasts that the network knows, in order.
        images: one file (4-D, or 3-D with its siblings beside it, as many as there are), a list of files (one subject),
            or a list of lists of files (a subject each).
        labels: whether each item has to have a label.
        take: take no others than these; who lacks one of them is left out, and told.
        stand_in: contrast that the network does not know -> one whose place it takes.
        allow_outside: whether paths in `dataset.json` may leave the folder.

    Returns:
        Items as those of `load_items`, with `contrasts`: the names of the files, in their order.

    Raises:
        InputError: as `load_items`; also if a subject has none of the contrasts, or nobody has all of `take`.
    """
    known = [canonical_contrast(name) for name in (*(contrasts or ()), *(stand_in or {}))]
    taken = [canonical_contrast(name) for name in ([take] if isinstance(take, str) else take or ())]
    unknown = [name for name in taken if known and name not in known]
    if unknown:
        raise InputError(
            f"take: found {', '.join(unknown)}, expected some of {', '.join(known)}. A contrast that the network does "
            "not know can take the place of one that it knows (stand_in)."
        )
    if images is not None and images != "" and images != []:
        return inference_items(dataset_dir, section, known, images)
    items = load_items(dataset_dir, section, known or None, labels, allow_outside, on_missing="take")
    return items if not taken else _with_all_of(items, taken, Path(str(dataset_dir)) / FILE_NAME, section)


def _with_all_of(items: list[dict[str, Any]], taken: list[str], where: Path, section: str) -> list[dict[str, Any]]:
    """Of the items those that have all contrasts taken, and of each these alone."""
    left, chosen = [], []
    for item in items:
        if not set(taken) <= set(item[HELD]):
            left.append(item[SUBJECT])
            continue
        places = [item[HELD].index(name) for name in taken]
        key = CHANNELS if CHANNELS in item else IMAGE
        chosen.append({**item, HELD: list(taken), key: [item[key][place] for place in places]})
    names = ", ".join(taken)
    if not chosen:
        mend = "Take other contrasts, or another list (--section)."
        raise FileError(where, f"no subject of '{section}' with {names}", "one or more", mend, "contrasts")
    if left:
        _log.warning("%d of %d subjects lack one of %s and are left out: %s", len(left), len(items), names, left)
    return chosen
