"""What the codes of a BIDS `dseg` mean: its table says it, else BIDS's own list of common labels.

Source: BIDS specification, derivatives, "Common image-derived labels": 1 grey matter, 2 white matter, 3 CSF, 7 lesion,
8 and 9 cortical and other grey matter. `<name>_dseg.tsv` beside the file or `dseg.tsv` in a folder above overrides it.
"""

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path

from ..findings import FileError
from ..naming import stem
from .cases import TISSUE_LABELS, TUMOUR_LABELS, TUMOUR_WORDS
from .folder import some_codes

_Meaning = tuple[dict[str, int], dict[int, int] | None]
_TISSUE_OF = {1: 2, 2: 3, 3: 1, 8: 2, 9: 2}  # common label -> tissue here
_TISSUE_NAMES = {
    "gm": 2, "gray matter": 2, "grey matter": 2, "cgm": 2, "sgm": 2, "wm": 3, "white matter": 3,
    "csf": 1, "cerebrospinal fluid": 1,
}  # fmt: skip
_LESION = 7


def meaning_of(files: Sequence[Path], root: Path, notes: list[str]) -> _Meaning:
    """Names of the labels' codes, and the map to Ganglion's codes if they are tissues or parts of a tumour.

    Args:
        files: the `dseg` files.
        root: the data set's folder, above which no table is looked for.
        notes: what the user should know is added here.

    Raises:
        FileError: if tables differ, or there is none and the codes are no common ones.
    """
    tables = {table for file in files if (table := _table_of(file, root)) is not None}
    rows = {table: _rows(table) for table in sorted(tables)}
    if len({tuple(sorted(content.items())) for content in rows.values()}) > 1:
        found = f"{len(rows)} tables that differ ({', '.join(table.name for table in list(rows)[:3])})"
        raise FileError(root, found, "one meaning of the codes", "Say which labels to take with --label-name.")
    if rows:
        return _by_names(next(iter(rows.values())))
    found_codes = set(some_codes(files)) - {0}
    if found_codes == {_LESION}:
        return {"background": 0, "lesion": 1}, {_LESION: 1}
    if found_codes and found_codes <= set(_TISSUE_OF):
        notes.append("no dseg.tsv: codes read as BIDS's own (1 grey, 2 white, 3 CSF); if not, --label-map")
        return dict(TISSUE_LABELS), {code: ours for code, ours in _TISSUE_OF.items() if code <= max(3, *found_codes)}
    shown = ", ".join(map(str, sorted(found_codes)[:12])) or "none"
    mend = "Put a dseg.tsv (columns index, name) beside dataset_description.json, or state them with --label-map."
    raise FileError(files[0], f"codes {shown} and no table of them", "a dseg.tsv that names them", mend)


def _by_names(names: Mapping[int, tuple[str, int]]) -> _Meaning:
    """From index -> (name, tissue or 0)."""
    meant = {index: pair for index, pair in names.items() if index}
    if all(tissue for _, tissue in meant.values()):
        return dict(TISSUE_LABELS), {index: tissue for index, (_, tissue) in meant.items()}
    tumour = {index: _tumour_part(name) for index, (name, _) in meant.items()}
    if all(tumour.values()):
        return dict(TUMOUR_LABELS), {index: part for index, part in tumour.items() if index != part} or None
    return {"background": 0, **{name: index for index, (name, _) in meant.items()}}, None


def _tumour_part(name: str) -> int:
    return next((code for word, code in TUMOUR_WORDS.items() if word in name.lower()), 0)


def _table_of(file: Path, root: Path) -> Path | None:
    """The table beside the file, or the nearest one above."""
    above = [folder for folder in file.parents if folder == root or folder.is_relative_to(root)]
    candidates = [file.with_name(f"{stem(file)}.tsv"), *(folder / "dseg.tsv" for folder in above)]
    return next((table for table in candidates if table.is_file()), None)


def _rows(table: Path) -> dict[int, tuple[str, int]]:
    """Index -> (name, tissue here or 0) of a table."""
    rows = {}
    with open(table, newline="", encoding="utf-8-sig") as lines:
        for row in csv.DictReader(lines, delimiter="\t"):
            try:
                index, name = int(str(row["index"])), str(row["name"]).strip()
                mapping = int(row["mapping"]) if str(row.get("mapping") or "n/a") != "n/a" else 0
            except (KeyError, ValueError) as error:
                expected = "columns index and name, whole numbers in index and mapping"
                raise FileError(table, "a row that cannot be read", expected, "Correct it.") from error
            words = (name.lower(), str(row.get("abbreviation") or "").strip().lower())
            rows[index] = (name, _TISSUE_OF.get(mapping, 0) or next(filter(None, map(_TISSUE_NAMES.get, words)), 0))
    return rows
