"""Batches that several objectives are tried on."""

import pytest
import torch


@pytest.fixture
def batch():
    """Labelled and unlabelled patches of two contrasts, whose brightness tells the tissue."""
    generator = torch.Generator().manual_seed(1)
    label = torch.zeros(2, 1, 16, 16, 16)
    for code in (1, 2, 3):
        label[:, :, 4 * code : 4 * code + 4] = code
    image = (label / 3 * 2 - 1 + 0.1 * torch.randn(2, 2, 16, 16, 16, generator=generator)).clamp(-1, 1)
    return {"labelled": {"image": image, "label": label}, "unlabelled": {"image": image.flip(0).clone()}}
