"""How like two sets of images are, by what a network sees in them: distances of features, and who lies among whom.

Features are rows of numbers, (N, D), of any network; two numbers compare only if the same network gave both. With the
features of our own segmenter they are no published FID or KID, and must not be set beside one.
"""

from __future__ import annotations

import torch
from torch import Tensor

Scores = dict[str, float]


def frechet_distance(real: Tensor, drawn: Tensor) -> float:
    """Frechet distance of the normal distributions with the means and covariances of both sets.

    |m1 - m2|^2 + tr(S1 + S2 - 2 (S1^1/2 S2 S1^1/2)^1/2), from eigenvalues, which are defined also where there are fewer
    images than features; MONAI's `FIDMetric` takes scipy's square root of a matrix, which is not, there.

    Source: Heusel et al., GANs trained by a two time-scale update rule (2017), eq. 6.

    Args:
        real: features (N, D), N at least 2.
        drawn: features (M, D).

    Returns:
        At least 0; it falls as more images are taken, so that only equal numbers of images compare.
    """
    real, drawn = _pair(real, drawn, least=2)
    values, vectors = torch.linalg.eigh(torch.cov(real.T).reshape(real.shape[1], -1))
    root = (vectors * values.clamp_min(0).sqrt()) @ vectors.T
    other = torch.cov(drawn.T).reshape(drawn.shape[1], -1)
    shared = torch.linalg.eigvalsh(root @ other @ root).clamp_min(0).sqrt().sum()
    distance = (real.mean(0) - drawn.mean(0)).square().sum() + values.clamp_min(0).sum() + other.trace() - 2 * shared
    return float(distance.clamp_min(0))


def kernel_distance(real: Tensor, drawn: Tensor) -> float:
    """Squared maximum mean discrepancy with the kernel (x.y / D + 1)^3, without bias; it may be below 0.

    Source: Binkowski et al., Demystifying MMD GANs (2018), section 4. MONAI's `MMDMetric` has a linear kernel.

    Args:
        real: features (N, D), N at least 2.
        drawn: features (M, D), M at least 2.
    """
    real, drawn = _pair(real, drawn, least=2)

    def kernel(x: Tensor, y: Tensor) -> Tensor:
        return (x @ y.T / x.shape[1] + 1) ** 3

    def within(x: Tensor) -> Tensor:
        gram = kernel(x, x)
        return (gram.sum() - gram.trace()) / (len(x) * (len(x) - 1))

    return float(within(real) + within(drawn) - 2 * kernel(real, drawn).mean())


def neighbourhoods(real: Tensor, drawn: Tensor, k: int = 3) -> Scores:
    """Which images lie among which, by balls around each image that reach to its k-th nearest neighbour of its kind.

    Precision: share of drawn images in a ball of a real one. Recall: share of real images in a ball of a drawn one.
    Density: mean number of real balls that hold a drawn image, over k (1 for equal distributions, may be above).
    Coverage: share of real balls that hold a drawn image.

    Sources: Kynkaanniemi et al., Improved precision and recall metric (2019), eq. 1; Naeem et al., Reliable fidelity
    and diversity metrics (2020), eq. 3 and 5.

    Args:
        real: features (N, D), N above k.
        drawn: features (M, D), M above k.
        k: neighbours.
    """
    real, drawn = _pair(real, drawn, least=k + 1)
    reach_real, reach_drawn = _reach(real, k), _reach(drawn, k)
    distances = torch.cdist(real, drawn)  # N M
    inside = distances <= reach_real[:, None]
    return {
        "precision": float(inside.any(dim=0).double().mean()),
        "recall": float((distances <= reach_drawn).any(dim=1).double().mean()),
        "density": float(inside.double().sum(dim=0).mean() / k),
        "coverage": float(inside.any(dim=1).double().mean()),
    }


def _reach(features: Tensor, k: int) -> Tensor:
    """Distance of each row to its k-th nearest other row."""
    return torch.cdist(features, features).kthvalue(k + 1, dim=1).values  # the nearest is itself


def _pair(real: Tensor, drawn: Tensor, least: int) -> tuple[Tensor, Tensor]:
    """Both in float64, if they are of two axes, as wide as each other, and of enough rows."""
    if real.dim() != 2 or drawn.dim() != 2 or real.shape[1] != drawn.shape[1]:
        raise ValueError(f"features are {tuple(real.shape)} and {tuple(drawn.shape)}, expected (N, D) and (M, D)")
    if min(len(real), len(drawn)) < least:
        raise ValueError(f"found {len(real)} and {len(drawn)} images, expected at least {least} of each")
    return real.double(), drawn.double()
