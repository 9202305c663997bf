"""Distances of features: closed forms, MONAI's own, and sets whose answers are plain."""

import pytest
import torch
from monai.metrics.fid import get_fid_score

from ganglion.metrics import frechet_distance, kernel_distance, neighbourhoods


def test_frechet_distance_in_one_dimension_is_of_means_and_spreads():
    real, drawn = torch.tensor([[-1.0], [1.0]]) * 3, torch.tensor([[-1.0], [1.0]]) + 5
    spread = 2.0**0.5
    assert frechet_distance(real, drawn) == pytest.approx(25 + (3 * spread - spread) ** 2)


def test_frechet_distance_is_monais_where_that_is_defined():
    real, drawn = torch.randn(200, 6), torch.randn(150, 6) @ torch.randn(6, 6) + 0.3
    assert frechet_distance(real, drawn) == pytest.approx(float(get_fid_score(drawn, real)), rel=1e-6)


def test_frechet_distance_with_fewer_images_than_features():
    real = torch.randn(5, 40)
    assert frechet_distance(real, real) == pytest.approx(0, abs=1e-6)
    assert frechet_distance(real, real + 1) == pytest.approx(40, rel=1e-5)


def test_kernel_distance_by_loops():
    real, drawn = torch.randn(4, 3).double(), torch.randn(5, 3).double()

    def k(x, y):
        return float((x @ y / 3 + 1) ** 3)

    def mean(values):
        return sum(values) / len(values)

    within = [mean([k(x, y) for i, x in enumerate(s) for j, y in enumerate(s) if i != j]) for s in (real, drawn)]
    across = mean([k(x, y) for x in real for y in drawn])
    assert kernel_distance(real, drawn) == pytest.approx(sum(within) - 2 * across)


def test_a_worse_set_is_farther():
    real, near, far = torch.randn(300, 8), torch.randn(300, 8), torch.randn(300, 8) * 1.5 + 0.5
    for distance in (frechet_distance, kernel_distance):
        assert distance(real, near) < distance(real, far)


def test_one_mode_is_precise_and_recalls_little():
    generator = torch.Generator().manual_seed(0)
    real = torch.cat([torch.randn(100, 4, generator=generator), torch.randn(100, 4, generator=generator) + 100])
    same = neighbourhoods(real, real + 1e-4)
    one = neighbourhoods(real, real[:100] + 0.01)
    none = neighbourhoods(real, real - 1000)
    assert min(same["precision"], same["recall"], same["coverage"]) == 1
    assert one["precision"] == 1
    assert one["recall"] == pytest.approx(0.5, abs=0.01)
    assert one["coverage"] == pytest.approx(0.5, abs=0.01)
    assert set(none.values()) == {0.0}


def test_density_counts_balls():
    real = torch.tensor([[0.0], [1.0], [2.0], [10.0]])
    scores = neighbourhoods(real, torch.tensor([[1.0], [1.1], [1.2], [1.3]]), k=1)
    assert scores["density"] == pytest.approx((3 + 2 + 2 + 2) / 4)  # balls of reach 1, 1, 1 and 8
    assert scores["coverage"] == 0.75


def test_wrong_shapes_are_refused():
    with pytest.raises(ValueError, match="expected"):
        frechet_distance(torch.zeros(3, 2), torch.zeros(3, 4))
    with pytest.raises(ValueError, match="at least 4 of each"):
        neighbourhoods(torch.zeros(3, 2), torch.zeros(9, 2))
