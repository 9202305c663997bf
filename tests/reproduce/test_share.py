"""Rows shared among processes, failures, signals and what is remembered, with commands that take no time."""

import json
import multiprocessing
import os
import resource
import signal
import subprocess
import sys
import threading
import time

import pytest
from quick_jobs import PATIENT, quick_plan

from ganglion.errors import InputError
from ganglion.lock import RunLock
from ganglion.reproduce import record, share
from ganglion.reproduce.run_row import Child
from ganglion.reproduce.screen import Screen
from ganglion.reproduce.share import Interrupts, Sharing, Stopped, listening, threads

pytestmark = pytest.mark.usefixtures("short_pauses")


@pytest.fixture
def out(tmp_path):
    return tmp_path / "out"


def run(plan, workers=1, interrupts=None, since=None):
    return Sharing(plan, Screen(), workers, since).run(interrupts or Interrupts())


def row_of(out, name):
    return json.loads((out / "toy" / name / "seed0" / "row.json").read_text())


def log_of(out, name):
    return (out / "toy" / name / "seed0" / "log.txt").read_text()


def until(condition, seconds=30.0):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.01)


def test_rows_are_run_once_and_remembered(out, capsys):
    plan = quick_plan(out, {"one": "", "two": ""}, {"two": "one"})
    assert run(plan).done == set(plan.jobs)
    told = capsys.readouterr().out
    one = row_of(out, "one")
    assert (one["state"], one["exit_code"], one["last_line"], one["tries"]) == ("done", 0, "hello from seed0", 1)
    assert one["commands"][0] in told
    assert set(one["configs"]) == {"configs/train.json", "configs/inference.json", "configs/evaluate.json"}
    assert list(row_of(out, "two")["starts"]) == ["{toy/one}/model.pt"]
    assert not (out / "toy" / "one" / "seed0" / "started.json").exists()
    assert log_of(out, "one").startswith("$ python -c ")
    before = {path: path.stat().st_mtime_ns for path in out.rglob("*")}
    assert run(plan).done == set(plan.jobs)
    assert {path: path.stat().st_mtime_ns for path in out.rglob("*")} == before, "nothing is done twice"
    assert "one" not in capsys.readouterr().out


def test_a_failed_row_stops_no_other_and_what_starts_from_it_is_not_run(out, capsys, counted):
    fails = "print('error: it diverged'); print('goodbye'); sys.exit(3)"
    plan = quick_plan(out, {"bad": fails, "after": "", "then": "", "good": ""}, {"after": "bad", "then": "after"})
    outcome = run(plan)
    assert outcome.done == {("toy", "good", 0)}
    assert outcome.failed["toy", "bad", 0] == "exit code 3: error: it diverged"
    assert (row_of(out, "bad")["state"], row_of(out, "bad")["exit_code"]) == ("failed", 3)
    for name, origin in (("after", "bad"), ("then", "after")):
        assert row_of(out, name)["last_line"] == f"not run: it starts from toy/{origin}, seed 0, which failed"
        assert row_of(out, name)["state"] == "failed"
    assert "its log: " in capsys.readouterr().out
    assert run(plan).failed.keys() == outcome.failed.keys()
    assert row_of(out, "bad")["tries"] == 2, "the same command tries it again"
    run(plan, since=0.0)
    assert row_of(out, "bad")["tries"] == 2, "unless it failed since the rows were submitted"
    counted("training faults")


def test_what_another_process_could_not_begin_is_begun_once_its_start_is_there(out):
    """That process had seen the start fail; here it is tried again and succeeds."""
    plan = quick_plan(out, {"one": "", "two": ""}, {"two": "one"})
    sharing = Sharing(plan, Screen())
    record.write_not_run(plan.jobs["toy", "two", 0], "it starts from toy/one, seed 0, which failed")
    assert sharing.run(Interrupts()).done == set(plan.jobs)


def test_an_exit_without_scores_is_a_failure(out, counted):
    plan = quick_plan(out, {"silent": "sys.exit(0)"})
    assert run(plan).failed == {("toy", "silent", 0): "exit code 1: hello from seed0"}
    counted("training faults")


