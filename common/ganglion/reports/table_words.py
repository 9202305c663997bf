"""A table's results in sentences: which row is better than its baseline, and how sure one may be."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from ..metrics import lower_is_better
from .scores import digits, fixed, title

BETTER, WORSE, UNDECIDED, NOTHING = "better", "worse", "undecided", "nothing"
MINUS = "\u2212"
# A sign stands with its word wherever it stands, so that nobody needs to know or to see it.
SYMBOLS = {BETTER: "\u25b2", WORSE: "\u25bc", UNDECIDED: "\u2248", NOTHING: "\u2013"}
WORDS = {BETTER: "better", WORSE: "worse", UNDECIDED: "not decided", NOTHING: "no result"}

Results = Mapping[str, Any]
Row = Mapping[str, Any]


class Said(NamedTuple):
    """A sentence about one row, and what it decides."""

    verdict: str
    name: str
    text: str


def metric_of(column: str) -> str:
    """The metric of a column, which may name a region before it."""
    return column.rpartition("/")[2]


def column_title(column: str) -> str:
    """A column's name for people."""
    region, _, metric = column.rpartition("/")
    words = f"Size of the {title(metric)[0].lower()}{title(metric)[1:]}" if metric.endswith("_ml") else title(metric)
    return f"{region}: {words}" if region else words


def number(value: float, column: str, signed: bool = False) -> str:
    """A value with the digits that are worth showing."""
    text = fixed(value, digits(metric_of(column))).replace("-", MINUS)
    return f"+{text}" if signed and not text.startswith(MINUS) else text


def interval(ends: Sequence[float], column: str, signed: bool = False) -> str:
    """Low to high."""
    return " to ".join(number(end, column, signed) for end in ends)


def p_words(p: float | None) -> str:
    """A p with two digits, or that it is below what is worth telling."""
    return "none" if p is None else "below 0.001" if p < 0.001 else f"{p:.3f}" if p < 0.1 else f"{p:.2f}"


def counted(count: int, noun: str) -> str:
    """A number and its noun."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def shows_mean(summary: Mapping[str, Any] | None) -> bool:
    """Whether a mean has the spread without which it is not shown."""
    return summary is not None and summary["sd"] is not None and summary["ci95"] is not None


def names(results: Results) -> dict[str, str]:
    """The name for people of each row."""
    return {row["row"]: row["name"] for row in results["rows"]}


def direction(column: str) -> str:
    """Which way is better."""
    return "lower is better" if lower_is_better(metric_of(column)) else "higher is better"


def ranked(results: Results, column: str) -> list[Row]:
    """Rows whose mean may be shown, best first."""
    rows = [row for row in results["rows"] if shows_mean(row["metrics"].get(column))]
    sign = 1 if lower_is_better(metric_of(column)) else -1
    return sorted(rows, key=lambda row: sign * row["metrics"][column]["mean"])


def leader(results: Results, column: str, group: Mapping[str, Any]) -> str:
    """Which row of a group has the best mean; nothing where no row has one."""
    rows = [row for row in ranked(results, column) if row["row"] in group["rows"]]
    if not rows:
        return ""
    summary = rows[0]["metrics"][column]
    best = "lowest" if lower_is_better(metric_of(column)) else "highest"
    kind = "simulated " if results["simulated"] else ""
    return (
        f"{rows[0]['name']} has the {best} mean {_plain(column)}: {number(summary['mean'], column)}{_unit(column)} "
        f"(95 % interval {interval(summary['ci95'], column)}; sd {number(summary['sd'], column)} between "
        f"{counted(summary['n'], f'{kind}subject')}; {counted(len(summary['seed_means']), 'training seed')})."
    )


def answers(results: Results, column: str, within: str | None = None) -> list[Said]:
    """One sentence for each row that has a baseline, those of one baseline together, decided ones first.

    Args:
        results: of the table.
        column: metric.
        within: a baseline that the reader knows to be meant: only its rows, in fewer words.
    """
    order = {BETTER: 0, WORSE: 1, UNDECIDED: 2, NOTHING: 3}
    rows = [row for row in results["rows"] if row["baseline"] is not None and within in (None, row["baseline"])]
    places = {baseline: place for place, baseline in enumerate(dict.fromkeys(row["baseline"] for row in rows))}
    known = None if within is None else usual_base(results, column, within)
    said = [(places[row["baseline"]], answer(results, row, column, known)) for row in rows]
    return [sentence for _, sentence in sorted(said, key=lambda item: (item[0], order[item[1].verdict]))]


def usual_base(results: Results, column: str, baseline: str) -> str:
    """On what most of the rows of a baseline were compared with it."""
    found = [row["differences"].get(column) for row in results["rows"] if row["baseline"] == baseline]
    words = [tested_on(results, difference) for difference in found if difference is not None]
    return max(words, key=words.count, default="")


def answer(results: Results, row: Row, column: str, known: str | None = None) -> Said:
    """Whether a row is better than its baseline in one column, by how much, and how sure that is.

    Args:
        results: of the table.
        row: with a baseline.
        column: metric.
        known: the subjects and seeds that the reader was told already, with the baseline; None to say both.
    """
    ours, theirs = row["name"], names(results)[row["baseline"]]
    found = row["differences"].get(column)
    if found is None:
        if column not in row["metrics"]:
            return Said(NOTHING, ours, f"{ours} has no result: it {_lack(row)}.")
        return Said(NOTHING, ours, f"{ours} is not compared with {theirs}: {_no_pair(results, row, column)}.")
    if not shows_mean(found):
        return Said(NOTHING, ours, f"{ours} is not compared with {theirs}: one subject has no spread.")
    base = tested_on(results, found)
    start = "" if base == known else f"On {base}, "
    and_theirs, than_theirs, from_it = (f" and {theirs}", f" {theirs}", "") if known is None else ("", "", " from it")
    end = f"(95 % interval {interval(found['ci95'], column, signed=True)}; p {p_words(found['p_holm'])} after Holm)"
    if found["verdict"] == UNDECIDED and found["networks"] == UNDECIDED:
        size = f"{number(found['mean'], column, signed=True)}{_unit(column)} {_plain(column)}"
        but = f"; {_interval_alone(found)}" if found["ci95"][0] * found["ci95"][1] > 0 else ""
        return Said(UNDECIDED, ours, f"{start}{ours}{and_theirs} cannot be told apart{from_it}: {size} {end}{but}.")
    where = "above" if found["mean"] > 0 else "below"
    size = f"{number(abs(found['mean']), column)}{_unit(column)} {_plain(column)}"
    body = f"{start}{ours} is {where}{than_theirs} by {size} {end}"
    if found["verdict"] == UNDECIDED:
        return Said(UNDECIDED, ours, f"{body}: {_networks(found)}.")
    note = f" ({direction(column)})" if lower_is_better(metric_of(column)) else ""
    return Said(found["verdict"], ours, f"{body}: {WORDS[found['verdict']]}{note}.")


def _lack(row: Row) -> str:
    """Why a row has no number, in a few words."""
    return {"failed": "failed", "missing": "was not run to its end"}.get(row["state"], "was not scored for it")


def _no_pair(results: Results, row: Row, column: str) -> str:
    """Why a row that has numbers is not compared."""
    baseline = next(other for other in results["rows"] if other["row"] == row["baseline"])
    if column in baseline["metrics"]:
        return "the two have no seed or no subject in common"
    return f"{baseline['name']} {_lack(baseline)}"


def _interval_alone(found: Mapping[str, Any]) -> str:
    """An interval beside 0 with a p that is not small: the test asks less of the numbers' shape, and decides."""
    return f"the interval is on one side of 0, but the test over {counted(found['n'], 'subject')} does not confirm it"


