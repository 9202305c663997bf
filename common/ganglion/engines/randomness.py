"""Seeds and states of every random source, so that an epoch can be entered again as if it had never been left."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import Any

import numpy as np
import torch
from monai.data.utils import set_rnd

from ..errors import InputError

PASS = 1_000_000  # more than there are epochs: what a sampler's epoch grows by in a further pass of one epoch


def derive_seed(*parts: int) -> int:
    """A seed of 32 bits from whole numbers (seed, epoch, rank, ...); near inputs give unrelated seeds."""
    return int(np.random.SeedSequence([int(part) for part in parts]).generate_state(1)[0])


def seed_sources(seed: int) -> None:
    """Seed the global generators of Python, NumPy and torch (all devices)."""
    random.seed(seed)
    np.random.seed(seed % 2**32)  # noqa: NPY002 - users' transforms may draw from the global generator
    torch.manual_seed(seed)


def random_states() -> dict[str, Any]:
    """The states of the global generators, as tensors and plain containers only."""
    version, python, gauss = random.getstate()
    name, keys, position, has_gauss, cached = np.random.get_state(legacy=True)  # noqa: NPY002
    return {
        "python": {"version": version, "state": list(python), "gauss": gauss},
        "numpy": {
            "name": str(name),
            "keys": torch.from_numpy(np.asarray(keys).astype(np.int64)),
            "position": int(position),
            "has_gauss": int(has_gauss),
            "cached": float(cached),
        },
        "torch": torch.get_rng_state(),
        "cuda": list(torch.cuda.get_rng_state_all()) if torch.cuda.is_available() else [],
    }


def restore_random_states(states: Mapping[str, Any]) -> None:
    """Put the global generators back into the states that `random_states` returned."""
    python, numpy = states["python"], states["numpy"]
    random.setstate((python["version"], tuple(python["state"]), python["gauss"]))
    keys = numpy["keys"].numpy().astype(np.uint32)
    state = (numpy["name"], keys, numpy["position"], numpy["has_gauss"], numpy["cached"])
    np.random.set_state(state)  # noqa: NPY002
    torch.set_rng_state(states["torch"].cpu())
    if states["cuda"] and torch.cuda.device_count() == len(states["cuda"]):
        torch.cuda.set_rng_state_all([state.cpu() for state in states["cuda"]])


def loaders_of(data: Any) -> list[Any]:
    """The data loaders inside what the trainer was given: itself, or the parts of a `Streams`."""
    parts = getattr(data, "loaders", None)
    return [data] if parts is None else list(parts.values())


def check_loaders(data: Any) -> None:
    """Raise an InputError for a loader whose workers outlive an epoch: their transforms' states cannot be set anew."""
    if any(getattr(loader, "persistent_workers", False) for loader in loaders_of(data)):
        raise InputError(
            "the training's DataLoader has persistent_workers, whose random states outlive an epoch, so that no resume "
            "could be exact: set persistent_workers to false"
        )


def begin_again(loader: Any) -> None:
    """Another pass over a loader within one epoch: another order and other draws, the same in every process."""
    for name in ("sampler", "batch_sampler"):
        holder: Any = getattr(loader, name, None)
        if hasattr(holder, "set_epoch") and hasattr(holder, "epoch"):
            holder.set_epoch(holder.epoch + PASS)
    dataset: Any = getattr(loader, "dataset", None)
    if hasattr(dataset, "begin_pass"):
        dataset.begin_pass(derive_seed(dataset.seed, 1))


def seed_items(loader: Any, seed: int) -> None:
    """Tell a data set whose transforms are seeded for each item that a pass begins; others are left alone."""
    begin = getattr(getattr(loader, "dataset", None), "begin_pass", None)
    if begin is not None:
        begin(seed)


def start_pass(data: Any, seed: int, shared_seed: int, epoch: int, repeat: int) -> Iterator[Any]:
    """Begin one pass over the data whose order and augmentation depend on the arguments only.

    Seeds the data sets' own transforms, the samplers and the loaders' generators, then draws the first batch, since
    samplers draw their order from the global generator at that moment; the global generators are put back after it.
    ``seed`` is this process's own, ``shared_seed`` the same in all processes.
    """
    for number, loader in enumerate(loaders_of(data)):
        own = derive_seed(seed, number, 1)
        set_rnd(getattr(loader, "dataset", None), own)
        seed_items(loader, derive_seed(shared_seed, number))
        for holder in (loader, getattr(loader, "sampler", None)):
            generator = getattr(holder, "generator", None)
            if isinstance(generator, torch.Generator):
                generator.manual_seed(own)
        for name in ("sampler", "batch_sampler"):
            set_epoch = getattr(getattr(loader, name, None), "set_epoch", None)
            if set_epoch is not None:
                set_epoch(epoch + PASS * repeat)
    before = random_states()
    seed_sources(seed)
    iterator = iter(data)
    first = next(iterator, _NOTHING)
    restore_random_states(before)
    if first is not _NOTHING:
        yield first
        yield from iterator


_NOTHING = object()


class EpochBatches(Iterable[Any]):
    """What Ignite iterates over: the batches of one epoch, begun anew at each epoch.

    One item is what one iteration needs: a batch, or a list of ``accumulate`` batches. Data shorter than the epoch are
    gone through again.

    Args:
        trainer: gives the data, the epoch, its length, the seed, and how many of its iterations are done already.
    """

    def __init__(self, trainer: Any) -> None:
        self.trainer = trainer

    def __len__(self) -> int:
        return int(self.trainer.state.epoch_length)

    def __iter__(self) -> Iterator[Any]:
        trainer, state = self.trainer, self.trainer.state
        done = max(0, state.iteration - (state.epoch - 1) * state.epoch_length)
        windows = self._windows(state.epoch, state.epoch_length)
        for _ in islice(windows, done):  # a begun epoch: go through what it has used, for the data's own random states
            pass
        trainer.restore_random_states()
        yield from windows

    def _windows(self, epoch: int, length: int) -> Iterator[Any]:
        trainer, made = self.trainer, 0
        for repeat in range(length):
            window: list[Any] = []
            seed = derive_seed(trainer.seed, epoch, trainer.state.rank, repeat)
            shared_seed = derive_seed(trainer.seed, epoch, repeat)
            for batch in start_pass(trainer.data_loader, seed, shared_seed, epoch, repeat):
                window.append(batch)
                if len(window) == trainer.accumulate:
                    yield window if trainer.accumulate > 1 else window[0]
                    made, window = made + 1, []
                if made == length:
                    return
            if window:
                yield window
                made += 1
            if made >= length:
                return
