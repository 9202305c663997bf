"""The folder of all tables: what it is for, and simulated data where no others are given."""

import json
import shutil
import signal
import subprocess
import sys

import pytest

from ganglion.errors import GanglionError, InputError
from ganglion.reproduce.place import NO_DATA, Place
from ganglion.reproduce.prepare import prepare
from ganglion.reproduce.run_row import Child
from ganglion.reproduce.screen import Screen
from ganglion.reproduce.share import Interrupts, Stopped


@pytest.fixture
def place(toy, tmp_path):
    """Where the toy table goes, with the settings of its scales."""

    def make(scale="small", given=None, out="out", others=None):
        table = toy.read()["toy"]
        return Place(tmp_path / out, table, table.scale(scale), given, others or {})

    return make


def ready(place, interrupts=None):
    prepare(place, Screen(), interrupts or Interrupts())
    return json.loads((place.out / "reproduce.json").read_text())


def test_subjects_are_simulated_once_and_said_to_be(place, brats_cohort, monkeypatch, capsys):
    """And a data set that was not finished is made anew. The simulation itself is a copy, for the time it takes."""
    here = place()

    def simulate(words, log):
        assert words == here.phantom
        assert not here.data.exists()
        code = f"import shutil; shutil.copytree({str(brats_cohort)!r}, {words[5]!r})"
        return Child(("python", "-c", code), log)

    monkeypatch.setattr("ganglion.reproduce.prepare.Child", simulate)
    here.out.mkdir()
    here.begin()
    (here.data / "sub-001").mkdir(parents=True)
    said = ready(here)
    out = capsys.readouterr().out
    assert "Simulated subjects, not patients" in out
    line = next(line for line in out.splitlines() if line.startswith("python"))
    assert line == f"python -m ganglion phantom brats {here.data} " + " ".join(
        ["--subjects 4", "--seed 3", "--spacing 6.0", "--splits 2,1,1", "--workers 2"]
    )
    assert said["simulated"] is True
    assert "training 5" in said["data"]["subjects"]
    assert (said["bundle"], said["scale"], said["cohort"]["subjects"]) == ("toys", "small", 4)
    times = {path: path.stat().st_mtime_ns for path in here.data.rglob("*")}
    assert ready(here) == said
    assert {path: path.stat().st_mtime_ns for path in here.data.rglob("*")} == times
    assert "Simulated subjects, not patients" in capsys.readouterr().out
    assert ready(place(given=here.data))["simulated"] is True, "the same data by their name"


def test_a_given_data_set_is_remembered_by_its_fingerprint(place, brats_cohort, tmp_path, counted):
    here = place(given=brats_cohort)
    assert str(brats_cohort) not in json.dumps(ready(here))
    other = shutil.copytree(brats_cohort, tmp_path / "other")
    here.check()
    place(given=other).check()  # a copy is the same data set
    (other / "dataset.json").write_text((other / "dataset.json").read_text() + "\n")
    for wrong, says in (
        (place(given=other), r"of another data set \(fingerprint \w{12}\), expected fingerprint"),
        (place(), r"of another data set \(named by --dataset_dir\), expected simulated: cohort brats, subjects 4"),
        (place("paper", given=brats_cohort), r"of another scale \(small\), expected paper; choose another folder with"),
    ):
        with pytest.raises(InputError, match=says):
            wrong.check()
        counted("faulty inputs")


def test_another_cohort_in_the_same_folder_is_refused(place, toy, counted):
    here = place()
    here.out.mkdir()
    here.begin()
    toy.table["scales"]["small"]["cohort"]["seed"] = 4
    toy.write()
    with pytest.raises(InputError, match=r"another data set \(simulated: .*seed 3.*\), expected simulated: .*seed 4"):
        place().check()
    counted("faulty inputs")


def test_a_folder_of_somebody_else_is_refused_and_untouched(place, tmp_path, counted):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.txt").write_text("years of work")
    (tmp_path / "file").touch()
    for wrong in (place(), place(out="file")):
        with pytest.raises(InputError, match="files that are of no `reproduce`, expected a new or empty folder"):
            wrong.check()
        counted("faulty inputs")
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["thesis.txt"]


