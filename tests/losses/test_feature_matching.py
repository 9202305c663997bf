"""Distance of batch means by algebra, and on which side the gradient is."""

import pytest
import torch

from ganglion.losses import feature_matching


def test_values_by_hand():
    real = torch.tensor([[1.0, 0.0], [3.0, 2.0]]).reshape(2, 2, 1)  # mean 2, 1
    generated = torch.tensor([[0.0, 4.0]]).reshape(1, 2, 1)
    assert feature_matching(real, generated).item() == pytest.approx((2**2 + 3**2) / 2)
    assert feature_matching(real, generated, "l1").item() == pytest.approx((2 + 3) / 2)


@pytest.mark.parametrize("norm", ["l2", "l1"])
def test_means_over_the_batch_count_and_nothing_else(norm):
    real = torch.randn(4, 3, 2, 2)
    assert feature_matching(real, real.flip(0), norm).item() == pytest.approx(0.0, abs=1e-6)
    assert feature_matching(real, real.flip(1), norm) > 0.01
    costs = [feature_matching(real, real + shift, norm).item() for shift in (0.0, 0.5, 1.0, 1e3)]
    assert costs == sorted(costs)
    assert costs[1] == pytest.approx(0.25 if norm == "l2" else 0.5, rel=1e-5)


def test_gradient_draws_the_generated_side_alone(gradient_of):
    real, generated = torch.ones(2, 3, requires_grad=True), torch.zeros(2, 3)
    assert (gradient_of(lambda features: feature_matching(real, features), generated) < 0).all()
    assert real.grad is None


def test_computed_in_float32():
    real, generated = torch.full((300, 2), 1.0, dtype=torch.float16), torch.full((2, 2), -6e4, dtype=torch.float16)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        value = feature_matching(real, generated)
    assert value.dtype == torch.float32
    assert value.item() == pytest.approx((1 + generated[0, 0].item() * -1) ** 2, rel=1e-5)


def test_faults_are_named():
    with pytest.raises(ValueError, match="norm is 'l3', expected one of l2, l1"):
        feature_matching(torch.zeros(1, 2), torch.zeros(1, 2), "l3")
    with pytest.raises(ValueError, match=r"feature shapes differ: \(1, 2\) and \(1, 3\)"):
        feature_matching(torch.zeros(1, 2), torch.zeros(1, 3))
