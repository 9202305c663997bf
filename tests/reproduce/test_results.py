"""From folders of made-up rows to what is known about the table."""

import json

import pytest
from fake_table import make_table, scores_of, trained, write_fake, write_row

from ganglion.errors import InputError
from ganglion.reproduce.results import column_values, group_rows, read_results

SEEDS = range(3)


@pytest.fixture
def results(tmp_path):
    return read_results(write_fake(tmp_path), tmp_path, SEEDS)


def row_of(results, name):
    return next(row for row in results["rows"] if row["row"] == name)


def test_states_and_reasons(results):
    states = {row["row"]: row["state"] for row in results["rows"]}
    assert states == {
        "printed": "printed_only",
        "base": "done",
        "good": "done",
        "swinging": "done",
        "half": "missing",
        "broken": "failed",
    }
    broken = row_of(results, "broken")
    assert broken["why"] == (
        "seed 0: failed with exit code 3: error: .../sub-001.nii.gz: found nan in segmenter/loss; seed 1, 2: not run"
    )
    assert (broken["metrics"], broken["differences"], broken["seeds_done"]) == ({}, {}, [])


def test_a_row_with_one_seed_missing_is_shown_and_said(results):
    half = row_of(results, "half")
    assert (half["seeds_done"], half["why"]) == ([0, 1], "seed 2: not run")
    assert len(half["metrics"]["dice"]["seed_means"]) == 2
    assert half["differences"]["dice"]["seeds"] == [0, 1]
    assert "Row half: 2 of 3 seeds are done (0, 1); its numbers are of those alone." in results["warnings"]


def test_verdicts_follow_how_the_rows_were_drawn(results):
    verdicts = {row["row"]: row["differences"]["dice"]["verdict"] for row in results["rows"] if row["differences"]}
    assert verdicts == {"good": "better", "swinging": "undecided", "half": "undecided"}
    assert row_of(results, "good")["differences"]["hd95_mm"]["verdict"] == "better"
    assert row_of(results, "good")["differences"]["hd95_mm"]["mean"] < 0


def test_mean_is_over_seeds_then_subjects(tmp_path):
    write_row(tmp_path, "base", 0, {"a": 0.2, "b": 0.4})
    write_row(tmp_path, "base", 1, {"a": 0.6, "b": 0.4})
    row = row_of(read_results(make_table([trained("base")]), tmp_path, range(2)), "base")
    assert row["subjects"]["dice"] == pytest.approx({"a": 0.4, "b": 0.4})
    assert row["metrics"]["dice"]["seed_means"] == pytest.approx([0.3, 0.5])


def test_volume_errors_do_not_cancel(tmp_path):
    """Dice 0.7 and 0.9 stand for -3 and +3 ml."""
    write_row(tmp_path, "base", 0, {"a": 0.7, "b": 0.9})
    row = row_of(read_results(make_table([trained("base")]), tmp_path, range(1)), "base")
    assert row["metrics"]["volume_error_ml"]["mean"] == pytest.approx(3.0)


def test_subjects_of_one_row_only(tmp_path):
    write_row(tmp_path, "base", 0, {"a": 0.7, "b": 0.8, "c": 0.9})
    write_row(tmp_path, "other", 0, {"a": 0.8, "b": 0.9, "z": 0.1})
    results = read_results(make_table([trained("base"), trained("other")]), tmp_path, range(1))
    found = row_of(results, "other")["differences"]["dice"]
    assert (found["n"], found["left_out"], found["mean"]) == (2, 2, pytest.approx(0.1))
    assert any("2 subjects were scored for only one of it and its baseline" in words for words in results["warnings"])


def test_subjects_that_not_every_seed_scored(tmp_path):
    write_row(tmp_path, "base", 0, {"a": 0.7, "b": 0.8})
    write_row(tmp_path, "base", 1, {"a": 0.7})
    results = read_results(make_table([trained("base")]), tmp_path, range(2))
    assert row_of(results, "base")["metrics"]["dice"]["n"] == 1
    assert any("1 subjects were not scored with every seed" in words for words in results["warnings"])


def test_scores_that_are_gone(tmp_path):
    write_row(tmp_path, "base", 0)
    row = row_of(read_results(make_table([trained("base")]), tmp_path, range(1)), "base")
    assert (row["state"], row["why"]) == ("failed", "seed 0: said to be done, but its test/scores.json is gone")


