"""Tables in the documents are those of the files beside them, and the files are those of the tables' definitions."""

import json
from pathlib import Path
from statistics import fmean

import pytest
from benchmarks.publish_table import marked
from found_bundles import BUNDLES

ROOT = Path(__file__).parents[2]
PUBLISHED = sorted((ROOT / "docs" / "results" / "tables").glob("*/*.json"))


def read(path):
    return json.loads(path.read_text(encoding="utf-8"))


def test_every_table_of_a_finished_bundle_is_published():
    defined = {(bundle.name, path.stem) for bundle in BUNDLES for path in (bundle / "tables").glob("*.json")}
    assert {(path.parent.name, path.stem) for path in PUBLISHED} == defined
    assert defined


@pytest.mark.parametrize("path", PUBLISHED, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_the_document_says_what_the_file_says(path):
    page = (ROOT / "docs" / f"{path.parent.name}.md").read_text(encoding="utf-8")
    assert marked(read(path)) in page


@pytest.mark.parametrize("path", PUBLISHED, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_every_row_is_there_with_its_seeds_and_subjects(path):
    results = read(path)
    table = read(ROOT / "bundles" / path.parent.name / "tables" / path.name)
    assert [row["row"] for row in results["rows"]] == [row["row"] for row in table["rows"]]
    for row, defined in zip(results["rows"], table["rows"], strict=True):
        assert row["name"] == defined["name"]
        assert row["paper"] == {c: v for c, v in defined.get("paper", {}).items() if c in results["columns"]}
        if defined.get("printed_only"):
            continue
        assert row["seeds_done"] == results["seeds"]
        assert len(results["seeds"]) >= 3
        for column, values in row["metrics"].items():
            assert len(row["subjects"][column]) == values["n"]
            assert fmean(row["subjects"][column].values()) == pytest.approx(values["mean"])
            assert fmean(values["seed_means"]) == pytest.approx(values["mean"])
