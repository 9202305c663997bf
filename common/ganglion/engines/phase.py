"""One phase of an adversarial training: which networks move, by which optimiser, on which objective, how often."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler, ReduceLROnPlateau

from ..errors import InputError

Objective = Callable[[Mapping[str, nn.Module], Any], Mapping[str, Any]]
AfterStep = Callable[[Sequence[nn.Module]], None]


class Phase:
    """A named step of each iteration of the trainer.

    Args:
        name: prefix of this phase's terms in the trainer's output (``<name>/<term>``) and in the history.
        trains: names of the networks that this phase updates.
        optimizer: holds exactly the parameters that this phase trains; they must belong to ``trains``. Parameters of a
            trained network that the optimiser does not hold stay as they are. Phases may share one optimiser.
        objective: called as ``objective(networks, batch)``; returns named scalar terms, of which ``loss`` is
            minimised. Its ``state_dict``, if it has one (running statistics of a penalty), is checkpointed.
        every: run in each n-th iteration, counted from 1: ``every=16`` runs in iterations 16, 32, ... A lazy
            regulariser is a phase with ``every``; n_critic is ``every`` of the generator's phase.
        start_epoch: first epoch (counted from 1) in which the phase runs.
        end_epoch: last epoch in which it runs; None for all that follow. What it trained is frozen from then on.
        grad_clip: largest total norm of the gradient; None leaves it as it is.
        after_step: called in order after each update with the list of the trained networks (clamps, averages).
        scheduler: a scheduler of ``optimizer``.
        scheduler_step: ``"update"`` steps the scheduler after each update of this phase, ``"epoch"`` at the end of
            each epoch.
    """

    def __init__(
        self,
        name: str,
        trains: str | Sequence[str],
        optimizer: Optimizer,
        objective: Objective,
        every: int = 1,
        start_epoch: int = 1,
        grad_clip: float | None = None,
        after_step: AfterStep | Sequence[AfterStep] = (),
        scheduler: LRScheduler | None = None,
        scheduler_step: str = "update",
        end_epoch: int | None = None,
    ) -> None:
        self.name = name
        self.trains = (trains,) if isinstance(trains, str) else tuple(trains)
        self.optimizer = optimizer
        self.objective = objective
        self.every = every
        self.start_epoch = start_epoch
        self.end_epoch = end_epoch
        self.grad_clip = grad_clip
        self.after_step: tuple[AfterStep, ...] = (after_step,) if callable(after_step) else tuple(after_step)
        self.scheduler = scheduler
        self.scheduler_step = scheduler_step
        self._check_arguments()

    def _check_arguments(self) -> None:
        if not self.name or "/" in self.name:
            raise InputError(f"phase name {self.name!r} must be a word without '/'")
        if not self.trains:
            raise InputError(f"phase {self.name!r} trains no network: leave the phase out to freeze a network")
        if self.every < 1 or self.start_epoch < 1:
            raise InputError(f"phase {self.name!r}: every={self.every} and start_epoch={self.start_epoch} begin at 1")
        if self.end_epoch is not None and self.end_epoch < self.start_epoch:
            raise InputError(
                f"phase {self.name!r}: end_epoch={self.end_epoch} is before start_epoch={self.start_epoch}; leave the "
                "phase out to freeze its networks"
            )
        if self.grad_clip is not None and not self.grad_clip > 0:
            raise InputError(f"phase {self.name!r}: grad_clip={self.grad_clip} must be above 0, or null for none")
        if self.scheduler_step not in ("update", "epoch"):
            raise InputError(
                f"phase {self.name!r}: scheduler_step is {self.scheduler_step!r}, expected 'update' or 'epoch'"
            )
        if isinstance(self.scheduler, ReduceLROnPlateau):
            raise InputError(f"phase {self.name!r}: ReduceLROnPlateau needs a metric, take a schedule of steps instead")

    @property
    def parameters(self) -> list[nn.Parameter]:
        """The parameters that the optimiser holds, in its order."""
        return [parameter for group in self.optimizer.param_groups for parameter in group["params"]]

    def state_dict(self) -> dict[str, Any]:
        """States of what follows an update, by place in ``after_step``; all else of a phase is kept elsewhere."""
        acts = enumerate(self.after_step)
        return {str(number): act.state_dict() for number, act in acts if hasattr(act, "state_dict")}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Put those states back."""
        for number, part in state.items():
            holder: Any = self.after_step[int(number)]
            holder.load_state_dict(part)

    def due(self, iteration: int, epoch: int) -> bool:
        """Whether the phase runs in this iteration of this epoch (both counted from 1)."""
        return self.runs_in(epoch) and iteration % self.every == 0

    def runs_in(self, epoch: int) -> bool:
        """Whether an epoch (counted from 1) is one of those in which the phase runs."""
        return self.start_epoch <= epoch and (self.end_epoch is None or epoch <= self.end_epoch)

    def check_networks(self, networks: Mapping[str, nn.Module]) -> None:
        """Raise an InputError unless the trained networks exist and own every parameter of the optimiser."""
        for name in self.trains:
            if name not in networks:
                raise InputError(f"phase {self.name!r} trains {name!r}, but the networks are {sorted(networks)}")
        own = {id(parameter) for name in self.trains for parameter in networks[name].parameters()}
        for other, network in networks.items():
            held = {id(parameter) for parameter in network.parameters()} & {id(p) for p in self.parameters}
            if held - own:
                raise InputError(
                    f"phase {self.name!r} trains {list(self.trains)}, but its optimizer holds {len(held - own)} "
                    f"parameters of {other!r}: give it the parameters of the trained networks only"
                )
        if not {id(parameter) for parameter in self.parameters} <= own:
            raise InputError(f"phase {self.name!r}: its optimizer holds parameters of none of {list(self.trains)}")


def objective_terms(phase: Phase, networks: Mapping[str, nn.Module], batch: Any) -> dict[str, Tensor]:
    """Call the objective of a phase and check what it returns."""
    terms = dict(phase.objective(networks, batch))
    if "loss" not in terms:
        raise InputError(f"the objective of phase {phase.name!r} returned {sorted(terms)}, expected a term 'loss'")
    for name, value in terms.items():
        if not isinstance(value, Tensor):
            terms[name] = torch.as_tensor(value, dtype=torch.float32)
        if terms[name].numel() != 1:
            raise InputError(
                f"term {name!r} of phase {phase.name!r} has shape {tuple(terms[name].shape)}, expected one number"
            )
    return terms
