"""The SegAN bundle under fire, through MONAI's command line: exit codes, one line, exact resume, whole files.

Each command runs in a fork of this process, which spares the imports; what Python does with an error that nobody
catches is done by hand there. `tests/engines/test_run.py` holds that against processes of their own.
"""

import contextlib
import hashlib
import json
import logging
import math
import os
import resource
import runpy
import signal
import sys
import types
from pathlib import Path

import pytest
import torch
from ignite.engine import Events
from segan_quick import QUICK

from ganglion.engines.handlers.checkpoint import load_plain

BUNDLE = Path(__file__).parents[2] / "bundles" / "segan_transfer"


class Inject:
    """A handler that does something to a training when an event comes; an entry of `train#handlers`."""

    def __init__(self, what, event="iteration_started", at=4):
        self.what, self.event, self.at = what, Events(event), at

    def attach(self, engine):
        engine.add_event_handler(self.event(once=self.at), getattr(self, self.what))

    def image(self, engine):
        engine.state.batch["image"][1, 0, 5, 5] = math.nan

    def _loss(self, engine, number):
        phase = engine.phases[number]
        whole = phase.objective
        phase.objective = lambda *given: {name: value * math.nan for name, value in whole(*given).items()}

    def critic_loss(self, engine):
        self._loss(engine, 0)

    def segmenter_loss(self, engine):
        self._loss(engine, 1)

    def _gradient(self, engine, name):
        next(engine.networks[name].parameters()).requires_grad_().register_hook(lambda gradient: gradient * math.nan)

    def critic_gradient(self, engine):
        self._gradient(engine, "critic")

    def segmenter_gradient(self, engine):
        self._gradient(engine, "segmenter")

    @torch.no_grad()
    def _weight(self, engine, name):
        weight = next(engine.networks[name].parameters())
        weight[(0,) * weight.ndim] = math.nan

    def critic_weight(self, engine):
        self._weight(engine, "critic")

    def segmenter_weight(self, engine):
        self._weight(engine, "segmenter")

    def _buffer(self, engine, name):
        next(value for key, value in engine.networks[name].named_buffers() if key.endswith("running_var"))[0] = math.inf

    def critic_buffer(self, engine):
        self._buffer(engine, "critic")

    def segmenter_buffer(self, engine):
        self._buffer(engine, "segmenter")

    def terminate(self, engine):
        os.kill(os.getpid(), signal.SIGTERM)

    def interrupt(self, engine):
        os.kill(os.getpid(), signal.SIGINT)

    def read_only(self, engine):
        """Root may write anywhere, so then the process becomes somebody else."""
        if os.geteuid() == 0:
            os.setuid(65534)
            return
        for folder in Path(os.environ["RUN_UNDER_TEST"]).rglob("*/"):
            with contextlib.suppress(PermissionError):
                folder.chmod(0o555)

    def full(self, engine):
        """No file can grow beyond a few blocks any more: as on a disk that is full."""
        resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))


@pytest.fixture
def training(brats_cohort, tmp_path, monkeypatch):
    """Run the bundle's training in a fork; gives exit code and output."""
    sys.modules["segan_faults"] = types.SimpleNamespace(Inject=Inject)

    def run(name="run", inject=None, **options):
        overlay = tmp_path / "overlay.json"
        probe = [] if inject is None else [{"_target_": "segan_faults.Inject", **inject}]
        overlay.write_text(json.dumps({"+train#handlers": probe}))
        files = repr([str(BUNDLE / "configs" / "train.json"), str(overlay)])
        given = {
            **QUICK,
            "bundle_root": BUNDLE,
            "dataset_dir": brats_cohort,
            "output_dir": tmp_path / name,
            "weights": tmp_path / f"{name}.pt",
            **options,
        }
        words = [word for key, value in given.items() for word in (f"--{key}", str(value))]
        return forked(["run", "training", "--config_file", files, *words], tmp_path)

    monkeypatch.setenv("RUN_UNDER_TEST", str(tmp_path / "run"))
    yield run
    del sys.modules["segan_faults"]


def forked(words, folder):
    """`python -m monai.bundle` with these words in a child process."""
    said = folder / "said.txt"
    child = os.fork()
    if child == 0:
        code = 1
        try:
            os.chdir(folder)
            file = os.open(said, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
            os.dup2(file, 1)
            os.dup2(file, 2)
            sys.stdout, sys.stderr = open(1, "w", closefd=False), open(2, "w", closefd=False)  # noqa: SIM115
            for logger in (logging.getLogger(), logging.getLogger("ganglion")):
                logger.handlers.clear()
            sys.argv, sys.excepthook = ["monai.bundle", *words], sys.__excepthook__
            code = as_main()
        finally:
            with contextlib.suppress(BaseException):
                logging.shutdown()
                sys.stdout.flush()
                sys.stderr.flush()
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), said.read_text()


def as_main():
    """Run the module as the interpreter does, with what its hook for errors makes of one."""
    try:
        runpy.run_module("monai.bundle", run_name="__main__")
    except SystemExit as left:
        return left.code or 0
    except BaseException:  # noqa: BLE001 - as the interpreter does
        try:
            sys.excepthook(*sys.exc_info())
        except SystemExit as left:
            return left.code
        return 1
    return 0


