"""Random transforms and draws that depend on the item and the pass, not on which process draws it, or when."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from monai.data import Dataset
from monai.data.utils import set_rnd

from ..errors import InputError


class SeededItems(Dataset):
    """A data set around another one, whose random transforms are seeded anew for each item.

    Two processes that share a pass over the data thus give the very items that one process would give, whatever the
    number of workers. Transforms that draw from the global generators of Python, NumPy or torch are not covered.

    Args:
        dataset: a data set of MONAI's, with ``transform``.
    """

    def __init__(self, dataset: Any) -> None:
        super().__init__(dataset.data, None)
        self.dataset = dataset
        self.seed = 0

    def begin_pass(self, seed: int) -> None:
        """Begin another pass over the data; the same seed in every process."""
        self.seed = seed

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, index: int) -> Any:
        seed = np.random.SeedSequence([self.seed, int(index)]).generate_state(1)[0]
        set_rnd(self.dataset.transform, int(seed))
        return self.dataset[index]


class DrawnItems(SeededItems):
    """A pass of stated length over a data set of few items: each is drawn as often as any other, or once more.

    One random order of all items follows the other. The k-th draw of a pass has augmentation of its own, the same
    whoever draws it, so that processes which share out the draws give what one process would give.

    Args:
        dataset: a data set of MONAI's, with ``transform``.
        length: draws in a pass.
    """

    def __init__(self, dataset: Any, length: int) -> None:
        super().__init__(dataset)
        if length < 1 or len(dataset) == 0:
            raise InputError(f"found {length} draws in a pass from {len(dataset)} items, expected one of each or more.")
        self.length = length

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, index: int) -> Any:
        seed = np.random.SeedSequence([self.seed, int(index)]).generate_state(1)[0]
        set_rnd(self.dataset.transform, int(seed))
        round_number, place = divmod(int(index), len(self.dataset))
        order = np.random.default_rng([self.seed, round_number, 1]).permutation(len(self.dataset))
        return self.dataset[int(order[place])]


class MixedItems(Dataset):
    """A pass of stated length over several data sets, each drawn from with a share of its own.

    Which set the k-th draw is from depends on the pass and k alone, and so does what is drawn from it.

    Args:
        datasets: data sets of MONAI's, with ``transform``.
        shares: how often each is drawn from, in any unit; one that is never drawn from has 0.
        length: draws in a pass.
    """

    def __init__(self, datasets: Sequence[Any], shares: Sequence[float], length: int) -> None:
        if len(datasets) != len(shares) or min(shares, default=-1.0) < 0 or not sum(shares) > 0:
            raise InputError(
                f"found shares {list(shares)} of {len(datasets)} data sets, expected one of each, from 0 on."
            )
        used = [(dataset, share) for dataset, share in zip(datasets, shares, strict=True) if share > 0]
        self.parts = [DrawnItems(dataset, length) for dataset, _ in used]
        super().__init__([item for part in self.parts for item in part.data], None)
        self.limits = np.cumsum([share for _, share in used]) / sum(shares)
        self.length, self.seed = length, 0

    def begin_pass(self, seed: int) -> None:
        """Begin another pass over the data; the same seed in every process."""
        self.seed = seed
        for number, part in enumerate(self.parts):
            part.begin_pass(int(np.random.SeedSequence([seed, number, 3]).generate_state(1)[0]))

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, index: int) -> Any:
        place = np.random.default_rng([self.seed, int(index), 2]).random()
        return self.parts[int(np.searchsorted(self.limits, place, side="right"))][index]
