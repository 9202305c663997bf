"""The one handler of a training: its run folder, checkpoints, resume, signals, history and final weights."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ignite.engine import Engine, Events

from ...errors import DivergedError, InputError, StorageError
from ...lock import RunLock
from .. import processes
from ..finite import first_nonfinite_weight, nonfinite_entries
from ..randomness import loaders_of
from ..trainer import AlternatingTrainer
from ..trainer_state import collect_own, plain
from .best import BestWeights
from .checkpoint import Checkpoints, check_writable, holds, save_atomically, sweep
from .deadline import Deadline
from .history import History, scalar_metrics
from .progress import Progress
from .record import attach_log, record_run, set_aside, subjects_digest
from .signals import StopSignals
from .tensorboard import Curves

logger = logging.getLogger(__name__)
PARTS = ("trainer", "history", "best", "closed_epoch")  # of every checkpoint


class TrainingRun:
    """Everything around a training that nobody edits, as one entry of ``train#handlers``.

    The same command again continues the run: the newest whole checkpoint in ``run_dir`` is taken. A finished run says
    so and changes nothing, unless ``max_epochs`` was raised or the training's subjects are others: then what it left
    moves to ``former-<n>/`` and a new run begins. A second process is refused. SIGTERM, SIGINT and a time limit save at
    the end of the current iteration (or of the current validation batch) and leave with exit code 143, 130 or 75.

    ``run_dir`` holds ``checkpoints/``, ``networks/<name>.pt`` (plain state dicts, at the end), ``history.csv``,
    ``config.json``, ``tensorboard/``, ``run.lock`` and ``log.txt``.

    Args:
        run_dir: the run's folder; None keeps nothing on disk (federated learning).
        deploy_to: file for the deployed network's weights at the end; the former is kept as ``<file>.previous``.
        validator: evaluator that a ValidationHandler runs; the epoch with its best key metric gives the final weights.
            Without one the last epoch does.
        patience: end when that many epochs have passed since the best validation; None goes on to the last epoch.
        save_every: epochs between checkpoints.
        keep: checkpoints that are kept.
        resume: False refuses a folder that holds a run already.
        tensorboard: write curves to ``run_dir/tensorboard``.
        log_every: iterations between points of the curves.
        progress: force the bar on or off; None asks the terminal.
        time_limit: minutes from the program's start after which it saves and ends; None is without limit.
    """

    def __init__(
        self,
        run_dir: str | Path | None,
        deploy_to: str | Path | None = None,
        validator: Any = None,
        patience: int | None = None,
        save_every: int = 1,
        keep: int = 2,
        resume: bool = True,
        tensorboard: bool = True,
        log_every: int = 10,
        progress: bool | None = None,
        time_limit: float | None = None,
    ) -> None:
        self.run_dir = None if run_dir is None else Path(run_dir)
        self.deploy_to = None if deploy_to is None else Path(deploy_to)
        self.validator = validator
        self.patience = patience
        self.save_every = save_every
        self.resume = resume
        self.tensorboard = tensorboard
        self.log_every = log_every
        self.keep = keep
        self.best = BestWeights(getattr(validator, "metric_cmp_fn", lambda new, former: new > former))
        self.progress = Progress(progress)
        self.stop = StopSignals()
        self.deadline = Deadline(time_limit)
        self.history = History(None)
        self.curves: Curves | None = None
        self.checkpoints: Checkpoints | None = None
        self.lock: RunLock | None = None
        self._entered = False
        self._closed_epoch = 0
        self._metrics: dict[str, float] = {}
        self._nothing_to_do = False

    def attach(self, engine: Engine) -> None:
        """Join a trainer; what must come last in an epoch is registered when the training starts."""
        if not isinstance(engine, AlternatingTrainer):
            raise InputError(f"TrainingRun belongs to an AlternatingTrainer, not to a {type(engine).__name__}")
        self.trainer = engine
        engine.add_event_handler(Events.STARTED, self._started)
        engine.on_leave.append(self._leave)

    @property
    def _first(self) -> bool:
        """Whether this process is the one that writes."""
        return bool(self.trainer.state.rank == 0)

    def _started(self) -> None:
        state = self.trainer.state
        if self.run_dir is not None and self._first:
            self.lock = self.lock or RunLock(self.run_dir / "run.lock")
            self.lock.acquire()
        if not self._entered:
            self._enter()
        self._nothing_to_do = self._finished() and self._all_written()
        if self._finished() and state.epoch < state.max_epochs:
            self.trainer.terminate()
        if self._nothing_to_do:
            done = f"{self.run_dir}: finished after epoch {state.epoch}"
            logger.info("%s, nothing to do; raise epochs to go on or choose another run_dir", done)
            self._say_where()
            return
        if self.deploy_to is not None and self._first:
            check_writable(self.deploy_to.parent)
        self.stop.install()
        for engine in (self.trainer, self.validator):
            for loader in loaders_of(getattr(engine, "data_loader", None)):
                self.stop.shelter_workers(loader)

    def _finished(self) -> bool:
        """Whether the last epoch is done, or patience is at its end."""
        state = self.trainer.state
        tired = self.patience is not None and 0 < self.best.epoch <= state.epoch - self.patience
        return bool(state.epoch >= state.max_epochs or tired)

    def _enter(self) -> None:
        """Resume, open the folder's files, and register what follows an iteration and an epoch."""
        self._entered = True
        trainer = self.trainer
        self._subjects = subjects_digest(trainer.data_loader)
        pending = False
        if self.run_dir is not None:
            self.checkpoints = Checkpoints(self.run_dir / "checkpoints", self.keep, PARTS)
            if self._first:
                for folder in (self.run_dir, self.run_dir / "checkpoints", self.run_dir / "networks"):
                    sweep(folder)
                attach_log(self.run_dir / "log.txt")
                self.history.path = self.run_dir / "history.csv"
            pending = self._resume()
            if self._first and not self._finished():
                record_run(self.run_dir / "config.json", trainer)
                if self.tensorboard:
                    self.curves = Curves(self.run_dir / "tensorboard", trainer.state.iteration, self.log_every)
        trainer.add_event_handler(Events.EPOCH_STARTED, self._epoch_started)
        trainer.add_event_handler(Events.ITERATION_COMPLETED, self._iteration_completed)
        if self.validator is not None:
            if processes.count() == 1:  # several do not walk in step there: they stop when the validation is done
                self.validator.add_event_handler(Events.ITERATION_COMPLETED, self._stop_if_asked)
            self.validator.add_event_handler(Events.COMPLETED, self._validated)
        trainer.add_event_handler(Events.EPOCH_COMPLETED, self._epoch_completed)
        trainer.add_event_handler(Events.COMPLETED, self._completed)
        if pending:  # the run was stopped after the last iteration of an epoch, before its end was dealt with
            trainer.fire_event(Events.EPOCH_COMPLETED)

    def _resume(self) -> bool:
        """Load the newest whole checkpoint; whether the epoch it was taken in still has to be closed."""
        found = self.checkpoints.newest_whole() if self.checkpoints and self._first else None
        found = processes.from_first(found)  # so that one folder and one decision hold for all
        if found is None:
            return False
        path, state = found
        if not self.resume:
            raise InputError(f"{self.run_dir}: holds a run already and resume is off; choose another run_dir")
        if state.get("subjects") != self._subjects:
            return self._begin_anew(path)
        try:
            self.trainer.load_state_dict({**state["trainer"], **_own_part(state)})
        except InputError as error:
            raise InputError(f"{path}: {error}; choose another run_dir or the settings of that run") from error
        except (KeyError, TypeError, ValueError, AttributeError, RuntimeError) as error:
            raise InputError(
                f"{path}: does not fit this training ({type(error).__name__}: {error}); choose another run_dir"
            ) from error
        self.history.load_state_dict(state["history"])
        self.best.load_state_dict(state["best"])
        self._closed_epoch = state["closed_epoch"]
        self.trainer.last_checkpoint = str(path)
        logger.info("resuming from %s: epoch %d, iteration %d", path, state["trainer"]["epoch"], self._iteration)
        if not self._finished():
            self.history.write()
        return self._closed_epoch < self.trainer.state.epoch

    def _begin_anew(self, path: Path) -> bool:
        """Other subjects (labelled since, for instance) make another training: begin it if the former is finished."""
        if self.run_dir is None or not self._all_written():
            raise InputError(f"{path}: is of an unfinished training on other subjects; choose another run_dir")
        if self._first:
            logger.warning("the subjects are others than in the finished run: it moves to %s", set_aside(self.run_dir))
        return False

    @property
    def _iteration(self) -> int:
        return int(self.trainer.state.iteration)

    def _epoch_started(self) -> None:
        state = self.trainer.state
        done = state.iteration - (state.epoch - 1) * state.epoch_length
        if done == 0:
            self.history.begin_epoch()
        if self._first:
            self.progress.begin_epoch(state.epoch, state.max_epochs, state.epoch_length, done)

    def _iteration_completed(self) -> None:
        state = self.trainer.state
        output = state.output[0]
        self.history.add(output)
        if self._first:
            self.progress.step(float(output["loss"]))
            if self.curves is not None:
                self.curves.add_iteration(output, state.iteration)
        self._stop_if_asked()

    def _validated(self) -> None:
        """Keep the weights if this validation was the best; runs inside the trainer's end of epoch."""
        state = self.validator.state
        self._metrics = scalar_metrics(state.metrics)
        key = self._metrics.get(state.key_metric_name)
        if key is not None and self.best.offer(key, self.trainer.state.epoch, self.trainer.unwrapped):
            logger.info("best %s so far: %.4f in epoch %d", state.key_metric_name, key, self.best.epoch)

    def _epoch_completed(self) -> None:
        state = self.trainer.state
        self._agree_to_stop()
        row = self.history.end_epoch(state.epoch, state.iteration, self._metrics)
        self._metrics = {}
        self._closed_epoch = state.epoch
        if self._first:
            if self.curves is not None:
                self.curves.add_epoch(row)
            self.progress.end_epoch(row, state.max_epochs)
        leaving = self.stop.received is not None or (self.stop.overdue and not self._finished())
        if leaving or state.epoch % self.save_every == 0 or self._finished():
            self.save()
        if leaving:
            self._stop()
        if self._finished() and state.epoch < state.max_epochs:
            logger.info("no better validation for %d epochs: ending after epoch %d", self.patience, state.epoch)
            self.trainer.terminate()

    def save(self) -> None:
        """Write a checkpoint, or end the run if a weight is not finite; all processes take part, the first writes."""
        self._refuse_spoilt()
        if self.checkpoints is None:
            return
        shares = processes.gather(collect_own(self.trainer)) if processes.count() > 1 else []
        if not self._first:
            return
        state = {
            "trainer": self.trainer.state_dict(),
            "history": self.history.state_dict(),
            "best": self.best.state_dict(),
            "closed_epoch": self._closed_epoch,
            "subjects": self._subjects,
            "processes": shares,
        }
        self.trainer.last_checkpoint = str(self.checkpoints.save(plain(state, "the training"), self._iteration))

    def _refuse_spoilt(self) -> None:
        """Raise a DivergedError if weights or optimisers are not finite: a handler may have seen to that."""
        trainer, state = self.trainer, self.trainer.state
        bad = first_nonfinite_weight(trainer.unwrapped, trainer.unwrapped)
        optimizers = {phase.name: phase.optimizer.state_dict()["state"] for phase in trainer.phases}
        spoilt = [f"weight {bad}"] if bad else nonfinite_entries({"optimizer": optimizers})
        if spoilt:
            raise DivergedError(
                f"training diverged in epoch {state.epoch}, iteration {state.iteration}: {spoilt[0]} is not finite, so "
                f"no checkpoint was written; last good checkpoint: {trainer.last_checkpoint}; lower the learning rate"
            )

    def _stop_if_asked(self) -> None:
        """Save and leave if a signal came or time is up; takes no argument: Ignite would pass the engine as one."""
        self._agree_to_stop()
        if self.stop.received is not None or self.stop.overdue:
            self.save()
            self._stop()

    def _agree_to_stop(self) -> None:
        """A signal that reached one process, or one clock that runs ahead, is obeyed by all in the same iteration."""
        told = processes.largest(self.stop.received or int(self.deadline.passed()))
        if told > 1:  # signals that are taken over have larger numbers
            self.stop.received = told
        self.stop.overdue = told == 1

    def _stop(self) -> None:
        if self.stop.received is not None:
            why = f"stopped by signal {self.stop.received}"
        else:
            why = f"stopped by the time limit of {self.deadline.minutes:g} minutes"
        kept = "nothing is kept without a run_dir"
        if self.checkpoints is not None:
            kept = f"saved {self.trainer.last_checkpoint}; the same command goes on from there"
        logger.info("%s in epoch %d, iteration %d: %s", why, self.trainer.state.epoch, self._iteration, kept)
        processes.leave_processes()  # together: a launcher ends the others, who may be saving, once one has left
        raise SystemExit(self.stop.exit_code)

    def _completed(self) -> None:
        if not self._nothing_to_do and self._first:
            self._write_weights()
            self._say_where()

    def _say_where(self) -> None:
        """One line on where everything lies."""
        parts = [] if self.deploy_to is None else [f"deployed weights {self.deploy_to}"]
        if self.run_dir is not None:
            names = {
                "weights of every network": "networks",
                "checkpoints": "checkpoints",
                "history": "history.csv",
                "TensorBoard": "tensorboard",
                "configuration": "config.json",
                "log": "log.txt",
            }
            there = {what: self.run_dir / name for what, name in names.items() if (self.run_dir / name).exists()}
            parts += [f"{what} {path}" for what, path in there.items()]
        if parts:
            logger.info("where everything lies: %s", ", ".join(parts))

    def _weight_files(self) -> dict[str, Path]:
        folder = self.run_dir / "networks" if self.run_dir is not None else None
        return {} if folder is None else {name: folder / f"{name}.pt" for name in self.trainer.networks}

    def _all_written(self) -> bool:
        return bool(processes.from_first(self._first and self._weights_written()))

    def _weights_written(self) -> bool:
        """Whether the final weights are younger than the newest checkpoint: they may be missing after a kill."""
        saved = self.checkpoints.files() if self.checkpoints else []
        newest = max((file.stat().st_mtime_ns for file in saved), default=0)
        return all(file.exists() and file.stat().st_mtime_ns >= newest for file in self._weight_files().values())

    def _write_weights(self) -> None:
        networks: Mapping[str, Any] = self.best.networks or {
            name: plain(network.state_dict(), name) for name, network in self.trainer.unwrapped.items()
        }
        if self.deploy_to is not None:
            former = self.deploy_to.with_name(f"{self.deploy_to.name}.previous")
            weights = networks[self.trainer.deployed]
            if not holds(self.deploy_to, weights):  # else a former end got as far as this: keep what it put aside
                save_atomically(weights, self.deploy_to, keep_former=former)
            chosen = f"epoch {self.best.epoch}, the best validation" if self.best.networks else "the last epoch"
            logger.info("weights of %s written to %s (%s)", self.trainer.deployed, self.deploy_to, chosen)
        for name, file in self._weight_files().items():
            save_atomically(networks[name], file)

    def _leave(self) -> None:
        """Give back signals, bar and lock, however the training ended."""
        self.stop.remove()
        self.progress.close()
        if self.curves is not None:
            try:
                self.curves.flush()
            except StorageError as error:  # what ended the training matters more
                logger.warning("%s", error)
        if self.lock is not None:
            self.lock.release()


def _own_part(state: Mapping[str, Any]) -> Mapping[str, Any]:
    """What a checkpoint of several processes holds for this one."""
    shares = state.get("processes", [])
    if max(1, len(shares)) != processes.count():
        logger.warning(
            "the checkpoint is of %d processes, now there are %d: random numbers of the networks differ from there on",
            max(1, len(shares)),
            processes.count(),
        )
    fits = len(shares) == processes.count()
    return shares[processes.rank()] if fits else {}
