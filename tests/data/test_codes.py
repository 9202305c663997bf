"""Label codings: known ones mapped, swaps safe, the rest refused with the set found."""

from pathlib import Path

import numpy as np
import pytest

from ganglion.data.codes import NAMED_MAPS, apply_coding, codes_found, coding_for
from ganglion.errors import InputError

FILE = Path("x_label.nii.gz")


@pytest.mark.parametrize(
    ("found", "stated", "mapping"),
    [
        ([0, 1, 2, 3], None, {}),
        ([0, 2], None, {}),
        ([0, 1, 2, 4], None, {4: 3}),
        ([0, 4], None, {4: 3}),
        ([0, 10, 150, 250], None, {10: 1, 150: 2, 250: 3}),
        ([0, 1, 2, 3, 4], NAMED_MAPS["brats2013"], {3: 1, 4: 3}),
        ([0, 1, 2, 3], NAMED_MAPS["msd"], {1: 2, 2: 1}),
        ([0, 1, 2, 3], {}, {}),
    ],
)
def test_known_codings(found, stated, mapping):
    name, changes = coding_for(FILE, found, (0, 1, 2, 3), stated)
    assert changes == mapping
    assert bool(name) == bool(mapping)


@pytest.mark.parametrize("found", [[0, 1, 2, 3, 4], [0, 7], [-1, 0], [0, 10, 200]])
def test_unknown_codes_are_refused_with_the_set(found):
    shown = ", ".join(map(str, found))
    with pytest.raises(InputError, match=rf"x_label\.nii\.gz: found label codes {{{shown}}}.*expected a subset of"):
        coding_for(FILE, found, (0, 1, 2, 3))


def test_stated_map_must_lead_to_allowed_codes():
    with pytest.raises(InputError, match="after its label_map"):
        coding_for(FILE, [0, 5], (0, 1), {4: 1})


def test_swap_is_done_at_once_and_on_a_copy():
    label = np.array([0, 1, 2, 3], dtype=np.float32)
    np.testing.assert_array_equal(apply_coding(label, {1: 2, 2: 1}), [0, 2, 1, 3])
    np.testing.assert_array_equal(label, [0, 1, 2, 3])


def test_fractions_are_no_codes():
    assert codes_found(FILE, np.array([0.0, 1.0000001, 2.0])) == [0, 1, 2]
    with pytest.raises(InputError, match=r"no whole numbers \(0\.25\)"):
        codes_found(FILE, np.array([0.0, 0.25]))
    with pytest.raises(InputError, match="NaN or Inf"):
        codes_found(FILE, np.array([0.0, np.nan]))
