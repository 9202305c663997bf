"""The distance against its definition, by algebra on small tensors."""

import pytest
import torch

from ganglion.losses import multi_scale_l1


def layers(*values: float) -> list[torch.Tensor]:
    """Layers of 8, 4 and 2 entries, each filled with one value."""
    return [torch.full((1, n), v) for n, v in zip((8, 4, 2), values, strict=True)]


def test_concat_weighs_a_layer_by_its_size():
    assert multi_scale_l1(layers(1, 2, 3), layers(0, 0, 0)).item() == pytest.approx((8 * 1 + 4 * 2 + 2 * 3) / 14)


def test_layer_mean_weighs_all_layers_alike():
    assert multi_scale_l1(layers(1, 2, 3), layers(0, 0, 0), "layer_mean").item() == pytest.approx(2.0)


def test_shares_of_the_layers_are_those_of_the_method_note():
    """Input and three stages of the critic with one contrast beside one map weigh 6.7, 53.3, 26.7 and 13.3 %."""
    sizes = [2 * 160 * 160, 64 * 80 * 80, 128 * 40 * 40, 256 * 20 * 20]
    zeros = [torch.zeros(s) for s in sizes]
    shares = []
    for i, size in enumerate(sizes):
        moved = [torch.ones(size) if j == i else z for j, z in enumerate(zeros)]
        shares.append(100 * multi_scale_l1(moved, zeros).item())
    assert shares == pytest.approx([6.7, 53.3, 26.7, 13.3], abs=0.05)


@pytest.mark.parametrize("reduction", ["concat", "layer_mean"])
def test_is_a_distance(reduction):
    generator = torch.Generator().manual_seed(0)
    a, b, c = ([torch.randn(2, n, generator=generator) for n in (8, 4)] for _ in range(3))
    assert multi_scale_l1(a, a, reduction) == 0
    assert multi_scale_l1(a, b, reduction) == multi_scale_l1(b, a, reduction) > 0
    assert multi_scale_l1(a, c, reduction) <= multi_scale_l1(a, b, reduction) + multi_scale_l1(b, c, reduction)


def test_bfloat16_features_are_compared_in_float32():
    a = [torch.full((1, 4096), 1.0, dtype=torch.bfloat16)]
    b = [torch.zeros(1, 4096, dtype=torch.bfloat16)]
    result = multi_scale_l1(a, b)
    assert result.dtype == torch.float32
    assert result == 1.0


def test_faults_are_named():
    with pytest.raises(ValueError, match="reduction is 'sum', expected one of concat, layer_mean"):
        multi_scale_l1(layers(1, 1, 1), layers(0, 0, 0), "sum")
    with pytest.raises(ValueError, match="feature shapes differ"):
        multi_scale_l1(layers(1, 1, 1), layers(0, 0, 0)[:2])
