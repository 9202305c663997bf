"""Expected values come from arithmetic on boxes and from brute-force formulas written here, not from MONAI."""

import math

import numpy as np
import pytest
import torch
from monai.data import MetaTensor

from ganglion.metrics import DEFINITIONS, METRICS, score_subject

SPACING = (1.0, 2.0, 3.0)


def box(shape, start, stop):
    mask = np.zeros(shape, dtype=np.uint8)
    mask[tuple(slice(a, b) for a, b in zip(start, stop, strict=True))] = 1
    return mask


def blobs(seed, shape=(14, 12, 10)):
    rng = np.random.default_rng(seed)
    grid = np.stack(np.meshgrid(*[np.arange(n) for n in shape], indexing="ij"), -1)
    mask = np.zeros(shape, dtype=bool)
    for _ in range(3):
        centre, radius = rng.uniform(2, np.array(shape) - 2), rng.uniform(1.5, 4)
        mask |= np.linalg.norm(grid - centre, axis=-1) < radius
    return mask


def edge(mask):
    """A voxel of the mask with at least one face neighbour outside it."""
    padded = np.pad(mask.astype(bool), 1)
    inside = padded.copy()
    for axis in range(mask.ndim):
        for step in (-1, 1):
            inside &= np.roll(padded, step, axis)
    return np.argwhere((padded & ~inside)[1:-1, 1:-1, 1:-1])


def brute_force(pred, label, spacing):
    p, y = edge(pred) * spacing, edge(label) * spacing
    between = np.linalg.norm(p[:, None] - y[None], axis=-1)
    there, back = between.min(1), between.min(0)
    tp, fp, fn = (pred & label).sum(), (pred & ~label).sum(), (~pred & label).sum()
    return {
        "dice": 2 * tp / (2 * tp + fp + fn),
        "precision": tp / (tp + fp),
        "sensitivity": tp / (tp + fn),
        "hd95_mm": max(np.percentile(there, 95), np.percentile(back, 95)),
        "assd_mm": np.concatenate([there, back]).mean(),
        "volume_error_ml": (int(pred.sum()) - int(label.sum())) * math.prod(spacing) / 1000,
    }


@pytest.mark.parametrize(("axis", "steps"), [(0, 1), (1, 1), (2, 1), (0, 2)])
def test_shifted_box_by_hand(axis, steps):
    """A 4 x 4 x 4 box shifted by s voxels shares (4 - s)/4 of its volume; the far face lies s voxel sizes away."""
    shift = [0, 0, 0]
    shift[axis] = steps
    label = box((12, 12, 12), (3, 3, 3), (7, 7, 7))
    pred = box((12, 12, 12), [3 + s for s in shift], [7 + s for s in shift])
    scores = score_subject(pred, label, SPACING)
    share = (4 - steps) / 4
    for name in ("dice", "precision", "sensitivity"):
        assert scores[name] == pytest.approx(share)
    assert scores["hd95_mm"] == pytest.approx(steps * SPACING[axis])
    assert scores["volume_error_ml"] == 0
    assert scores["label_ml"] == pytest.approx(64 * 6 / 1000)
    assert scores["empty"] == ""


def test_assd_of_two_slabs_by_hand():
    """Two one-voxel sheets three voxels apart along an axis of 2 mm: every distance is 6 mm."""
    label, pred = box((5, 9, 5), (0, 2, 0), (5, 3, 5)), box((5, 9, 5), (0, 5, 0), (5, 6, 5))
    scores = score_subject(pred, label, SPACING)
    assert scores["assd_mm"] == pytest.approx(6.0)
    assert scores["hd95_mm"] == pytest.approx(6.0)
    assert scores["dice"] == 0
    assert scores["empty"] == ""


@pytest.mark.parametrize("seed", range(5))
def test_agrees_with_brute_force(seed):
    pred, label = blobs(seed), blobs(seed + 100)
    scores = score_subject(pred, label, (0.9, 1.3, 3.1))
    for name, expected in brute_force(pred, label, (0.9, 1.3, 3.1)).items():
        assert scores[name] == pytest.approx(expected, rel=1e-5, abs=1e-6), name


@pytest.mark.parametrize("axes", [(0,), (1,), (2,), (0, 1, 2)])
def test_flips_and_swaps_change_nothing(axes):
    pred, label = blobs(1), blobs(2)
    expected = score_subject(pred, label, SPACING)
    assert score_subject(np.flip(pred, axes).copy(), np.flip(label, axes).copy(), SPACING) == pytest.approx(expected)
    turned = score_subject(pred.transpose(2, 0, 1), label.transpose(2, 0, 1), (3.0, 1.0, 2.0))
    assert turned == pytest.approx(expected)


def test_exchange_of_prediction_and_label():
    pred, label = blobs(3), blobs(4)
    one, two = score_subject(pred, label, SPACING), score_subject(label, pred, SPACING)
    assert (one["precision"], one["sensitivity"]) == pytest.approx((two["sensitivity"], two["precision"]))
    assert one["volume_error_ml"] == pytest.approx(-two["volume_error_ml"])
    assert one["hd95_mm"] == pytest.approx(two["hd95_mm"])


def test_touching_the_border_of_the_image():
    """Cropping to the union must not make another edge than the image's own border does."""
    pred, label = box((6, 6, 6), (0, 0, 0), (4, 6, 6)), box((6, 6, 6), (0, 0, 0), (6, 6, 6))
    scores = score_subject(pred, label, (1.0, 1.0, 1.0))
    expected = brute_force(pred.astype(bool), label.astype(bool), (1.0, 1.0, 1.0))
    assert scores["hd95_mm"] == pytest.approx(expected["hd95_mm"])
    assert scores["assd_mm"] == pytest.approx(expected["assd_mm"])


def test_empty_policy():
    nothing, something = np.zeros((3, 4, 12)), box((3, 4, 12), (0, 0, 0), (1, 1, 1))
    both = score_subject(nothing, nothing, (1.0, 1.0, 1.0))
    assert [both[name] for name in METRICS] == [1, 1, 1, 0, 0, 0]
    assert both["empty"] == "both_empty"
    for pred, label, flag, sign in ((nothing, something, "pred_empty", -1), (something, nothing, "label_empty", 1)):
        one = score_subject(pred, label, (1.0, 1.0, 1.0))
        assert [one[name] for name in METRICS] == pytest.approx([0, 0, 0, 13, 13, sign * 0.001])
        assert one["empty"] == flag


def test_takes_channel_first_metatensors_and_codes():
    label = torch.from_numpy(box((8, 8, 8), (2, 2, 2), (6, 6, 6)))[None] * 3
    pred = MetaTensor((label > 0).float())
    assert score_subject(pred, MetaTensor(label), SPACING)["dice"] == 1


def test_refuses_other_grids():
    with pytest.raises(ValueError, match=r"grid \(3, 3, 3\), its label \(3, 3, 4\)"):
        score_subject(np.ones((3, 3, 3)), np.ones((3, 3, 4)), SPACING)
    with pytest.raises(ValueError, match="positive voxel sizes"):
        score_subject(np.ones((3, 3, 3)), np.ones((3, 3, 3)), (1.0, 1.0, 0.0))


def test_every_metric_is_defined_in_words():
    assert set(METRICS) | {"empty"} == set(DEFINITIONS)
