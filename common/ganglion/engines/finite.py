"""Stop at the first value that is not finite, and say where it arose."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import chain
from typing import Any

import torch
from torch import Tensor, nn

from ..errors import DivergedError
from ..keys import SUBJECT


def total_norm(tensors: Iterable[Tensor], device: torch.device) -> Tensor:
    """Norm of all values of the tensors together, left on the device; not finite if one value is not finite."""
    values = [tensor.detach() for tensor in tensors]
    return torch.nn.utils.get_total_norm(values).float().to(device) if values else torch.zeros((), device=device)


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
    """Names of the entries of a batch that hold values which are not finite."""
    if isinstance(batch, Mapping):
        return [found for key, value in batch.items() for found in nonfinite_entries(value, f"{prefix}{key}.")]
    if isinstance(batch, (list, tuple)):
        return [found for value in batch for found in nonfinite_entries(value, prefix)]
    if isinstance(batch, Tensor) and batch.is_floating_point() and not bool(torch.isfinite(batch).all()):
        return [prefix.rstrip(".") or "batch"]
    return []


def diverged(phase: str, what: str, value: float, batch: Any, epoch: int, iteration: int, last: str) -> DivergedError:
    """The error that names the phase, the term, the subjects and the last good checkpoint, in one line."""
    subjects = ", ".join(dict.fromkeys(subjects_of(batch))) or "not named in the batch"
    entries = ", ".join(dict.fromkeys(nonfinite_entries(batch)))
    cause = f"; the batch's {entries} already held values that are not finite" if entries else ""
    return DivergedError(
        f"training diverged in epoch {epoch}, iteration {iteration}: {what} of phase '{phase}' is {value}{cause}; "
        f"subjects: {subjects}; last good checkpoint: {last}; lower the learning rate or check these subjects' files"
    )
