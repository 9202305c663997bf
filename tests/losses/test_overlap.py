"""Dice of tissues by hand, in which precision, and who is moved."""

import pytest
import torch

from ganglion.losses import tissue_dice


def pair() -> tuple[torch.Tensor, torch.Tensor]:
    """Logits of four classes, and codes of which the last never occurs."""
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(2, 4, 5, 5, 5, generator=generator, dtype=torch.float64)
    return logits, torch.randint(0, 3, (2, 1, 5, 5, 5), generator=generator).float()


def test_value_is_the_mean_over_images_and_classes_background_included():
    logits, label = pair()
    probability = logits.softmax(dim=1)
    expected = []
    for image in range(2):
        for code in range(4):
            p, y = probability[image, code], (label[image, 0] == code).double()
            expected.append(1 - (2 * (p * y).sum() + 1e-6) / ((p**2).sum() + (y**2).sum() + 1e-6))
    assert tissue_dice(logits, label).item() == pytest.approx(torch.stack(expected).mean().item(), rel=1e-6)


def test_what_is_right_and_sure_costs_nothing_even_where_a_class_is_missing():
    _, label = pair()
    sure = 100.0 * torch.cat([label == code for code in range(4)], dim=1)
    assert tissue_dice(sure, label).item() == pytest.approx(0, abs=1e-6)
    assert tissue_dice(-sure, label) > 0.9


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_is_summed_in_float32(dtype):
    logits, label = pair()
    logits = logits.to(dtype)
    loss = tissue_dice(logits, label)
    assert loss.dtype == torch.float32
    assert loss.item() == pytest.approx(tissue_dice(logits.double(), label).item(), rel=1e-5)


def test_every_logit_is_moved(gradient_of):
    logits, label = pair()
    assert gradient_of(lambda tensor: tissue_dice(tensor, label), logits).all()