def test_limits_are_said(tmp_path):
    few = read_results(write_fake(tmp_path, seeds=1, subjects=5), tmp_path, range(1))
    said = " ".join(few["warnings"])
    assert "Only 5 test subjects: the smallest p that the test can give is 0.062" in said
    assert "so no row can be called better or worse" in said
    assert "One training seed" in said
    assert all(d["verdict"] == "undecided" for row in few["rows"] for d in row["differences"].values())


def test_a_full_table_has_no_warnings(tmp_path):
    table = write_fake(tmp_path)
    complete = make_table([row for row in table.rows.values() if row.row in ("printed", "base", "good", "swinging")])
    assert read_results(complete, tmp_path, SEEDS)["warnings"] == []


def test_own_baseline_of_a_row_and_groups(tmp_path):
    rows = [trained("a"), trained("b", baseline="a"), trained("c", baseline="b"), trained("d")]
    table = make_table(rows, baseline=None)
    assert group_rows(table) == [
        {"baseline": "a", "rows": ["a", "b"]},
        {"baseline": "b", "rows": ["b", "c"]},
        {"baseline": None, "rows": ["d"]},
    ]
    for row, value in zip("abcd", (0.5, 0.6, 0.8, 0.1), strict=True):
        write_row(tmp_path, row, 0, {"x": value, "y": value})
    results = read_results(table, tmp_path, range(1))
    assert [row["baseline"] for row in results["rows"]] == [None, "a", "b", None]
    assert row_of(results, "c")["differences"]["dice"]["mean"] == pytest.approx(0.2)


def test_columns_of_several_regions():
    scores = scores_of({"a": {"dice": 0.5}}, "core")
    scores["subjects"] += scores_of({"a": {"dice": 0.9}}, "whole")["subjects"]
    assert column_values(scores, "whole/dice", "row") == {"a": 0.9}
    with pytest.raises(InputError, match="regions core, whole, found the column 'dice', expected '<region>/<metric>'"):
        column_values(scores, "dice", "row")
    with pytest.raises(InputError, match="found no column 'core/hd95_mm'"):
        column_values(scores, "core/hd95_mm", "row")


def test_results_are_plain_data_without_folders(results, tmp_path):
    text = json.dumps(results, allow_nan=False)
    assert json.loads(text) == results
    assert "/home/" not in text
    assert str(tmp_path) not in text


def test_nothing_run_yet(tmp_path):
    results = read_results(make_table([trained("base"), trained("other")]), tmp_path, SEEDS)
    assert [row["state"] for row in results["rows"]] == ["missing", "missing"]
    assert results["rows"][0]["why"] == "seed 0, 1, 2: not run"


def test_a_row_that_was_never_begun_says_why(tmp_path):
    write_row(tmp_path, "base", 0, state="failed", exit_code=1, tries=0, last_line="not run: it starts from a row")
    row = row_of(read_results(make_table([trained("base")]), tmp_path, range(1)), "base")
    assert (row["state"], row["why"]) == ("failed", "seed 0: not run: it starts from a row")


def test_other_software_is_said(tmp_path):
    for seed, version in enumerate(("1.0", "1.1")):
        scores = scores_of({s: dict.fromkeys(("dice", "hd95_mm", "volume_error_ml"), 0.5) for s in "ab"})
        write_row(tmp_path, "base", seed, scores=scores | {"versions": {"monai": version}})
    said = read_results(make_table([trained("base")]), tmp_path, range(2))["warnings"]
    assert "Not everything was scored with the same software: monai 1.0; monai 1.1." in said


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("{", "scores.json is not valid JSON"),
        ("{}", "expected the parts definitions, subjects and summary"),
        ('{"definitions": {}, "subjects": [{"subject": "a", "region": "r", "dice": 1}], "summary": {}}', "hd95_mm"),
    ],
)
def test_scores_that_cannot_be_read_cost_their_row_only(tmp_path, content, reason):
    write_row(tmp_path, "base", 0, {"a": 0.7, "b": 0.8})
    write_row(tmp_path, "other", 0, {"a": 0.7, "b": 0.8})
    (tmp_path / "table1/other/seed0/test/scores.json").write_text(content)
    results = read_results(make_table([trained("base"), trained("other")]), tmp_path, range(1))
    assert row_of(results, "base")["metrics"]["dice"]["n"] == 2
    other = row_of(results, "other")
    assert (other["state"], other["metrics"]) == ("failed", {})
    assert reason in other["why"]
