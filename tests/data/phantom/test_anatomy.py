"""The template and the tissue fractions made from it."""

from itertools import pairwise

import numpy as np
import pytest

from ganglion.data.phantom.anatomy import load_atlas
from ganglion.data.phantom.brats import field_of_view
from ganglion.data.phantom.head import Head


@pytest.fixture(scope="module")
def heads():
    """Tissue of ten adults at 4 mm."""
    full = field_of_view(4.0)
    return [Head.drawn(np.random.default_rng(seed), full).tissue(full) for seed in range(10)]


def shares(tissue):
    """Shares of CSF, GM and WM in what lies inside the brain's surface."""
    inside = tissue.depth < 0.0
    volumes = np.array([part[inside].sum() for part in (tissue.csf, tissue.gm, tissue.wm)])
    return volumes / volumes.sum()


def test_the_template_is_what_nilearn_carries():
    """Volumes of the ICBM 2009a maps inside the mask: 1.88 l, of which about 53 % GM and 36 % WM."""
    atlas = load_atlas(1.0)
    inside = atlas.t1 > 0
    assert atlas.t1.shape == (197, 233, 189)
    assert 0.45 < float(atlas.gm.sum()) / 1.883e6 < 0.6
    assert 0.3 < float(atlas.wm.sum()) / 1.883e6 < 0.4
    assert inside.any()


def test_fractions_sum_to_one(heads):
    for tissue in heads:
        np.testing.assert_allclose(tissue.csf + tissue.gm + tissue.wm, 1.0, atol=1e-5)
        assert min(part.min() for part in (tissue.csf, tissue.gm, tissue.wm)) >= 0.0


def test_fluid_is_within_published_ranges(heads):
    """CSF is 11.4 % of the intracranial volume on average (Matsumae et al., J Neurosurg 84:982, 1996, 49 adults aged
    24 to 80); the brain's share is 0.891 with a standard deviation of 0.025 (Ahmad et al., JBCS, 58 adults aged 41 to
    77). Each subject must lie within three standard deviations, their mean within one.
    """
    fluid = np.array([shares(tissue)[0] for tissue in heads])
    assert abs(fluid.mean() - 0.114) < 0.03
    assert fluid.min() > 0.109 - 3 * 0.025
    assert fluid.max() < 0.109 + 3.2 * 0.025


def test_grey_and_white_matter_are_near_measured_shares(heads):
    """In 24 healthy adults of the IXI collection, segmented by DLMUSE (sample data of NiChart), GM has 43 to 50 % of
    CSF + GM + WM and WM 37 to 42 %; the template's own maps have 53 and 36 %. The subjects' means must lie between
    or near these, and no subject far from them.
    """
    grey, white = np.array([shares(tissue)[1:] for tissue in heads]).T
    assert 0.43 < grey.mean() < 0.57
    assert 0.30 < white.mean() < 0.42
    assert grey.min() > 0.40
    assert grey.max() < 0.63
    assert white.min() > 0.25


def test_intracranial_volume_is_that_of_adults(heads):
    """1469 +- 102 ml in men, 1289 +- 111 ml in women (Matsumae et al. 1996); the skull's inner surface is not
    simulated, the template's mask stands for it: four standard deviations.
    """
    volumes = np.array([(tissue.depth < 0.0).sum() * 0.064 for tissue in heads])
    assert volumes.min() > 1289 - 4 * 111
    assert volumes.max() < 1469 + 4 * 102
    assert volumes.std() > 40


def test_every_head_differs(heads):
    for first, second in pairwise(heads):
        assert float(np.abs(first.wm - second.wm).mean()) > 0.02


def test_ventricles_are_fluid_and_deep(heads):
    for tissue in heads:
        inside = tissue.to_ventricle < 0.5
        assert inside.any()
        assert float(tissue.csf[inside].mean()) > 0.6
        assert float(tissue.depth[inside].max()) < -5.0
