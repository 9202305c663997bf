"""Curves of a training: each phase's terms and the validation metrics, from the run folder's history.csv."""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping, Sequence
from pathlib import Path

from ..errors import InputError
from .charts import Point, line_chart
from .html import Markup, card, tag

VALIDATION = "val"
KINDS = ("highest", "lowest")

History = dict[str, list[Point]]


def read_history(path: Path) -> History:
    """For each column `<group>/<term>` its (epoch, value) pairs; cells that are empty are left out."""
    with open(path, encoding="utf-8", newline="") as file:
        reader = csv.DictReader(file)
        if "epoch" not in (reader.fieldnames or ()):
            raise InputError(f"{path.name}: found no column 'epoch', expected the history.csv of a training run.")
        history: History = {name: [] for name in reader.fieldnames or () if "/" in name}
        for number, row in enumerate(reader, start=2):
            for name, points in history.items():
                if row[name]:
                    points.append((_value(row["epoch"], path, number), _value(row[name], path, number)))
    return history


def curve_cards(history: Mapping[str, Sequence[Point]]) -> list[Markup]:
    """One card a phase with all its terms, and one for the validation metrics."""
    groups: dict[str, dict[str, Sequence[Point]]] = {}
    for name, points in history.items():
        group, term = name.split("/", 1)
        if points:
            groups.setdefault(group, {})[term] = points
    ordered = sorted(groups, key=lambda group: group == VALIDATION)
    return [
        card(_heading(group), line_chart(groups[group], "epoch"), caption=_numbers(groups[group]))
        if group == VALIDATION
        else card(_heading(group), line_chart(groups[group], "epoch"))
        for group in ordered
    ]


def no_curves() -> Markup:
    """What stands in the place of curves when there are none."""
    return tag("p", "No training is part of this report.", class_="soft")


def _heading(group: str) -> str:
    return "Validation, mean of its subjects" if group == VALIDATION else f"Training: {group}"


def _numbers(terms: Mapping[str, Sequence[Point]]) -> str:
    """The highest, the lowest and the last value of each metric, for those who read numbers."""
    said = []
    for name, points in terms.items():
        finite = [point for point in points if math.isfinite(point[1])]
        if finite:
            ends = [pick(finite, key=lambda point: point[1]) for pick in (max, min)]
            words = [
                f"{kind} {value:.3g} (epoch {epoch:.0f})" for kind, (epoch, value) in zip(KINDS, ends, strict=True)
            ]
            said.append(f"{name}: {', '.join(words)}, last {finite[-1][1]:.3g}")
    return "; ".join(said)


def _value(text: str, path: Path, line: int) -> float:
    try:
        return float(text)
    except ValueError:
        raise InputError(f"{path.name}, line {line}: found '{text}', expected a number.") from None
