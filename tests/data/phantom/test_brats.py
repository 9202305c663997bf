"""The `brats` cohort as a whole: what a segmenter will see."""

from itertools import pairwise

import numpy as np
import pytest
from scipy import ndimage

from ganglion import keys
from ganglion.data.phantom.anatomy import load_atlas
from ganglion.data.phantom.brats import affine_of, field_of_view
from ganglion.data.phantom.contrast import draw_lesion
from ganglion.data.phantom.signal import ADULT, draw_flair, draw_t1
from ganglion.data.phantom.tumour import draw_tumour


def level(image, where):
    """Mean of an image there against the median of the healthy-looking brain."""
    return float(image[where].mean()) / float(np.median(image[image > 0]))


def test_geometry_is_that_of_brats():
    full = field_of_view(1.0)
    assert full.shape == (240, 240, 155)
    expected = [[-1, 0, 0, 0], [0, -1, 0, 239], [0, 0, 1, 0], [0, 0, 0, 1]]
    np.testing.assert_array_equal(affine_of(full), expected)


def test_voxels_of_all_spacings_cover_the_same_field():
    """The outer corner of the first voxel does not move with the spacing."""
    corners = []
    for spacing in (1.0, 2.0, 4.0):
        affine = affine_of(field_of_view(spacing))
        corners.append(affine[:3, :3] @ np.full(3, -0.5) + affine[:3, 3])
    np.testing.assert_allclose(corners[1], corners[0])
    np.testing.assert_allclose(corners[2], corners[0])


def test_four_contrasts_on_one_grid_with_empty_background(tumours):
    for images, label, _ in tumours:
        assert tuple(images) == keys.CONTRASTS
        brain = images["T1"] > 0
        assert 0.08 < brain.mean() < 0.35
        for image in images.values():
            assert image.shape == label.shape
            assert image.dtype == np.int16
            assert image.min() == 0
            np.testing.assert_array_equal(image > 0, brain)
        assert not label[~brain].any()
        assert set(np.unique(label)) <= set(keys.TUMOUR)


def test_every_subject_has_a_tumour_of_its_own_size(tumours):
    """Volumes were drawn between 5 and 150 ml; the cut field of view may take 15 %, coarse voxels some more."""
    volumes = np.array([(label > 0).sum() * 0.027 for _, label, _ in tumours])
    assert volumes.min() > 4.0
    assert volumes.max() < 155.0
    assert volumes.max() > 5 * volumes.min()
    assert len(set(volumes)) == len(volumes)


def test_rim_is_brighter_after_the_agent(tumours):
    seen = 0
    for images, label, _ in tumours:
        if (rim := label == 3).sum() > 20:
            assert level(images["T1ce"], rim) > level(images["T1"], rim) + 0.1
            seen += 1
    assert seen >= 4


def test_oedema_is_bright_on_flair_and_dark_on_t1(tumours):
    """Against the brain's median on FLAIR, and against its brighter half, which is mostly white matter, on T1."""
    for images, label, _ in tumours:
        oedema = label == 2
        assert level(images["FLAIR"], oedema) > 1.05
        t1 = images["T1"].astype(np.float32)
        healthy = t1[(t1 > 0) & (label == 0)]
        assert t1[oedema].mean() < healthy[healthy > np.median(healthy)].mean()


def test_oedema_at_its_wettest_is_dark_on_t1_and_bright_on_flair():
    """Longer T1 and T2 than white matter. In few draws the two offset each other: long TR and TE on T1, long T1 on
    FLAIR at 3 T; then oedema is level with white matter, never far on the wrong side.
    """
    rng = np.random.default_rng(0)
    darker = brighter = 0
    for _ in range(200):
        field = float(rng.choice([1.5, 3.0]))
        healthy = {name: s.varied(rng, 0.05) for name, s in ADULT[field].items()}
        oedema = draw_lesion(rng, healthy, draw_tumour(rng)).oedema
        t1, flair = draw_t1(rng, field), draw_flair(rng, healthy["CSF"])
        assert t1(oedema) < 1.05 * t1(healthy["WM"])
        assert flair(oedema) > 0.9 * flair(healthy["WM"])
        darker += t1(oedema) < t1(healthy["WM"])
        brighter += flair(oedema) > 1.1 * flair(healthy["WM"])
    assert min(darker, brighter) > 185


def test_core_inside_rim_inside_oedema(tumours):
    """On average over a tumour with all three parts: depth below its surface falls from core to rim to oedema."""
    depths = []
    for _, label, _ in tumours:
        if min((label == code).sum() for code in (1, 2, 3)) > 30:
            inside = ndimage.distance_transform_edt(label > 0)
            depths.append([inside[label == code].mean() for code in (1, 3, 2)])
    core, rim, oedema = np.mean(depths, axis=0)
    assert len(depths) >= 3
    assert core > rim > oedema


def test_the_intensity_scale_is_arbitrary(tumours):
    scales = np.array([[np.median(image[image > 0]) for image in images.values()] for images, _, _ in tumours])
    assert scales.max() > 3 * scales.min()


def test_every_subject_differs(tumours):
    for (first, _, _), (second, _, _) in pairwise(tumours):
        for name in keys.CONTRASTS:
            assert (first[name] != second[name]).mean() > 0.05


def test_tissue_is_not_piecewise_constant(tumours):
    """Within the brain neighbouring voxels differ nearly everywhere, in each contrast."""
    for images, _, _ in tumours:
        for image in images.values():
            inside = ndimage.binary_erosion(image > 0, iterations=2)
            steps = np.diff(image.astype(np.int32), axis=0)[inside[1:]]
            assert (steps != 0).mean() > 0.9


def test_the_template_is_blurred_to_the_voxel_size():
    """The maps keep their mean and lose detail with larger voxels."""
    blurred, sharp = load_atlas(3.0).wm, load_atlas(1.0).wm
    assert float(blurred.mean()) == pytest.approx(float(sharp.mean()), rel=1e-3)
    details = [float((np.diff(volume, axis=0) ** 2).mean()) for volume in (blurred, sharp)]
    assert details[0] < 0.9 * details[1]
