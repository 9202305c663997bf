"""The commands of each row, as a person would type them, in an order in which each finds what it starts from."""

import ast
import json
import shlex
from pathlib import Path

import pytest

from ganglion.errors import InputError
from ganglion.reproduce import record
from ganglion.reproduce.plan import make_plan
from ganglion.reproduce.results import read_results

OUT, DATA = Path("out"), Path("dst")


def plan_of(toy, scale="small", seeds=1, only=(), name="toy"):
    return make_plan(toy.read(name), scale, seeds, OUT, DATA, only)


def options(words):
    """The options of a command by name."""
    assert words[:4] == ["python", "-m", "monai.bundle", "run"]
    return dict(zip([word.removeprefix("--") for word in words[5::2]], words[6::2], strict=True))


def commands(plan, row, seed=0, table="toy"):
    """Each command of a row: run id and options, read back from the line that is shown."""
    steps = plan.jobs[table, row, seed].steps
    assert [shlex.split(step.line) for step in steps] == [list(step.words) for step in steps]
    return [(step.words[4], options(shlex.split(step.line))) for step in steps]


def overlays(toy, command):
    files = command["config_file"]
    root = f"{toy.root}/configs/"
    return [name.removeprefix(root).removesuffix(".json") for name in ast.literal_eval(files)]


def test_a_training_and_its_evaluation(toy):
    (first, training), (second, evaluation) = commands(plan_of(toy), "first")
    assert (first, second) == ("training", "evaluating")
    assert overlays(toy, training) == ["train", "variants/tiny", "variants/flair"]
    assert overlays(toy, evaluation) == ["inference", "variants/tiny", "variants/flair", "evaluate"]
    folder = "out/toy/first/seed0"
    for command in (training, evaluation):
        assert (command["bundle_root"], command["dataset_dir"]) == (str(toy.root), "dst")
        assert command["weights"] == f"{folder}/model.pt"
    assert (training["output_dir"], evaluation["output_dir"]) == (f"{folder}/run", f"{folder}/test")
    assert (training["seed"], training["precision"]) == ("0", "fp32")
    assert evaluation["section"] == "test"
    assert "start_from" not in training
    assert "precision" not in evaluation


def test_starts_and_options_of_a_row(toy):
    (_, training), _ = commands(plan_of(toy, seeds=2), "second", seed=1)
    assert training["epochs"] == "2"
    assert ast.literal_eval(training["start_from"]) == {
        "segmenter": "out/toy/first/seed1/model.pt",
        "critic": "out/toy/first/seed1/run/networks/critic.pt",
    }
    toy.row("second")["options"] = {"precision": "bf16", "amp": False, "spacing": [1.0, 1.0]}
    toy.write()
    (_, training), _ = commands(plan_of(toy), "second")
    assert (training["precision"], training["amp"], training["spacing"]) == ("bf16", "False", "[1.0, 1.0]")


def test_a_row_that_is_scored_only(toy):
    ((run_id, evaluation),) = commands(plan_of(toy), "elsewhere")
    assert run_id == "evaluating"
    assert evaluation["weights"] == "out/toy/first/seed0/model.pt"
    assert evaluation["output_dir"] == "out/toy/elsewhere/seed0/test"
    (toy.root / "models").mkdir()
    (toy.root / "models" / "shipped.pt").touch()
    toy.row("elsewhere")["weights"] = "models/shipped.pt"
    toy.write()
    ((_, evaluation),) = commands(plan_of(toy), "elsewhere")
    assert evaluation["weights"] == f"{toy.root}/models/shipped.pt"


DRAWS = {
    "row": "drawer",
    "name": "Drawer",
    "train": ["variants/flair"],
    "infer": ["variants/t1"],
    "draws": {"count": 9},
}


def with_drawer(toy):
    """The table with a row that draws and one that trains on what it drew."""
    for name in ("train_generator", "generate"):
        (toy.root / "configs" / f"{name}.json").write_text("{}")
    used = {"row": "used", "name": "Used", "train": [], "options": {"drawn_dir": "{toy/drawer}/drawn", "epochs": 2}}
    toy.table["rows"] += [used, DRAWS]
    toy.table["scales"]["small"]["drawing"] = ["variants/critic_mask"]
    toy.write()


