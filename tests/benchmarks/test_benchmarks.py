"""The measurements run, at toy size, and the page says what was measured. No speed is asserted here."""

import copy
import importlib
import json
from pathlib import Path

import pytest
import torch
from benchmarks.__main__ import MEASUREMENTS
from benchmarks.machine import Rates
from benchmarks.page import number, page, table
from benchmarks.side_by_side import QUICK, Spread, at_most, figure, in_turn

ROOT = Path(__file__).parents[2]
RATES = Rates(1e11, 1e10)


def test_sides_take_turns_and_the_first_turn_does_not_count():
    called: list[str] = []

    def side(name: str, first: float):
        numbers = iter([first, 3.0, 1.0, 2.0])
        return lambda: called.append(name) or next(numbers)

    a, b = in_turn([side("a", 100.0), side("b", 50.0)], 3)
    assert called == ["a", "b"] * 4
    assert a == b == Spread(median=2.0, least=1.0, most=3.0, n=3)


def test_a_goal_is_met_or_not():
    one, two = Spread.of([1.0]), Spread.of([2.0])
    assert at_most("x", "s", one, "peer", two, 0.5).met
    assert not at_most("x", "s", one, "peer", two, 0.49).met
    assert figure("x", "s", two, 2).met
    assert figure("x", "s", two).met is None
    lines = table([at_most("x", "s", two, "peer", one, 1.0, "noted").as_dict()])
    assert lines[-1] == "| x (noted) | 2 s | peer | 1 s | 2 | at most 1 of it | **not met** |"
    assert number(1234.5) == "1234"


def test_the_page_shows_the_numbers_that_were_measured():
    results = json.loads((ROOT / "docs" / "results" / "performance.json").read_text(encoding="utf-8"))
    assert (ROOT / "docs" / "performance.md").read_text(encoding="utf-8") == page(results)
    assert set(results["measured"]) <= set(MEASUREMENTS)


def test_two_loops_train_the_same_network():
    """The plain loop is the same training: after two steps from the same start they agree.

    Adam makes as much of a gradient that is 0 but for round-off as of any, so not every weight can be looked at.
    """
    from benchmarks.training_step import two_loops

    loops = two_loops("reference", QUICK, 2)
    before = {name: copy.deepcopy(network.state_dict()) for name, network in loops.networks.items()}
    loops.ours()
    loops.plain()
    for name, key in (
        ("segmenter", "out.2.weight"),
        ("segmenter", "encode2.1.running_mean"),
        ("critic", "stage1.0.bias"),
    ):
        ours, plain = (networks[name].state_dict()[key] for networks in (loops.networks, loops.copies))
        change = (ours - before[name][key]).norm()
        assert change > 0
        assert (ours - plain).norm() < 0.02 * change, f"{name}.{key}"


def test_two_loops_train_the_same_tissue_networks(monkeypatch):
    """As above, with one noise throughout and without dropout."""
    from benchmarks.tissue_training import two_loops

    loops = two_loops("reference", QUICK, 2)
    for network in (*loops.networks.values(), *loops.copies.values()):
        for layer in network.modules():
            if isinstance(layer, torch.nn.Dropout3d):
                layer.p = 0.0
    monkeypatch.setattr(torch, "rand", lambda *shape, **_: torch.linspace(0, 1, shape[-1]).expand(*shape).clone())
    before = {name: copy.deepcopy(network.state_dict()) for name, network in loops.networks.items()}
    loops.ours()
    loops.plain()
    for name in ("discriminator", "generator", "refiner"):
        ours, plain = (networks[name].state_dict() for networks in (loops.networks, loops.copies))
        change = sum((ours[key] - before[name][key]).norm() for key in ours)
        assert change > 0
        assert sum((ours[key] - plain[key]).norm() for key in ours) < 0.02 * change, name
    assert all(torch.equal(value, before["coarse"][key]) for key, value in loops.copies["coarse"].state_dict().items())


@pytest.mark.parametrize(
    "name",
    [n if n == "training_step" else pytest.param(n, marks=pytest.mark.slow) for n in MEASUREMENTS],
)
def test_each_measurement_runs(name, tmp_path):
    rows = importlib.import_module(f"benchmarks.{name}").measure(tmp_path, QUICK, RATES)
    assert rows
    for row in rows:
        assert row.ours.median > 0
        assert row.goal == "" or row.met is not None
    assert len(table([row.as_dict() for row in rows])) == len(rows) + 2