def sha256(folder, name="run"):
    """Of the deployed weights and those of both networks, tensor by tensor."""
    digest = hashlib.sha256()
    for file in (folder / f"{name}.pt", *(folder / name / "networks" / f"{n}.pt" for n in ("critic", "segmenter"))):
        for key, value in load_plain(file).items():
            digest.update(key.encode() + value.numpy().tobytes())
    return digest.hexdigest()


def the_error(output):
    """The one line that ends a run."""
    assert "Traceback" not in output, output
    (line,) = (line for line in output.splitlines() if line.startswith("error: "))
    return line


DIVERGED = {
    "image": "term 'loss' of phase 'critic' is nan; the batch's image already held values that are not finite (sub-",
    "critic_loss": "term 'loss' of phase 'critic' is nan",
    "segmenter_loss": "term 'loss' of phase 'segmenter' is nan",
    "critic_gradient": "gradient of phase 'critic' is nan",
    "segmenter_gradient": "gradient of phase 'segmenter' is nan",
    "critic_weight": "of phase 'critic' is nan",
    "segmenter_weight": "of phase 'critic' is nan",
    "critic_buffer": "running_var of phase 'critic' is inf",
    "segmenter_buffer": "running_var of phase 'segmenter' is inf",
}


OFTEN = ("image", "critic_gradient", "segmenter_buffer")  # the others' ways are the same; all of them are `slow`


@pytest.mark.parametrize(
    "fault", [pytest.param(fault, marks=() if fault in OFTEN else pytest.mark.slow) for fault in DIVERGED]
)
def test_what_is_not_finite_ends_with_exit_code_3_and_one_line(training, tmp_path, fault, counted):
    code, output = training(epochs=2, val_interval=9, inject={"what": fault})
    line = the_error(output)
    assert code == 3
    assert line.startswith("error: training diverged in epoch 2, iteration 4: ")
    assert DIVERGED[fault] in line
    assert "; subjects: sub-" in line
    assert "; files: sub-" in line
    assert not (tmp_path / "run.pt").exists()
    (kept,) = (tmp_path / "run" / "checkpoints").iterdir()
    assert f"last good checkpoint: {kept};" in line
    networks = load_plain(kept)["trainer"]["networks"]
    assert all(torch.isfinite(value).all() for part in networks.values() for value in part.values())
    counted("training faults")


def test_stopped_in_every_way_it_ends_with_the_same_bits_and_says_where_all_lies(training, tmp_path, counted):
    """Every stop is another process; weights are compared by sha256 with those of a training that never stopped."""
    assert training("whole", epochs=3)[0] == 0
    stops = [
        ({"time_limit": 0.0001}, 75, "stopped by the time limit of 0.0001 minutes in epoch 1, iteration 1: saved "),
        ({"inject": {"what": "terminate", "event": "epoch_completed", "at": 1}}, 143, "by signal 15 in epoch 1"),
        ({"inject": {"what": "interrupt", "event": "iteration_completed", "at": 8}}, 130, "by signal 2 in epoch 3"),
    ]
    for options, expected, says in stops:
        code, output = training("parts", epochs=3, **options)
        assert code == expected, output
        assert says in output
        assert "the same command goes on from there" in output
        assert "Traceback" not in output
        assert "error" not in output.lower()
        assert not (tmp_path / "parts.pt").exists()
        counted("training faults")
    code, output = training("parts", epochs=3, tensorboard=True)
    assert code == 0
    assert "resuming from" in output
    assert sha256(tmp_path, "parts") == sha256(tmp_path, "whole")
    assert (tmp_path / "parts" / "history.csv").read_text() == (tmp_path / "whole" / "history.csv").read_text()
    (line,) = (line for line in output.splitlines() if "where everything lies: " in line)
    for part in ("networks", "checkpoints", "history.csv", "tensorboard", "config.json", "log.txt"):
        assert str(tmp_path / "parts" / part) in line
        assert (tmp_path / "parts" / part).exists()
    assert f"deployed weights {tmp_path / 'parts.pt'}" in line


@pytest.mark.slow
def test_the_same_seed_gives_the_same_bits_and_another_does_not(training, tmp_path):
    for name, seed in (("first", 5), ("second", 5), ("third", 6)):
        assert training(name, seed=seed)[0] == 0
    assert sha256(tmp_path, "first") == sha256(tmp_path, "second") != sha256(tmp_path, "third")


@pytest.mark.parametrize(("fault", "says"), [("full", "File too large"), ("read_only", "Permission denied")])
def test_a_disk_that_fails_ends_with_exit_code_4_and_keeps_what_was_there(training, tmp_path, fault, says, counted):
    (tmp_path / "run.pt").write_bytes(b"former weights")
    code, output = training(epochs=2, inject={"what": fault})
    for folder in (tmp_path / "run").rglob("*/"):
        folder.chmod(0o755)
    line = the_error(output)
    assert code == 4
    assert line.startswith(f"error: cannot write {tmp_path / 'run'}")
    assert f": {says}; free space or rights there" in line
    assert (tmp_path / "run.pt").read_bytes() == b"former weights"
    (kept,) = (tmp_path / "run" / "checkpoints").iterdir()
    assert load_plain(kept)["closed_epoch"] == 1
    counted("training faults")


def test_a_folder_for_the_weights_that_cannot_be_written_is_found_before_the_training(training, tmp_path, counted):
    (tmp_path / "file").write_text("")
    code, output = training(weights=tmp_path / "file" / "model.pt")
    assert code == 2
    assert "cannot write" in the_error(output)
    assert not (tmp_path / "run" / "history.csv").exists()
    counted("training faults")
