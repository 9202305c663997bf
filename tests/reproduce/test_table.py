"""Tables as plain data: those of the bundles are sound, and what is wrong in one is said in one line."""

import json

import pytest
from found_bundles import BUNDLES, ROOT

from ganglion.cli import main
from ganglion.errors import InputError
from ganglion.reproduce.table import read_table, read_tables

TABLES = sorted((ROOT / "bundles").glob("*/tables/*.json"))


def test_the_sweep_found_every_table():
    listed = [path for bundle in BUNDLES for path in (bundle / "tables").rglob("*") if path.is_file()]
    assert len(TABLES) == len(listed) >= 3
    names = {path.stem for path in TABLES if path.parents[1].name == "segan_transfer"}
    assert names == {"table1", "table2", "table3"}
    names = {path.stem for path in TABLES if path.parents[1].name == "multistage_gan"}
    assert names == {f"table{number}" for number in range(4, 10)} | {"few_labels", "few_labels_adults", "adversary"}
    names = {path.stem for path in TABLES if path.parents[1].name == "gt_transfer"}
    assert names == {"table2", "table3", "run_time", "transfer_to_infants", "transfer_to_adults"} | {
        "few_labels", "few_labels_adults"
    }  # fmt: skip


@pytest.mark.parametrize("path", TABLES, ids=lambda path: f"{path.parents[1].name}/{path.stem}")
def test_every_table_is_sound_and_says_what_it_would_run(path, tmp_path, monkeypatch, capsys):
    """At every scale, from a folder of its own, which stays empty."""
    monkeypatch.chdir(tmp_path)
    root, name = path.parents[1], path.stem
    table = read_tables(root, name)[name]
    assert {"small", "paper"} <= set(table.scales)
    run = [row for row in table.scored if not row.printed_only]
    for scale in table.scales:
        assert main(["reproduce", f"{root.name}/{name}", "--dry-run", "--scale", scale, "--seeds", "2"]) == 0
        said = capsys.readouterr().out
        evaluations = [line for line in said.splitlines() if line.startswith("python") and "run evaluating" in line]
        others = {target[:2] for row in run for target in _targets(row)} - {(name, row) for row in table.rows}
        assert len(evaluations) == 2 * (len(run) + len(others))
        assert table.scale(scale).seconds, "the estimate needs a measured time"
    assert list(tmp_path.iterdir()) == []


def _targets(row):
    from ganglion.reproduce.table import references

    return references(row).values()


def test_what_a_table_says_is_read(toy):
    table = read_table(toy.root, "toy")
    assert (table.bundle, table.table, table.baseline, table.columns) == ("toys", "toy", "first", ("dice",))
    assert table.scale("small").overlays == ("variants/tiny",)
    assert table.scale("small").options == {"precision": "fp32"}
    assert table.rows["second"].train == ("variants/flair", "variants/frozen_critic")
    assert table.rows["second"].cell == ("FLAIR", "FLAIR")
    assert table.rows["elsewhere"].train is None
    assert table.rows["printed"].paper == {"dice": 0.8}


def change(path, value):
    """A change of the table: `path` leads to a key, rows by name; None takes the key away."""

    def apply(toy):
        *way, last = path
        place = toy.table
        for step in way:
            place = toy.row(step[1:]) if step.startswith("=") else place[step]
        if value is None:
            del place[last]
        else:
            place[last] = value

    return apply


