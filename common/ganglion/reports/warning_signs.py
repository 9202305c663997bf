"""What in the numbers of a training or of an evaluation should make a reader careful, in sentences for people.

Each sentence says what was seen, what it usually means and what to try. Nothing here knows a method: a column of
history.csv is called `<phase>/<term>` or `val/<metric>`, every term of a phase is minimised, and a phase is adversarial
if its name says so. The bounds lie between what healthy trainings on simulated scans showed and what broken ones did.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from statistics import fmean, median
from typing import Any

from .charts import Point
from .curves import VALIDATION

ADVERSARIES = ("critic", "discriminator", "adversary")  # a phase whose name holds one of these works against another
OVERLAPS = ("dice", "iou", "jaccard", "precision", "sensitivity")  # from 0 to 1, as a loss 1 minus that
LOWER_IS_BETTER = ("loss", "error", "distance", "hd95", "assd", "_mm", "_ml")
SETTINGS = ("weight", "lambda", "rate", "probability")  # a term that ends so is set by somebody, and may stand still

MIN_EPOCHS = 8  # with fewer, a quarter of them is no trend
MIN_VALIDATIONS = 4  # likewise
COLLAPSED = 0.02  # end over beginning of an adversary's loss; healthy ones kept above 0.5
EXPLODED = 10.0  # end over first epoch of a loss; healthy ones stayed below 2, a critic without bounds reached 13
SMALL = 1e-2  # a beginning nearer to 0 than this is no yardstick for a growth
STILL = 5e-3  # span over size of an adversary's loss at the end; healthy ones moved by 0.05 and more
FROZEN = 1e-4  # likewise of any other term: batches alone make a loss that still learns move by more
UNMOVED = 1e-3  # gain of one step over the adversary's loss; healthy ones gained 0.01 and more
BOUND = 0.98  # an overlap loss above this overlaps with nothing
NOTHING = 1e-3  # a validated overlap below this has found nothing
GAP = 0.25  # training over validation, of an overlap; healthy ones differed by up to 0.12 with that sign
REVERSED = 0.30  # validation over training; soft overlaps of slices against hard ones of volumes gave up to 0.22
FELL = 0.05  # from the best validation to the last ones; healthy ones fell by up to 0.045
WENT_ON = 0.02  # by which the training has become better meanwhile
RISING = 0.01  # by which the last tenth of the validations is the best; without a trend neighbours differ so much
EARLY = 0.1  # share of the validations that counts as the very beginning, or the very end
EARLY_LOSS = 0.02  # by which the end is worse than that beginning
SWING = 0.05  # mean step between neighbouring validations of the second half; healthy ones made 0.024
LOSS_SWING = 0.5  # likewise of a loss, over its size; healthy ones made 0.45 and less
FEW_SUBJECTS = 10  # the interval of a mean of fewer covers its truth clearly less often than it promises

History = Mapping[str, Sequence[Point]]

# name: (what it usually means, what to try)
ADVICE: dict[str, tuple[str, str]] = {
    "A value that is not a number": (
        "The training has diverged, or a term divides by zero where a label is empty.",
        "Lower the learning rates, clip gradients (grad_clip of the phase), or train in fp32.",
    ),
    "The critic has collapsed": (
        "Its features no longer tell a prediction from a label, so that it teaches nothing.",
        "Raise its learning rate, loosen what bounds it (clipping, penalty), or begin it again from other weights.",
    ),
    "The critic no longer changes": (
        "It sits at a bound, has won for good, or its gradients have died.",
        "Loosen what bounds it, lower its learning rate, or let it train less often (every).",
    ),
    "The critic does not learn": (
        "Its learning rate is 0 or too small, its gradients are 0, or its weights lie at their bound.",
        "Look at its learning rate and at the clipping of its weights; train without it if it is meant to rest.",
    ),
    "A loss explodes": (
        "The two sides no longer hold each other, or a learning rate is too high.",
        "Lower that phase's learning rate, bound the critic (clipping, spectral norm), or clip gradients.",
    ),
    "A loss is saturated": (
        "The network answers the same whatever it sees, often nothing at all, and no gradient leads away from there.",
        "Lower the learning rate, look at labels and intensities with `ganglion data check`, and begin again.",
    ),
    "A loss stands still": (
        "What it measures no longer reaches the weights: a frozen network, dead gradients, or a learning rate of 0.",
        "Look at what the phase trains and at its learning rate.",
    ),
    "Validation finds nothing": (
        "The network marks no voxel at all in scans that it was not trained on.",
        "Look whether training and validation scans are alike (`ganglion data check`), and train longer or on more.",
    ),
    "Training and validation curves lie apart": (
        "The network knows its training subjects by heart, or whole scans hold what its training never showed.",
        "Look at the worst case and at the split; take more subjects, more kinds of slices or stronger augmentation.",
    ),
    "Validation is far better than training": (
        "The two may measure different things (soft slices, hard volumes), or a subject is in both lists.",
        "Look at the lists with `ganglion data check`, and at what augmentation does to the training scans.",
    ),
    "Overfitting": (
        "From its best epoch on the network has learned its training subjects instead of the task.",
        "The weights of the best epoch are kept; take more subjects or stronger augmentation, or train shorter.",
    ),
    "Trained too little": (
        "More epochs would probably have given a better network.",
        "Train longer (epochs); a run that is finished can begin from its own weights.",
    ),
    "The best epoch was at the very beginning": (
        "What followed made the network worse: a learning rate that is too high for the weights it began with.",
        "Lower the learning rate, and look whether the labels suit the weights that the run began with.",
    ),
    "Validation swings": (
        "Steps are too large, or the validation list is too small to tell one epoch from the next.",
        "Lower the learning rate, and validate on more subjects.",
    ),
    "A loss swings": (
        "Batches or epochs are small, steps too large, or the two sides chase each other.",
        "Lower the learning rates, or take larger batches.",
    ),
    "Every prediction is empty": (
        "The network marks nothing: it has collapsed, or the scans are not what it was trained on.",
        "Look at contrasts and intensities with `ganglion data check`, and at the losses below.",
    ),
    "Few test subjects": (
        "One unusual subject moves the mean, and the interval is narrower than it should be.",
        "Call it a trial, and score more subjects before anything is concluded.",
    ),
    "One training seed": (
        "Another seed gives other scores; the interval shown is over subjects and knows nothing of that.",
        "Train with at least three seeds before one method is called better than another.",
    ),
}


def signs(
    history: History | None = None, scores: Mapping[str, Any] | None = None, seeds: int | None = None
) -> list[str]:
    """Sentences about what looks wrong; none where nothing does.

    Args:
        history: for each column `<phase>/<term>` or `val/<metric>` its (epoch, value) pairs.
        scores: an evaluation's scores.json.
        seeds: how many trainings the scores come from, where that is known.
    """
    found: list[tuple[str, str]] = []
    if history:
        finite = {name: [p for p in points if math.isfinite(p[1])] for name, points in history.items()}
        found += _not_finite(history)
        found += _adversaries(finite)
        found += _losses(finite)
        for name, points in finite.items():
            if name.startswith(f"{VALIDATION}/"):
                found += _validation(name.split("/", 1)[1], points, finite)
    if scores:
        found += _evaluation(scores, seeds)
    return [sentence(name, seen) for name, seen in found]


def sentence(name: str, seen: str) -> str:
    """What was seen, what it usually means, what to try."""
    meaning, remedy = ADVICE[name]
    return f"{name}: {seen}. {meaning} {remedy}"


def is_adversary(column: str) -> bool:
    """Whether a column belongs to a phase that works against another."""
    return any(word in column.split("/", 1)[0].lower() for word in ADVERSARIES)


def _not_finite(history: History) -> Iterator[tuple[str, str]]:
    for name, points in history.items():
        epochs = [epoch for epoch, value in points if not math.isfinite(value)]
        if epochs:
            yield "A value that is not a number", f"{name} in {_count(len(epochs), 'epoch')}, first in {epochs[0]:.0f}"


def _adversaries(history: History) -> Iterator[tuple[str, str]]:
    """Collapse, rest and standstill of whatever trains against another phase."""
    for name, points in history.items():
        if not (is_adversary(name) and name.endswith("/loss")) or len(points) < MIN_EPOCHS:
            continue
        begin, end = _size(_first(points)), _size(_last(points))
        if end <= COLLAPSED * begin or end == 0:
            yield "The critic has collapsed", f"{name} went from {begin:.2g} to {end:.2g} in size"
        elif _span(_last(points)) <= STILL * end:
            seen = f"{name} stayed within {_span(_last(points)):.1g} of {end:.3g} for the last quarter of the epochs"
            yield "The critic no longer changes", seen
        else:
            yield from _rest(name, points, history)


def _rest(name: str, points: Sequence[Point], history: History) -> Iterator[tuple[str, str]]:
    """An adversary's step widens what the other side narrows next; if both see one number, the step did nothing."""
    ours = dict(_last(points))
    for other, theirs in history.items():
        if other.split("/", 1)[0] in (name.split("/", 1)[0], VALIDATION):
            continue
        shared = [(ours[epoch], value) for epoch, value in theirs if epoch in ours]
        if len(shared) == len(ours) and all(a and abs(a + b) <= UNMOVED * abs(a) for a, b in shared):
            yield "The critic does not learn", f"{other} is {name} with the other sign to within 0.1 % at the end"


