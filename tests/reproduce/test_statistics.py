"""Made-up scores whose answer is known by arithmetic or by how they were drawn."""

import numpy as np
import pytest
from scipy import stats

from ganglion.reproduce.statistics import compare_order, difference, judge, row_summary, shared_subjects, smallest_p


def scored(*trainings):
    """Seeds 0, 1, ... of subjects a, b, ..."""
    return {seed: {chr(97 + i): value for i, value in enumerate(values)} for seed, values in enumerate(trainings)}


def drawn(mean, training_sd, subjects=16, seeds=3, seed=0):
    generator = np.random.default_rng(seed)
    hard = np.random.default_rng(9).normal(0, 0.1, subjects)
    return scored(
        *(mean + hard + generator.normal(0, training_sd) + generator.normal(0, 0.01, subjects) for _ in range(seeds))
    )


def test_row_summary_by_hand():
    """Seeds' means 1 and 3; subjects' means 1.5 and 2.5."""
    found = row_summary(scored([0, 2], [3, 3]))
    assert (found["mean"], found["n"], found["seed_means"]) == (2.0, 2, [1.0, 3.0])
    assert found["sd"] == pytest.approx(np.sqrt(0.5))
    assert found["seed_sd"] == pytest.approx(np.sqrt(2))


def test_one_seed_has_no_spread_of_seeds():
    assert row_summary(scored([0, 2]))["seed_sd"] is None


def test_difference_is_over_what_both_have():
    ours = {0: {"a": 1.0, "b": 2.0, "c": 9.0}, 1: {"a": 3.0, "b": 4.0, "c": 9.0}, 2: {"a": 99.0, "b": 99.0}}
    theirs = {0: {"a": 0.0, "b": 0.0}, 1: {"a": 0.0, "b": 0.0}, 7: {"a": -50.0, "b": -50.0}}
    found = difference(ours, theirs)
    assert (found["n"], found["seeds"], found["left_out"]) == (2, [0, 1], 1)
    assert found["mean"] == 2.5
    assert found["seed_differences"] == [1.5, 3.5]
    assert shared_subjects(ours, theirs) == ["a", "b"]


def test_nothing_shared_is_no_difference():
    assert difference({0: {"a": 1.0}}, {1: {"a": 1.0}}) is None
    assert difference({0: {"a": 1.0}}, {0: {"b": 1.0}}) is None
    assert difference({}, {0: {"b": 1.0}}) is None


def test_test_is_scipys_over_the_means_of_the_seeds():
    ours, theirs = drawn(0.8, 0.01, seed=1), drawn(0.79, 0.01, seed=2)
    means = [np.mean([row[s] for row in ours.values()]) - np.mean([row[s] for row in theirs.values()]) for s in ours[0]]
    assert difference(ours, theirs)["p_wilcoxon"] == pytest.approx(stats.wilcoxon(means).pvalue)


@pytest.mark.parametrize(("lower", "verdict"), [(False, "better"), (True, "worse")])
def test_direction(lower, verdict):
    """More Dice is better; more millimetres are worse."""
    (found,) = judge([difference(drawn(0.85, 0.002, seed=1), drawn(0.80, 0.002, seed=2))], lower)
    assert (found["verdict"], found["networks"]) == (verdict, verdict)


def test_trainings_that_swing_decide_about_networks_only():
    """Every subject gains, so that the test is sure of these networks, but the seeds' gains are 0.16, 0.01, 0.01."""
    base = drawn(0.7, 0.0, seed=2)
    ours = {seed: {s: v + gain for s, v in base[seed].items()} for seed, gain in enumerate((0.16, 0.01, 0.012))}
    (found,) = judge([difference(ours, base)], lower_is_better=False)
    assert found["p_holm"] < 0.001
    assert (found["networks"], found["verdict"]) == ("better", "undecided")
    assert found["ci95"][0] < 0 < found["ci95_subjects"][0]


def test_one_seed_decides_about_networks_only():
    (found,) = judge([difference(drawn(0.9, 0, seeds=1, seed=1), drawn(0.8, 0, seeds=1, seed=2))], False)
    assert (found["networks"], found["verdict"], found["covers"]) == ("better", "undecided", "subjects")
    assert found["ci95"] == found["ci95_subjects"]


def test_more_rows_need_a_smaller_p():
    """A p of 0.03 alone decides; as one of three it is 0.09 after Holm."""
    entry = {"mean": 0.1, "ci95": [0.05, 0.15], "covers": "subjects and trainings", "p_wilcoxon": 0.03}
    other = entry | {"p_wilcoxon": 0.9}
    assert judge([entry], False)[0]["verdict"] == "better"
    corrected = judge([other, entry, other], False)
    assert [found["p_holm"] for found in corrected] == pytest.approx([1.0, 0.09, 1.0])
    assert corrected[1]["verdict"] == "undecided"


def test_one_subject_is_not_tested_and_not_counted():
    entry = {"mean": 0.1, "ci95": [0.05, 0.15], "covers": "subjects and trainings", "p_wilcoxon": 0.03}
    none, found = judge([difference({0: {"a": 1.0}}, {0: {"a": 0.0}}), entry], False)
    assert (none["p_holm"], none["verdict"]) == (None, "undecided")
    assert found["p_holm"] == 0.03


@pytest.mark.parametrize(("lower", "ours"), [(False, ["c", "a", "b"]), (True, ["b", "a", "c"])])
def test_order_names_the_pairs_that_are_turned(lower, ours):
    rows = {"a": scored([2.0, 2.2]), "b": scored([1.0, 1.2]), "c": scored([3.0, 3.2]), "unprinted": scored([9.0, 9.0])}
    printed = {"a": 5.0, "b": 4.0, "c": 1.0} if not lower else {"a": 1.0, "b": 2.0, "c": 3.0}
    found = compare_order(rows, printed, lower)
    assert found["paper"] == ["a", "b", "c"]
    assert found["ours"] == ours
    turned = [(pair["above"], pair["below"]) for pair in found["swapped"]]
    assert turned == ([("a", "b")] if lower else [("a", "c"), ("b", "c")])


def test_order_with_one_printed_number_is_none():
    assert compare_order({"a": scored([1.0]), "b": scored([2.0])}, {"a": 1.0}, False) is None


def test_equal_printed_numbers_have_no_order():
    rows = {"a": scored([1.0, 1.0]), "b": scored([2.0, 2.0])}
    assert compare_order(rows, {"a": 0.5, "b": 0.5}, False)["swapped"] == []


def test_smallest_p_is_what_the_test_gives_when_all_agree():
    for subjects in (3, 5, 8):
        assert smallest_p(subjects) == pytest.approx(stats.wilcoxon(np.arange(1, subjects + 1)).pvalue)
