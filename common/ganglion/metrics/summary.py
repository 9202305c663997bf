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
