"""Slices of a volume that are worth drawing from."""

from collections.abc import Hashable, Mapping
from typing import Any

import torch
from monai.config import KeysCollection
from monai.transforms import MapTransform

from ..errors import InputError
from ..keys import IMAGE, LABEL, SUBJECT


class KeepSlicesd(MapTransform):
    """Keep the slices along the last axis that show enough of the brain: (C, X, Y, Z) -> (C, X, Y, fewer).

    Meant after the plane has its final size and before intensities are shifted: the brain is what is not 0 in any
    channel.

    Args:
        keys: keys of channel-first volumes on one grid.
        source_key: key of the image whose brain counts.
        share: least share of the plane's pixels that are brain.
        tumour_only: whether a slice must show a label besides 0 as well.
        label_key: key of the label map that `tumour_only` looks at.

    Raises:
        InputError: when no slice of a volume is left, with the subject's name.
    """

    def __init__(
        self,
        keys: KeysCollection = (IMAGE, LABEL),
        source_key: str = IMAGE,
        share: float = 0.05,
        tumour_only: bool = False,
        label_key: str = LABEL,
    ) -> None:
        super().__init__(keys)
        if not 0 <= share <= 1:
            raise InputError(f"KeepSlicesd: share is {share}, expected a number from 0 to 1.")
        self.source_key, self.share = source_key, share
        self.tumour_only, self.label_key = tumour_only, label_key

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """The item with the same slices of each key."""
        item = dict(data)
        brain = torch.as_tensor(item[self.source_key] != 0).any(dim=0)
        kept = brain.float().mean(dim=(0, 1)) >= max(self.share, 1e-9)
        if self.tumour_only:
            kept &= torch.as_tensor(item[self.label_key] != 0).any(dim=0).any(dim=0).any(dim=0)
        if not bool(kept.any()):
            name = item.get(SUBJECT, getattr(item[self.source_key], "meta", {}).get("filename_or_obj", "a volume"))
            more = " and a tumour" if self.tumour_only else ""
            raise InputError(
                f"subject {name}: found no slice with brain on {100 * self.share:g} % of the plane{more}, expected one "
                "or more. Take a smaller resolution or spacing that fills the plane, or drop the subject."
            )
        for key in self.key_iterator(item):
            item[key] = item[key][..., kept.nonzero().squeeze(1)]
        return item
