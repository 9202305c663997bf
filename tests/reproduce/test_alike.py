"""Rows of two tables that are the same training, trained once."""

import json
import os

import pytest
from quick_jobs import WRITE

from ganglion.reproduce import alike, record
from ganglion.reproduce.estimate import describe
from ganglion.reproduce.place import Place
from ganglion.reproduce.plan import Job, Plan, Step
from ganglion.reproduce.screen import Screen
from ganglion.reproduce.share import Interrupts, Sharing
from ganglion.reproduce.table import Row, Scale, Table

pytestmark = pytest.mark.usefixtures("short_pauses")

# As `python -m monai.bundle run training --key value ...`, five words and then options.
RUN = WRITE.replace("sys.argv[1]", "sys.argv[sys.argv.index('--output_dir') + 1]").format(body="")


class OptionJob(Job):
    """A row whose command has options as a bundle's has, and takes no time."""

    @property
    def steps(self):  # a cached property there
        words = (
            "python",
            "-c",
            RUN,
            "run",
            "training",
            "--dataset_dir",
            str(self.data),
            "--output_dir",
            f"{self.folder}/",
        )
        options = {**self.scale.options, **self.row.options}
        more = [word for key, value in options.items() for word in (f"--{key}", str(value))]
        return (Step("training", (*words, *more), self.folder / "test" / "scores.json"),)


@pytest.fixture
def job(tmp_path):
    root = tmp_path / "bundle"
    (root / "configs").mkdir(parents=True)
    for name in ("train", "inference", "evaluate"):
        (root / "configs" / f"{name}.json").write_text("{}")

    def make(table="first", row="unet", seed=0, data="data", scale_options=None, **options):
        line, scale = Row(row, row, (), options=options), Scale("small", options=scale_options or {})
        made = Table(root, table, table, ("dice",), {"small": scale}, {row: line})
        return OptionJob(made, line, scale, seed, tmp_path / "out", tmp_path / data)

    return make


def run(job):
    assert Sharing(Plan({job.key: job}, {job.key}), Screen()).run(Interrupts()).done == {job.key}
    return json.loads((job.folder / "row.json").read_text())


def test_the_same_row_of_another_table_is_taken_from_there(job, capsys):
    first, second = (
        job(labelled=2, precision="bf16"),
        job("second", "baseline", scale_options={"precision": "bf16"}, labelled=2),
    )
    trained = run(first)
    capsys.readouterr()
    taken = run(second)
    assert (
        capsys.readouterr().out
        == "second/baseline, seed 0 is the same as first/unet, which is done: taken from there\n"
    )
    assert (second.folder / "model.pt").read_bytes() == (first.folder / "model.pt").read_bytes()
    assert (taken["taken_from"], taken["table"], taken["row"]) == ("first/unet", "second", "baseline")
    assert taken["seconds"] == trained["seconds"]
    assert str(second.folder) in taken["commands"][0]
    record.refuse_changed(second)
    assert alike.find_alike(job("third", precision="bf16", labelled=2)) == first.folder, "from where it was trained"


@pytest.mark.parametrize(
    "other",
    [{"labelled": 4}, {"labelled": 2, "epochs": 3}, {"labelled": 2, "seed": 1}, {"labelled": 2, "data": "others"}],
    ids=["another value", "one more option", "another seed", "other data"],
)
def test_a_row_that_differs_is_not(job, other):
    run(job(labelled=2))
    assert alike.find_alike(job("second", **other)) is None
    assert "taken_from" not in run(job("second", **other))


def test_nor_one_of_other_configs_nor_one_that_failed_or_lost_its_scores(job):
    first, second = job(labelled=2), job("second", labelled=2)
    run(first)
    assert alike.find_alike(second) == first.folder
    config = second.table.root / "configs" / "train.json"
    config.write_text('{"width": 8}')
    assert alike.find_alike(second) is None
    config.write_text("{}")
    row = first.folder / "row.json"
    done = row.read_text()
    row.write_text(done.replace('"done"', '"failed"'))
    assert alike.find_alike(second) is None
    row.write_text(done)
    (first.folder / "test" / "scores.json").unlink()
    assert alike.find_alike(second) is None


def test_a_row_that_was_begun_goes_on_by_itself(job):
    run(job(labelled=2))
    second = job("second", labelled=2)
    second.folder.mkdir(parents=True)
    record.save_progress(second.folder, record.begin(second))
    assert alike.find_alike(second) is None


def test_where_the_disk_knows_no_second_names_files_are_copied(job, monkeypatch):
    def refuse(source, target):
        raise OSError("not here")

    run(job(labelled=2))
    monkeypatch.setattr(os, "link", refuse)
    second = job("second", labelled=2)
    assert run(second)["taken_from"] == "first/unet"
    assert (second.folder / "model.pt").stat().st_nlink == 1


def test_the_estimate_lists_no_commands_for_it(job, tmp_path):
    run(job(labelled=2))
    second, third = job("second", labelled=2), job("third", labelled=4)
    place = Place(tmp_path / "out", second.table, second.scale, tmp_path / "data")
    told = describe(Plan({each.key: each for each in (second, third)}, {second.key, third.key}), place)
    assert "# second/unet, seed 0: the same as first/unet, which is done\n" in told
    assert told.count("python -c") == 1
