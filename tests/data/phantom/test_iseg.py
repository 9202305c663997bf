"""The `iseg` cohort: infants in the isointense phase."""

import numpy as np

from ganglion.data.phantom.iseg import SEQUENCES, draw_infant


def overlap(first, second, bins=64):
    """Shared area of two normalised histograms."""
    edges = np.histogram_bin_edges(np.concatenate([first, second]), bins)
    shares = [np.histogram(values, edges)[0] / values.size for values in (first, second)]
    return float(np.minimum(*shares).sum())


def test_labels_are_the_three_tissues_inside_the_images(infants):
    for images, label, _ in infants:
        assert tuple(images) == ("T1", "T2")
        assert set(np.unique(label)) == {0, 1, 2, 3}
        for image in images.values():
            assert image.shape == label.shape == (72, 96, 128)
            np.testing.assert_array_equal(image > 0, label > 0)


def test_grey_and_white_matter_look_alike_on_t1(infants):
    """Histogram overlap of at least 0.6."""
    for images, label, _ in infants:
        assert overlap(images["T1"][label == 2], images["T1"][label == 3]) >= 0.6


def test_fluid_is_dark_on_t1_and_bright_on_t2(infants):
    for images, label, _ in infants:
        t1, t2 = ([images[name][label == code].mean() for code in (1, 2, 3)] for name in ("T1", "T2"))
        assert t1[0] < 0.6 * min(t1[1:])
        assert t2[0] > 1.3 * max(t2[1:])
        assert t2[1] > t2[2]


def test_brains_are_smaller_than_adults(infants):
    """Brain and fluid of the 6-month UNC/UMN atlas fill 0.92 l; adults have 1.2 to 1.7 l."""
    volumes = np.array([(label > 0).sum() * 0.008 for _, label, _ in infants])
    assert volumes.min() > 600
    assert volumes.max() < 1200


def test_t1_of_grey_and_white_matter_are_drawn_close():
    rng = np.random.default_rng(0)
    for _ in range(100):
        infant = draw_infant(rng)
        grey, white = (SEQUENCES["T1"](infant[name]) for name in ("GM", "WM"))
        assert abs(white / grey - 1.0) < 0.1
