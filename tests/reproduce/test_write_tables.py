"""The files of a made-up table, read back."""

import csv
import io
import json
import re

import pytest
from fake_table import make_table, trained, write_fake, write_row

from ganglion.reproduce.results import read_results
from ganglion.reproduce.write_tables import as_csv, as_markdown, write_all


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    out = tmp_path_factory.mktemp("out")
    return read_results(write_fake(out), out, range(3))


def lines_of(results):
    return list(csv.DictReader(io.StringIO(as_csv(results))))


def test_four_files(results, tmp_path):
    paths = write_all(results, tmp_path)
    assert [path.name for path in paths] == ["table.json", "table.csv", "table.md", "table.html"]
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(path.name for path in paths)
    assert json.loads(paths[0].read_text(encoding="utf-8")) == results


def test_csv_has_a_line_for_each_row_and_column(results):
    lines = lines_of(results)
    assert len(lines) == len(results["rows"]) * len(results["columns"])
    good = next(line for line in lines if (line["row"], line["column"]) == ("good", "dice"))
    summary = next(row for row in results["rows"] if row["row"] == "good")["metrics"]["dice"]
    assert float(good["mean"]) == summary["mean"]
    assert [float(value) for value in good["seed_means"].split()] == summary["seed_means"]
    assert (good["n"], good["seeds"], good["verdict"], good["printed"]) == ("16", "0 1 2", "better", "0.8")


def test_csv_keeps_rows_without_a_result(results):
    broken = next(line for line in lines_of(results) if line["row"] == "broken")
    assert (broken["state"], broken["mean"], broken["verdict"]) == ("failed", "", "")
    assert "found nan in segmenter/loss" in broken["why"]


def test_no_mean_without_n_and_spread(tmp_path):
    """One subject has no spread: no file may show its mean."""
    write_row(tmp_path, "base", 0, {"a": 0.8125})
    write_row(tmp_path, "other", 0, {"a": 0.9375})
    results = read_results(make_table([trained("base"), trained("other")]), tmp_path, range(1))
    assert all(line["mean"] == line["difference"] == "" and line["n"] == "1" for line in lines_of(results))
    text = as_markdown(results)
    assert "0.81" not in text
    assert "| Row base | not shown |  | 1 |" in text
    assert "one subject has no spread" in text


def test_markdown_tables_have_equal_lines_whatever_a_row_is_called(results):
    text = as_markdown(results)
    tables = re.findall(r"(?:^\|.*\n?)+", text, re.M)
    assert len(tables) == len(results["columns"]) + 1
    for table in tables:
        counts = {len(re.findall(r"(?<!\\)\|", line)) for line in table.strip().splitlines()}
        assert len(counts) == 1
    assert "<script" not in text
    assert "&lt;script&gt;alert(1)&lt;/script&gt; &amp; co \\| x" in text


def test_markdown_says_the_answer_and_the_limits(results):
    text = as_markdown(results)
    assert "**Simulated data" in text
    sentence = (
        r"- On 16 simulated subjects and 3 training seeds, Row good is above Row base by 0\.04\d Dice .*: better\."
    )
    assert re.search(sentence, text)
    assert "2 of 3 seeds are done (0, 1)" in text
    assert "| Row half | 2 of 3 | 90 | 1500 |" in text
    assert "seed 1, 2: not run" in text
    assert "Wilcoxon" in text
    assert "ab" * 32 in text