def _losses(history: History) -> Iterator[tuple[str, str]]:
    for name, points in history.items():
        if name.startswith(f"{VALIDATION}/") or len(points) < MIN_EPOCHS:
            continue
        begin, end, last = abs(points[0][1]), _size(_last(points)), _last(points)
        if name.endswith("/loss") and end >= EXPLODED * max(begin, SMALL):
            yield "A loss explodes", f"{name} grew from {begin:.2g} to {end:.2g} in size"
        elif _is_overlap(name) and min(value for _, value in last) >= BOUND:
            yield "A loss is saturated", f"{name} lay at its bound of 1 for the last quarter of the epochs"
        elif not is_adversary(name) and _stands_still(name, points):
            yield "A loss stands still", f"{name} stayed at {end:.4g} for the last quarter of the epochs"
        elif name.endswith("/loss") and _swing(points) > LOSS_SWING * max(_size(points), SMALL):
            yield "A loss swings", f"{name} changes by {_swing(points):.2g} from epoch to epoch, at a size of {end:.2g}"


def _stands_still(name: str, points: Sequence[Point]) -> bool:
    """Whether a term that once was something does not move any more; what is set by hand may."""
    switched_off = all(value == 0 for _, value in points)
    is_set = name.lower().endswith(SETTINGS)
    return not (switched_off or is_set) and _span(_last(points)) <= FROZEN * _size(_last(points))


