"""What a dry run says: commands, counts, and how long it may take."""

import os
import re

import pytest

from ganglion.cli import main
from ganglion.reproduce import record
from ganglion.reproduce.estimate import describe, duration
from ganglion.reproduce.place import Place
from ganglion.reproduce.plan import make_plan


@pytest.fixture
def described(toy, tmp_path):
    """The words of a dry run."""

    def words(workers=1, seeds=2, only=()):
        tables = toy.read()
        table = tables["toy"]
        place = Place(tmp_path / "out", table, table.scale("small"))
        return describe(make_plan(tables, "small", seeds, place.out, place.data, only), place, workers)

    return words


def finish(toy, out, name, parts):
    tables = toy.read()
    job = make_plan(tables, "small", 2, out, out / "data").jobs["toy", name, 0]
    (job.folder / "test").mkdir(parents=True)
    (job.folder / "test" / "scores.json").write_text("{}")
    progress = record.begin(job)
    progress.parts = parts
    record.write_row(job, progress, record.DONE, 0, "")


def test_before_anything_is_done_the_table_is_believed(described):
    said = described().splitlines()
    assert said[0] == "# 3 rows, 2 seeds: 6 to run; 0 done, 6 left"
    assert said[1] == "# about 6 min (the table's estimate for 2 cores); rows that are scored only take less"
    assert said[2:4][0] == "# simulated subjects, not patients"
    assert said[3].startswith("python -m ganglion phantom brats ")
    commands = [line for line in said[4:] if not line.startswith("#")]
    assert len(commands) == 2 * (2 + 2 + 1)
    assert all(line.startswith("python -m monai.bundle run ") for line in commands)


def test_what_was_measured_here_is_believed_more(described, toy, tmp_path):
    finish(toy, tmp_path / "out", "first", {"training": 600.0, "evaluating": 30.0})
    said = described().splitlines()
    assert said[0] == "# 3 rows, 2 seeds: 6 to run; 1 done, 5 left"
    assert said[1] == f"# about {duration(3 * 630 + 2 * 30)} (measured here on 1 row)"
    assert not re.search(r"toy/first, seed 0$", "\n".join(said), re.M)
    assert re.search(r"toy/first, seed 1$", "\n".join(said), re.M)


def test_rows_side_by_side_take_less_where_there_are_cores(described, monkeypatch):
    monkeypatch.setattr(os, "cpu_count", lambda: 8)
    assert "about 2 min (the table's estimate for 2 cores, 3 rows side by side)" in described(workers=3)
    monkeypatch.setattr(os, "cpu_count", lambda: 2)
    assert "about 6 min (the table's estimate for 2 cores);" in described(workers=3)


def test_rows_that_others_start_from_are_counted(described):
    assert "2 rows, 1 seed: 2 to run, 1 of them of rows that others start from" in described(seeds=1, only=("second",))


def test_no_measurement_no_estimate(described, toy):
    del toy.table["scales"]["small"]["seconds"]
    toy.write()
    assert "# how long it takes is not known: the table states no `seconds` and no row is done" in described()


def test_a_dry_run_writes_nothing(toy, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    before = set(tmp_path.rglob("*"))
    for words in (["--dry-run"], ["--dry_run", "--scale", "paper"]):
        assert main(["reproduce", "./toys/toy", *words]) == 0
    assert set(tmp_path.rglob("*")) == before
    said = capsys.readouterr().out
    assert "--output_dir reproduced/toys/small/toy/first/seed2/run" in said
    assert "# give your data set with --dataset_dir DIR: there is no cohort to simulate at this scale" in said


def test_durations_as_a_person_says_them():
    spoken = [duration(seconds) for seconds in (5, 89, 90, 119 * 60, 7200, 45 * 3600 + 240)]
    assert spoken == ["5 s", "89 s", "2 min", "119 min", "2 h 00 min", "45 h 04 min"]
