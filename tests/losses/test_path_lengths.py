"""Path length of linear generators, where it is algebra."""

import pytest
import torch

from ganglion.losses import path_lengths


def test_length_of_a_linear_generator():
    """image = A w of one layer: |J^T y| is the norm of A^T y / sqrt(pixels)."""
    matrix, styles = torch.randn(2 * 4 * 4, 3), torch.randn(5, 1, 3, requires_grad=True)
    image = (styles[:, 0] @ matrix.T).reshape(5, 2, 4, 4)
    directions = torch.randn_like(image)
    expected = (directions.reshape(5, -1) @ matrix).norm(dim=1) / 4
    assert torch.allclose(path_lengths(image, styles, directions), expected, atol=1e-5)


def test_layers_count_by_the_root_of_their_mean_square():
    styles = torch.randn(1, 2, 1, requires_grad=True)
    image = (3 * styles[:, 0] + 4 * styles[:, 1])[..., None, None]
    length = path_lengths(image, styles, torch.ones_like(image))
    assert length.item() == pytest.approx(((9 + 16) / 2) ** 0.5)


def test_a_generator_that_does_not_move_has_finite_gradients():
    weight = torch.zeros(1, requires_grad=True)
    styles = torch.randn(2, 1, 1, requires_grad=True)
    image = (weight * styles)[..., None]
    path_lengths(image, styles, torch.ones_like(image)).square().mean().backward()
    assert weight.grad.item() == 0