def _validation(metric: str, points: Sequence[Point], history: History) -> Iterator[tuple[str, str]]:
    """Trends of one validated metric. Bounds are those of an overlap; others are measured in their own beginning."""
    if len(points) < MIN_VALIDATIONS:
        return
    sign = -1.0 if any(word in metric.lower() for word in LOWER_IS_BETTER) else 1.0
    unit = 1.0 if _is_overlap(metric) else max(_size(points), SMALL)
    good = [(epoch, sign * value / unit) for epoch, value in points]
    shown = dict(points)
    values = [value for _, value in good]
    place = values.index(max(values))
    best, drop = good[place][0], values[place] - fmean(value for _, value in _last(good))
    at_best = f"val/{metric} was best in epoch {best:.0f} ({shown[best]:.3g})"
    if _is_overlap(metric) and max(value for _, value in _last(points)) < NOTHING:
        yield "Validation finds nothing", f"val/{metric} was 0 at the last {_count(len(_last(points)), 'validation')}"
    end = max(1, round(EARLY * len(good)))
    if place < end and drop > EARLY_LOSS:
        yield "The best epoch was at the very beginning", f"{at_best} and {_end(points)} at the end"
    elif drop > FELL and _went_on(best, history):
        yield "Overfitting", f"{at_best} and {_end(points)} at the end, while the training's loss went on falling"
    if place >= len(good) - end and values[place] - max(values[:-end]) >= RISING:
        yield "Trained too little", f"{at_best}, at the very end, and was still getting better"
    if _swing(good) > SWING:
        yield "Validation swings", f"val/{metric} changes by {unit * _swing(good):.2g} from one validation to the next"
    if _is_overlap(metric):
        yield from _apart(metric, points, history)


