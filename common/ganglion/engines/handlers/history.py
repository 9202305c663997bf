"""The numbers of a training, one row an epoch, in a file that is always whole."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from .checkpoint import write_atomically


class History:
    """Means of every phase's terms over each epoch, and the validation's metrics beside them.

    Args:
        path: ``history.csv``, rewritten as a whole at each epoch's end; None keeps the rows in memory.
    """

    def __init__(self, path: Path | None) -> None:
        self.path = path
        self.rows: list[dict[str, float]] = []
        self._sums: dict[str, float] = {}
        self._counts: dict[str, int] = {}

    def add(self, output: Mapping[str, Any]) -> None:
        """Take in the output of one iteration."""
        for name, value in output.items():
            if "/" in name:
                self._sums[name] = self._sums.get(name, 0.0) + float(value)
                self._counts[name] = self._counts.get(name, 0) + 1

    def begin_epoch(self) -> None:
        """Forget what an epoch that was not finished has left."""
        self._sums, self._counts = {}, {}

    def means(self) -> dict[str, float]:
        """Means of the present epoch so far; a term counts only the iterations in which its phase ran."""
        return {name: total / self._counts[name] for name, total in self._sums.items()}

    def end_epoch(self, epoch: int, iteration: int, metrics: Mapping[str, float]) -> dict[str, float]:
        """Close the epoch's row and write the file."""
        row: dict[str, float] = {"epoch": epoch, "iteration": iteration, **self.means()}
        row.update({f"val/{name}": value for name, value in metrics.items()})
        self.rows = [former for former in self.rows if former["epoch"] < epoch] + [row]
        self.begin_epoch()
        self.write()
        return row

    def write(self) -> None:
        """Rewrite the file from the rows."""
        if self.path is None:
            return
        names = dict.fromkeys(name for row in self.rows for name in row)
        columns = sorted(names, key=lambda name: (name not in ("epoch", "iteration"), name.startswith("val/")))
        text = io.StringIO()
        table = csv.DictWriter(text, columns, restval="", lineterminator="\n")
        table.writeheader()
        table.writerows(self.rows)
        write_atomically(self.path, lambda file: file.write(text.getvalue().encode()))

    def state_dict(self) -> dict[str, Any]:
        """Rows and the sums of the epoch that is going on."""
        return {"rows": [dict(row) for row in self.rows], "sums": dict(self._sums), "counts": dict(self._counts)}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue from a state; rows written after it are gone."""
        self.rows = [dict(row) for row in state["rows"]]
        self._sums, self._counts = dict(state["sums"]), dict(state["counts"])


def scalar_metrics(metrics: Mapping[str, Any]) -> dict[str, float]:
    """Those metrics of an engine that are single numbers."""
    found: dict[str, float] = {}
    for name, value in metrics.items():
        if isinstance(value, (int, float)) or (isinstance(value, torch.Tensor) and value.numel() == 1):
            found[name] = float(value)
    return found
