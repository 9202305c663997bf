"""Errors end in one line with their exit code, however deep they were wrapped."""

import json
import logging
import os
import subprocess
import sys

import pytest
import torch

from ganglion.engines import prepare_run
from ganglion.engines.run import _OneLineErrors
from ganglion.errors import DivergedError, GanglionError, InputError, StorageError, find_user_error


@pytest.fixture(autouse=True)
def _hook():
    """Give back what prepare_run changes in the process."""
    hook, deterministic = sys.excepthook, torch.are_deterministic_algorithms_enabled()
    yield
    sys.excepthook = hook
    torch.use_deterministic_algorithms(deterministic)


def wrapped(error, depth=3):
    """The error as MONAI's config parser hands it on."""
    outer: BaseException = error
    for level in range(depth):
        try:
            raise RuntimeError(f"Failed to instantiate component {level}\n set _mode_") from outer
        except RuntimeError as next_one:
            outer = next_one
    return outer


@pytest.mark.parametrize(
    ("error", "code"),
    [(InputError("a"), 2), (DivergedError("a"), 3), (StorageError("a"), 4), (GanglionError("a"), 1)],
)
def test_a_wrapped_error_gives_its_line_and_its_code(capsys, error, code):
    hook = _OneLineErrors(None)
    outer = wrapped(error)
    with pytest.raises(SystemExit) as left:
        hook(type(outer), outer, None)
    assert left.value.code == code
    assert capsys.readouterr().err == "error: a\n"


def test_other_errors_keep_their_traceback():
    seen = []
    error = wrapped(ValueError("a bug"))
    _OneLineErrors(lambda *arguments: seen.append(arguments))(type(error), error, None)
    assert seen == [(RuntimeError, error, None)]


def test_an_error_told_by_a_worker_is_found_in_its_text():
    class Fails(torch.utils.data.Dataset):
        def __len__(self):
            return 1

        def __getitem__(self, index):
            try:
                raise InputError("scan.nii: bad, mend it")
            except InputError as error:
                raise RuntimeError("applying transform") from error

    class FailsPlainly(Fails):
        def __getitem__(self, index):
            raise InputError("scan.nii: bad, mend it")

    for dataset in (Fails(), FailsPlainly()):
        with pytest.raises(Exception, match="worker") as caught:
            next(iter(torch.utils.data.DataLoader(dataset, num_workers=1)))
        found = find_user_error(caught.value)
        assert (type(found), str(found)) == (InputError, "scan.nii: bad, mend it")


def test_it_is_safe_to_call_twice_and_seeds():
    prepare_run(seed=4)
    first = torch.rand(3)
    hook = sys.excepthook
    prepare_run(seed=4)
    assert torch.equal(torch.rand(3), first)
    assert sys.excepthook is hook
    assert torch.are_deterministic_algorithms_enabled()


def test_debug_leaves_the_hook_alone(monkeypatch):
    monkeypatch.setenv("GANGLION_DEBUG", "1")
    hook = sys.excepthook
    prepare_run(seed=None, deterministic=False)
    assert sys.excepthook is hook


def test_engines_do_not_log_what_the_hook_reports(capsys):
    prepare_run(seed=None, deterministic=False)
    logger = logging.getLogger("monai.handlers.StatsHandler")
    record = logging.LogRecord("x", logging.ERROR, "", 0, "Exception", None, None)
    for error, kept in ((InputError("a"), False), (wrapped(InputError("a")), False), (ValueError("a"), True)):
        try:
            raise error
        except (InputError, RuntimeError, ValueError):
            assert bool(logger.filter(record)) is kept
    assert logger.filter(record)


COMPONENTS = '''
import errno, os
import torch
from {errors} import InputError

class Squared:
    """Turns not finite in the third call if asked to."""
    def __init__(self, fault):
        self.fault, self.calls = fault, 0
    def __call__(self, networks, batch):
        self.calls += 1
        loss = networks["s"](batch["image"]).square().mean()
        return {{"loss": loss * float("nan") if self.fault == "nan" and self.calls == 3 else loss}}

class Read:
    """A transform that finds a bad file if asked to."""
    def __init__(self, fault):
        self.fault = fault
    def __call__(self, item):
        if self.fault == "file":
            raise InputError("sub-001_T1.nii.gz: found NaN, expected numbers; run the check")
        return item

def fill_disk(fault):
    def full(handle):
        raise OSError(errno.ENOSPC, "No space left on device")
    if fault == "disk":
        os.fsync = full

def items():
    return [{{"image": torch.ones(2), "subject": f"sub-{{n}}"}} for n in range(8)]
'''

