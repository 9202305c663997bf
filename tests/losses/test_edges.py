"""Rims of tissues by hand and by MONAI, and a loss that is finite and points the right way."""

import pytest
import torch
from monai.networks import one_hot
from monai.transforms import LabelToContourd

from ganglion.losses import edge_loss, tissue_edges


def test_edges_of_a_square_by_hand():
    label = torch.zeros(1, 1, 6, 6)
    label[..., 1:5, 1:5] = 2
    expected = torch.zeros(6, 6)
    expected[1:5, 1:5] = 1
    expected[2:4, 2:4] = 0
    assert tissue_edges(one_hot(label, 4))[0, 0].equal(expected)


def test_two_tissues_that_meet_have_an_edge_on_both_sides():
    label = torch.ones(1, 1, 4, 8, 4)
    label[:, :, :, 4:] = 3
    found = tissue_edges(one_hot(label, 4))[0, 0]
    assert found.sum(dim=(0, 2)).tolist() == [0, 0, 0, 16, 16, 0, 0, 0]


def test_inside_it_is_the_largest_of_monais_contours_and_the_rim_of_the_patch_is_none():
    label = torch.randint(4, (2, 1, 9, 8, 7))
    tissues = one_hot(label, 4)
    contours = [LabelToContourd(keys="label")({"label": each[1:]})["label"].amax(dim=0) for each in tissues]
    inner = (slice(1, -1),) * 3
    for found, contour in zip(tissue_edges(tissues), contours, strict=True):
        assert found[0][inner].equal(contour[inner])
    assert tissue_edges(one_hot(torch.full((1, 1, 6, 6, 6), 2), 4)).sum() == 0
    assert tissue_edges(one_hot(torch.zeros(1, 1, 6, 6, 6), 4)).sum() == 0


def test_an_edge_counts_five_times():
    edges = torch.tensor([1.0, 0.0, 0.0, 0.0]).reshape(1, 1, 2, 2)
    wrong, right = torch.full((1, 1, 2, 2), -2.0), (edges * 2 - 1) * 2
    softplus = torch.nn.functional.softplus(torch.tensor([2.0, -2.0]))
    assert edge_loss(wrong, edges).item() == pytest.approx(((5 * softplus[0] + 3 * softplus[1]) / 4).item())
    assert edge_loss(wrong, edges, 1.0).item() == pytest.approx(((softplus[0] + 3 * softplus[1]) / 4).item())
    assert edge_loss(right, edges) < edge_loss(wrong, edges)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_finite_at_huge_logits(dtype):
    logits = torch.tensor([1e3, -1e3, 1e3, -1e3]).reshape(1, 1, 2, 2).to(dtype).requires_grad_(True)
    loss = edge_loss(logits, torch.tensor([1.0, 1.0, 0.0, 0.0]).reshape(1, 1, 2, 2))
    loss.backward()
    assert torch.isfinite(loss)
    assert loss.dtype == torch.float32
    assert torch.isfinite(logits.grad).all()
    assert logits.grad[0, 0, 0, 1] < 0 < logits.grad[0, 0, 1, 0]