def test_time_is_summed_and_memory_is_the_largest(out):
    grows = "block = b'x' * 300_000_000 if not (folder / 'begun').exists() else b''; (folder / 'begun').touch()"
    plan = quick_plan(out, {"one": f"{grows}; time.sleep(0.3); sys.exit(0 if not block else 5)"})
    run(plan)
    first = row_of(out, "one")
    assert first["state"] == "failed"
    assert first["peak_mib"] > 286
    run(plan)
    second = row_of(out, "one")
    assert second["seconds"] == second["parts"]["training"] > first["seconds"] + 0.3 > 0.6
    assert second["peak_mib"] == pytest.approx(first["peak_mib"], abs=1e-9)


def test_peak_memory_is_the_childs(tmp_path):
    """A child of a large parent would inherit its peak at the fork; a small one shows."""
    code = "block = b'x' * {}"
    peaks = []
    for size in (50_000_000, 400_000_000):
        child = Child(("python", "-c", code.format(size)), tmp_path / "log")
        until(child.poll)
        peaks.append(child.peak_mib)
    ours = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10
    assert 381 < peaks[1] < max(ours, 381) + 60
    assert peaks[0] <= peaks[1]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_lets_rows_save_and_the_same_command_goes_on(number, out, capsys, counted):
    plan = quick_plan(out, {"one": PATIENT, "two": ""}, {"two": "one"})
    begun = out / "toy" / "one" / "seed0" / "begun"

    def interrupt():
        until(begun.exists)
        os.kill(os.getpid(), number)

    thread = threading.Thread(target=interrupt)
    thread.start()
    with listening() as interrupts, pytest.raises(Stopped) as stopped:
        run(plan, interrupts=interrupts)
    thread.join()
    assert stopped.value.exit_code == 128 + number
    assert log_of(out, "one").endswith("beginning\nsaved\n")
    assert not (begun.parent / "row.json").exists(), "what was asked to end has not failed"
    first = record.read_progress(begun.parent)
    assert first.seconds > 0
    assert "stopped: toy/one, seed 0" in capsys.readouterr().out
    assert run(plan).done == set(plan.jobs)
    assert "resuming" in log_of(out, "one")
    assert row_of(out, "one")["seconds"] > first.seconds
    assert row_of(out, "one")["tries"] == 2
    assert signal.getsignal(number) is not interrupts.note
    counted("training faults")


def test_a_row_that_does_not_listen_is_ended_by_the_third_signal(out):
    deaf = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); (folder / 'begun').touch(); time.sleep(60)"
    plan = quick_plan(out, {"one": deaf})
    interrupts = Interrupts()

    def interrupt():
        until((out / "toy" / "one" / "seed0" / "begun").exists)
        for _ in range(3):
            interrupts.note(signal.SIGTERM)
            time.sleep(0.1)

    thread = threading.Thread(target=interrupt)
    thread.start()
    with pytest.raises(Stopped):
        run(plan, interrupts=interrupts)
    thread.join()


def test_rows_run_side_by_side_with_their_share_of_the_cores(out, monkeypatch):
    """Each waits until the other has begun: one after the other they would wait for ever."""
    monkeypatch.delenv("OMP_NUM_THREADS")
    meet = """
import os
print("threads", os.environ["OMP_NUM_THREADS"])
(folder / "begun").touch()
end = time.monotonic() + 20
while len(list(folder.parents[1].glob("*/seed0/begun"))) < 2:
    assert time.monotonic() < end
    time.sleep(0.01)
"""
    plan = quick_plan(out, {"one": meet, "two": meet, "three": ""}, {"three": "two"})
    assert run(plan, workers=2).done == set(plan.jobs)
    assert f"threads {max(1, os.cpu_count() // 2)}" in log_of(out, "one")
    assert threads(1) == {}
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    assert threads(2) == {}, "what the user says holds"