PACKAGE = prepare_run.__module__.partition(".")[0]
CONFIG = {
    "imports": ["$import monai", "$import components"],
    "fault": "none",
    "workers": 0,
    "run_dir": "run",
    "network": {"_target_": "torch.nn.Linear", "in_features": 2, "out_features": 1},
    "train": {
        "dataset": {
            "_target_": "monai.data.Dataset",
            "data": "$components.items()",
            "transform": {"_target_": "components.Read", "fault": "@fault"},
        },
        "handlers": [
            {"_target_": "StatsHandler", "output_transform": "$monai.handlers.from_engine(['loss'], first=True)"},
            {"_target_": f"{PACKAGE}.engines.handlers.TrainingRun", "run_dir": "@run_dir", "tensorboard": False},
        ],
        "phase": {
            "_target_": f"{PACKAGE}.engines.Phase",
            "name": "segmenter",
            "trains": "s",
            "optimizer": {"_target_": "torch.optim.Adam", "params": "$@network.parameters()"},
            "objective": {"_target_": "components.Squared", "fault": "@fault"},
        },
        "trainer": {
            "_target_": f"{PACKAGE}.engines.AlternatingTrainer",
            "device": "cpu",
            "max_epochs": 2,
            "train_data_loader": {
                "_target_": "DataLoader",
                "dataset": "@train#dataset",
                "batch_size": 2,
                "num_workers": "@workers",
            },
            "networks": {"s": "@network"},
            "deployed": "s",
            "phases": ["@train#phase"],
            "train_handlers": "@train#handlers",
        },
    },
    "initialize": [
        {"_target_": f"{PACKAGE}.engines.prepare_run", "seed": 0},
        "$components.fill_disk(@fault)",
    ],
    "run": ["$@train#trainer.run()"],
    "training": "%run",
}

FAULTS = [
    (("--fault", "file", "--workers", "1"), 2, "error: sub-001_T1.nii.gz: found NaN, expected numbers; run the check"),
    (
        ("--fault", "nan"),
        3,
        "error: training diverged in epoch 1, iteration 3: term 'loss' of phase 'segmenter' is nan",
    ),
    (("--fault", "disk"), 4, "error: cannot write"),
]
MORE = [
    ((), 0, ""),
    (("--fault", "file"), 2, "error: sub-001_T1.nii.gz: found NaN, expected numbers; run the check"),
    (("--train#phase#name", "a/b"), 2, "error: phase name 'a/b' must be a word without '/'"),
]


@pytest.mark.parametrize("cases", [FAULTS, pytest.param(MORE, marks=pytest.mark.slow)], ids=["faults", "more"])
def test_exit_codes_of_monai_bundle_run(tmp_path, cases, counted):
    """All cases at once, each in a process of its own: what a user sees is one line and the code."""
    runs = [start(tmp_path, f"run{number}", *arguments) for number, (arguments, _, _) in enumerate(cases)]
    for (arguments, code, line), run in zip(cases, runs, strict=True):
        output = run.communicate(timeout=300)[0]
        assert run.returncode == code, (arguments, output)
        assert "Traceback" not in output, (arguments, output)
        assert "terminating due to exception" not in output
        lines = [said for said in output.splitlines() if said.startswith("error: ")]
        assert len(lines) == bool(line), output
        assert not line or lines[0].startswith(line)
        if code in (3, 4):
            counted("training faults")


@pytest.mark.slow
def test_debug_shows_the_traceback(tmp_path):
    run = start(tmp_path, "run", "--fault", "file", GANGLION_DEBUG="1")
    output = run.communicate(timeout=300)[0]
    assert run.returncode == 1
    assert "Traceback" in output


def start(folder, run_dir, *arguments, **environment):
    (folder / "components.py").write_text(COMPONENTS.format(errors=InputError.__module__))
    (folder / "train.json").write_text(json.dumps(CONFIG))
    command = [sys.executable, "-W", "ignore", "-m", "monai.bundle", "run", "training", "--config_file", "train.json"]
    return subprocess.Popen(
        [*command, "--run_dir", run_dir, *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(folder), "OMP_NUM_THREADS": "1", **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
