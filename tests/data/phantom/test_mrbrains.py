"""The `mrbrains` cohort: eight labels in thick slices."""

import numpy as np
import pytest

from ganglion.data.phantom.mrbrains import LABELS, SLICE, slice_means

# MRBrainS13: merge 1 and 2 to grey matter, 3 and 4 to white matter, 5 and 6 to fluid; 7 and 8 are left out.
MERGED = {"GM": (1, 2), "WM": (3, 4), "CSF": (5, 6)}


def mean_of(image, label, tissue):
    return float(image[np.isin(label, MERGED[tissue])].mean())


def test_slices_are_three_times_as_thick_as_voxels(adults):
    for images, label, affine in adults:
        assert tuple(images) == ("T1", "IR", "FLAIR")
        np.testing.assert_allclose(np.abs(np.diag(affine))[:3], [2.0, 2.0, 6.0])
        assert label.shape == (115, 115, 24)
        assert all(image.shape == label.shape for image in images.values())


def test_all_eight_labels_occur_in_the_cohort(adults):
    codes = set().union(*(np.unique(label).tolist() for _, label, _ in adults))
    assert codes == set(LABELS.values()) == set(range(9))


def test_order_of_tissues_in_each_contrast(adults):
    """T1 and the signed T1-IR: CSF < GM < WM; FLAIR: CSF < WM < GM."""
    for images, label, _ in adults:
        for name in ("T1", "IR"):
            csf, grey, white = (mean_of(images[name], label, tissue) for tissue in ("CSF", "GM", "WM"))
            assert csf < grey < white
        csf, grey, white = (mean_of(images["FLAIR"], label, tissue) for tissue in ("CSF", "GM", "WM"))
        assert csf < 0.6 * white < 0.6 * grey


def test_lesions_are_bright_on_flair(adults):
    for images, label, _ in adults:
        if (label == 4).sum() > 20:
            assert images["FLAIR"][label == 4].mean() > 1.15 * images["FLAIR"][label == 3].mean()


def test_structures_lie_where_they_should(adults):
    """Cerebellum and stem below the middle of the brain (axis 2 runs up), the cerebellum behind it (axis 1 back)."""
    for _, label, _ in adults:
        centre = {code: np.argwhere(label == code).mean(0) for code in (3, 6, 7, 8)}
        assert centre[7][2] < centre[3][2]
        assert centre[8][2] < centre[3][2]
        assert centre[7][1] > centre[8][1]
        assert np.abs(centre[6][:2] - centre[3][:2]).max() < 12


def test_merged_tissue_shares_are_those_of_adults(adults):
    """Fluid as in test_anatomy (Matsumae et al. 1996: 11.4 % on average); cerebellum and stem are left out."""
    for _, label, _ in adults:
        volumes = np.array([np.isin(label, MERGED[tissue]).sum() for tissue in ("CSF", "GM", "WM")])
        csf, grey, white = volumes / volumes.sum()
        assert 0.05 < csf < 0.22
        assert 0.36 < grey < 0.58
        assert 0.28 < white < 0.48


def test_slice_means_are_partial_volumes():
    volume = np.arange(2 * SLICE, dtype=np.float32).reshape(1, 1, -1)
    assert slice_means(volume).ravel().tolist() == pytest.approx([1.0, 4.0])
