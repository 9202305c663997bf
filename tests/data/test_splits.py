"""Splits: every subject once, the same from the same seed, strata and patients respected."""

import pytest

from ganglion.data import split_subjects
from ganglion.errors import InputError

SUBJECTS = [f"s{i:02d}" for i in range(40)]


def test_each_subject_once_in_the_right_shares():
    split = split_subjects(SUBJECTS, seed=3)
    assert {name: len(own) for name, own in split.items()} == {"training": 32, "validation": 4, "test": 4}
    assert sorted(s for own in split.values() for s in own) == SUBJECTS


def test_seed_decides_and_order_does_not():
    assert split_subjects(SUBJECTS, seed=1) == split_subjects(SUBJECTS[::-1], seed=1)
    assert split_subjects(SUBJECTS, seed=1) != split_subjects(SUBJECTS, seed=2)
    assert split_subjects(["a", "b", "c"], seed=0) == {"training": ["a"], "validation": ["c"], "test": ["b"]}


def test_strata_are_shared_out_like_the_whole():
    strata = {name: "LGG" if i < 10 else "HGG" for i, name in enumerate(SUBJECTS)}
    for seed in range(5):
        split = split_subjects(SUBJECTS, strata, (0.6, 0.2, 0.2), seed)
        counts = {name: sum(strata[s] == "LGG" for s in own) for name, own in split.items()}
        assert counts == {"training": 6, "validation": 2, "test": 2}


def test_time_points_of_a_patient_stay_together():
    groups = {name: name[:2] for name in SUBJECTS}  # s0, s1, s2, s3: ten each
    split = split_subjects(SUBJECTS, fractions=(0.5, 0.25, 0.25), groups=groups)
    homes = {
        group: {name for name, own in split.items() for s in own if groups[s] == group} for group in groups.values()
    }
    assert all(len(home) == 1 for home in homes.values())
    assert [len(own) for own in split.values()] == [20, 10, 10]


@pytest.mark.parametrize(
    ("count", "sizes"), [(1, [1, 0, 0]), (2, [1, 1, 0]), (3, [1, 1, 1]), (5, [3, 1, 1]), (10, [8, 1, 1])]
)
def test_small_sets_fill_training_first(count, sizes):
    assert [len(own) for own in split_subjects(SUBJECTS[:count]).values()] == sizes


def test_all_into_one_list():
    assert split_subjects(SUBJECTS, fractions=(0, 0, 1))["test"] == SUBJECTS
    assert split_subjects([]) == {"training": [], "validation": [], "test": []}


@pytest.mark.parametrize("fractions", [(0.5, 0.5), (0.9, 0.2, 0.1), (1.2, -0.1, -0.1)])
def test_bad_fractions(fractions):
    with pytest.raises(InputError, match="expected three numbers >= 0 of sum 1"):
        split_subjects(SUBJECTS, fractions=fractions)


def test_a_name_twice_is_refused():
    with pytest.raises(InputError, match="found a twice"):
        split_subjects(["a", "a", "b"])
