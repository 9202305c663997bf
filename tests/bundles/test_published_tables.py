"""Tables in the documents are those of the files beside them, and the files are those of the tables' definitions."""

import json
from pathlib import Path
from statistics import fmean

import pytest
from benchmarks.publish_table import ENOUGH_SEEDS, few_seeds, marked, results_file
from found_bundles import BUNDLES

ROOT = Path(__file__).parents[2]
PUBLISHED = sorted((ROOT / "docs" / "results" / "tables").glob("*/*.json"))
DEFINED = [(bundle, path.stem) for bundle in BUNDLES for path in sorted((bundle / "tables").glob("*.json"))]


def read(path):
    return json.loads(path.read_text(encoding="utf-8"))


def test_what_is_published_is_defined():
    assert PUBLISHED
    assert set(PUBLISHED) <= {results_file(bundle, name) for bundle, name in DEFINED}


@pytest.mark.parametrize(("bundle", "name"), DEFINED, ids=lambda value: getattr(value, "name", value))
def test_the_document_shows_every_table_or_says_that_it_was_not_run(bundle, name):
    page = (ROOT / "docs" / f"{bundle.name}.md").read_text(encoding="utf-8")
    assert page.count(marked(bundle, name)) == 1
    assert page.count(f"<!-- {name} -->") == 1


@pytest.mark.parametrize("path", PUBLISHED, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_every_row_is_there_with_its_seeds_and_subjects(path):
    results = read(path)
    table = read(ROOT / "bundles" / path.parent.name / "tables" / path.name)
    seeds = len(results["seeds"])
    page = (ROOT / "docs" / f"{path.parent.name}.md").read_text(encoding="utf-8")
    assert seeds >= ENOUGH_SEEDS or f"<!-- {path.stem} -->\n\n{few_seeds(seeds)}" in page
    scored = [row for row in table["rows"] if "draws" not in row]
    assert [row["row"] for row in results["rows"]] == [row["row"] for row in scored]
    for row, defined in zip(results["rows"], scored, strict=True):
        assert row["name"] == defined["name"]
        assert row["paper"] == {c: v for c, v in defined.get("paper", {}).items() if c in results["columns"]}
        if defined.get("printed_only"):
            continue
        if row["state"] == "missing":  # shown as such; nothing may be said of it
            assert not row["metrics"]
            assert not row["seeds_done"]
            continue
        assert row["seeds_done"] == results["seeds"]
        for column, values in row["metrics"].items():
            assert len(row["subjects"][column]) == values["n"]
            assert fmean(row["subjects"][column].values()) == pytest.approx(values["mean"])
            assert fmean(values["seed_means"]) == pytest.approx(values["mean"])