def tested_on(results: Results, found: Mapping[str, Any]) -> str:
    """On how many subjects and seeds a difference rests."""
    kind = "simulated " if results["simulated"] else ""
    return f"{counted(found['n'], f'{kind}subject')} and {counted(len(found['seeds']), 'training seed')}"


def _networks(found: Mapping[str, Any]) -> str:
    """What may be said when the networks differ and the methods may not."""
    if len(found["seeds"]) < 2:
        return f"this one network is {found['networks']} than that one; one training does not decide about the method"
    return (
        f"the networks trained here are {found['networks']}, but trainings differ so much between seeds that others "
        "could turn it round: not decided"
    )


def how_sure(results: Results) -> list[str]:
    """What an interval and a verdict mean, for this many seeds."""
    means = (
        "The interval of a row's mean is over subjects: it holds for the networks trained here. The small dots, one "
        "for each training seed, show how far trainings of the same row lie apart."
    )
    seeds = len(results["seeds"])
    differences = (
        "The interval of a difference holds for new subjects and for new trainings. "
        f"{seeds} trainings tell little about how much trainings vary, so it is wide; the pale bar, over subjects "
        "alone, does not include all of the variation between trainings."
    )
    if seeds < 2:
        differences = (
            "With one training a row, the interval of a difference cannot include the variation between trainings: "
            "another seed may well lie outside it."
        )
    verdicts = (
        "Better and worse stand only where the corrected p is below 0.05 and the interval, over two or more trainings, "
        "is on one side of 0. Not decided does not mean equal: these subjects and trainings cannot tell."
    )
    return [means, differences, verdicts]


def order_sentences(results: Results, column: str) -> list[str]:
    """How our order of the rows differs from the paper's; empty where the paper printed too few."""
    return [sentence for order in results["order"][column] for sentence in _order(order, names(results), column)]


def _order(order: Mapping[str, Any], known: Mapping[str, str], column: str) -> list[str]:
    listed = {who: " > ".join(known[row] for row in order[who]) for who in ("paper", "ours")}
    if not order["swapped"]:
        return [f"{column_title(column)}: here as in the paper, best first: {listed['paper']}."]
    pairs = len(order["paper"]) * (len(order["paper"]) - 1) // 2
    turned = f"{len(order['swapped'])} of {counted(pairs, 'pair')} the other way round"
    first = f"{column_title(column)}, best first. Paper: {listed['paper']}. Here: {listed['ours']} ({turned})."
    swapped = (
        f"{known[pair['below']]} stands before {known[pair['above']]} here, {_pair(pair, column)}."
        for pair in order["swapped"]
    )
    return [first, *swapped]


def _pair(pair: Mapping[str, Any], column: str) -> str:
    found = pair["difference"]
    if found is None or found["sd"] is None:
        return "they have no subjects in common to compare" if found is None else "one subject tells nothing"
    low, high = sorted(-end for end in found["ci95"])
    ends = interval((low, high), column, signed=True)
    words = f"by {number(abs(found['mean']), column)}{_unit(column)} (95 % interval {ends})"
    clear = low * high > 0 and found["covers"] != "subjects"
    chance = "more than chance, though not corrected for the number of pairs" if clear else "which may be chance"
    return f"{words}, {chance}"


def _plain(column: str) -> str:
    """A column's name inside a sentence, without its unit."""
    name = column_title(column).split(",")[0]
    return name if name.split()[0].isupper() or name in ("Dice", "HD95", "ASSD") else name[0].lower() + name[1:]


def _unit(column: str) -> str:
    metric = metric_of(column)
    return " mm" if metric.endswith("_mm") else " ml" if metric.endswith("_ml") else ""
