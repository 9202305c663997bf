"""Sliced Wasserstein distance, likeness, memorisation and label statistics on images whose answers are plain."""

import pytest
import torch
import torch.nn.functional as F

from ganglion.metrics import label_statistics, likeness, memorisation, nearest, sliced_wasserstein


def smooth(count, seed):
    noise = torch.randn(count, 2, 8, 8, generator=torch.Generator().manual_seed(seed))
    return F.interpolate(noise, size=(32, 32), mode="bicubic").clamp(-1, 1)


def test_sliced_wasserstein_sees_the_scale_at_which_images_differ():
    real, other = smooth(64, 0), smooth(64, 1)
    noisy = other + 0.3 * torch.randn(other.shape)
    same, different = sliced_wasserstein(real, other), sliced_wasserstein(real, noisy)
    assert list(same) == [32, 16]
    assert sliced_wasserstein(real, real) == {32: 0.0, 16: 0.0}
    assert different[32] > 2 * same[32]
    assert different[32] > different[16]
    assert sliced_wasserstein(real, noisy) == different
    with pytest.raises(ValueError, match="as many images"):
        sliced_wasserstein(real, other[:5])


def test_likeness_is_one_for_copies_and_falls_with_variety():
    images = smooth(8, 0)
    copies = images[:1].expand(8, -1, -1, -1)
    alike = 0.9 * copies + 0.1 * images
    assert likeness(copies) == pytest.approx(1, abs=1e-5)
    assert likeness(images) < likeness(alike) < 1
    assert likeness(images) == likeness(images)


def test_the_nearest_by_hand():
    among = torch.stack([torch.zeros(1, 4, 4), torch.ones(1, 4, 4), 3 * torch.ones(1, 4, 4)])
    distances, places = nearest(torch.full((2, 1, 4, 4), 2.5), among, chunk=1)
    assert distances.tolist() == pytest.approx([0.5, 0.5])
    assert places.tolist() == [2, 2]


def test_copies_are_found_out():
    training, held_out, fresh = smooth(40, 0), smooth(60, 1), smooth(200, 2)
    copies = memorisation(training[:20] + 0.01, training, held_out)
    honest = memorisation(fresh, training, held_out)
    assert copies["ratio"] < 0.2
    assert copies["nearest_is_training"] == 1
    assert 0.9 < honest["ratio"] < 1.1
    assert 0.3 < honest["nearest_is_training"] < 0.7


def test_label_statistics_by_hand():
    codes = torch.zeros(4, 4, 4, dtype=torch.long)
    codes[0, 0, :2] = 1
    codes[1, 0] = 1
    codes[1, 1, 0] = 3
    head = torch.zeros(4, 4, 4, dtype=torch.bool)
    head[:, 0] = True
    assert label_statistics(codes, 4, head) == pytest.approx(
        {
            "positive": 0.5, "has_1": 0.5, "share_1": 3 / 16, "has_2": 0.0, "share_2": 0.0, "has_3": 0.25,
            "share_3": 1 / 16, "outside": 1 / 7,
        }
    )  # fmt: skip
