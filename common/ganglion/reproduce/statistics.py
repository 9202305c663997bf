"""What a table may say about its rows: means over trainings and subjects, differences to a baseline, and their order.

A row is given as `Scored`: for each training seed the value of each subject. Every training of a table is scored on the
same subjects, so subjects and trainings are crossed, and both vary: another scan gives another number, and so does
the same training from another seed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..metrics import holm, paired_difference, summarise, trainings_interval

LEVEL = 0.05  # of the corrected p, and 1 minus the level of the interval
BETTER, WORSE, UNDECIDED = "better", "worse", "undecided"

TEST = (
    "A subject's value is its mean over the seeds of a row. The interval of a mean is a percentile bootstrap over "
    "subjects: it holds for the networks trained here. A difference to the baseline is paired by subject and by seed; "
    "its interval holds for new subjects and new trainings (subjects and seeds as crossed random effects, t with "
    "Satterthwaite's degrees of freedom; with one seed it can only hold for the networks trained here). p: two-sided "
    "Wilcoxon signed-rank test over subjects, corrected by Holm over all rows that are compared in a column. A row is "
    "called better or worse only if both agree: corrected p below 0.05, and an interval over two or more seeds "
    "without 0."
)

Scored = Mapping[int, Mapping[str, float]]
Entry = dict[str, Any]


def shared_subjects(*rows: Scored) -> list[str]:
    """Subjects that every training of every row has, in the order of their names."""
    trainings = [set(values) for scored in rows for values in scored.values()]
    return sorted(set.intersection(*trainings)) if trainings else []


def subject_means(scored: Scored, subjects: Sequence[str]) -> dict[str, float]:
    """A subject's mean over the seeds."""
    return {subject: float(np.mean([values[subject] for values in scored.values()])) for subject in subjects}


def row_summary(scored: Scored) -> Entry | None:
    """Mean, sd between subjects, n, interval over subjects; mean of each seed and the sd between those.

    None where there is no subject that every seed has.
    """
    subjects = shared_subjects(scored)
    if not subjects:
        return None
    means = _seed_means(scored, subjects)
    spread = float(np.std(means, ddof=1)) if len(means) > 1 else None
    return {**summarise(list(subject_means(scored, subjects).values())), "seed_means": means, "seed_sd": spread}


def difference(ours: Scored, theirs: Scored) -> Entry | None:
    """Ours minus theirs over the seeds and subjects that both have; None where they share none.

    Returns:
        mean, sd (between subjects), n, `ci95_subjects` (bootstrap over subjects), `p_wilcoxon`, `seeds`,
        `seed_differences` (one mean a seed), `left_out` (subjects that only one of both has), and `ci95`, the interval
        to show: for new subjects and trainings where there are two seeds, else that over subjects; `covers` says which.
    """
    seeds = sorted(set(ours) & set(theirs))
    a, b = ({seed: row[seed] for seed in seeds} for row in (ours, theirs))
    subjects = shared_subjects(a, b)
    if not subjects:
        return None
    paired = np.array([[a[seed][s] - b[seed][s] for s in subjects] for seed in seeds])
    first, second = (list(subject_means(row, subjects).values()) for row in (a, b))
    found: Entry = dict(paired_difference(first, second))
    both = trainings_interval(paired)
    everyone = {name for row in (a, b) for values in row.values() for name in values}
    return found | {
        "ci95_subjects": found["ci95"],
        "ci95": both or found["ci95"],
        "covers": "subjects and trainings" if both else "subjects",
        "seeds": seeds,
        "seed_differences": [float(value) for value in paired.mean(axis=1)],
        "left_out": len(everyone) - len(subjects),
    }


def judge(differences: Sequence[Entry], lower_is_better: bool) -> list[Entry]:
    """Add to each difference of one column `p_holm`, `networks` and `verdict`.

    `networks` says whether the networks trained here differ (corrected p alone), `verdict` whether the methods do:
    then the interval, over two or more trainings, has to be on one side of 0 as well.
    """
    tested = [entry["p_wilcoxon"] for entry in differences if entry["p_wilcoxon"] is not None]
    corrected = iter(holm(tested))
    judged = []
    for entry in differences:
        p = next(corrected) if entry["p_wilcoxon"] is not None else None
        networks = _side(entry["mean"], lower_is_better) if p is not None and p < LEVEL else UNDECIDED
        sure = entry["covers"] != "subjects" and entry["ci95"][0] * entry["ci95"][1] > 0
        judged.append({**entry, "p_holm": p, "networks": networks, "verdict": networks if sure else UNDECIDED})
    return judged


def compare_order(rows: Mapping[str, Scored], printed: Mapping[str, float], lower_is_better: bool) -> Entry | None:
    """The paper's order of rows and ours, best first, over the rows that have both numbers; None for fewer than two.

    Returns:
        `paper`, `ours`: names of rows; `swapped`: pairs that the paper orders otherwise than we, each with `above` (the
        paper's better one), `below`, and our `difference`, above minus below, whose p is not corrected.
    """
    means = {name: row_summary(scored) for name, scored in rows.items() if name in printed}
    ours = {name: found["mean"] for name, found in means.items() if found is not None}
    if len(ours) < 2:
        return None
    sign = 1.0 if lower_is_better else -1.0
    by_paper = sorted(ours, key=lambda name: sign * printed[name])
    swapped = []
    for place, above in enumerate(by_paper):
        for below in by_paper[place + 1 :]:
            if printed[above] != printed[below] and sign * ours[above] > sign * ours[below]:
                found = difference(rows[above], rows[below])
                swapped.append({"above": above, "below": below, "difference": found})
    return {"paper": by_paper, "ours": sorted(ours, key=lambda name: sign * ours[name]), "swapped": swapped}


def smallest_p(subjects: int) -> float:
    """The smallest p that a two-sided signed-rank test over so many subjects can give: 2 / 2^n."""
    return min(1.0, 2.0 ** (1 - subjects))


def _seed_means(scored: Scored, subjects: Sequence[str]) -> list[float]:
    return [float(np.mean([scored[seed][subject] for subject in subjects])) for seed in sorted(scored)]


def _side(mean: float, lower_is_better: bool) -> str:
    if mean == 0:
        return UNDECIDED
    return BETTER if (mean < 0) == lower_is_better else WORSE
