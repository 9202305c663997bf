"""Options of MONAI's command that no config has are named; everything that MONAI or a config knows passes."""

import json

import pytest

from ganglion.engines.options import check_options
from ganglion.errors import InputError

PROGRAM = "/anywhere/site-packages/monai/bundle/__main__.py"


@pytest.fixture
def files(tmp_path):
    content = {"bundle_root": ".", "epochs": 3, "train": {"dataset": 1}, "run": []}
    (tmp_path / "train.json").write_text(json.dumps(content))
    (tmp_path / "over.json").write_text(json.dumps({"+train": {}, "width": 2}))
    return [str(tmp_path / "train.json"), str(tmp_path / "over.json")]


def line(files, *more):
    return [PROGRAM, "run", "training", "--config_file", repr(files) if len(files) > 1 else files[0], *more]


@pytest.mark.parametrize(
    "more",
    [
        ["--epochs", "5"],
        ["--epochs=5", "--width", "-3"],
        ["--train#dataset#cache_rate", "0.5", "--train::dataset", "x", "--+train", "{}"],
        ["--bundle_root", ".", "--meta_file", "x", "--logging_file", "y", "--tracking", "mlflow", "--run_name", "r"],
    ],
)
def test_what_a_config_or_monai_knows_passes(files, more):
    check_options(line(files, *more))


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--epoch", "5"], r"unknown option --epoch; did you mean --epochs\? The options are .* train.json, over.json"),
        (["--epochs", "5", "--with=3"], "unknown option --with; did you mean --width"),
        (["--trian#dataset", "5"], "unknown option --trian#dataset; did you mean --train"),
        (["--colour", "red"], "unknown option --colour. The options"),
    ],
)
def test_what_nobody_knows_is_named(files, more, message):
    with pytest.raises(InputError, match=message):
        check_options(line(files, *more))


def test_one_file_knows_less_than_two(files):
    check_options(line(files, "--width", "3"))
    with pytest.raises(InputError, match="unknown option --width"):
        check_options(line(files[:1], "--width", "3"))


def test_other_programs_and_missing_files_are_left_alone(files, tmp_path):
    check_options(["/bin/pytest", "run", "--config_file", files[0], "--colour", "red"])
    check_options([PROGRAM, "verify_net_in_out", "--config_file", files[0], "--colour", "red"])
    check_options(line([str(tmp_path / "none.json")], "--colour", "red"))
    check_options([PROGRAM, "run", "--colour", "red"])
    check_options([PROGRAM, "run", "--args_file", "a.json", "--config_file", files[0], "--colour", "red"])
