"""docs/performance.md from docs/results/performance.json; a test holds that they agree."""

from __future__ import annotations

from pathlib import Path
from typing import Any

NOTES = Path(__file__).with_name("notes.md")  # what is said about the numbers, by hand
TITLES = {
    "start_up": "Start-up",
    "resources": "Simulated subjects, weights",
    "training_step": "A training step",
    "data_pipeline": "Preparing slices",
    "inference": "Labelling a case",
    "tissue_training": "Tissues: training",
    "tissue_inference": "Tissues: labelling a head",
    "synthesis_training": "Drawing: training a generator",
}


def page(results: dict[str, Any]) -> str:
    """The whole page."""
    lines = [
        "# How fast it is",
        "",
        "Measured by `python -m benchmarks` (`make bench`), which writes this page: do not edit it here. A ratio is",
        "one of medians; sides took turns in one run after a turn that warmed up. In brackets least, most and turns.",
        "",
        "| machine | |",
        "| --- | --- |",
        *(f"| {name} | {text} |" for name, text in results["machine"].items()),
    ]
    for name, found in results["measured"].items():
        low, high = found["load"]
        lines += ["", f"## {TITLES[name]}", "", *table(found["rows"])]
        clock = ", processor time on one thread" if found.get("clock") == "cpu" else ""
        told = f"Measured on {found['when']}{clock}; load average {low} before, {high} after"
        lines += ["", f"{told} (one process a core is full)."]
    return "\n".join([*lines, "", NOTES.read_text(encoding="utf-8").strip(), ""])


def table(rows: list[dict[str, Any]]) -> list[str]:
    """Rows as a Markdown table."""
    lines = ["| what | ours | against | theirs | ratio | goal | |", "| --- | --- | --- | --- | --- | --- | --- |"]
    for row in rows:
        theirs = "" if row["theirs"] is None else spread(row["theirs"], row["unit"])
        ratio = "" if row["theirs"] is None else number(row["value"])
        verdict = {True: "met", False: "**not met**", None: ""}[row["met"]]
        what = row["what"] + (f" ({row['note']})" if row["note"] else "")
        cells = [what, spread(row["ours"], row["unit"]), row["against"], theirs, ratio, row["goal"], verdict]
        lines.append("| " + " | ".join(cells) + " |")
    return lines


def spread(values: dict[str, float], unit: str) -> str:
    """Median with its range, in few digits."""
    text = f"{number(values['median'])} {unit}"
    if values["n"] > 1:
        text += f" ({number(values['least'])} to {number(values['most'])}, n={values['n']})"
    return text


def number(value: float) -> str:
    """Three digits that count."""
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"
