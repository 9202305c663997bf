"""The SegAN bundle under torchrun, over gloo where there is no GPU: as users run it on one node."""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

BUNDLE = Path(__file__).parents[2] / "bundles" / "segan_transfer"
QUICK = {"epochs": 2, "val_interval": 1, "slices_per_volume": 2, "width": 4, "tensorboard": False}
# Adam turns a gradient that is zero but for rounding into a step of full length; these steps are in proportion to it.
STEADY = {"segmenter_optimizer#_target_": "torch.optim.SGD", "critic_optimizer#_target_": "torch.optim.SGD"}
pytestmark = [
    pytest.mark.multigpu,
    pytest.mark.timeout(3600),
    pytest.mark.skipif(not torch.distributed.is_gloo_available(), reason="needs gloo"),
]


@pytest.fixture
def bundle(tmp_path):
    """A copy of the bundle, so that no test writes into the repository."""
    ignored = shutil.ignore_patterns("runs", "eval", "data", "*.previous")
    return Path(shutil.copytree(BUNDLE, tmp_path / "segan_transfer", ignore=ignored))


@pytest.fixture
def cohort(brats_cohort, tmp_path):
    """Six subjects to train on, one to validate, one to test."""
    folder = Path(shutil.copytree(brats_cohort, tmp_path / "cohort"))
    lists = json.loads((folder / "dataset.json").read_text())
    everybody = [item for section in ("training", "validation", "test") for item in lists[section]]
    lists |= {"training": everybody[:6], "validation": everybody[6:7], "test": everybody[7:]}
    (folder / "dataset.json").write_text(json.dumps(lists))
    return folder


def bundle_run(bundle, run_id, configs, **options):
    files = repr([str(bundle / "configs" / f"{name}.json") for name in configs])
    words = [word for key, value in options.items() for word in (f"--{key}", str(value))]
    return ["-m", "monai.bundle", "run", run_id, "--config_file", files, "--bundle_root", str(bundle), *words]


def training(bundle, cohort, out, batch, **options):
    options = {**QUICK, "volumes_per_batch": batch, "dataset_dir": cohort, "output_dir": out, **options}
    weights = {"weights": out.with_suffix(".pt")}
    return bundle_run(bundle, "training", ["train", "multi_gpu_train"], **weights, **options)


