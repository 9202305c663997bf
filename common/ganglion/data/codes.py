"""Label codes: known codings of other sources turned into Ganglion's, anything else refused with the set found."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from .findings import FileError

# Codings that can be told by the set of codes alone: (name, codes that must be there, code -> Ganglion's code).
_KNOWN: tuple[tuple[str, frozenset[int], dict[int, int]], ...] = (
    ("BraTS 2015-2021 (4 = enhancing)", frozenset({4}), {0: 0, 1: 1, 2: 2, 4: 3}),
    ("iSEG (10 CSF, 150 GM, 250 WM)", frozenset({10, 150, 250}), {0: 0, 10: 1, 150: 2, 250: 3}),
)

# Codings that share their codes with others, so they have to be named: converters write them into dataset.json.
NAMED_MAPS: dict[str, dict[int, int]] = {
    "brats": {4: 3},  # 4 enhancing until 2021, 3 enhancing since 2023, never both
    "brats2013": {3: 1, 4: 3},  # 1 necrosis, 2 oedema, 3 non-enhancing, 4 enhancing
    "msd": {1: 2, 2: 1},  # 1 oedema, 2 non-enhancing, 3 enhancing
    "iseg": {10: 1, 150: 2, 250: 3},
    # 1 cortex, 2 basal ganglia, 3 white matter, 4 its lesions, 5 outer fluid, 6 ventricles; what the challenges leave
    # out of their scores is background: 7 cerebellum, 8 brain stem, 9 infarcts and 10 other lesions (2018)
    "mrbrains": {1: 2, 2: 2, 3: 3, 4: 3, 5: 1, 6: 1, 7: 0, 8: 0, 9: 0, 10: 0},
}


def codes_found(path: Path, label: np.ndarray) -> list[int]:
    """The sorted set of codes in a label volume.

    Raises:
        FileError: if a voxel holds no whole number.
    """
    values = np.unique(label)
    whole = np.round(values)
    if not np.isfinite(values).all() or np.abs(values - whole).max(initial=0) > 1e-3:
        shown = ", ".join(f"{v:g}" for v in values[np.abs(values - whole) > 1e-3][:4]) or "NaN or Inf"
        raise FileError(
            path,
            f"label values that are no whole numbers ({shown})",
            "codes such as 0, 1, 2",
            "Give the label map, not a probability map or a label resampled linearly.",
            "codes",
        )
    return sorted({int(v) for v in whole})


def coding_for(
    path: Path, found: Sequence[int], codes: Sequence[int], stated: Mapping[int, int] | None = None
) -> tuple[str, dict[int, int]]:
    """Which code becomes which, for the codes found in one label file.

    Args:
        path: the label file, for the message.
        found: codes in the file.
        codes: codes that are allowed after mapping.
        stated: the map that dataset.json states, if any; codes not in it stay as they are.

    Returns:
        The name of the coding ("" if nothing changes) and the map of each found code that changes.

    Raises:
        FileError: if a code is outside `codes` and no known coding explains the set.
    """
    allowed = set(codes)
    if stated is not None:
        mapping = {code: stated.get(code, code) for code in found}
        if set(mapping.values()) <= allowed:
            changes = {a: b for a, b in mapping.items() if a != b}
            return ("label_map of dataset.json" if changes else "", changes)
        raise _out_of_range(path, found, codes, "after its label_map")
    if set(found) <= allowed:
        return "", {}
    for name, signs, mapping in _KNOWN:
        if signs & set(found) and set(found) <= set(mapping) and {mapping[code] for code in found} <= allowed:
            return name, {code: mapping[code] for code in found if mapping[code] != code}
    raise _out_of_range(path, found, codes, "and no known coding")


def apply_coding(label: np.ndarray, mapping: Mapping[int, int]) -> np.ndarray:
    """A label volume with its codes replaced, all at once (swaps are safe); the input is left alone."""
    out = np.round(label)
    if not mapping:
        return out
    masks = {code: out == code for code in mapping}
    for code, mask in masks.items():
        out[mask] = mapping[code]
    return out


def background_only(path: Path, codes: Sequence[int]) -> FileError:
    """The fault of a label that marks nothing."""
    expected = f"one of the codes {{{', '.join(str(code) for code in sorted(codes) if code)}}}"
    mend = "Correct the label, or move the subject to the list 'unlabeled'."
    return FileError(path, "a label of background only", expected, mend, "background")


def _out_of_range(path: Path, found: Sequence[int], codes: Sequence[int], why: str) -> FileError:
    shown = ", ".join(map(str, found[:12])) + (", ..." if len(found) > 12 else "")
    return FileError(
        path,
        f"label codes {{{shown}}} {why}",
        f"a subset of {{{', '.join(map(str, codes))}}}",
        'State the coding in dataset.json as "label_map": {"code": ours}, or convert with --label-map '
        f"({', '.join(NAMED_MAPS)}).",
        "codes",
    )
