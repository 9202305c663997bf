"""What to say about many subjects: mean, standard deviation, n, and how sure one can be of the mean."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

RESAMPLES = 10_000
METHOD = (
    "mean; sd: standard deviation between subjects (n - 1); ci95: 95 % interval of the mean, percentile bootstrap "
    f"over subjects, {RESAMPLES:,} resamples, fixed seed"
)

Summary = dict[str, float | int | list[float] | None]


def summarise(values: Sequence[float], seed: int = 0) -> Summary:
    """Mean, sd, n and ci95 of one value a subject. One subject has no spread: sd and ci95 are then None.

    Args:
        values: one finite number a subject.
        seed: of the resampling; the same values and seed give the same interval.
    """
    x = _finite(values)
    if len(x) < 2:
        return {"mean": float(x.mean()), "sd": None, "n": len(x), "ci95": None}
    return {"mean": float(x.mean()), "sd": float(x.std(ddof=1)), "n": len(x), "ci95": _interval(x, seed)}


def paired_difference(a: Sequence[float], b: Sequence[float], seed: int = 0) -> Summary:
    """Difference a - b of two methods on the same subjects, in the same order.

    Returns:
        The summary of the differences, and `p_wilcoxon`: two-sided p of the Wilcoxon signed-rank test that they are
        symmetric about 0 (1 when every difference is 0; None for fewer than two subjects).
    """
    if len(a) != len(b):
        raise ValueError(f"paired values must be as many: found {len(a)} and {len(b)}")
    difference = _finite(a) - _finite(b)
    return summarise(difference.tolist(), seed) | {"p_wilcoxon": _wilcoxon(difference)}


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's step-down correction for testing several hypotheses at once, in the order given.

    Source: Holm 1979, Scand. J. Statist. 6:65. The i-th smallest of m p-values (i = 0, 1, ...) times m - i, at most 1
    and never below the one before. (scipy has Benjamini and Hochberg's correction only, which controls another error.)
    """
    p = np.asarray(p_values, dtype=np.float64)
    order = np.argsort(p, kind="stable")
    stepped = np.maximum.accumulate(p[order] * (len(p) - np.arange(len(p))))
    corrected = np.empty_like(p)
    corrected[order] = np.minimum(stepped, 1.0)
    return [float(value) for value in corrected]


def trainings_interval(values: Sequence[Sequence[float]] | np.ndarray) -> list[float] | None:
    """95 % interval of the mean for new subjects and new trainings, from a few trainings scored on the same subjects.

    Trainings and subjects are crossed random effects without replication: the variance of the mean is the mean
    squares (trainings + subjects - rest) / (trainings x subjects), its degrees of freedom are Satterthwaite's, the
    quantile is that of t. Three trainings are too few to resample: a bootstrap leaves out a third of their variance.

    Source: Satterthwaite 1946, Biometrics Bulletin 2:110; Owen 2007, Ann. Appl. Stat. 1:386, on the bootstrap.

    Args:
        values: one finite number for each training and subject, (trainings, subjects).

    Returns:
        Low and high end; None for fewer than two trainings or subjects, which say nothing about the next one.
    """
    x = np.asarray(values, dtype=np.float64)
    if x.ndim != 2 or not np.isfinite(x).all():
        raise ValueError(f"expected finite values (trainings, subjects), found shape {x.shape}")
    trainings, subjects = x.shape
    if trainings < 2 or subjects < 2:
        return None
    mean, by_training, by_subject = x.mean(), x.mean(axis=1), x.mean(axis=0)
    rest = ((x - by_training[:, None] - by_subject[None] + mean) ** 2).sum() / ((trainings - 1) * (subjects - 1))
    squares = [subjects * by_training.var(ddof=1), trainings * by_subject.var(ddof=1), rest]
    freedom = [trainings - 1, subjects - 1, (trainings - 1) * (subjects - 1)]
    half = _half_width(squares, freedom) / np.sqrt(x.size)
    return [float(mean - half), float(mean + half)]


def _half_width(squares: Sequence[float], freedom: Sequence[int]) -> float:
    """The quantile of t times the root of the combined mean square, never below the larger of both effects."""
    total = squares[0] + squares[1] - squares[2]
    larger = int(squares[1] > squares[0])
    if total < squares[larger]:
        total, degrees = squares[larger], float(freedom[larger])
    else:
        spread = sum(square**2 / n for square, n in zip(squares, freedom, strict=True))
        degrees = max(total**2 / spread, float(min(freedom))) if spread > 0 else float(min(freedom))
    from scipy.stats import t

    return float(t.ppf(0.975, degrees) * np.sqrt(total))


def _finite(values: Sequence[float]) -> np.ndarray:
    x = np.asarray(values, dtype=np.float64)
    if x.ndim != 1 or len(x) == 0:
        raise ValueError(f"expected one value a subject, found shape {x.shape}")
    if not np.isfinite(x).all():
        raise ValueError(f"{int((~np.isfinite(x)).sum())} of {len(x)} values are not finite; no summary is possible")
    return x


def _interval(x: np.ndarray, seed: int) -> list[float]:
    """Percentile interval of the mean; resamples are drawn in slabs, so that thousands of subjects fit in memory."""
    generator = np.random.default_rng(seed)
    slab = max(1, 2_000_000 // len(x))
    means = [
        x[generator.integers(0, len(x), size=(min(slab, RESAMPLES - start), len(x)))].mean(axis=1)
        for start in range(0, RESAMPLES, slab)
    ]
    low, high = np.percentile(np.concatenate(means), [2.5, 97.5])
    return [float(low), float(high)]


def _wilcoxon(difference: np.ndarray) -> float | None:
    if len(difference) < 2:
        return None
    if not difference.any():
        return 1.0
    from scipy.stats import wilcoxon

    return float(wilcoxon(difference).pvalue)
