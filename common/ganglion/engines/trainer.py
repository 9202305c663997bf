"""The one trainer: networks by name and an ordered list of phases, alternated in each iteration."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, nullcontext
from typing import Any

import torch
from ignite.engine import Engine, Events
from monai.engines import SupervisedTrainer
from monai.engines.utils import IterationEvents
from monai.utils import CommonKeys
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from ..errors import InputError
from ..keys import SUBJECT
from . import processes, trainer_state
from .finite import WatchedState, diverged, first_nonfinite_weight, nonfinite_entries, subjects_of, total_norm
from .phase import Phase, objective_terms
from .randomness import EpochBatches, check_loaders, derive_seed, restore_random_states, seed_sources

PRECISIONS: dict[str, torch.dtype | None] = {"fp32": None, "bf16": torch.bfloat16, "fp16": torch.float16}


class AlternatingTrainer(SupervisedTrainer):
    """Trains several networks in turn, one phase after the other, in each iteration.

    In each iteration and for each phase that is due: gradients are on for the phase's own parameters only; the
    objective runs under autocast; the gradient is averaged over ``accumulate`` batches, checked and clipped; the
    optimiser steps; ``after_step`` and the scheduler follow. Networks that no phase trains stay in eval mode.

    ``engine.state.output`` is ``[{"loss": ..., "<phase>/<term>": ...}]``: one dictionary in a list, the form that
    MONAI's handlers read through ``from_engine(["loss"], first=True)``, of detached float tensors on the CPU, means
    over the accumulated batches. ``loss`` is the latest of the first phase that trains the deployed network (until that
    phase has run once, that of the last phase that ran). A term of a phase that was not due is absent.

    All randomness is drawn anew from (seed, epoch) when an epoch starts, so a training that resumes there is exact.

    Args:
        device: where the networks are trained.
        max_epochs: number of epochs.
        train_data_loader: gives batches: dictionaries of tensors and lists, nested if need be (see `Streams`).
        networks: modules by name; DistributedDataParallel may wrap them.
        deployed: name of the network that is shipped; it is ``trainer.network``, which clients ask for. It may be
            made of other networks here, and be trained by way of them.
        network: what clients get as ``trainer.network`` instead, e.g. `Together`, by which all
            networks travel between the sites of a federated training.
        phases: in the order in which they run.
        epoch_length: iterations in an epoch; default: what the loader gives, divided by ``accumulate``.
        precision: ``"fp32"``, ``"bf16"`` (any device) or ``"fp16"`` (GPU only, one gradient scaler a phase).
        accumulate: batches per iteration. Equals one batch of that many times the size, whatever the phases' order.
        seed: of all randomness from the first epoch on.
        train_handlers: objects with ``attach(engine)``.
        non_blocking: copy batches to the device without waiting.
    """

    def __init__(
        self,
        device: str | torch.device,
        max_epochs: int,
        train_data_loader: Iterable[Any],
        networks: Mapping[str, nn.Module],
        deployed: str,
        phases: Sequence[Phase],
        epoch_length: int | None = None,
        precision: str = "fp32",
        accumulate: int = 1,
        seed: int = 0,
        train_handlers: Sequence[Any] | None = None,
        non_blocking: bool = False,
        network: nn.Module | None = None,
    ) -> None:
        device = torch.device(device)
        self.networks = dict(networks)
        self.phases = list(phases)
        self.deployed, self.precision, self.accumulate, self.seed = deployed, precision, accumulate, seed
        check_loaders(train_data_loader)
        self._check_arguments(device)
        self.lead = next((phase for phase in self.phases if deployed in phase.trains), self.phases[-1])
        super().__init__(
            device=device,
            max_epochs=max_epochs,
            train_data_loader=train_data_loader,
            network=self.networks[deployed] if network is None else network,
            optimizer=self.lead.optimizer,
            loss_function=self.lead.objective,
            epoch_length=self._count_iterations(train_data_loader) if epoch_length is None else epoch_length,
            non_blocking=non_blocking,
            decollate=False,
        )
        self._prepare()
        self.add_event_handler(Events.EPOCH_STARTED, AlternatingTrainer._start_epoch)
        self.add_event_handler(Events.EPOCH_COMPLETED, AlternatingTrainer._end_epoch)
        self._register_handlers(train_handlers or ())

    def _prepare(self) -> None:
        self.last_checkpoint = "none"
        self.scheduled_epoch = 0
        self.on_leave: list[Callable[[], None]] = []
        self._last_loss: Tensor | None = None
        self._pending_random_states: Mapping[str, Any] | None = None
        half = PRECISIONS[self.precision] is torch.float16
        device = self.state.device.type
        self.scalers = {phase.name: torch.amp.GradScaler(device, enabled=half) for phase in self.phases}
        self.unwrapped = {name: unwrap(network) for name, network in self.networks.items()}
        # Lists made once: walking through modules in each iteration would cost more than all checks together.
        self._parameters = {name: list(network.parameters()) for name, network in self.unwrapped.items()}
        self._watched = {name: WatchedState(network) for name, network in self.unwrapped.items()}
        trained = {name for phase in self.phases for name in phase.trains}
        self._train_mode = {name: name in trained for name in self.networks}
        # Trained ones last: one that is deployed may hold them as its parts, without being trained under its own name.
        self._modes = sorted(self.networks, key=self._train_mode.__getitem__)

    def _check_arguments(self, device: torch.device) -> None:
        names = [phase.name for phase in self.phases]
        if not names or len(set(names)) != len(names):
            raise InputError(f"phases are {names}: expected at least one, each with a name of its own")
        if self.deployed not in self.networks:
            raise InputError(f"deployed is {self.deployed!r}, but the networks are {sorted(self.networks)}")
        if self.precision not in PRECISIONS:
            raise InputError(f"precision is {self.precision!r}, expected one of {sorted(PRECISIONS)}")
        if self.precision == "fp16" and device.type == "cpu":
            raise InputError("precision 'fp16' needs a GPU, but the device is the CPU: take 'bf16' or 'fp32'")
        if self.accumulate < 1:
            raise InputError(f"accumulate is {self.accumulate}, expected a whole number from 1 on")
        for network in self.networks.values():
            network.to(device)
        for phase in self.phases:
            phase.check_networks({name: unwrap(network) for name, network in self.networks.items()})
            if isinstance(phase.objective, nn.Module):
                phase.objective.to(device)

    def _count_iterations(self, data: Any) -> int:
        try:
            batches = len(data)
        except TypeError as error:
            raise InputError("the training data have no length: set epoch_length, the iterations an epoch") from error
        if batches == 0:
            raise InputError(
                "the training data give no batch: the list is empty, or shorter than one batch while drop_last is set; "
                "lower batch_size or add subjects"
            )
        return -(-batches // self.accumulate)

    def run(self) -> None:
        """Train until ``state.max_epochs``; each epoch goes through the data anew."""
        try:
            Engine.run(self, data=EpochBatches(self), max_epochs=self.state.max_epochs)
        finally:
            for act in self.on_leave:
                act()

    def _start_epoch(self) -> None:
        seed_sources(derive_seed(self.seed, self.state.epoch, self.state.rank))

    def _end_epoch(self) -> None:
        """Step the schedulers that count epochs, once an epoch even if its end is gone through again after a stop."""
        if self.scheduled_epoch >= self.state.epoch:
            return
        self.scheduled_epoch = self.state.epoch
        for phase in self.phases:
            if phase.scheduler is not None and phase.scheduler_step == "epoch" and phase.runs_in(self.state.epoch):
                phase.scheduler.step()

    def restore_random_states(self) -> None:
        """Put back the random states of a checkpoint that was written within this epoch, if there is one."""
        if self._pending_random_states is not None:
            restore_random_states(self._pending_random_states)
            self._pending_random_states = None

    def _iteration(self, engine: Any, batchdata: Any) -> list[dict[str, Tensor]]:
        batches = batchdata if self.accumulate > 1 else [batchdata]
        batches = [move(batch, self.state.device, self.non_blocking) for batch in batches]
        for name in self._modes:
            self.networks[name].train(self._train_mode[name])
        self.state.output = {} if self._last_loss is None else {CommonKeys.LOSS: self._last_loss}
        checks: list[tuple[Phase, str, Tensor]] = []
        due = [phase for phase in self.phases if phase.due(self.state.iteration, self.state.epoch)]
        for phase in due:
            checks += self._run_phase(phase, batches)
        unseen = [name for name in self.networks if not any(name in phase.trains for phase in due)]
        if unseen:  # running averages above all, which a phase's after_step moves
            checks.append((due[-1] if due else self.lead, "weight", self._norm_of_weights(unseen)))
        self.state.output = [self._check_and_report(checks, batchdata)]
        self.fire_event(IterationEvents.MODEL_COMPLETED)
        return list(self.state.output)

    def _run_phase(self, phase: Phase, batches: list[Any]) -> list[tuple[Phase, str, Tensor]]:
        """One update; returns what must be finite: the terms, the norm of the gradient, the norm of the weights."""
        self._open_gradients(phase)
        networks = {n: self.networks[n] if n in phase.trains else self.unwrapped[n] for n in self.networks}
        sizes = [batch_size(batch) for batch in batches]
        terms: dict[str, Tensor] = {}
        for number, (batch, size) in enumerate(zip(batches, sizes, strict=True)):
            share = size / sum(sizes)
            with self._no_sync(phase, number + 1 < len(batches)), self._autocast():
                for name, value in self._forward(phase, networks, batch, share).items():
                    terms[name] = terms[name] + share * value if name in terms else share * value
        checks = [(phase, f"term '{name}'", value) for name, value in terms.items()]
        norm = self._step(phase)
        if norm is not None:
            checks.append((phase, "gradient", norm))
        return [*checks, (phase, "weight", self._norm_of_weights(phase.trains))]

    def _norm_of_weights(self, names: Iterable[str]) -> Tensor:
        return total_norm([value for name in names for value in self._watched[name].tensors()], self.state.device)

    def _forward(self, phase: Phase, networks: Mapping[str, nn.Module], batch: Any, share: float) -> dict[str, Tensor]:
        terms = objective_terms(phase, networks, batch)
        detached = {name: value.detach().float().reshape(()) for name, value in terms.items()}
        if phase is self.lead or self._last_loss is None:
            self.state.output[CommonKeys.LOSS] = detached["loss"]
        self.fire_event(IterationEvents.FORWARD_COMPLETED)
        self.fire_event(IterationEvents.LOSS_COMPLETED)
        loss = terms["loss"] if share == 1 else terms["loss"] * share
        if loss.requires_grad:  # a constant objective (all weights zero) moves nothing
            with torch.autocast(self.state.device.type, enabled=False):
                self.scalers[phase.name].scale(loss).backward()
        self.fire_event(IterationEvents.BACKWARD_COMPLETED)
        return detached

    def _step(self, phase: Phase) -> Tensor | None:
        """Clip and step; returns the norm of the gradient, which must be finite.

        A scaler (fp16) leaves an update out whose scaled gradient overflows and lowers its scale. Not before the scale
        is below 1, where nothing is enlarged any more, is such a gradient itself at fault.
        """
        scaler, gradients = self.scalers[phase.name], [p.grad for p in phase.parameters if p.grad is not None]
        if not gradients:
            return None
        scaler.unscale_(phase.optimizer)
        norm = total_norm(gradients, self.state.device)
        if phase.grad_clip is not None:
            torch.nn.utils.clip_grads_with_norm_(phase.parameters, phase.grad_clip, norm)
        scaler.step(phase.optimizer)
        scaler.update()
        phase.optimizer.zero_grad(set_to_none=True)
        for act in phase.after_step:
            act([self.unwrapped[name] for name in phase.trains])
        if phase.scheduler is not None and phase.scheduler_step == "update":
            phase.scheduler.step()
        if not scaler.is_enabled():
            return norm
        return torch.where(scaler.scale(torch.ones_like(norm)) < 1, norm, torch.zeros_like(norm))

    def _open_gradients(self, phase: Phase) -> None:
        """Let gradients reach the parameters of this phase's optimiser and no others."""
        own = {id(parameter) for parameter in phase.parameters}
        for parameters in self._parameters.values():
            for parameter in parameters:
                parameter.requires_grad = id(parameter) in own
        phase.optimizer.zero_grad(set_to_none=True)

    def _autocast(self) -> AbstractContextManager[Any]:
        dtype = PRECISIONS[self.precision]
        return nullcontext() if dtype is None else torch.autocast(self.state.device.type, dtype=dtype)

    def _no_sync(self, phase: Phase, hold: bool) -> AbstractContextManager[Any]:
        """Hold back the exchange of gradients between processes until the last batch of the window."""
        stack = ExitStack()
        for name in phase.trains if hold else ():
            network = self.networks[name]
            if isinstance(network, DistributedDataParallel):
                stack.enter_context(network.no_sync())
        return stack

    def _check_and_report(self, checks: list[tuple[Phase, str, Tensor]], batch: Any) -> dict[str, Tensor]:
        """Bring all numbers of the iteration to the CPU in one transfer, stop if one is not finite.

        With several processes they are means over all, so that all stop in the same iteration.
        """
        own = torch.stack([value for _, _, value in checks]) if checks else torch.zeros(0)
        numbers = processes.average(own).cpu() if checks else own
        output: dict[str, Tensor] = {}
        for (phase, what, _), value in zip(checks, numbers, strict=True):
            if not bool(torch.isfinite(value)):
                if what == "weight":
                    names = dict.fromkeys([*phase.trains, *self.networks])
                    what = f"weight {first_nonfinite_weight(self.unwrapped, names) or 'norm'}"
                where = (self.state.epoch, self.state.iteration, self.last_checkpoint)
                at_fault = _batches_at_fault(batch, own)
                raise diverged(phase.name, what, float(value), at_fault, *where, data=self.data_loader)
            if what.startswith("term"):
                output[f"{phase.name}/{what[6:-1]}"] = value
        self._last_loss = output.get(f"{self.lead.name}/loss", self._last_loss)
        losses = [value for name, value in output.items() if name.endswith("/loss")]
        stand_in = losses[-1] if losses else torch.zeros(())
        return {CommonKeys.LOSS: stand_in if self._last_loss is None else self._last_loss, **output}

    def state_dict(self) -> dict[str, Any]:
        """Everything that a training is made of, as tensors and plain containers only."""
        return trainer_state.collect(self)

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue where `state_dict` was taken; an InputError says what does not fit."""
        trainer_state.restore(self, state)

    def postpone_random_states(self, states: Mapping[str, Any] | None) -> None:
        """Keep random states to be put back once the data of a begun epoch have been replayed."""
        self._pending_random_states = states


def _batches_at_fault(batch: Any, numbers: Tensor) -> Any:
    """What `diverged` has to know of the batches whose own numbers are not finite; alone, the batch itself.

    A gradient is shared before it is looked at: then every process has it, and all batches may be at fault.
    """
    if processes.count() == 1:
        return batch
    finite = torch.isfinite(numbers)
    first = int(finite.int().argmin()) if not bool(finite.all()) else len(finite)
    told = {SUBJECT: subjects_of(batch), **{name: torch.tensor(torch.nan) for name in nonfinite_entries(batch)}}
    shares = processes.gather((first, told))
    return [share for order, share in shares if order == min(order for order, _ in shares)]


def unwrap(network: nn.Module) -> nn.Module:
    """The network itself, without DistributedDataParallel around it."""
    return network.module if isinstance(network, (DistributedDataParallel, nn.DataParallel)) else network


def move(value: Any, device: torch.device, non_blocking: bool = False) -> Any:
    """Copy all tensors of a nested batch to a device, as plain tensors: metadata cost time in every operation."""
    if isinstance(value, Tensor):
        return value.as_subclass(Tensor).to(device, non_blocking=non_blocking)
    if isinstance(value, Mapping):
        return {key: move(part, device, non_blocking) for key, part in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)([move(part, device, non_blocking) for part in value])
    return value


def batch_size(batch: Any) -> int:
    """Length of the first tensor of a batch along its first axis."""
    if isinstance(batch, Tensor):
        return len(batch) if batch.ndim else 1
    parts = batch.values() if isinstance(batch, Mapping) else batch if isinstance(batch, (list, tuple)) else ()
    return next((size for size in map(batch_size, parts) if size), 0)
