"""Penalties on gradients: of a discriminator, and how far a generator's images move with its styles."""

from __future__ import annotations

from collections.abc import Callable

import torch

from .precision import at_least_float32


def between(real: torch.Tensor, generated: torch.Tensor, generator: torch.Generator | None = None) -> torch.Tensor:
    """Points drawn uniformly on the lines from real to generated images, one line a sample: where the penalty is taken.

    Source: Gulrajani et al., Improved training of Wasserstein GANs (2017), section 4.

    Args:
        real: (B, C, ...).
        generated: of the same shape.
        generator: source of randomness, of the tensors' device; default: torch's own.

    Returns:
        (B, C, ...), detached, float32 at least.
    """
    if real.shape != generated.shape:
        raise ValueError(f"shapes differ: {tuple(real.shape)} and {tuple(generated.shape)}")
    real, generated = at_least_float32(real.detach()), at_least_float32(generated.detach())
    shape = [real.shape[0]] + [1] * (real.dim() - 1)
    return torch.lerp(real, generated, torch.rand(shape, generator=generator, dtype=real.dtype, device=real.device))


def gradient_penalty(
    critic: Callable[[torch.Tensor], torch.Tensor], points: torch.Tensor, target: float = 1.0
) -> torch.Tensor:
    """Mean over samples of (|gradient of the critic with respect to its input|_2 - target)^2.

    A critic that scores each voxel stands for the mean of its scores, whose expectation the Wasserstein losses take.
    Computed in float32 even under autocast, as a gradient in half precision may vanish.

    Source: Gulrajani et al. 2017, eq. 3, without its weight, 10.

    Args:
        critic: gives scores (B,) or (B, ...) for images (B, C, ...), no sample depending on others (no batch norm).
        points: where, (B, C, ...), see `between`.
        target: the norm that costs nothing.

    Returns:
        A scalar, at least 0, that can be differentiated with respect to the critic's weights.
    """
    points = at_least_float32(points).detach().requires_grad_(True)
    with torch.autocast(points.device.type, enabled=False), torch.enable_grad():
        score = at_least_float32(critic(points)).reshape(len(points), -1).mean(dim=1).sum()
        (gradient,) = torch.autograd.grad(score, points, create_graph=True)
        return (torch.linalg.vector_norm(gradient.flatten(1), dim=1) - target).square().mean()


def path_lengths(image: torch.Tensor, styles: torch.Tensor, directions: torch.Tensor) -> torch.Tensor:
    """How far images move with their styles, along random directions in the images.

    Source: Karras et al., Analyzing and improving the image quality of StyleGAN (2020), section 3.2 and appendix D:
    |J^T y|, y standard normal by 1 / sqrt(pixels); with one style a layer, the root of the mean square over layers.

    Args:
        image: (B, C, H, W), computed from `styles`.
        styles: (B, layers, W), one style a layer.
        directions: y without its factor, standard normal, of the image's shape.

    Returns:
        (B,), which can be differentiated with respect to the generator's weights.
    """
    pixels = image.shape[-1] * image.shape[-2]
    moved = (image * directions).sum() / pixels**0.5
    (gradient,) = torch.autograd.grad(moved, styles, create_graph=True)
    return torch.linalg.vector_norm(gradient, dim=(1, 2)) / gradient.shape[1] ** 0.5