FAULTS = {
    "unknown key": (change(["colums"], []), "colums: found an unknown key, expected one of title, "),
    "no title": (change(["title"], None), "found no title, expected title, columns, scales, rows"),
    "title is no text": (change(["title"], 3), "title: found 3, expected text"),
    "no columns": (change(["columns"], []), "columns: found nothing, expected at least one"),
    "columns of numbers": (change(["columns"], [1]), "columns: found [1], expected a list of texts"),
    "no rows": (change(["rows"], []), "rows: found nothing"),
    "row is no object": (change(["rows"], ["first"]), "row 1: found 'first', expected an object"),
    "row without name": (change(["=first", "name"], None), "row first: found no name"),
    "unknown key of a row": (change(["=first", "trian"], []), "row first, trian: found an unknown key"),
    "odd row name": (change(["=first", "row"], "fir st/.."), "expected letters, digits, - and _"),
    "row twice": (change(["=second", "row"], "first"), "row first: found a second row of that name"),
    "no such overlay": (change(["=first", "train"], ["variants/fliar"]), "row first, train: found 'variants/fliar'"),
    "overlay that leaves": (change(["=first", "infer"], ["../../x"]), "row first, infer: found '../../x'"),
    "overlay of a scale": (change(["scales", "small", "overlays"], ["tiny"]), "scale small, overlays: found 'tiny'"),
    "cohort without size": (change(["scales", "small", "cohort"], {"cohort": "brats"}), "cohort: found no subjects"),
    "seconds in words": (change(["scales", "small", "seconds"], "long"), "seconds: found 'long', expected a number"),
    "neither trained nor scored": (change(["=first", "train"], None), "row first: found none, expected one of train"),
    "trained and scored": (change(["=first", "weights"], "LICENSE"), "row first: found train and weights"),
    "options without training": (change(["=elsewhere", "options"], {}), "row elsewhere, options: found settings of a"),
    "drawing without training": (change(["=elsewhere", "draws"], {}), "row elsewhere, draws: found settings of a"),
    "drawing overlay": (change(["scales", "small", "drawing"], ["big"]), "scale small, drawing: found 'big'"),
    "option of an unknown row": (
        change(["=first", "options"], {"drawn_dir": "{toy/frist}/drawn"}),
        "row first, options#drawn_dir: found {toy/frist}, expected a row of toy",
    ),
    "unknown table": (
        change(["=elsewhere", "weights"], "{tyo/first}/model.pt"),
        "found table 'tyo', expected one of toy",
    ),
    "unknown row": (
        change(["=elsewhere", "weights"], "{toy/frist}/model.pt"),
        "found {toy/frist}, expected a row of toy",
    ),
    "row that trains nothing": (change(["=second", "start_from"], "{toy/elsewhere}/model.pt"), "which trains nothing"),
    "weights that do not exist": (
        change(["=elsewhere", "weights"], "models/x.pt"),
        "found 'models/x.pt', which does not",
    ),
    "weights that leave": (change(["=elsewhere", "weights"], "../x.pt"), "expected {table/row}/file, or a file of the"),
    "weights that leave a row": (change(["=elsewhere", "weights"], "{toy/first}/../x"), "found '{toy/first}/../x'"),
    "start that is no text": (change(["=second", "start_from"], {"critic": 1}), "start_from#critic: found 1"),
    "circle": (change(["=first", "start_from"], "{toy/second}/model.pt"), "toy/first -> toy/second -> toy/first"),
    "unknown baseline": (change(["baseline"], "zero"), "baseline: found 'zero', expected a row that is run: first"),
    "baseline that is only printed": (
        change(["=second", "baseline"], "printed"),
        "row second, baseline: found 'printed'",
    ),
    "cell of one": (change(["=second", "cell"], ["FLAIR"]), "row second, cell: found ['FLAIR']"),
    "printed words": (change(["=printed", "paper"], {"dice": "high"}), "row printed, paper#dice: found 'high'"),
    "switch that is a number": (
        change(["=printed", "printed_only"], 1),
        "printed_only: found 1, expected true or false",
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_mistake_is_one_line_that_names_file_row_and_key(fault, toy, capsys, counted):
    spoil, says = FAULTS[fault]
    spoil(toy)
    path = toy.write()
    assert main(["reproduce", f"{toy.root}/toy", "--dry-run"]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith(f"error: {path}")
    assert err.count("\n") == 1
    assert says in err
    counted("faulty inputs")


@pytest.mark.parametrize(
    ("text", "says"), [("{", "no valid JSON"), ('{"title": 1, "title": 2}', "the key 'title' twice"), ("[]", "a list")]
)
def test_a_file_that_is_no_table_is_named(text, says, toy, counted):
    path = toy.write()
    path.write_text(text)
    with pytest.raises(InputError, match=f"toy.json.*found {says}" if says == "a list" else f"toy.json.*{says}"):
        toy.read()
    counted("faulty inputs")


def test_a_name_that_is_a_folder_of_its_own_is_refused(toy):
    toy.write("data")
    with pytest.raises(InputError, match="the name 'data'"):
        toy.read("data")


def test_tables_that_start_from_each_other_are_read_together(toy):
    other = json.loads(json.dumps(toy.table))
    other["rows"] = [{"row": "third", "name": "Third", "train": [], "start_from": "{toy/second}/model.pt"}]
    del other["baseline"]
    toy.write("other", other)
    assert list(toy.read("other")) == ["other", "toy"]
    assert list(toy.read("toy")) == ["toy"]
    toy.row("first")["start_from"] = "{other/third}/model.pt"
    toy.write()
    with pytest.raises(InputError, match="a circle of starts"):
        toy.read("other")


def test_an_unknown_scale_and_an_unknown_table_list_what_there_is(toy):
    with pytest.raises(InputError, match="no scale 'large', expected one of small, paper; choose it with --scale"):
        read_table(toy.root, "toy").scale("large")
    with pytest.raises(InputError, match="found no table 'ty', expected one of toy; name it"):
        read_table(toy.root, "ty")
