"""Simulated subjects in memory, from which the tests build trees as the challenges and scanners give them."""

import functools

import numpy as np
import pytest

SPACING = 6.0


@functools.cache
def _subject(cohort):
    from ganglion.data.phantom.cohorts import COHORTS

    return COHORTS[cohort].simulate(np.random.SeedSequence([0, COHORTS[cohort].code, 0]), SPACING)


@pytest.fixture(scope="session")
def simulated():
    """`simulated(cohort, number)` gives images by contrast, label and affine; numbers differ by a shift along x."""

    def subject(cohort, number=0):
        images, label, affine = _subject(cohort)
        images = {contrast: np.roll(image, number, axis=0) for contrast, image in images.items()}
        return images, np.roll(label, number, axis=0), affine

    return subject