def _apart(metric: str, points: Sequence[Point], history: History) -> Iterator[tuple[str, str]]:
    """The same overlap in training and in validation, where an objective has it as a term."""
    word = next(word for word in OVERLAPS if word in metric.lower())
    theirs = fmean(value for _, value in _last(points))
    for name, term in history.items():
        if name.startswith(f"{VALIDATION}/") or is_adversary(name) or name.split("/", 1)[1].lower() != word or not term:
            continue
        ours = 1 - fmean(value for _, value in _last(term))
        seen = f"at the end 1 - {name} was {ours:.2f} and val/{metric} {theirs:.2f}"
        if ours - theirs > GAP:
            yield "Training and validation curves lie apart", seen
        elif theirs - ours > REVERSED:
            yield "Validation is far better than training", seen


def _went_on(best: float, history: History) -> bool:
    """Whether the loss of a phase that is no adversary was lower at the end than around an epoch."""
    for name, points in history.items():
        if name.startswith(f"{VALIDATION}/") or is_adversary(name) or not name.endswith("/loss"):
            continue
        around = [value for epoch, value in points if abs(epoch - best) <= max(1.0, len(points) / 20)]
        if around and fmean(around) - fmean(value for _, value in _last(points)) > WENT_ON * _size(points):
            return True
    return False


def _evaluation(scores: Mapping[str, Any], seeds: int | None) -> Iterator[tuple[str, str]]:
    rows = scores["subjects"]
    regions = dict.fromkeys(row["region"] for row in rows)
    for region in regions:
        here = [row for row in rows if row["region"] == region]
        if all(row.get("empty") in ("pred_empty", "both_empty") for row in here):
            yield "Every prediction is empty", f"no voxel of {region} was marked in {_count(len(here), 'subject')}"
    subjects = len({row["subject"] for row in rows})
    if subjects < FEW_SUBJECTS:
        yield "Few test subjects", f"the scores are of {_count(subjects, 'subject')}"
    if seeds == 1:
        yield "One training seed", "the scores are of one training"


def _is_overlap(name: str) -> bool:
    return any(word in name.split("/", 1)[-1].lower() for word in OVERLAPS)


def _first(points: Sequence[Point]) -> Sequence[Point]:
    return points[: max(1, len(points) // 4)]


def _last(points: Sequence[Point]) -> Sequence[Point]:
    """The last quarter, of at least two."""
    return points[-max(2, len(points) // 4) :]


def _size(points: Sequence[Point]) -> float:
    return median(abs(value) for _, value in points)


def _span(points: Sequence[Point]) -> float:
    values = [value for _, value in points]
    return max(values) - min(values)


def _swing(points: Sequence[Point]) -> float:
    """The mean step between neighbours in the second half, if the steps go to and fro; else 0."""
    values = [value for _, value in points[len(points) // 2 :]]
    steps = [b - a for a, b in pairwise(values)]
    turns = sum(a * b < 0 for a, b in pairwise(steps))
    return fmean(abs(step) for step in steps) if len(steps) > 1 and turns >= 0.4 * (len(steps) - 1) else 0.0


def _end(points: Sequence[Point]) -> str:
    return f"{fmean(value for _, value in _last(points)):.3g}"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
