"""What a file name says: which contrast or label it holds, whose it is, and which files stand beside it."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ..keys import CONTRASTS
from .findings import FileError

# Endings that the readers of `volumes.py` understand, longest first.
ENDINGS = (".nii.gz", ".nii", ".mgz", ".mha")
PAIR = (".hdr", ".img")  # Analyze and NIfTI pairs: one volume in two files, either of which may be given

# Spellings of each contrast as a word of a file name (between start, end, ".", "_", "-" or a blank), any case.
_SPELLINGS = {
    "T1ce": r"t1w?[-_]?(?:ce|c|gd|km|post|contrast)",
    "T1-IR": r"t1w?[-_]?ir|ir",
    "FLAIR": r"(?:t2[-_]?)?flair|t2w?[-_]?f",
    "T1": r"t1[wn]?",
    "T2": r"t2w?",
}
_LABEL_WORDS = r"(?:ground[-_]?)?truth|labels?|seg(?:m|mentation)?s?|lesions?|tumou?rs?|masks?|roi|gt|ot"
_OTHER_WORDS = r"(?:brain|head|bet)[-_]?masks?"
_WORD = re.compile(
    r"(?:^|(?<=[\s._-]))(?:"
    + "|".join(f"(?P<c{i}>{pattern})" for i, pattern in enumerate(_SPELLINGS.values()))
    + f"|(?P<other>{_OTHER_WORDS})|(?P<label>{_LABEL_WORDS})"
    + r")(?=$|[\s._-])",
    re.IGNORECASE,
)
_GADOLINIUM = re.compile(r"(?:^|_)ce-[a-z0-9]+_", re.IGNORECASE)  # the BIDS entity of a contrast agent


@dataclass(frozen=True)
class FileName:
    """A file name taken apart.

    Attributes:
        kind: "image" (a contrast is named), "label", or "other".
        contrast: name of the contrast as in `keys.CONTRASTS` for an image, else None.
        before: the name up to the word that tells the kind, without trailing separators; usually the subject.
        after: what follows that word, the ending left out.
        word: the word itself, "" for a name that tells nothing.
    """

    kind: str
    contrast: str | None
    before: str
    after: str
    word: str = ""


def stem(path: str | Path) -> str:
    """The file's name without its folder and without its (possibly double) ending."""
    name = Path(path).name
    for ending in ENDINGS:
        if name.lower().endswith(ending):
            return name[: -len(ending)]
    return Path(name).stem


def is_volume(path: str | Path) -> bool:
    """Whether the name ends like a volume that can be read."""
    name = Path(path).name.lower()
    return name.endswith(ENDINGS) and not name.startswith(".")


def parse(path: str | Path) -> FileName:
    """Take a file's name apart. The last telling word decides: `sub-1_T1_seg` is a label, `tumour-1_T1` is not."""
    name = stem(path)
    words = list(_WORD.finditer(name))
    if not words:
        return FileName("other", None, name, "")
    last = words[-1]
    before, after = name[: last.start()].rstrip(" ._-"), name[last.end() :]
    if last["label"] or last["other"]:
        # `sub-1_T1_seg` belongs to sub-1 just as `sub-1_T1` does.
        earlier = [w for w in words[:-1] if not (w["label"] or w["other"])]
        if earlier and earlier[-1].end() >= len(before):
            before = name[: earlier[-1].start()].rstrip(" ._-")
        return FileName("label" if last["label"] else "other", None, before, after, last[0])
    contrast = next(name_ for i, name_ in enumerate(_SPELLINGS) if last[f"c{i}"])
    if contrast == "T1" and _GADOLINIUM.search(name):
        contrast = "T1ce"
    return FileName("image", contrast, before, after, last[0])


def contrast_of(path: str | Path) -> str | None:
    """The contrast that the file's name tells, by its name in `keys.CONTRASTS`; None if it tells none."""
    return parse(path).contrast


def canonical_contrast(name: str) -> str:
    """One spelling for each known contrast ("t1w" -> "T1", "t1gd" -> "T1ce"); unknown names stay as they are."""
    word = _WORD.fullmatch(name.strip())
    if word is None:
        return name.strip()
    return next((known for i, known in enumerate(_SPELLINGS) if word[f"c{i}"]), name.strip())


def subject_of(path: str | Path) -> str:
    """The subject that a file's name tells: the part before the contrast, else the folder's name, made safe."""
    path = Path(path)
    return safe_subject(parse(path).before or path.parent.name or stem(path))


def safe_subject(name: str) -> str:
    """A subject's name that can be a file name anywhere: letters, digits, "-" and "_" only."""
    return re.sub(r"[^A-Za-z0-9_-]+", "-", name).strip("-") or "subject"


def siblings(path: str | Path, contrasts: Sequence[str] = CONTRASTS) -> list[Path]:
    """The files of all `contrasts`, in that order, found by name beside one of them.

    A sibling's name differs in nothing but the contrast and the ending (`sub-1_T1.nii.gz`, `sub-1_FLAIR.nii`).

    Raises:
        FileError: if the file's name tells no contrast, or a contrast is missing or there twice.
    """
    path = Path(path)
    own = parse(path)
    wanted = [canonical_contrast(name) for name in contrasts]
    if own.contrast is None:
        raise FileError(
            path,
            "one 3-D file whose name tells no contrast",
            f"{len(wanted)} contrasts ({', '.join(wanted)})",
            f"Name the files like {stem(path)}_{wanted[0]}.nii.gz to have them found, or give a list of files.",
        )
    beside = files_beside(path)
    for contrast in wanted:
        found = beside.get(contrast, [])
        if len(found) != 1:
            state = f"contrast {contrast} {'twice' if found else 'missing'} beside it"
            mend = f"Put one {own.before}_{contrast}{own.after}.nii.gz into the same folder."
            raise FileError(path, f"{state} (there: {', '.join(beside)})", ", ".join(wanted), mend)
    return [beside[contrast][0] for contrast in wanted]


def files_beside(path: str | Path) -> dict[str, list[Path]]:
    """Contrast -> files of it beside a file whose name tells its contrast, the file itself among them."""
    path = Path(path)
    own = parse(path)
    beside: dict[str, list[Path]] = {}
    if path.parent.is_dir():
        for other in sorted(path.parent.iterdir()):
            name = parse(other) if is_volume(other) else None
            if name and name.contrast and (_key(name), name.after) == (_key(own), own.after):
                beside.setdefault(name.contrast, []).append(other)
    return beside


def _key(name: FileName) -> str:
    return _GADOLINIUM.sub("_", name.before + "_").rstrip("_").lower()
