"""What `ganglion report DIR` recognises, where it finds the data, and what it says where it cannot."""

import json
import shutil

import pytest

from ganglion.cli import main
from ganglion.errors import InputError
from ganglion.reports.on_folder import find_parts, label, report_on


def row(finished, name="row", **content):
    """A folder as `ganglion reproduce` leaves one: run/, test/ and row.json."""
    folder = finished / name
    shutil.copytree(finished / "run", folder / "run")
    shutil.copytree(finished / "evaluation", folder / "test")
    if content:
        (folder / "row.json").write_text(json.dumps(content))
    return folder


def name_dataset(run, path):
    content = json.loads((run / "config.json").read_text())
    content["config"]["dataset_dir"] = str(path)
    (run / "config.json").write_text(json.dumps(content))


def test_a_training_alone(finished, capsys):
    assert main(["report", str(finished / "run")]) == 0
    out = finished / "run" / "report.html"
    assert capsys.readouterr().out.strip() == str(out)
    text = out.read_text()
    assert "Training: critic" in text
    assert "<h2>Scores</h2>" not in text


def test_an_evaluation_alone_says_that_pictures_are_missing(finished):
    text = report_on(finished / "evaluation").read_text()
    assert "<h2>Scores</h2>" in text
    assert "No pictures and no fingerprint of the data: the folder does not say on which data set" in text
    assert "<h2>Look around</h2>" not in text


def test_a_row_finds_its_data_in_the_training_s_config(finished):
    folder = row(finished)
    name_dataset(folder / "run", finished / "data")
    text = report_on(folder).read_text()
    assert "<h2>Scores</h2>" in text
    assert "Training: critic" in text
    assert "<h2>Look around</h2>" in text
    assert "No pictures" not in text
    assert "One training seed" in text


def test_a_row_finds_its_data_in_its_own_commands(finished):
    commands = ["python -m monai.bundle run training", f"x run evaluating --dataset_dir '{finished / 'data'}' --a 1"]
    folder = row(finished, commands=commands, state="done")
    shutil.rmtree(folder / "run")
    text = report_on(folder).read_text()
    assert "<h2>Look around</h2>" in text
    assert "x run evaluating --dataset_dir &#x27;.../data&#x27; --a 1" in text
    assert str(finished) not in text


def test_a_data_set_named_from_another_working_folder(finished):
    folder = row(finished)
    name_dataset(folder / "run", "data")
    assert "<h2>Look around</h2>" in report_on(folder).read_text()


def test_a_row_that_failed_says_so(finished):
    folder = row(finished, state="failed", last_line="error: /home/somebody/x.nii.gz: no")
    assert "This row failed: error: .../x.nii.gz: no" in report_on(folder).read_text()


def test_data_that_are_gone_are_said(finished):
    folder = row(finished)
    name_dataset(folder / "run", finished / "elsewhere")
    assert "the data set elsewhere that it was made on is not there any more" in report_on(folder).read_text()


def test_a_list_that_is_not_there_is_said_or_refused(finished):
    """Of data that were found it is a note; of data that were named it is the user's mistake."""
    folder = row(finished)
    name_dataset(folder / "run", finished / "data")
    text = report_on(folder, section="validation").read_text()
    assert "the list validation of data cannot be used" in text
    with pytest.raises(InputError, match="validation"):
        report_on(folder, dataset=finished / "data", section="validation")


def test_other_folders_are_named(finished):
    out = finished / "by_hand" / "page.html"
    words = ["--evaluation", "evaluation", "--dataset", "data", "--compare", "evaluation"]
    words = [str(finished / word) if not word.startswith("--") else word for word in words]
    assert main(["report", str(finished / "run"), "--out", str(out), *words, "--title", "By hand"]) == 0
    text = out.read_text()
    assert "<h1>By hand</h1>" in text
    assert "difference to the other" in text
    assert not (finished / "run" / "report.html").exists()


def test_compare_takes_a_row(finished):
    text = report_on(finished / "evaluation", compare=row(finished)).read_text()
    assert "difference to the other" in text


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["nowhere"], "nowhere: found no such folder, expected a training run"),
        (["data"], "data: found dataset.json, sub-001"),
        (["empty"], "empty: found nothing, expected a training run"),
        (["run", "--compare", "evaluation"], "--compare: run holds no scores.json to compare"),
        (["run", "--evaluation", "data"], "found no scores.json in it or in its test/, expected an evaluation"),
        (["evaluation", "--compare", "run"], "found no scores.json in it or in its test/, expected an evaluation"),
    ],
)
def test_mistakes_are_one_line(finished, capsys, words, message):
    (finished / "empty").mkdir()
    words = [word if word.startswith("--") else str(finished / word) for word in words]
    assert main(["report", *words]) == 2
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert message in line


def test_the_folder_of_several_rows_names_one(finished):
    folder = row(finished, "several/seed0")
    with pytest.raises(InputError, match=r"several: found seed0, expected a training run .* within it: .*seed0\."):
        find_parts(folder.parent)


def test_a_table_takes_no_further_evaluation(finished, capsys):
    (finished / "table").mkdir()
    (finished / "table" / "table.json").write_text("{}")
    assert find_parts(finished / "table").table is not None
    assert main(["report", str(finished / "table"), "--compare", str(finished / "evaluation")]) == 2
    assert "--compare: found on a table" in capsys.readouterr().err
    assert main(["report", str(finished / "table")]) == 2
    assert "table.json: expected the rows and columns" in capsys.readouterr().err


def test_folders_have_names_for_people(tmp_path):
    assert label(tmp_path / "reference" / "seed0") == "reference, seed0"
    assert label(tmp_path / "reference" / "seed12" / "run") == "reference, seed12, run"
    assert label(tmp_path / "scored") == "scored"
