"""A table goes into its bundle's document, between its marks; one that nobody ran is said to be so."""

import json

import pytest
from benchmarks.publish_table import publish, results_file
from fake_table import write_fake

from ganglion.reproduce.results import read_results

MARKS = "<!-- {0} -->\nold\n<!-- end of {0} -->"


@pytest.fixture
def repository(tmp_path):
    """A repository with one bundle of two tables."""
    tables = tmp_path / "bundles" / "made_up" / "tables"
    tables.mkdir(parents=True)
    rows = [{"row": "printed", "printed_only": True}, {"row": "base"}, {"row": "better"}]
    for name in ("table1", "table2"):
        (tables / f"{name}.json").write_text(json.dumps({"rows": rows}))
    page = "\n".join(["# Made up", MARKS.format("table1"), "between", MARKS.format("table2"), "after"])
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "made_up.md").write_text(page)
    return tmp_path


def test_tables_that_were_run_are_shown_and_others_are_said_not_to_be(repository, tmp_path):
    table = write_fake(tmp_path / "out")
    folder = tmp_path / "out" / "table1"
    (folder / "table.json").write_text(json.dumps(read_results(table, tmp_path / "out", [0, 1, 2])))
    publish(str(folder), root=str(repository))
    bundle = repository / "bundles" / "made_up"
    assert results_file(bundle, "table1").exists()
    assert not results_file(bundle, "table2").exists()
    text = (repository / "docs" / "made_up.md").read_text()
    first, rest = text.split("between")
    assert "Row good" in first
    assert "| Row |" in first
    assert "**Not run yet:** 2 rows; `ganglion reproduce made_up/table2`" in rest
    assert "old" not in text
    publish(root=str(repository))
    assert (repository / "docs" / "made_up.md").read_text() == text


def test_missing_marks_are_named(repository):
    page = repository / "docs" / "made_up.md"
    page.write_text(page.read_text().replace("<!-- end of table2 -->", ""))
    with pytest.raises(SystemExit, match=r"found the marks of table2 0 times"):
        publish(root=str(repository))