def test_processes_share_the_rows_and_each_is_run_once(out):
    rows = dict.fromkeys(("a", "b", "c", "d"), "time.sleep(0.1)")
    fork = multiprocessing.get_context("fork")  # a new interpreter would load torch again
    group = [fork.Process(target=run, args=(quick_plan(out, rows, {"d": "a"}),)) for _ in range(2)]
    for process in group:
        process.start()
    for process in group:
        process.join(60)
    assert [process.exitcode for process in group] == [0, 0]
    for name in rows:
        assert log_of(out, name).count("\nhello from") == 1
        assert row_of(out, name)["tries"] == 1


def test_a_row_of_another_process_is_waited_for(out, capsys):
    plan = quick_plan(out, {"one": "", "two": ""}, {"two": "one"})
    job = plan.jobs["toy", "one", 0]
    other = subprocess.Popen([sys.executable, "-c", HOLD, str(job.folder / "row.lock")], stdout=subprocess.PIPE)
    assert other.stdout.readline() == b"held\n"
    thread = threading.Timer(0.3, other.kill)
    thread.start()
    assert run(plan).done == set(plan.jobs)
    thread.join()
    other.communicate()
    assert capsys.readouterr().out.startswith("another process has toy/one, seed 0\n")


HOLD = """
import fcntl, sys, time
from pathlib import Path
Path(sys.argv[1]).parent.mkdir(parents=True, exist_ok=True)
file = open(sys.argv[1], "a+")
fcntl.lockf(file, fcntl.LOCK_EX)
print("held", flush=True)
time.sleep(60)
"""


def test_a_training_that_outlived_the_command_that_began_it_keeps_its_row(out, caplog):
    (job,) = quick_plan(out, {"one": ""}).jobs.values()
    orphan = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(job.folder / "run" / "run.lock")], stdout=subprocess.PIPE
    )
    assert orphan.stdout.readline() == b"held\n"
    assert share._lock(job) is None
    orphan.kill()
    orphan.communicate()
    lock = share._lock(job)
    assert isinstance(lock, RunLock)
    lock.release()


def test_changed_configs_are_refused_and_nothing_is_overwritten(out, counted):
    plan = quick_plan(out, {"one": "", "two": PATIENT, "bad": "sys.exit(1)"}, {"two": "one"})
    interrupts = Interrupts()
    thread = threading.Thread(
        target=lambda: (until((out / "toy/two/seed0/begun").exists), interrupts.note(signal.SIGTERM))
    )
    thread.start()
    with pytest.raises(Stopped):
        run(plan, workers=2, interrupts=interrupts)
    thread.join()
    one, two, bad = quick_plan(out, {"one": "", "two": "", "bad": ""}, {"two": "one"}).jobs.values()
    for job in (one, two, bad):
        record.refuse_changed(job)
    config = one.table.root / "configs" / "train.json"
    config.write_text('{"epochs": 3}')
    before = {path: path.read_bytes() for path in out.rglob("*") if path.is_file()}
    changed = quick_plan(out, {"one": "", "two": "", "bad": ""}, {"two": "one"})
    config.write_text('{"epochs": 3}')
    one, two, bad = changed.jobs.values()
    with pytest.raises(InputError, match=r"one/seed0: was run with another configs/train.json.*delete this folder"):
        record.refuse_changed(one)
    with pytest.raises(InputError, match=r"two/seed0: was begun with another configs/train.json"):
        record.refuse_changed(two)
    record.refuse_changed(bad)  # nothing was trained that could be mixed
    assert {path: path.read_bytes() for path in out.rglob("*") if path.is_file()} == before
    counted("faulty inputs", 2)


def test_other_weights_to_start_from_are_noticed(out, counted):
    plan = quick_plan(out, {"one": "", "two": ""}, {"two": "one"})
    run(plan)
    (out / "toy" / "one" / "seed0" / "model.pt").write_bytes(b"others")
    with pytest.raises(InputError, match=r"two/seed0: was run with another file to start from, \{toy/one\}/model.pt"):
        record.refuse_changed(plan.jobs["toy", "two", 0])
    counted("faulty inputs")


def test_a_row_whose_scores_are_gone_is_run_again(out):
    plan = quick_plan(out, {"one": ""})
    run(plan)
    (out / "toy" / "one" / "seed0" / "test" / "scores.json").unlink()
    assert run(plan).done == set(plan.jobs)
    assert log_of(out, "one").count("\nhello from") == 2