def torchrun(number, words, **options):
    line = [sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc_per_node={number}", *words]
    env = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(line, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **options)


def torchrun_to_the_end(number, words):
    process = torchrun(number, words)
    said = process.communicate(timeout=900)[0]
    assert process.returncode == 0, said
    return said


def networks(out):
    folder = out / "networks"
    return {name: torch.load(folder / f"{name}.pt", weights_only=True) for name in ("segmenter", "critic")}


def test_two_processes_train_as_one_with_twice_the_batch(bundle, cohort, tmp_path):
    """Whole recipe: order, augmentation, batch norm, two phases, validation by a process that has no subject."""
    steps = {**STEADY, "learning_rate": 0.02, "critic_learning_rate": 0.02}
    torchrun_to_the_end(1, training(bundle, cohort, tmp_path / "one", 4, **steps))
    said = torchrun_to_the_end(2, training(bundle, cohort, tmp_path / "two", 2, **steps))
    one, two = networks(tmp_path / "one"), networks(tmp_path / "two")
    for name, state in one.items():
        for key, value in state.items():
            assert torch.allclose(value, two[name][key], rtol=1e-5, atol=1e-5), (name, key)
    rows = [(tmp_path / out / "history.csv").read_text().splitlines() for out in ("one", "two")]
    assert len(rows[1]) == 3
    for former, latter in zip(rows[0][1:], rows[1][1:], strict=True):
        assert [*map(float, former.split(","))] == pytest.approx([*map(float, latter.split(","))], abs=1e-5)
    assert "val/dice" in rows[1][0]
    for once in ("weights of segmenter written to", "epoch 1/2  ", "epoch 2/2  "):
        assert said.count(once) == 1, said
    assert "Warning" not in said, said


def test_stopped_within_an_epoch_and_started_again(bundle, cohort, tmp_path):
    """A signal to torchrun, as a scheduler sends it, somewhere in the training; in the end bit for bit the same."""
    options = {"epochs": 12, "val_interval": 12}
    torchrun_to_the_end(2, training(bundle, cohort, tmp_path / "whole", 1, **options))
    process = torchrun(2, training(bundle, cohort, tmp_path / "parts", 1, **options))
    history = tmp_path / "parts" / "history.csv"
    until = time.monotonic() + 900
    while not history.exists() and time.monotonic() < until:
        time.sleep(0.05)
    process.send_signal(signal.SIGTERM)
    said = process.communicate(timeout=600)[0]
    assert process.returncode != 0
    assert said.count("stopped by signal 15") == 1, said
    assert len(history.read_text().splitlines()) < 13
    torchrun_to_the_end(2, training(bundle, cohort, tmp_path / "parts", 1, **options))
    whole, parts = networks(tmp_path / "whole"), networks(tmp_path / "parts")
    for name, state in whole.items():
        assert all(torch.equal(parts[name][key], value) for key, value in state.items()), name
    assert history.read_text() == (tmp_path / "whole" / "history.csv").read_text()


@pytest.mark.parametrize("what", ["evaluating", "inference"])
def test_each_subject_is_labelled_and_scored_once(what, bundle, cohort, tmp_path):
    """Two processes for three subjects, four for one, and one process without the overlay."""
    overlays = ["inference", "evaluate"] if what == "evaluating" else ["inference"]
    lists = json.loads((cohort / "dataset.json").read_text())
    lists["test"] += lists["training"][:2]
    (cohort / "dataset.json").write_text(json.dumps(lists))
    for out, number, section in (("alone", 0, "test"), ("pair", 2, "test"), ("crowd", 4, "validation")):
        options = {"dataset_dir": cohort, "section": section, "output_dir": tmp_path / out}
        words = bundle_run(bundle, what, overlays + ["multi_gpu_evaluate"] * (number > 0), **options)
        if number:
            torchrun_to_the_end(number, words)
        else:
            subprocess.run([sys.executable, *words], check=True, capture_output=True, timeout=900)
        names = sorted(path.name for path in (tmp_path / out).glob("*.nii.gz"))
        assert names == sorted(f"{item['subject']}_pred.nii.gz" for item in lists[section])
    alone, pair = tmp_path / "alone", tmp_path / "pair"
    for path in alone.iterdir():
        if path.name != "scores.json":
            assert path.read_bytes() == (pair / path.name).read_bytes(), path.name
    if what == "evaluating":
        scores = [json.loads((folder / "scores.json").read_text()) for folder in (alone, pair, tmp_path / "crowd")]
        assert scores[0] == scores[1]
        assert [len(score["subjects"]) for score in scores] == [3, 3, 1]


def started_as_srun_does(number, words):
    """Processes that find each other by their environment; their exit codes and what each wrote to stderr."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    group = []
    for rank in range(number):
        place = {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": number, "MASTER_ADDR": "127.0.0.1"}
        env = {**os.environ, "OMP_NUM_THREADS": "1", "MASTER_PORT": str(port), **{k: str(v) for k, v in place.items()}}
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        group.append(subprocess.Popen([sys.executable, *words], env=env, text=True, **pipes))
    ends = [process.communicate(timeout=900) for process in group]
    return [process.returncode for process in group], [error for _, error in ends], [out for out, _ in ends]


@pytest.mark.parametrize(("fault", "code", "says"), [("file", 2, "sub-001_T1.nii.gz"), ("rate", 3, "diverged")])
def test_a_failure_ends_all_with_one_line_and_its_code(fault, code, says, bundle, cohort, tmp_path, counted):
    options = {}
    if fault == "file":
        (file,) = cohort.rglob("sub-001_T1.nii.gz")
        file.unlink()  # it may be a link
        file.write_bytes(b"\x1f\x8bnothing")
        counted("faulty inputs")
        counted("corrupt files")
    else:
        options = {**STEADY, "learning_rate": 1e30, "epochs": 5}
        counted("training faults")
    words = training(bundle, cohort, tmp_path / "run", 1, **options)
    codes, errors, outputs = started_as_srun_does(2, words)
    lines = [line for text in errors for line in text.splitlines() if line.startswith("error: ")]
    assert len(lines) == 1, errors
    assert says in lines[0]
    assert "Traceback" not in "".join(errors + outputs)
    assert code in codes
    assert set(codes) <= {code, 1}, errors


def test_torchrun_reports_the_code_and_ends_soon(bundle, cohort, tmp_path):
    """torchrun itself always leaves with 1 and says which process had which code."""
    process = torchrun(2, training(bundle, cohort, tmp_path / "run", 1, contrasts="['T1','PD']"))
    said = process.communicate(timeout=600)[0]
    assert process.returncode == 1
    assert len(re.findall(r"^error: ", said, re.M)) == 1, said
    assert re.search(r"exitcode +: 2 ", said), said
