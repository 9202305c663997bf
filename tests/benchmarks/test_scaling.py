"""The page on several processes: its tables are the measurement's, its commands are torchrun's and the bundle's."""

import json
import re
import shlex
from pathlib import Path

import pytest
from benchmarks.scaling import fit, table_lines
from monai.bundle import ConfigParser
from torch.distributed.run import get_args_parser

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "scaling.md"
RESULTS = json.loads((ROOT / "docs" / "results" / "scaling.json").read_text(encoding="utf-8"))


def torchrun_lines():
    blocks = re.findall(r"```bash\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.S)
    lines = [line for block in blocks for line in block.replace("\\\n", " ").splitlines()]
    return [line[line.index("torchrun ") :] for line in lines if "torchrun " in line and not line.startswith("#")]


def test_page_holds_every_row():
    page = PAGE.read_text(encoding="utf-8").splitlines()
    lines = [line for line in table_lines(RESULTS) if line]
    assert len(lines) > 15
    assert [line for line in lines if line not in page] == []


@pytest.mark.parametrize(("table", "power"), [("slices", 1), ("width", 2)])
def test_formulas_are_fitted_to_the_rows(table, power):
    assert fit(RESULTS[table], table, power) == pytest.approx(RESULTS["fits"][table])
    assert all(row["cpu"]["n"] >= 3 for row in RESULTS[table])


def test_a_fit_finds_the_formula_that_made_the_rows():
    rows = [{"x": x, "cpu": {"median": 0.3 + 0.02 * x + 0.001 * x * x}} for x in (1, 2, 5, 9)]
    found = fit(rows, "x", 2)
    assert [found[name] for name in "abc"] == pytest.approx([0.3, 0.02, 0.001])
    assert found["worst_relative_error"] < 1e-9


def test_there_are_commands():
    assert len(torchrun_lines()) == 6


@pytest.mark.parametrize("line", torchrun_lines(), ids=lambda line: line[9:48])
def test_a_command_fits_torchrun_and_the_bundle(line):
    options = get_args_parser().parse_args(shlex.split(line)[1:])
    assert options.module
    assert options.training_script == "monai.bundle"
    words = options.training_script_args
    run_id, given = words[1], dict(zip(words[2::2], words[3::2], strict=True))
    files = ast_list(given.pop("--config_file"))
    parser = ConfigParser()
    parser.read_config([str(ROOT / file) for file in files])
    assert files[-1].rpartition("/")[2].startswith("multi_gpu_")
    assert run_id in parser
    assert [name for name in given if name.removeprefix("--") not in parser] == []


def ast_list(text):
    return json.loads(text.replace("'", '"'))
