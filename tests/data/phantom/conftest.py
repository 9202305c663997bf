"""Simulated subjects that the tests of this folder share: coarse, so that each takes about a second."""

import numpy as np
import pytest

from ganglion.data.phantom import brats, iseg, mrbrains

SPACING = 4.0


def _subjects(module, code, count, spacing=SPACING):
    return [module.simulate(np.random.SeedSequence([0, code, k]), spacing) for k in range(count)]


@pytest.fixture(scope="session")
def tumours():
    """Eight subjects of the `brats` cohort: (images by contrast, label, affine)."""
    return _subjects(brats, 1, 8, 3.0)


@pytest.fixture(scope="session")
def infants():
    """Three subjects of the `iseg` cohort."""
    return _subjects(iseg, 2, 3, 2.0)


@pytest.fixture(scope="session")
def adults():
    """Three subjects of the `mrbrains` cohort; slices of 6 mm, in plane 2 mm."""
    return _subjects(mrbrains, 3, 3, 2.0)
