"""Stop at the first value that is not finite, and say where it arose."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import chain
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ..errors import DivergedError
from ..keys import IMAGE, SUBJECT
from .randomness import loaders_of

MOST_FILES = 16


def total_norm(tensors: Iterable[Tensor], device: torch.device) -> Tensor:
    """Norm of all values of the tensors together, left on the device; not finite if one value is not finite."""
    values = [tensor.detach() for tensor in tensors]
    return torch.nn.utils.get_total_norm(values).float().to(device) if values else torch.zeros((), device=device)


class WatchedState:
    """Parameters and floating-point buffers of a network; where they lie is found once, since walking is slow.

    A module may put another tensor in place of a buffer at any time, so the tensors themselves are not kept.
    """

    def __init__(self, network: nn.Module) -> None:
        holders = [holder for module in network.modules() for holder in (module._parameters, module._buffers)]
        self._places = [
            (holder, key)
            for holder in holders
            for key, value in holder.items()
            if value is not None and value.is_floating_point()
        ]

    def tensors(self) -> list[Tensor]:
        """The tensors as they are now."""
        return [value for holder, key in self._places if (value := holder[key]) is not None]


def floating_state(network: nn.Module) -> dict[str, Tensor]:
    """Parameters and floating-point buffers of a network by name."""
    named = chain(network.named_parameters(), network.named_buffers())
    return {name: value for name, value in named if value.is_floating_point()}


def first_nonfinite_weight(networks: Mapping[str, nn.Module], names: Iterable[str]) -> str | None:
    """Name, as ``<network>.<parameter>``, of the first tensor of the named networks with a value that is not finite."""
    for name in names:
        for key, value in floating_state(networks[name]).items():
            if not bool(torch.isfinite(value).all()):
                return f"{name}.{key}"
    return None


def subjects_of(batch: Any) -> list[str]:
    """Names of the subjects in a batch: its ``subject`` entry, else the names that its images carry."""
    if isinstance(batch, (list, tuple)):
        return [name for part in batch for name in subjects_of(part)]
    if not isinstance(batch, Mapping):
        return []
    names = batch.get(SUBJECT)
    if names is None:
        for value in batch.values():
            names = names or getattr(value, "meta", {}).get("filename_or_obj")
    if names is None:
        return [name for value in batch.values() if isinstance(value, Mapping) for name in subjects_of(value)]
    return [str(name) for name in ([names] if isinstance(names, str) else list(names))]


def nonfinite_entries(batch: Any, prefix: str = "") -> list[str]:
    """Names of the entries of nested containers that hold tensors with values which are not finite."""
    if isinstance(batch, Mapping):
        return [found for key, value in batch.items() for found in nonfinite_entries(value, f"{prefix}{key}.")]
    if isinstance(batch, (list, tuple)):
        return [found for value in batch for found in nonfinite_entries(value, prefix)]
    if isinstance(batch, Tensor) and batch.is_floating_point() and not bool(torch.isfinite(batch).all()):
        return [prefix.rstrip(".") or "batch"]
    return []


def nonfinite_subjects(batch: Any) -> list[str]:
    """Names of the subjects whose own part of a batch holds values that are not finite."""
    if isinstance(batch, (list, tuple)):
        return [name for part in batch for name in nonfinite_subjects(part)]
    if not isinstance(batch, Mapping):
        return []
    names, found = subjects_of(batch), [name for value in batch.values() for name in nonfinite_subjects(value)]
    for value in batch.values():
        if isinstance(value, Tensor) and value.is_floating_point() and value.shape[:1] == (len(names),):
            whole = torch.isfinite(value.detach().as_subclass(Tensor).flatten(1)).all(1) if value.ndim > 1 else None
            rows = torch.isfinite(value) if whole is None else whole
            found += [name for name, good in zip(names, rows.tolist(), strict=True) if not good]
    return found


def files_of(subjects: Iterable[str], data: Any) -> list[str]:
    """Image files of subjects, as folder and name, from the lists behind the data loaders."""
    wanted, found = set(subjects), []
    for loader in loaders_of(data):
        items = getattr(getattr(loader, "dataset", None), "data", None)
        for item in items if isinstance(items, (list, tuple)) else ():
            if isinstance(item, Mapping) and str(item.get(SUBJECT)) in wanted:
                image = item.get(IMAGE)
                files = image if isinstance(image, (list, tuple)) else [image]
                found += ["/".join(Path(file).parts[-2:]) for file in files if isinstance(file, (str, Path))]
    return list(dict.fromkeys(found))


def describe_cases(batch: Any, data: Any) -> str:
    """The subjects of a batch and their files in words; of those alone whose values were not finite, if any were."""
    entries, bad = dict.fromkeys(nonfinite_entries(batch)), dict.fromkeys(nonfinite_subjects(batch))
    subjects = dict.fromkeys(subjects_of(batch))
    files = files_of(bad or subjects, data)
    more = [f"and {len(files) - MOST_FILES} more"] if len(files) > MOST_FILES else []
    whose = f" ({', '.join(bad)})" if bad else ""
    parts = [f"the batch's {', '.join(entries)} already held values that are not finite{whose}"] if entries else []
    parts += [f"subjects: {', '.join(subjects) or 'not named in the batch'}"]
    parts += [f"files: {', '.join(files[:MOST_FILES] + more)}"] if files else []
    return "; ".join(parts)


def diverged(
    phase: str, what: str, value: float, batch: Any, epoch: int, iteration: int, last: str, data: Any = None
) -> DivergedError:
    """The error that names the phase, the term, the cases and the last good checkpoint, in one line."""
    return DivergedError(
        f"training diverged in epoch {epoch}, iteration {iteration}: {what} of phase '{phase}' is {value}; "
        f"{describe_cases(batch, data)}; last good checkpoint: {last}; "
        "lower the learning rate or check these subjects' files"
    )
