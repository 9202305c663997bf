"""`ganglion data unpair`: of a data set with several contrasts a subject, one in which nobody trained on has two.

What hospitals have: one patient was scanned with FLAIR, another with T2, and nobody twice. Drawn from a paired data
set, so that what a method makes of such scans can be compared with what it makes of all.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import InputError
from ..keys import HELD, IMAGE, LABEL, SUBJECT
from .convert.cases import Case
from .convert.place import Placer
from .datalist import FILE_NAME, DataList, held_contrasts, inside, read_dataset_json, write_dataset_json
from .findings import FileError
from .naming import canonical_contrast, safe_subject, subject_of

WHOLE = "test"  # the list of which every contrast is kept, to score each of them and every subset


@dataclass(frozen=True)
class Unpaired:
    """What `unpair` did.

    Attributes:
        path: the `dataset.json` written.
        seed: of the draw.
        counts: list -> contrast -> number of subjects that were left it; the test list is not among them.
        whole: number of subjects of the test list, which keep all that they have.
    """

    path: Path
    seed: int
    counts: dict[str, dict[str, int]]
    whole: int

    def summary(self) -> str:
        """A few lines for the user, the next command last."""
        lines = [f"{self.path}: one contrast a subject, drawn with seed {self.seed}; {WHOLE} {self.whole}, whole"]
        for section, counts in self.counts.items():
            lines.append(f"{section}: " + ", ".join(f"{name} {number}" for name, number in counts.items()))
        return "\n".join([*lines, f"next: python -m ganglion data check {self.path.parent}"])


def unpair(
    src: str | Path,
    dst: str | Path,
    seed: int = 0,
    contrasts: Sequence[str] | str | None = None,
    copy: bool = False,
    overwrite: bool = False,
    allow_outside: bool = False,
) -> Unpaired:
    """Make a data set whose subjects to train and validate on have one contrast each; the test list is left whole.

    Subjects of a list are put in an order that depends on the seed and their names alone. Each in turn is left the
    contrast, of those that it has, that was left to the fewest before it: every contrast comes as often as any other,
    or once more. The same seed gives the same draw on every machine.

    Args:
        src: folder with `dataset.json`.
        dst: the new data set's folder, another one. Files below it are named as they are, others are linked to.
        seed: of the draw, recorded.
        contrasts: contrasts to draw from; all of the data set's if not given. The test list keeps them alone, too.
        copy: copy the images instead of linking to them.
        overwrite: replace a `dataset.json` that was made otherwise, and files in the way of copies.
        allow_outside: whether paths in the source's `dataset.json` may leave its folder.

    Raises:
        InputError: telling what is wrong and how to mend it.
    """
    data, folder = read_dataset_json(src), Path(dst)
    if folder.resolve() == data.folder.resolve():
        raise FileError(folder, "the data set itself", "another folder for the unpaired one", "Choose another DST.")
    _keep_others(folder / FILE_NAME, seed, overwrite)
    names = contrasts.split(",") if isinstance(contrasts, str) else contrasts or data.contrasts
    drawn = tuple(canonical_contrast(str(name)) for name in names)
    if not set(drawn) <= set(data.contrasts) or len(set(drawn)) < len(drawn):
        raise InputError(
            f"contrasts: found {', '.join(drawn)}, expected some of {', '.join(data.contrasts)}, each once."
        )
    content = json.loads((data.folder / FILE_NAME).read_text(encoding="utf-8-sig"))
    content |= {"name": folder.resolve().name, "unpaired": {"seed": seed, "contrasts": list(drawn)}}
    counts: dict[str, dict[str, int]] = {}
    for section, entries in data.sections.items():
        left = [_held(data, entry, drawn) for entry in entries]
        if section != WHOLE and entries:
            left = draw_one([_name(entry) for entry in entries], left, drawn, seed)
            counts[section] = {name: left.count((name,)) for name in drawn}
        pairs = zip(entries, left, strict=True)
        content[section] = [_entry(data, entry, own, folder, copy, overwrite, allow_outside) for entry, own in pairs]
    path = write_dataset_json(folder, content)
    return Unpaired(path, seed, counts, len(data.sections[WHOLE]))


def _keep_others(path: Path, seed: int, overwrite: bool) -> None:
    """Raise a `FileError` if a dataset.json stands there that was not made by this draw."""
    if overwrite or not path.is_file():
        return
    try:
        made = json.loads(path.read_text(encoding="utf-8"))["unpaired"]["seed"] == seed
    except (OSError, ValueError, TypeError, KeyError):
        made = False
    if not made:
        found = f"a {FILE_NAME} that was not made by unpairing with seed {seed}"
        raise FileError(path, found, "none", "Choose another DST, or pass --overwrite.")


def _held(data: DataList, entry: dict[str, Any], drawn: Sequence[str]) -> tuple[str, ...]:
    """Those of the contrasts to draw from that an entry has, in the data set's order."""
    held = tuple(name for name in data.contrasts if name in held_contrasts(data, entry) and name in drawn)
    if not held:
        found = f"subject {_name(entry)} with none of {', '.join(drawn)}"
        raise FileError(data.folder / FILE_NAME, found, "one or more", "Drop it, or draw from others.", "contrasts")
    return held


def draw_one(
    subjects: Sequence[str], held: Sequence[Sequence[str]], drawn: Sequence[str], seed: int
) -> list[tuple[str, ...]]:
    """For each subject the one contrast, of those that it has, that it is left, in a tuple of its own."""
    used = dict.fromkeys(drawn, 0)
    left: list[tuple[str, ...]] = [()] * len(subjects)
    for place in sorted(range(len(subjects)), key=lambda place: _digest(seed, subjects[place])):
        # Of contrasts used as often, chance decides: the first ones of a short list shall not always be the same.
        ranks = {name: (used[name], _digest(seed, f"{subjects[place]}:{name}")) for name in held[place]}
        name = min(ranks, key=ranks.__getitem__)
        used[name] += 1
        left[place] = (name,)
    return left


def _digest(seed: int, name: str) -> str:
    return hashlib.sha256(f"{seed}:{name}".encode()).hexdigest()


def _name(entry: dict[str, Any]) -> str:
    image = entry[IMAGE]
    return safe_subject(str(entry.get(SUBJECT) or subject_of(image if isinstance(image, str) else image[0])))


def _entry(
    data: DataList,
    entry: dict[str, Any],
    left: Sequence[str],
    folder: Path,
    copy: bool,
    overwrite: bool,
    allow_outside: bool,
) -> dict[str, Any]:
    """An entry of the new data set: the contrasts left, their files placed below its folder."""
    image, held, subject = entry[IMAGE], held_contrasts(data, entry), _name(entry)
    single = isinstance(image, str)
    files = [image] if single else [image[held.index(name)] for name in left]
    paths = tuple(inside(data.folder, file, allow_outside) for file in files)
    label = inside(data.folder, entry[LABEL], allow_outside) if entry.get(LABEL) else None
    placer = Placer(folder, data.contrasts if single else left, copy, overwrite, False)
    images, placed = placer.place(Case(subject, paths, label), subject)
    made = {**entry, SUBJECT: subject, IMAGE: images[0] if single else images}
    made.pop(LABEL, None)
    made |= {LABEL: placed} if placed is not None else {}
    return made | ({HELD: list(left)} if tuple(left) != data.contrasts else {})
