"""Rows as jobs: what is handed to sbatch, and that a job runs, saves and comes back."""

import os
import re
import signal
import threading
import time
from pathlib import Path

import pytest
from quick_jobs import PATIENT, quick_plan

from ganglion.cli import main
from ganglion.errors import InputError
from ganglion.reproduce import share, slurm
from ganglion.reproduce.screen import Screen
from ganglion.reproduce.slurm import PagesTask, Request, RowTask, submit

pytest.importorskip("submitit")
SBATCH = """#!/bin/sh
number=$(( $(ls {folder} | grep -c '^job') + 100 ))
cp "$1" {folder}/job$number
echo "Submitted batch job $number"
"""


@pytest.fixture
def cluster(tmp_path, monkeypatch):
    """A cluster that takes every job and runs none; gives the batch files by job id."""
    folder = tmp_path / "queue"
    folder.mkdir()
    for name, text in (("sbatch", SBATCH.format(folder=folder)), ("srun", "#!/bin/sh\n"), ("sacct", "#!/bin/sh\n")):
        (tmp_path / "bin").mkdir(exist_ok=True)
        (tmp_path / "bin" / name).write_text(text)
        (tmp_path / "bin" / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}")
    return lambda: {path.name.removeprefix("job"): path.read_text() for path in folder.iterdir()}


def flags(text):
    return dict(re.findall(r"^#SBATCH --([\w-]+)=(.*)$", text, re.M))


def test_one_job_a_row_after_those_that_it_starts_from(cluster, toy, tmp_path, brats_cohort, capsys):
    out = tmp_path / "out"
    options = "{'gpus_per_node': 1, 'timeout_min': 90, 'slurm_account': 'lab'}"
    words = ["reproduce", f"{toy.root}/toy", "--dataset_dir", str(brats_cohort), "--seeds", "1", "--out", str(out)]
    assert main([*words, "--slurm", "fast", "--slurm_options", options]) == 0
    jobs = {number: flags(text) for number, text in cluster().items()}
    names = [jobs[number]["job-name"] for number in sorted(jobs)]
    assert names == ["toy-first-0", "toy-second-0", "toy-elsewhere-0", "toy-pages"]
    assert [jobs[number].get("dependency") for number in sorted(jobs)] == [
        None,
        "afterany:100",
        "afterany:100",
        "afterany:100:101:102",
    ]
    first = jobs["100"]
    assert (first["partition"], first["account"], first["gpus-per-node"], first["time"]) == ("fast", "lab", "1", "90")
    said = capsys.readouterr().out
    assert "job 101: toy/second, seed 0" in said
    assert "table.html" in said
    assert "submitit.core._submit" in cluster()["100"]


def test_what_slurm_does_not_know_is_one_line(cluster, tmp_path, monkeypatch, counted):
    for options in ({"slurm_colour": "red"}, {"gpus_per_node": "one"}):
        with pytest.raises(InputError, match="correct --slurm_options or leave out --slurm"):
            slurm._executor(tmp_path / "slurm", "fast", options, "slurm")
        counted("faulty inputs")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(InputError, match='Could not detect "srun"'):
        slurm._executor(tmp_path / "slurm", "fast", {}, "slurm")
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(InputError, match='install it: python -m pip install "submitit>=1.5"'):
        slurm._executor(tmp_path / "slurm", "fast", {}, "slurm")
    counted("faulty inputs", 2)


def test_options_without_a_partition(toy, capsys, tmp_path, monkeypatch, counted):
    monkeypatch.chdir(tmp_path)
    assert main(["reproduce", f"{toy.root}/toy", "--slurm_options", "{}"]) == 2
    assert "slurm_options is given without --slurm PARTITION" in capsys.readouterr().err
    counted("faulty inputs")


@pytest.fixture
def request_of(monkeypatch, tmp_path):
    """A request whose rows are a few lines of Python."""
    monkeypatch.setattr(share, "_PAUSE", 0.02)
    monkeypatch.setattr(share, "_LOOK", 0.05)

    def make(bodies, starts=None):
        plan = quick_plan(tmp_path / "out", bodies, starts)
        monkeypatch.setattr(Request, "plan", lambda self: plan)
        return Request(Path(), "toy", "small", tmp_path / "out", None, 1)

    return make


def test_a_job_runs_its_row_and_what_is_missing_for_it(request_of, tmp_path):
    request = request_of({"one": "", "two": "", "bad": "sys.exit(1)"}, {"two": "one"})
    now = time.time()
    assert RowTask(request, ("toy", "two", 0), now)() == "done"
    assert sorted(path.parents[1].name for path in tmp_path.rglob("row.json")) == ["one", "two"]
    assert RowTask(request, ("toy", "bad", 0), now)() == "failed"
    assert RowTask(request, ("toy", "bad", 0), now)() == "failed"
    log = tmp_path / "out" / "toy" / "bad" / "seed0" / "log.txt"
    assert log.read_text().count("$ python") == 1, "not tried twice in one submission"


def test_a_job_that_is_out_of_time_saves_and_asks_for_the_same(request_of, tmp_path):
    request = request_of({"one": PATIENT})
    task = RowTask(request, ("toy", "one", 0), time.time())
    begun = tmp_path / "out" / "toy" / "one" / "seed0" / "begun"
    came = []

    def out_of_time(number, frame):
        came.append(task.checkpoint())
        raise SystemExit(-1)  # as submitit does

    former = signal.signal(signal.SIGUSR2, out_of_time)
    threading.Thread(target=lambda: (wait_for(begun), os.kill(os.getpid(), signal.SIGUSR2))).start()
    try:
        with pytest.raises(SystemExit):
            task()
    finally:
        signal.signal(signal.SIGUSR2, former)
    log = begun.parent / "log.txt"
    assert log.read_text().endswith("beginning\nsaved\n")
    assert came[0].function() == "done"
    assert "resuming" in log.read_text()


def wait_for(path):
    until = time.monotonic() + 30
    while not path.exists() and time.monotonic() < until:
        time.sleep(0.01)


@pytest.mark.slow
def test_jobs_run_one_after_the_other_where_there_is_no_cluster(toy, tmp_path, brats_cohort):
    """Submitit's local executor: pickled, run in processes of their own, dependencies respected, pages written."""
    request = Request(toy.root, "toy", "small", tmp_path / "out", brats_cohort, 1)
    place = request.place()
    place.out.mkdir()
    place.begin()
    place.note_data()
    jobs = submit(request.plan(), request, Screen(), None, {}, cluster="local")
    assert [job.result() for job in jobs[:-1]] == ["done"] * 3
    assert "table.html" in jobs[-1].result()
    assert isinstance(jobs[-1].submission().function, PagesTask)
