"""Several data loaders side by side: labelled and unlabelled subjects, unpaired contrasts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from ..errors import InputError
from .randomness import begin_again


class Streams(Iterable[dict[str, Any]]):
    """Draws one batch of each loader per iteration and gives ``{name: batch}``; shorter ones begin again.

    Args:
        loaders: data loaders by name; the longest decides the length. With several processes each loader has a
            sampler of its own, which gives every process the same number of batches.
    """

    def __init__(self, loaders: Mapping[str, Any]) -> None:
        self.loaders = dict(loaders)
        empty = [name for name, loader in self.loaders.items() if len(loader) == 0]
        if not self.loaders or empty:
            raise InputError(f"streams without a batch: {empty or 'none given'}; each stream needs at least one batch")

    def __len__(self) -> int:
        return max(len(loader) for loader in self.loaders.values())

    def __iter__(self) -> Iterator[dict[str, Any]]:
        iterators = {name: _endless(loader) for name, loader in self.loaders.items()}
        for _ in range(len(self)):
            yield {name: next(iterator) for name, iterator in iterators.items()}


def _endless(loader: Any) -> Iterator[Any]:
    while True:
        yield from loader
        begin_again(loader)
