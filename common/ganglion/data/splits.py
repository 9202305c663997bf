"""Splits by subject: stratified, from a seed, the same on every machine."""

import hashlib
from collections.abc import Mapping, Sequence

from ..errors import InputError

SPLIT_SECTIONS = ("training", "validation", "test")


def split_subjects(
    subjects: Sequence[str],
    strata: Mapping[str, str] | None = None,
    fractions: Sequence[float] = (0.8, 0.1, 0.1),
    seed: int = 0,
    groups: Mapping[str, str] | None = None,
) -> dict[str, list[str]]:
    """Share subjects out over training, validation and test.

    1. Subjects of one group (several time points of one patient) stay together.
    2. Groups are put in an order that depends on the seed and their names alone, stratum after stratum.
    3. Each goes to the list that is furthest behind its share, so every stratum is shared out like the whole.

    Each list with a fraction above 0 gets at least one group while there are enough, training first.

    Args:
        subjects: names, each once.
        strata: subject -> stratum (a grade, a site); subjects that are not in it form one stratum.
        fractions: shares of training, validation and test, summing to 1.
        seed: another seed gives another split.
        groups: subject -> patient, for subjects that share one.

    Returns:
        List name -> sorted subjects.
    """
    if len(fractions) != len(SPLIT_SECTIONS) or min(fractions) < 0 or abs(sum(fractions) - 1) > 1e-6:
        raise InputError(f"fractions: found {list(fractions)}, expected three numbers >= 0 of sum 1, as 0.8,0.1,0.1.")
    if len(set(subjects)) != len(subjects):
        twice = sorted({name for name in subjects if list(subjects).count(name) > 1})
        raise InputError(f"subjects: found {', '.join(twice)} twice, expected each once. Rename one of them.")
    members: dict[str, list[str]] = {}
    for subject in sorted(subjects):
        members.setdefault((groups or {}).get(subject, subject), []).append(subject)

    def place(group: str) -> tuple[str, str]:
        stratum = (strata or {}).get(members[group][0], "")
        return stratum, hashlib.sha256(f"{seed}:{group}".encode()).hexdigest()

    quotas = _quotas(len(members), fractions)
    chosen: dict[str, list[str]] = {name: [] for name in SPLIT_SECTIONS}
    taken = [0] * len(quotas)
    for number, group in enumerate(sorted(members, key=place), start=1):
        behind = [
            quota * number / len(members) - used if used < quota else -1.0
            for quota, used in zip(quotas, taken, strict=True)
        ]
        section = behind.index(max(behind))
        taken[section] += 1
        chosen[SPLIT_SECTIONS[section]] += members[group]
    return {name: sorted(names) for name, names in chosen.items()}


def _quotas(count: int, fractions: Sequence[float]) -> list[int]:
    """How many of `count` each list gets: rounded shares, at least one each where there are enough."""
    shares = [count * fraction for fraction in fractions]
    quotas = [int(share + 1e-9) for share in shares]
    by_remainder = sorted(range(len(shares)), key=lambda i: (quotas[i] - shares[i], i))
    for i in by_remainder[: count - sum(quotas)]:
        quotas[i] += 1
    for i, fraction in enumerate(fractions):
        largest = quotas.index(max(quotas))
        if fraction > 0 and quotas[i] == 0 and quotas[largest] > 1:
            quotas[i], quotas[largest] = 1, quotas[largest] - 1
    return quotas
