"""How like two sets of images are, how unlike each other the images of one set, and whether one copies the other.

Nothing here needs a network, or a download.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from monai.metrics import MultiScaleSSIMMetric
from torch import Tensor

from .distributions import Scores

PATCH, PROJECTIONS, PATCHES = 7, 256, 64
_SCALES = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)  # weights of MS-SSIM, finest first
_WINDOW = 7


def sliced_wasserstein(real: Tensor, drawn: Tensor, seed: int = 0) -> dict[int, float]:
    """Distance of local patterns at each scale: by side of the scale, from that of the images down to 16.

    1. Laplacian pyramid of all images. 2. From each level, 64 patches of 7 x 7 an image, at random places.
    3. Each channel brought to mean 0 and spread 1 over all patches of a set. 4. Projected on 256 random directions,
    sorted, and compared: the mean absolute difference, times 1000.

    Source: Karras et al., Progressive growing of GANs (2018), section 5, with fewer projections and patches.

    Args:
        real: images (N, C, H, W), H = W of at least 16.
        drawn: as many images.
        seed: of places and directions; the same for both sets.
    """
    if real.shape != drawn.shape:
        raise ValueError(f"shapes differ: {tuple(real.shape)} and {tuple(drawn.shape)}; take as many images of both")
    generator, result = torch.Generator().manual_seed(seed), {}
    for ours, theirs in zip(_pyramid(real.float()), _pyramid(drawn.float()), strict=True):
        places = torch.randint(0, ours.shape[-1] - PATCH + 1, (2, len(ours), PATCHES), generator=generator)
        width = ours.shape[1] * PATCH**2
        directions = F.normalize(torch.randn(width, PROJECTIONS, generator=generator), dim=0).to(ours.device)
        sorted_sets = [(_patches(level, places) @ directions).sort(dim=0).values for level in (ours, theirs)]
        result[ours.shape[-1]] = float((sorted_sets[0] - sorted_sets[1]).abs().mean() * 1000)
    return result


def _pyramid(images: Tensor) -> list[Tensor]:
    """What each halving takes away, finest first; the last level is what is left."""
    levels = []
    while images.shape[-1] >= 32:
        smaller = F.avg_pool2d(images, 2)
        larger = F.interpolate(smaller, size=images.shape[-2:], mode="bilinear", align_corners=False)
        levels.append(images - larger)
        images = smaller
    return [*levels, images]


def _patches(level: Tensor, places: Tensor) -> Tensor:
    """Normalised patches, (N * PATCHES, C * PATCH * PATCH)."""
    windows = level.unfold(2, PATCH, 1).unfold(3, PATCH, 1)  # N C Y X 7 7
    rows = torch.arange(len(level))[:, None]
    cut = windows[rows, :, places[0], places[1]].flatten(0, 1)  # N*P C 7 7
    mean = cut.mean(dim=(0, 2, 3), keepdim=True)
    spread = cut.std(dim=(0, 2, 3), keepdim=True).clamp_min(1e-8)
    return ((cut - mean) / spread).flatten(1)


def likeness(images: Tensor, pairs: int = 100, seed: int = 0) -> float:
    """Mean MS-SSIM of random pairs of images in [-1, 1]: 1 if all are the same, so high means few different ones.

    As many of MONAI's five scales as the side allows (three at 64 pixels), with a window of 7.

    Args:
        images: (N, C, H, W), N at least 2.
        pairs: how many.
        seed: of the pairs.
    """
    generator = torch.Generator().manual_seed(seed)
    first = torch.randint(0, len(images), (pairs,), generator=generator)
    second = (first + torch.randint(1, len(images), (pairs,), generator=generator)) % len(images)
    scales = sum((_WINDOW - 1) * 2**level < images.shape[-1] // 2 for level in range(len(_SCALES)))
    weights = [weight / sum(_SCALES[:scales]) for weight in _SCALES[:scales]]
    measure = MultiScaleSSIMMetric(2, data_range=2.0, kernel_size=_WINDOW, weights=weights)
    return float(measure(images[first].float(), images[second].float()).mean())


def nearest(images: Tensor, among: Tensor, chunk: int = 64) -> tuple[Tensor, Tensor]:
    """Distance (N,), root mean square of all pixels, and place (N,) of each image's nearest among others.

    Args:
        images: (N, C, H, W).
        among: (M, C, H, W).
        chunk: images at a time.
    """
    flat, others = images.flatten(1).float(), among.flatten(1).float()
    found = [torch.cdist(part, others).min(dim=1) for part in flat.split(chunk)]
    distances = torch.cat([each.values for each in found]) / flat.shape[1] ** 0.5
    return distances, torch.cat([each.indices for each in found])


def memorisation(drawn: Tensor, training: Tensor, held_out: Tensor, seed: int = 0) -> Scores:
    """Whether drawn images lie nearer to those trained on than to those never seen.

    As many images of each of both sets are taken, at random. Then without copying, the nearest of a drawn image is as
    often in the one as in the other.

    Args:
        drawn: (N, C, H, W).
        training: (M, C, H, W), images that the generator was trained on.
        held_out: (K, C, H, W), of other subjects.
        seed: of the choice.

    Returns:
        Medians of the distances to `training` and to `held_out`, their `ratio` (well below 1: copies), and the share of
        drawn images whose nearest is one trained on (0.5 without copying).
    """
    generator, least = torch.Generator().manual_seed(seed), min(len(training), len(held_out))
    chosen = [part[torch.randperm(len(part), generator=generator)[:least]] for part in (training, held_out)]
    (seen, _), (unseen, _) = nearest(drawn, chosen[0]), nearest(drawn, chosen[1])
    return {
        "distance_to_training": float(seen.median()),
        "distance_to_held_out": float(unseen.median()),
        "ratio": float(seen.median() / unseen.median().clamp_min(1e-12)),
        "nearest_is_training": float((seen < unseen).double().mean()),
    }


def label_statistics(codes: Tensor, labels: int, head: Tensor | None = None) -> Scores:
    """Of label maps: how many show a label at all, what share of the pixels each code has where it is, what is astray.

    Args:
        codes: (N, H, W) of 0 to labels - 1.
        labels: codes, background included.
        head: (N, H, W), True where there is a head; labels outside of it are astray.

    Returns:
        ``positive`` (share of maps with any label), ``share_<code>`` (mean share of pixels among maps that have it; 0
        if none has), ``has_<code>`` (share of maps), and with `head` ``outside`` (share of labelled pixels).
    """
    labelled = codes > 0
    result = {"positive": float(labelled.flatten(1).any(dim=1).double().mean())}
    for code in range(1, labels):
        shares = (codes == code).flatten(1).double().mean(dim=1)
        result[f"has_{code}"] = float((shares > 0).double().mean())
        result[f"share_{code}"] = float(shares[shares > 0].mean()) if bool((shares > 0).any()) else 0.0
    if head is not None:
        result["outside"] = float((labelled & ~head).sum() / labelled.sum().clamp_min(1))
    return result
