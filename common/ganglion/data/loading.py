"""Transforms that bring a subject's files into memory: `LoadContrastsd` and `LoadLabeld`.

Both judge each file's header before its voxels are read, read each file once, and name the file in every error.
"""

import logging
from collections.abc import Hashable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import torch
from monai.config import KeysCollection
from monai.data import MetaTensor
from monai.transforms import MapTransform
from monai.utils import MetaKeys, SpaceKeys

from ..errors import InputError
from ..keys import CHANNELS, CODES, CONTRAST, CONTRASTS, HELD, IMAGE, LABEL, SUBJECT
from .codes import apply_coding, background_only, codes_found, coding_for
from .inputs import open_held, open_image, open_label
from .naming import canonical_contrast, subject_of
from .volumes import (
    MAX_VOXELS,
    Volume,
    nonfinite_text,
    open_volume,
    read_voxels,
    require_finite,
    require_same_grid,
    stored_voxels,
)

_log = logging.getLogger(__name__)
_ROWS = 16  # rows turned from a file's order (X fastest) to ours (Z fastest) at a time: twice as fast as all at once


class LoadContrastsd(MapTransform):
    """Load the contrasts of one subject as the channels of one image.

    The value of each key is one of
      - a list of 3-D files in the order of `contrasts`,
      - one 4-D file; the item's `channels` tell which of its channels to take, in order (default: all, in order),
      - one 3-D file of one contrast, the others being found beside it by name (`sub-1_T1.nii.gz`, `sub-1_T2.nii.gz`).

    It becomes a float32 `MetaTensor` of axes (C, X, Y, Z) with C = len(contrasts), whose `affine` and
    `original_affine` are the files' own, so that MONAI's spatial transforms, `Invertd` and `SaveImaged` give results on
    that very grid. Its `filename_or_obj` is the subject's name, so that outputs are named by subject and no path leaks.

    Where contrasts may be missing, what is there is told by the item's `contrasts`, else by the files' names, and after
    loading which channels are filled by the image's meta, as `"contrasts": "T1,FLAIR"`.

    Args:
        keys: keys of the images.
        contrasts: names of the contrasts, in the order in which the network takes them.
        on_nonfinite: "error" refuses NaN and Inf voxels, "zero" replaces them by 0 and warns.
        allow_missing_keys: whether an item may lack a key.
        max_voxels: how many voxels a file may claim.
        on_missing: "error" refuses a subject that lacks a contrast; "zero" makes it a channel of 0; "leave out" gives
            the channels of the files that are named, in their order, and looks for none beside a single one, whose
            place in `contrasts` the item tells as `contrast`. A subject without any is refused.
        unnamed: (zero, leave out) what a single file is whose name tells no contrast; None refuses it.
        stand_in: (zero) contrast that the network does not know -> the one whose place it takes, or "all" for the
            place of each that is not there.
    """

    def __init__(
        self,
        keys: KeysCollection = IMAGE,
        contrasts: Sequence[str] = CONTRASTS,
        on_nonfinite: str = "error",
        allow_missing_keys: bool = False,
        max_voxels: int = MAX_VOXELS,
        on_missing: str = "error",
        unnamed: str | None = None,
        stand_in: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(keys, allow_missing_keys)
        if on_nonfinite not in ("error", "zero"):
            raise InputError(f"on_nonfinite: found {on_nonfinite!r}, expected 'error' or 'zero'.")
        if on_missing not in ("error", "zero", "leave out"):
            raise InputError(f"on_missing: found {on_missing!r}, expected 'error', 'zero' or 'leave out'.")
        self.contrasts = tuple(canonical_contrast(name) for name in contrasts)
        self.on_nonfinite = on_nonfinite
        self.on_missing = on_missing
        self.max_voxels = max_voxels
        self.stand_in = {canonical_contrast(name): canonical_contrast(of) for name, of in (stand_in or {}).items()}
        self.unnamed = canonical_contrast(unnamed) if unnamed else None
        known = (*self.contrasts, *self.stand_in, None)
        if self.unnamed not in known or not set(self.stand_in.values()) <= {*self.contrasts, "all"}:
            found = f"found {self.unnamed} and {self.stand_in}, expected some of {', '.join(self.contrasts)}"
            raise InputError(f"unnamed and stand_in: {found} (for stand_in also 'all').")

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """The item with each key's files replaced by one image (C, X, Y, Z)."""
        item = dict(data)
        for key in self.key_iterator(item):
            volumes, held = self._open(item[key], item.get(HELD), item.get(CHANNELS))
            subject = item.get(SUBJECT) or subject_of(volumes[0].path)
            image, filled = self._placed(self._read(volumes, held, item.get(CHANNELS)), held)
            item[key] = _as_meta_tensor(image, volumes[0], str(subject))
            if self.on_missing != "error":
                item[key].meta[HELD] = ",".join(filled)
            if self.on_missing == "leave out" and len(held) == 1:
                item[CONTRAST] = self.contrasts.index(held[0])
        item.pop(CHANNELS, None)
        item.pop(HELD, None)
        return item

    def _open(
        self, value: Any, held: Sequence[str] | None, channels: Sequence[int] | None
    ) -> tuple[list[Volume], list[str]]:
        """The volumes, headers read, and the contrast of each."""
        if self.on_missing == "error":
            return open_image(value, self.contrasts, channels, self.max_voxels), list(self.contrasts)
        known = (*self.contrasts, *(name for name in self.stand_in if name not in self.contrasts))
        value = [value] if self.on_missing == "leave out" and isinstance(value, str | Path) else value
        return open_held(value, known, held, channels, self.unnamed, self.max_voxels)

    def _read(self, volumes: Sequence[Volume], held: Sequence[str], channels: Sequence[int] | None) -> np.ndarray:
        image = np.empty((len(held), *volumes[0].shape), dtype=np.float32)
        if volumes[0].channels > 1:
            image[:] = np.moveaxis(stored_voxels(volumes[0])[..., list(channels or range(len(image)))], -1, 0)
            self._mend(volumes[0].path, image)
            return image
        # Unpacking frees the interpreter, so files are read side by side where torch may use several cores.
        with ThreadPoolExecutor(min(len(volumes), torch.get_num_threads())) as pool:
            list(pool.map(_read_into, image, volumes))
        for channel, volume in zip(image, volumes, strict=True):
            self._mend(volume.path, channel)
        return image

    def _placed(self, image: np.ndarray, held: Sequence[str]) -> tuple[np.ndarray, Sequence[str]]:
        """What was read in the order of `contrasts`, those that are missing 0, and the names of those that are not."""
        if self.on_missing != "zero" or tuple(held) == self.contrasts:
            return image, held
        placed, filled = np.zeros((len(self.contrasts), *image.shape[1:]), dtype=np.float32), []
        for channel, name in zip(placed, self.contrasts, strict=True):
            instead = [other for other in held if self.stand_in.get(other) in (name, "all")]
            if name in held or instead:
                channel[:] = image[list(held).index(name if name in held else instead[0])]
                filled.append(name)
        return placed, filled

    def _mend(self, path: Path, image: np.ndarray) -> None:
        found = nonfinite_text(image)
        if found is None:
            return
        if self.on_nonfinite == "error":
            require_finite(path, image)
        _log.warning("%s: found %s; replaced by 0", path, found)
        np.nan_to_num(image, copy=False, nan=0.0, posinf=0.0, neginf=0.0)


class LoadLabeld(MapTransform):
    """Load a label map that lies on its image's grid, in Ganglion's codes.

    The value of each key is a 3-D file. It becomes a float32 `MetaTensor` of axes (1, X, Y, Z). Known codings are
    mapped (BraTS 4 -> 3; what dataset.json states as `label_map`, which comes with the item as `codes`), logged once.

    Args:
        keys: keys of the labels.
        like: key of the image (loaded, or still its files) whose grid the label must lie on; None asks for nothing.
        codes: codes that are allowed after mapping.
        on_empty: what to do about a label without foreground: "warn", "error", or "ignore".
        allow_missing_keys: whether an item may lack a key.
        max_voxels: how many voxels a file may claim.
    """

    def __init__(
        self,
        keys: KeysCollection = LABEL,
        like: str | None = IMAGE,
        codes: Sequence[int] = (0, 1, 2, 3),
        on_empty: str = "warn",
        allow_missing_keys: bool = False,
        max_voxels: int = MAX_VOXELS,
    ) -> None:
        super().__init__(keys, allow_missing_keys)
        if on_empty not in ("warn", "error", "ignore"):
            raise InputError(f"on_empty: found {on_empty!r}, expected 'warn', 'error' or 'ignore'.")
        self.like = like
        self.codes = tuple(int(code) for code in codes)
        self.on_empty = on_empty
        self.max_voxels = max_voxels
        self._told: set[str] = set()

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """The item with each key's file replaced by a label map (1, X, Y, Z)."""
        item = dict(data)
        for key in self.key_iterator(item):
            volume = open_label(item[key], self.max_voxels)
            if self.like is not None and item.get(self.like) is not None:
                require_same_grid(_grid_of(item[self.like]), volume)
            label = self._map(volume.path, read_voxels(volume), item.get(CODES))
            item[key] = _as_meta_tensor(label[None], volume, str(item.get(SUBJECT) or subject_of(volume.path)))
        item.pop(CODES, None)
        return item

    def _map(self, path: Path, label: np.ndarray, stated: Mapping[Any, Any] | None) -> np.ndarray:
        found = codes_found(path, label)
        stated = None if stated is None else {int(a): int(b) for a, b in stated.items()}
        name, mapping = coding_for(path, found, self.codes, stated)
        if name and name not in self._told:
            self._told.add(name)
            _log.info("label codes mapped by %s: %s", name, mapping)
        if not any(found) and self.on_empty != "ignore":
            fault = background_only(path, self.codes)
            if self.on_empty == "error":
                raise fault
            _log.warning(str(fault))
        return apply_coding(label, mapping)


def _read_into(channel: np.ndarray, volume: Volume) -> None:
    """Fill one channel (X, Y, Z) from a file."""
    stored = stored_voxels(volume)
    with np.errstate(over="ignore"):  # Inf is looked for
        for start in range(0, stored.shape[1], _ROWS):
            channel[:, start : start + _ROWS] = stored[:, start : start + _ROWS]


def _grid_of(image: Any) -> Volume:
    """The grid of an image, loaded or not, as a volume that messages can name."""
    if not isinstance(image, MetaTensor):
        return open_volume(image if isinstance(image, str | Path) else image[0])
    affine = np.asarray(image.meta.get(MetaKeys.ORIGINAL_AFFINE, image.affine), dtype=np.float64)
    shape = [int(n) for n in image.meta.get(MetaKeys.SPATIAL_SHAPE, image.shape[1:])]
    name = Path(f"{image.meta.get('filename_or_obj', IMAGE)}'s image")
    return Volume(name, (shape[0], shape[1], shape[2]), affine, 1, np.dtype(np.float32), lambda: image.numpy())


def _as_meta_tensor(data: np.ndarray, volume: Volume, subject: str) -> MetaTensor:
    affine = torch.from_numpy(volume.affine.copy())
    meta = {
        MetaKeys.ORIGINAL_AFFINE: affine.clone(),
        MetaKeys.SPATIAL_SHAPE: np.asarray(volume.shape),
        MetaKeys.SPACE: SpaceKeys.RAS,
        # "No channel in the file", as MONAI's own reader says it; any number here makes SaveImage count the axes of a
        # volume without channel wrongly and fail on permuted axes (monai 1.6.1).
        MetaKeys.ORIGINAL_CHANNEL_DIM: float("nan"),
        "filename_or_obj": subject,
    }
    return MetaTensor(torch.from_numpy(np.ascontiguousarray(data, dtype=np.float32)), affine=affine, meta=meta)
