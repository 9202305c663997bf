"""The command from end to end: a tiny training killed, continued and scored, what is done skipped, failures shown."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time

import pytest

from ganglion.cli import main

FAULT = {"row": "bad", "name": "Bad", "train": ["variants/flair"], "options": {"contrasts": "['PD']"}}


@pytest.fixture
def cohort(brats_cohort, tmp_path):
    """Two subjects to train on, one to validate, two to test."""
    folder = shutil.copytree(brats_cohort, tmp_path / "cohort")
    lists = json.loads((folder / "dataset.json").read_text())
    everybody = [item for section in ("training", "validation", "test") for item in lists[section]]
    lists |= {"training": everybody[:2], "validation": everybody[2:3], "test": everybody[3:5]}
    (folder / "dataset.json").write_text(json.dumps(lists))
    return folder


@pytest.fixture
def call(toy, tmp_path, monkeypatch):
    """The command in a process of its own, in the folder that holds bundle, data and results."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")

    def start(*more):
        words = [sys.executable, "-m", "ganglion", "reproduce", "./toys/toy", "--seeds", "1", "--out", "out"]
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        return subprocess.Popen([*words, "--dataset_dir", "cohort", *more], **pipes)

    return start


def killed_in_training(process, history):
    """End a command once its training has finished an epoch; what it said."""
    until = time.monotonic() + 120
    while not history.exists() and process.poll() is None and time.monotonic() < until:
        time.sleep(0.02)
    process.send_signal(signal.SIGTERM)
    return process.communicate(timeout=120)


def test_a_row_is_killed_continued_and_scored_and_failures_stop_no_other(toy, cohort, call, capsys, counted):
    config = toy.root / "configs" / "variants" / "tiny.json"
    config.write_text(json.dumps(json.loads(config.read_text()) | {"epochs": 30, "val_interval": 30}))
    toy.table["rows"] = [toy.table["rows"][0], FAULT, toy.table["rows"][1]]
    toy.write()
    folder = toy.root.parent / "out" / "toy" / "first" / "seed0"
    process = call("--only", "first")
    out, err = killed_in_training(process, folder / "run" / "history.csv")
    assert process.returncode == 143, err
    assert "stopped; the same command goes on where this one ended" in out
    assert len((folder / "run" / "history.csv").read_text().splitlines()) < 31
    assert not (folder / "model.pt").exists()
    spent = json.loads((folder / "started.json").read_text())["parts"]["training"]

    process = call("--workers", "2")
    out, err = process.communicate(timeout=300)
    assert process.returncode == 1, err
    log = (folder / "log.txt").read_text()
    assert "resuming from out/toy/first/seed0/run/checkpoints/iteration-" in log
    epochs = [int(line.split(",")[0]) for line in (folder / "run" / "history.csv").read_text().splitlines()[1:]]
    assert epochs == list(range(1, 31)), "each epoch once"
    row = json.loads((folder / "row.json").read_text())
    assert (row["state"], row["tries"]) == ("done", 2)
    assert row["seconds"] > spent > 0
    assert row["peak_mib"] > 300
    scores = json.loads((folder / "test" / "scores.json").read_text())
    assert len(scores["subjects"]) == 2
    bad = json.loads((folder.parents[1] / "bad" / "seed0" / "row.json").read_text())
    assert (bad["state"], bad["exit_code"]) == ("failed", 2)
    assert "PD" in bad["last_line"]
    assert re.search(r"^error: 1 of 2 rows and seeds failed.*\n  toy/bad, seed 0: exit code 2: error: .*PD", err, re.M)
    table = json.loads((folder.parents[1] / "table.json").read_text())
    assert {entry["row"]: entry["state"] for entry in table["rows"]} == {
        "printed": "printed_only",
        "bad": "failed",
        "first": "done",
    }
    assert "out/toy/table.html" in out
    assert "| First |" in out

    times = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    words = ["reproduce", "./toys/toy", "--seeds", "1", "--out", "out", "--only", "first", "--dataset_dir", "cohort"]
    capsys.readouterr()
    assert main(words) == 0
    assert "1 rows and seeds, 1 of them done already" in capsys.readouterr().out
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*")} == times, "nothing is done twice"
    config.write_text(config.read_text() + "\n")
    assert main(words) == 2
    assert "was run with another configs/variants/tiny.json" in capsys.readouterr().err
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*")} == times
    counted("training faults", 2)
    counted("faulty inputs")


@pytest.mark.slow
def test_a_table_on_simulated_subjects_interrupted_by_the_keyboard_equals_one_in_one_go(toy, call, tmp_path):
    """All rows, one starting from another; Ctrl-C in the middle; the networks are equal bit for bit."""
    words = [sys.executable, "-m", "ganglion", "reproduce", "./toys/toy", "--seeds", "1", "--out"]
    subprocess.run([*words, "whole"], check=True, capture_output=True)
    process = subprocess.Popen([*words, "parts"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    history = tmp_path / "parts" / "toy" / "second" / "seed0" / "run" / "history.csv"
    while not history.exists() and process.poll() is None:
        time.sleep(0.02)
    os.kill(process.pid, signal.SIGINT)
    process.communicate()
    assert process.returncode == 130
    subprocess.run([*words, "parts"], check=True, capture_output=True)
    for name in ("first", "second"):
        former, latter = (tmp_path / each / "toy" / name / "seed0" / "model.pt" for each in ("whole", "parts"))
        assert former.read_bytes() == latter.read_bytes()
    cells = [(tmp_path / each / "toy" / "table.csv").read_text().splitlines() for each in ("whole", "parts")]
    assert len(cells[0]) == len(cells[1]) == 5


@pytest.mark.slow
def test_a_command_that_is_killed_outright_is_gone_on_with(toy, cohort, call, tmp_path):
    """SIGKILL leaves the training running; the same command waits for it, and no epoch is trained twice."""
    folder = tmp_path / "out" / "toy" / "first" / "seed0"
    process = call("--only", "first")
    while not (folder / "run" / "run.lock").exists() and process.poll() is None:
        time.sleep(0.02)
    process.kill()
    process.communicate()
    process = call("--only", "first")
    _, err = process.communicate(timeout=300)
    assert process.returncode == 0, err
    epochs = [int(line.split(",")[0]) for line in (folder / "run" / "history.csv").read_text().splitlines()[1:]]
    assert epochs == [1, 2, 3]
