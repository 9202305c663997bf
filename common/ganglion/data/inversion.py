"""Bright to dark and dark to bright: an augmentation against the habits of one contrast."""

from collections.abc import Hashable, Mapping
from typing import Any

import torch
from monai.config import KeysCollection
from monai.transforms import MapTransform, RandomizableTransform

from ..keys import IMAGE


class RandInvertBraind(RandomizableTransform, MapTransform):
    """Mirror the intensities of what is not background between their least and their largest: x -> low + high - x.

    Args:
        keys: keys of images (C, ...) on which one decision is taken, each channel by its own range.
        prob: how often.
        background: the value that is left alone.
    """

    def __init__(self, keys: KeysCollection = IMAGE, prob: float = 0.1, background: float = 0.0) -> None:
        MapTransform.__init__(self, keys)
        RandomizableTransform.__init__(self, prob)
        self.background = background

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """The item with each key's image inverted, or all as they are."""
        item = dict(data)
        self.randomize(None)
        if self._do_transform:
            for key in self.key_iterator(item):
                item[key] = torch.stack([self._inverted(channel) for channel in item[key]])
        return item

    def _inverted(self, channel: Any) -> Any:
        brain = channel[channel != self.background]
        if brain.numel() == 0:
            return channel
        return torch.where(channel != self.background, brain.min() + brain.max() - channel, channel)