def test_a_row_that_draws_is_trained_and_drawn_from_before_who_trains_on_it(toy):
    with_drawer(toy)
    plan = plan_of(toy, seeds=2, only=("used",))
    assert [key[1:] for key in plan.jobs] == [("drawer", 0), ("used", 0), ("drawer", 1), ("used", 1)]
    (first, training), (second, drawing) = commands(plan, "drawer", seed=1)
    assert (first, second) == ("training", "generating")
    assert overlays(toy, training) == ["train_generator", "variants/critic_mask", "variants/flair"]
    assert overlays(toy, drawing) == ["generate", "variants/critic_mask", "variants/t1"]
    folder = "out/toy/drawer/seed1"
    assert training["generator_weights"] == drawing["generator_weights"] == f"{folder}/generator.pt"
    assert (training["output_dir"], drawing["output_dir"]) == (f"{folder}/run", f"{folder}/drawn")
    assert (training["seed"], drawing["seed"], drawing["count"]) == ("1", "1", "9")
    (_, training), _ = commands(plan, "used", seed=1)
    assert (training["drawn_dir"], training["epochs"]) == (f"{folder}/drawn", "2")
    assert overlays(toy, training) == ["train", "variants/tiny"]
    configs = plan.jobs["toy", "drawer", 0].configs
    assert {"configs/train_generator.json", "configs/generate.json", "configs/variants/critic_mask.json"} < set(configs)
    assert "configs/train.json" not in configs


def test_what_is_drawn_is_no_row_of_the_page_and_no_baseline(toy):
    with_drawer(toy)
    results = read_results(toy.read()["toy"], OUT, [0])
    assert [row["row"] for row in results["rows"]] == ["printed", "first", "second", "elsewhere", "used"]
    assert "drawer" not in str(results["groups"])
    toy.table["baseline"] = "drawer"
    toy.write()
    with pytest.raises(InputError, match="baseline: found 'drawer', expected a row that is run: first"):
        toy.read()


def test_data_that_were_drawn_anew_are_noticed(toy, tmp_path):
    with_drawer(toy)
    plan = make_plan(toy.read(), "small", 1, tmp_path, DATA, ("used",))
    job = plan.jobs["toy", "used", 0]
    assert record.begin(job).starts == {}
    listed = tmp_path / "toy" / "drawer" / "seed0" / "drawn" / "dataset.json"
    listed.parent.mkdir(parents=True)
    listed.write_text("{}")
    (first,) = record.begin(job).starts.values()
    listed.write_text('{"generated": {}}')
    (second,) = record.begin(job).starts.values()
    assert first != second


def test_all_rows_of_one_seed_come_before_the_next_and_each_after_its_start(toy):
    toy.table["rows"].reverse()
    toy.write()
    plan = plan_of(toy, seeds=2)
    names = ["first", "elsewhere", "second"]
    assert list(plan.jobs) == [("toy", name, seed) for seed in (0, 1) for name in names]
    assert plan.asked == set(plan.jobs)
    assert plan.jobs["toy", "second", 1].needs == (("toy", "first", 1),)


def test_only_some_rows_and_what_they_start_from_in_another_table(toy):
    other = json.loads(json.dumps(toy.table))
    other["rows"] = [{"row": "third", "name": "Third", "train": [], "start_from": "{toy/second}/model.pt"}]
    del other["baseline"]
    toy.write("other", other)
    plan = plan_of(toy, name="other")
    assert list(plan.jobs) == [("toy", "first", 0), ("toy", "second", 0), ("other", "third", 0)]
    assert plan.asked == {("other", "third", 0)}
    (_, training), _ = commands(plan, "third", table="other")
    assert training["start_from"] == "out/toy/second/seed0/model.pt"
    assert list(plan_of(toy, only=("elsewhere",)).jobs) == [("toy", "first", 0), ("toy", "elsewhere", 0)]
    assert list(plan.only(("toy", "second", 0)).jobs) == [("toy", "first", 0), ("toy", "second", 0)]
    del other["scales"]["paper"]
    toy.write("other", other)
    with pytest.raises(InputError, match=r"other.json: found no scale 'paper'"):
        plan_of(toy, "paper", name="other")


@pytest.mark.parametrize(
    ("only", "says"),
    [(("frist",), "no row 'frist' to run, expected some of first, second"), (("printed",), "no row 'printed' to run")],
)
def test_rows_that_cannot_be_run_are_refused(only, says, toy, counted):
    with pytest.raises(InputError, match=says):
        plan_of(toy, only=only)
    counted("faulty inputs")


def test_no_seeds(toy, counted):
    with pytest.raises(InputError, match="seeds is 0, expected how many to run, from 1"):
        plan_of(toy, seeds=0)
    counted("faulty inputs")


def test_settings_change_with_what_is_run_and_not_with_what_is_printed(toy):
    job = plan_of(toy).jobs["toy", "second", 0]
    assert set(job.configs) == {
        *(f"configs/{name}.json" for name in ("train", "inference", "evaluate")),
        *(f"configs/variants/{name}.json" for name in ("tiny", "flair", "frozen_critic")),
    }
    toy.row("second").update(name="Another name", paper={"dice": 0.5}, where="page 3")
    toy.write()
    assert plan_of(toy).jobs["toy", "second", 0].settings == job.settings
    toy.row("second")["options"] = {"epochs": 3}
    toy.write()
    assert plan_of(toy).jobs["toy", "second", 0].settings != job.settings
    assert plan_of(toy, seeds=2).jobs["toy", "first", 1].settings != plan_of(toy).jobs["toy", "first", 0].settings
