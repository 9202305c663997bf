"""Closed cases, and scipy's own bootstrap and tables as the independent reference."""

import numpy as np
import pytest
from scipy import stats

from ganglion.metrics import holm, paired_difference, summarise, trainings_interval


def test_mean_sd_n_by_hand():
    result = summarise([0.0, 1.0, 2.0])
    assert (result["mean"], result["sd"], result["n"]) == (1.0, 1.0, 3)


def test_equal_values_have_no_width():
    assert summarise([0.5] * 7) == {"mean": 0.5, "sd": 0.0, "n": 7, "ci95": [0.5, 0.5]}


def test_interval_of_two_values_is_both():
    """The mean of a resample of {0, 1} is 0, 1/2, 1 with probability 1/4, 1/2, 1/4: the 95 % interval is all of it."""
    assert summarise([0.0, 1.0])["ci95"] == [0.0, 1.0]


def test_one_subject_has_no_spread():
    assert summarise([0.7]) == {"mean": 0.7, "sd": None, "n": 1, "ci95": None}


def test_interval_agrees_with_scipy_and_with_theory():
    x = np.random.default_rng(5).normal(0.8, 0.1, 200)
    low, high = summarise(x.tolist())["ci95"]
    reference = stats.bootstrap((x,), np.mean, method="percentile", n_resamples=10_000).confidence_interval
    assert (low, high) == pytest.approx((reference.low, reference.high), abs=1.5e-3)
    half = 1.96 * x.std(ddof=1) / np.sqrt(len(x))
    assert (low, high) == pytest.approx((x.mean() - half, x.mean() + half), abs=1.5e-3)


def test_same_seed_same_interval_and_slabs_do_not_matter():
    x = np.random.default_rng(1).random(1000).tolist()
    assert summarise(x) == summarise(x)
    assert summarise(x)["ci95"] != summarise(x, seed=1)["ci95"]
    low, high = summarise(x)["ci95"]
    assert low < summarise(x)["mean"] < high


@pytest.mark.parametrize("values", [[], [0.1, float("nan")], [float("inf"), 1.0], [[1.0, 2.0]]])
def test_refuses_what_has_no_summary(values):
    with pytest.raises(ValueError, match=r"not finite|one value a subject"):
        summarise(values)


def test_paired_difference():
    """Six positive differences of different size: the exact two-sided p of Wilcoxon's test is 2 / 2^6."""
    b = [0.5, 0.5, 0.5, 0.5, 0.5, 0.5]
    a = [0.51, 0.52, 0.53, 0.54, 0.55, 0.56]
    result = paired_difference(a, b)
    assert result["mean"] == pytest.approx(0.035)
    assert result["n"] == 6
    assert result["ci95"][0] > 0
    assert result["p_wilcoxon"] == pytest.approx(2 / 64)
    assert paired_difference(b, a)["mean"] == pytest.approx(-0.035)


def test_paired_difference_of_equal_and_of_unequal_length():
    assert paired_difference([0.1, 0.2], [0.1, 0.2])["p_wilcoxon"] == 1.0
    assert paired_difference([0.1], [0.2])["p_wilcoxon"] is None
    with pytest.raises(ValueError, match="found 2 and 1"):
        paired_difference([0.1, 0.2], [0.1])


def test_holm_by_hand():
    """Sorted 0.005, 0.01, 0.03, 0.04 times 4, 3, 2, 1: 0.02, 0.03, 0.06, and 0.04 may not be below 0.06."""
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])


def test_holm_ends_at_one_and_begins_at_none():
    assert holm([0.6, 0.9]) == [1.0, 1.0]
    assert holm([0.03]) == [0.03]
    assert holm([]) == []


def test_interval_over_trainings_by_hand():
    """Two trainings at 0 and 1, no spread between subjects: t of one degree of freedom times sqrt(1.5 / 6)."""
    half = stats.t.ppf(0.975, 1) * 0.5
    assert trainings_interval([[0, 0, 0], [1, 1, 1]]) == pytest.approx([0.5 - half, 0.5 + half])


def test_equal_trainings_leave_the_interval_of_the_t_test():
    x = np.random.default_rng(2).normal(0.1, 0.05, 12)
    reference = stats.ttest_1samp(x, 0).confidence_interval()
    assert trainings_interval([x, x, x]) == pytest.approx([reference.low, reference.high])


def test_too_little_to_know_about_the_next_training():
    assert trainings_interval([[0.1, 0.2]]) is None
    assert trainings_interval([[0.1], [0.2]]) is None
    with pytest.raises(ValueError, match="finite"):
        trainings_interval([[0.1, np.nan], [0.2, 0.3]])


def test_interval_over_trainings_covers_where_that_over_subjects_does_not():
    """True mean 0, three trainings, 16 subjects: 95 % is promised; the bootstrap over subjects misses one of four."""
    generator = np.random.default_rng(3)
    hits = np.zeros(2)
    for _ in range(200):
        drawn = generator.normal(0, 0.03, (3, 1)) + generator.normal(0, 0.05, 16) + generator.normal(0, 0.05, (3, 16))
        for number, (low, high) in enumerate((trainings_interval(drawn), summarise(drawn.mean(axis=0))["ci95"])):
            hits[number] += low <= 0 <= high
    assert hits[0] / 200 > 0.9
    assert hits[1] / 200 < 0.8
