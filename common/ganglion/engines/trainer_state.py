"""What a checkpoint of the trainer holds, and how it is put back."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from ..errors import InputError
from .randomness import random_states

if TYPE_CHECKING:
    from .trainer import AlternatingTrainer

FORMAT = 1


def collect(trainer: AlternatingTrainer) -> dict[str, Any]:
    """Networks, optimisers, schedulers, scalers, objectives, counters and random states."""
    state = trainer.state
    return {
        "format": FORMAT,
        "deployed": trainer.deployed,
        "epoch": int(state.epoch),
        "iteration": int(state.iteration),
        "epoch_length": int(state.epoch_length),
        "seed": int(trainer.seed),
        "scheduled_epoch": trainer.scheduled_epoch,
        "loss": trainer._last_loss,
        "random": random_states(),
        "networks": {name: plain(network.state_dict(), name) for name, network in trainer.unwrapped.items()},
        "phases": {phase.name: list(phase.trains) for phase in trainer.phases},
        **{part: _collect_part(trainer, pick, part) for part, pick in _parts(trainer).items()},
    }


def collect_own(trainer: AlternatingTrainer) -> dict[str, Any]:
    """What each of several processes has for itself: random states, and running statistics of objectives."""
    part = "objectives"
    return {"random": random_states(), part: _collect_part(trainer, _parts(trainer)[part], part)}


def _parts(trainer: AlternatingTrainer) -> dict[str, Callable[[Any], Any]]:
    return {
        "optimizers": lambda phase: phase.optimizer,
        "schedulers": lambda phase: phase.scheduler,
        "scalers": lambda phase: trainer.scalers[phase.name],
        "objectives": lambda phase: phase.objective,
        "after_steps": lambda phase: phase,
    }


def _stateful(trainer: AlternatingTrainer, pick: Callable[[Any], Any]) -> dict[str, Any]:
    """Objects with a state by phase; one that several phases share is listed once."""
    found: dict[int, tuple[str, Any]] = {}
    for phase in trainer.phases:
        holder = pick(phase)
        if hasattr(holder, "state_dict"):
            found.setdefault(id(holder), (phase.name, holder))
    return dict(found.values())


def _collect_part(trainer: AlternatingTrainer, pick: Callable[[Any], Any], part: str) -> dict[str, Any]:
    return {name: plain(holder.state_dict(), f"{part} of {name}") for name, holder in _stateful(trainer, pick).items()}


def restore(trainer: AlternatingTrainer, state: Mapping[str, Any]) -> None:
    """Put a collected state back after checking that it belongs to a training of the same make."""
    check_fits(trainer, state)
    for name, network in trainer.unwrapped.items():
        network.load_state_dict(state["networks"][name], strict=True)
    for part, pick in _parts(trainer).items():
        for name, holder in _stateful(trainer, pick).items():
            if state.get(part, {}).get(name):  # a part that came with a later version may be missing
                holder.load_state_dict(state[part][name])
    trainer._last_loss = state["loss"]
    trainer.scheduled_epoch = state["scheduled_epoch"]
    trainer.state.iteration = state["iteration"]
    trainer.state.epoch = state["epoch"]
    begun = state["iteration"] < state["epoch"] * state["epoch_length"]
    if begun:  # Ignite counts this epoch up again when it enters it
        trainer.state.epoch -= 1
    trainer.postpone_random_states(state["random"] if begun else None)


def check_fits(trainer: AlternatingTrainer, state: Mapping[str, Any]) -> None:
    """Raise an InputError that names the first difference between a checkpoint and the configuration."""
    phases = {phase.name: list(phase.trains) for phase in trainer.phases}
    expected = {
        "format": FORMAT,
        "phases": phases,
        "networks": sorted(trainer.networks),
        "deployed": trainer.deployed,
        "epoch_length": trainer.state.epoch_length,
        "seed": trainer.seed,
    }
    found = {key: state.get(key) for key in expected} | {"networks": sorted(state.get("networks", {}))}
    for key, value in expected.items():
        if found[key] != value:
            raise InputError(f"the checkpoint is of another training: its {key} is {found[key]}, expected {value}")
    if list(phases) != list(state["phases"]):
        raise InputError(f"the checkpoint is of another training: its phases run as {list(state['phases'])}")
    for name, network in trainer.unwrapped.items():
        mismatch = first_mismatch(network.state_dict(), state["networks"][name])
        if mismatch:
            raise InputError(f"the checkpoint is of another network '{name}': {mismatch}")


def first_mismatch(expected: Mapping[str, Any], found: Mapping[str, Any]) -> str | None:
    """The first difference in names or shapes between two state dicts, in words."""
    missing, surplus = [k for k in expected if k not in found], [k for k in found if k not in expected]
    for key, value in expected.items():
        if key in found and isinstance(value, Tensor):
            shape = tuple(found[key].shape) if isinstance(found[key], Tensor) else type(found[key]).__name__
            if shape != tuple(value.shape):
                return f"'{key}' has shape {shape}, expected {tuple(value.shape)}"
    if missing:
        return f"'{missing[0]}' is missing ({len(missing)} of {len(expected)} entries)"
    return f"'{surplus[0]}' is not part of this network ({len(surplus)} surplus entries)" if surplus else None


def plain(value: Any, where: str) -> Any:
    """The value with tensors on the CPU and plain containers only, which ``weights_only`` loading accepts."""
    if isinstance(value, Tensor):
        return value.detach().as_subclass(Tensor).cpu().clone()  # no alias of memory that training goes on to change
    if value is None or isinstance(value, (bool, int, float, str)):
        return value.item() if isinstance(value, np.generic) else value
    if isinstance(value, Counter):
        return Counter(value)
    if isinstance(value, Mapping):
        return {plain(key, where): plain(part, where) for key, part in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(plain(part, where) for part in value)
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray):
        return torch.from_numpy(value.copy())
    raise InputError(
        f"the state of {where} holds a {type(value).__name__}: only tensors and plain containers may be saved"
    )