def test_a_scale_without_cohort_needs_data(place, tmp_path, counted):
    with pytest.raises(InputError, match="no cohort for scale paper, expected a data set; give one with --dataset_dir"):
        place("paper").check()
    with pytest.raises(InputError, match="no such folder"):
        place(given=tmp_path / "nowhere").check()
    place("paper", given=NO_DATA).check()
    counted("faulty inputs", 2)


def test_a_simulation_that_fails_says_why(place, toy, counted):
    toy.table["scales"]["small"]["cohort"]["cohort"] = "brain"
    toy.write()
    with pytest.raises(GanglionError, match="exit code 2: error: unknown cohort 'brain'") as caught:
        ready(place())
    assert caught.value.exit_code == 2
    counted("faulty inputs")


def test_a_signal_ends_the_simulation(place):
    interrupts = Interrupts()
    interrupts.note(signal.SIGTERM)
    with pytest.raises(Stopped) as caught:
        ready(place(), interrupts)
    assert caught.value.exit_code == 143


HOLD = """
import fcntl, sys, time
file = open(sys.argv[1], "a+")
fcntl.lockf(file, fcntl.LOCK_EX)
print("held", flush=True)
time.sleep(60)
"""


def test_another_process_that_prepares_is_waited_for(place, capsys):
    here = place()
    here.out.mkdir()
    here.begin()
    words = [sys.executable, "-c", HOLD, str(here.out / "reproduce.json.lock")]
    interrupts = Interrupts()
    with subprocess.Popen(words, stdout=subprocess.PIPE) as other:
        assert other.stdout.readline() == b"held\n"
        interrupts.note(signal.SIGINT)
        with pytest.raises(Stopped):
            ready(here, interrupts)
        other.kill()


def test_a_folder_that_cannot_be_made(place, tmp_path, counted):
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="cannot write .*choose another folder"):
        ready(place(out="file/below"))
    counted("faulty inputs")


@pytest.fixture
def further(toy):
    """The toy table with a row that is trained on other subjects."""
    cohort = {**toy.table["scales"]["small"]["cohort"], "seed": 9}
    toy.table["scales"]["small"]["others"] = {"adults": cohort}
    toy.row("first")["data"] = "adults"
    toy.table.pop("baseline")
    toy.write()


def test_further_data_sets_are_simulated_and_remembered_too(further, place, brats_cohort, monkeypatch, counted):
    here = place()
    simulated = []

    def simulate(words, log):
        simulated.append(words[5])
        return Child(("python", "-c", f"import shutil; shutil.copytree({str(brats_cohort)!r}, {words[5]!r})"), log)

    monkeypatch.setattr("ganglion.reproduce.prepare.Child", simulate)
    said = ready(here)
    folder = here.out / "others" / "adults"
    assert simulated == [str(here.out / "data"), str(folder)]
    assert here.further == {"adults": folder}
    assert said["others"]["adults"]["fingerprint"] == said["fingerprint"], "a copy of the same subjects"
    assert ready(here) == said
    (folder / "dataset.json").write_text((folder / "dataset.json").read_text() + "\n")
    with pytest.raises(InputError, match=r"of another data set 'adults' \(fingerprint \w{12}\), expected fingerprint"):
        ready(here)
    counted("faulty inputs")


def test_further_data_sets_are_named_together_with_the_first(further, place, brats_cohort, counted):
    assert place(given=brats_cohort, others={"adults": brats_cohort}).to_simulate == {}
    assert place("paper", given=NO_DATA).further == {"adults": NO_DATA}, "to show the commands"
    for wrong, says in (
        (place(given=brats_cohort), "'adults' for rows that need it, and real and simulated subjects are not mixed"),
        (place(others={"children": brats_cohort}), "found children, expected names that .*toy.json uses: adults"),
    ):
        with pytest.raises(InputError, match=says):
            wrong.check()
        counted("faulty inputs")
