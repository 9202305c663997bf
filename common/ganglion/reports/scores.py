"""Tables and dots of an evaluation. A mean is never shown without its n and its spread."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..errors import InputError
from ..metrics import paired_difference
from .charts import strip_chart
from .html import Markup, card, definitions, join, table, tag
from .provenance import read_json

TITLES = {
    "dice": "Dice",
    "precision": "Precision",
    "sensitivity": "Sensitivity",
    "hd95_mm": "HD95, mm",
    "assd_mm": "ASSD, mm",
    "volume_error_ml": "Volume error, ml",
}
COLUMNS = ("mean", "sd", "n", "95 % interval")

Scores = dict[str, Any]


def read_scores(evaluation_dir: Path) -> Scores:
    """The scores.json of an evaluation."""
    scores = read_json(evaluation_dir / "scores.json")
    if not isinstance(scores, dict) or not {"definitions", "subjects", "summary"} <= set(scores):
        raise InputError("scores.json: expected the parts definitions, subjects and summary of an evaluation.")
    return scores


def cells(summary: Mapping[str, Any], metric: str) -> tuple[str, str, str, str]:
    """Mean, sd, n and interval as words; for one subject, which has no spread, only n."""
    places = digits(metric)
    if summary["sd"] is None or summary["ci95"] is None:
        return ("not shown", "none", str(summary["n"]), "one subject only")
    low, high = (fixed(end, places) for end in summary["ci95"])
    return fixed(summary["mean"], places), fixed(summary["sd"], places), str(summary["n"]), f"{low} to {high}"


def summary_table(scores: Scores) -> Markup:
    """One row for each region and metric."""
    rows = [
        (title(metric), *cells(values, metric))
        for region in scores["summary"].values()
        for metric, values in region.items()
    ]
    return table(("Metric", *COLUMNS), rows)


def comparison_table(scores: Scores, others: Mapping[str, Scores], name: str) -> Markup:
    """The same subjects scored by other weights or methods, and the paired difference."""
    parts = []
    for region, summary in scores["summary"].items():
        rows: list[Sequence[object]] = []
        for metric, values in summary.items():
            rows.append((tag("b", title(metric)), *[""] * (len(COLUMNS) + 1)))
            rows.append((name, *cells(values, metric), ""))
            for other, theirs in others.items():
                rows.append((other, *cells(theirs["summary"][region][metric], metric), ""))
                rows += _difference_row(scores, theirs, region, metric, f"difference to {other}")
        parts.append(table(("Metric and weights", *COLUMNS, "p (Wilcoxon)"), rows))
    return join(parts)


def strip_cards(scores: Scores) -> list[Markup]:
    """One card a metric: a dot for each subject, the mean and its interval."""
    cards = []
    for region, summary in scores["summary"].items():
        for metric, values in summary.items():
            dots = {row["subject"]: row[metric] for row in scores["subjects"] if row["region"] == region}
            if values["ci95"] is not None:
                cards.append(card(title(metric), strip_chart(dots, values["mean"], values["ci95"])))
    return cards


def subject_table(scores: Scores) -> Markup:
    """One row a subject, worst Dice first."""
    rows = sorted(scores["subjects"], key=lambda row: (row["dice"], row["subject"]))
    metrics = [metric for metric in TITLES if metric in scores["subjects"][0]]
    body = [(row["subject"], *(fixed(row[m], digits(m)) for m in metrics), row.get("empty") or "") for row in rows]
    return table(("Subject", *(TITLES[m] for m in metrics), "Empty"), body)


def empty_note(scores: Scores) -> Markup:
    """Which subjects had an empty label or prediction, since a policy and not a measurement gave their numbers."""
    names = [f"{row['subject']} ({row['empty']})" for row in scores["subjects"] if row.get("empty")]
    text = f"Empty label or prediction, scored by the policy below: {', '.join(names)}."
    return tag("p", text, class_="soft") if names else Markup("")


def definition_list(scores: Scores) -> Markup:
    """What each number means, in which library."""
    return definitions({title(name): words for name, words in scores["definitions"].items()})


def title(metric: str) -> str:
    """The metric's name for people."""
    return TITLES.get(metric, metric.replace("_", " ").capitalize())


def digits(metric: str) -> int:
    """How many digits of a metric are worth showing."""
    return 3 if metric in ("dice", "precision", "sensitivity") else 1


def fixed(value: float, places: int) -> str:
    """A number with so many digits, and never -0.0."""
    text = f"{value:.{places}f}"
    return text.lstrip("-") if float(text) == 0 else text


def _difference_row(ours: Scores, theirs: Scores, region: str, metric: str, name: str) -> list[Sequence[str]]:
    """Paired by subject, over the subjects that both scored."""
    a, b = ({r["subject"]: r[metric] for r in s["subjects"] if r["region"] == region} for s in (ours, theirs))
    both = sorted(set(a) & set(b))
    if len(both) < 2:
        return []
    difference = paired_difference([a[s] for s in both], [b[s] for s in both])
    mean, *spread = cells(difference, metric)
    sign = "" if mean.startswith("-") else "+"
    return [(name, sign + mean, *spread, f"{difference['p_wilcoxon']:.2g}")]
