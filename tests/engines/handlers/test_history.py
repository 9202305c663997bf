"""The history is one whole file with one row an epoch."""

import csv

import torch

from ganglion.engines.handlers.history import History, scalar_metrics


def read(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_means_count_only_the_iterations_in_which_a_phase_ran(tmp_path):
    history = History(tmp_path / "history.csv")
    for number in range(4):
        output = {"loss": torch.tensor(9.0), "critic/loss": torch.tensor(float(number))}
        if number == 3:
            output["penalty/loss"] = torch.tensor(8.0)
        history.add(output)
    history.end_epoch(1, 4, {"dice": 0.5})
    assert read(tmp_path / "history.csv") == [
        {"epoch": "1", "iteration": "4", "critic/loss": "1.5", "penalty/loss": "8.0", "val/dice": "0.5"}
    ]


def test_a_state_goes_on_without_duplicate_rows(tmp_path):
    first = History(tmp_path / "history.csv")
    first.add({"p/loss": 1.0})
    first.end_epoch(1, 1, {})
    first.add({"p/loss": 3.0})
    saved = first.state_dict()
    first.end_epoch(2, 2, {})  # written, but the checkpoint is older
    again = History(tmp_path / "history.csv")
    again.load_state_dict(saved)
    again.write()
    assert [row["epoch"] for row in read(tmp_path / "history.csv")] == ["1"]
    again.add({"p/loss": 5.0})
    again.end_epoch(2, 3, {"dice": 0.25})
    assert [(r["epoch"], r["p/loss"], r["val/dice"]) for r in read(tmp_path / "history.csv")] == [
        ("1", "1.0", ""),
        ("2", "4.0", "0.25"),
    ]


def test_only_single_numbers_are_metrics():
    metrics = {"dice": torch.tensor(0.5), "n": 3, "per_class": torch.zeros(2), "name": "x"}
    assert scalar_metrics(metrics) == {"dice": 0.5, "n": 3.0}
