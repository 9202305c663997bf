"""What a generator draws, compared with real slices of those that it was trained on and of those never seen."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from monai.networks import one_hot
from torch import Tensor, nn

from ..data.whole import written_whole
from ..errors import InputError
from ..keys import IMAGE, LABEL
from ..metrics import (
    frechet_distance,
    kernel_distance,
    label_statistics,
    likeness,
    memorisation,
    nearest,
    neighbourhoods,
    sliced_wasserstein,
)
from .handlers.load_weights import load_network
from .sample_pictures import write_mosaic
from .sampling import Sampler

logger = logging.getLogger(__name__)

REGIONS = {"whole tumour": (1, 2, 3), "tumour core": (1, 3), "enhancing": (3,), "necrotic": (1,), "oedema": (2,)}
_SHOWN = 8  # samples in the picture of neighbours


class SegmenterFeatures:
    """Features of images (B, C, R, R) in [-1, 1]: means over the plane of one layer of a segmenter, and its labels.

    Args:
        network: takes images in [0, 1], gives logits.
        weights: file that is loaded into it; its hash is recorded, since only numbers of one network compare.
        layer: name of the module whose output counts.
        batch_size: images at a time.
    """

    def __init__(
        self, network: nn.Module, weights: str | Path | None, layer: str = "down_4", batch_size: int = 32
    ) -> None:
        modules = dict(network.named_modules())
        if layer not in modules:
            raise InputError(f"layer is {layer!r}, expected a module of the segmenter such as {list(modules)[1:6]}")
        if weights is not None:
            load_network(network, weights, "segmenter")
        self.network, self.layer, self.batch_size = network.eval(), modules[layer], batch_size
        digest = None if weights is None else hashlib.sha256(Path(weights).read_bytes()).hexdigest()
        self.named = {"layer": layer, "weights_sha256": digest}

    @torch.no_grad()
    def __call__(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Features (N, D) and labels (N, R, R), on the CPU."""
        kept: list[Tensor] = []
        hook = self.layer.register_forward_hook(lambda module, given, made: kept.append(made.mean(dim=(2, 3)).cpu()))
        device = next(self.network.parameters()).device
        try:
            codes = [self.network((part.to(device) + 1) / 2).argmax(1).cpu() for part in images.split(self.batch_size)]
        finally:
            hook.remove()
        return torch.cat(kept), torch.cat(codes)


class CompareSamples:
    """Writes `generation.json`, all numbers of `metrics` on drawn slices, and `neighbours.png`.

    Each row of the picture shows a drawn slice, the nearest that was trained on, and the nearest of other subjects.

    Args:
        sampler: draws.
        training: items with ``image`` in [-1, 1] and ``label``, of subjects that the generator was trained on.
        held_out: such items of other subjects, with which what is drawn is compared.
        output_dir: folder that is written.
        count: slices of each kind.
        contrasts: channels of the image.
        features: of a segmenter, or of a network of one's own; None leaves out what needs them.
        seed: of what is drawn at random in the numbers.
    """

    def __init__(
        self,
        sampler: Sampler,
        training: Iterable[Mapping[str, Any]],
        held_out: Iterable[Mapping[str, Any]],
        output_dir: str | Path,
        count: int,
        contrasts: int = 4,
        features: Callable[[Tensor], tuple[Tensor, Tensor]] | None = None,
        seed: int = 0,
    ) -> None:
        if count < 8:
            raise InputError(f"count is {count}, expected at least 8 slices to compare")
        self.sampler, self.training, self.held_out = sampler, training, held_out
        self.folder, self.count, self.contrasts = Path(output_dir), count, contrasts
        self.features, self.seed = features, seed

    def run(self) -> dict[str, Any]:
        """Compare and write; returns what `generation.json` holds."""
        drawn = torch.stack(list(self.sampler.images(self.count)))
        images, codes = drawn[:, : self.contrasts].clamp(-1, 1), drawn[:, self.contrasts :].argmax(dim=1)
        seen, seen_codes = _collect(self.training, self.count)
        unseen, unseen_codes = _collect(self.held_out, self.count)
        labels = drawn.shape[1] - self.contrasts
        real_labels = label_statistics(unseen_codes, labels, (unseen > -0.96).any(dim=1))
        result: dict[str, Any] = {
            "count": self.count,
            "sliced_wasserstein": {str(k): v for k, v in sliced_wasserstein(unseen, images, self.seed).items()},
            "sliced_wasserstein_of_real": {str(k): v for k, v in sliced_wasserstein(unseen, seen, self.seed).items()},
            "likeness": {"drawn": likeness(images, seed=self.seed), "real": likeness(unseen, seed=self.seed)},
            "memorisation": memorisation(images, seen, unseen, self.seed),
            "labels": {
                "drawn": label_statistics(codes, labels, (images > -0.96).any(dim=1)),
                "real": real_labels,
            },
        }
        if self.features is not None:
            result["features"] = self._by_features(images, codes, unseen, seen)
        self._write(result, (drawn, images, codes), (seen, seen_codes), (unseen, unseen_codes))
        return result

    def _by_features(self, images: Tensor, codes: Tensor, unseen: Tensor, seen: Tensor) -> dict[str, Any]:
        assert self.features is not None
        (drawn, found), (real, _), (trained, _) = map(self.features, (images, unseen, seen))
        return {
            "network": getattr(self.features, "named", {}),
            "frechet": frechet_distance(real, drawn),
            "frechet_of_real": frechet_distance(real, trained),
            "kernel": kernel_distance(real, drawn),
            "kernel_of_real": kernel_distance(real, trained),
            **neighbourhoods(real, drawn),
            "agreement": agreement(codes, found),
        }

    def _write(self, result: Mapping[str, Any], drawn: Sequence[Tensor], *real: tuple[Tensor, Tensor]) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        with written_whole(self.folder / "generation.json") as part:
            part.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
        joint, images, _ = drawn
        columns = [joint[:_SHOWN]]
        for pool, codes in real:
            places = nearest(images[:_SHOWN], pool)[1]
            hard = one_hot(codes[places].unsqueeze(1), joint.shape[1] - self.contrasts)
            columns.append(torch.cat([pool[places], hard], dim=1))
        rows = torch.stack(columns, dim=1).flatten(0, 1)
        write_mosaic(self.folder / "neighbours.png", rows, self.contrasts, columns=len(columns))
        logger.info("numbers of %d drawn slices written to %s", self.count, self.folder)


def agreement(codes: Tensor, found: Tensor) -> dict[str, float | None]:
    """Dice of drawn labels and those that a segmenter finds on the drawn images, over all pixels.

    Args:
        codes: (N, R, R), drawn.
        found: (N, R, R), found.

    Returns:
        By region; None where neither has it.
    """
    result: dict[str, float | None] = {}
    for name, members in REGIONS.items():
        ours, theirs = (torch.isin(each, torch.tensor(members)) for each in (codes, found))
        size = int(ours.sum() + theirs.sum())
        result[name] = 2 * float((ours & theirs).sum()) / size if size else None
    return result


def _collect(items: Iterable[Mapping[str, Any]], count: int) -> tuple[Tensor, Tensor]:
    """Images (N, C, R, R) and codes (N, R, R) of so many items."""
    taken = [item for _, item in zip(range(count), items, strict=False)]
    if len(taken) < count:
        raise InputError(f"found {len(taken)} real slices, expected {count}; lower count")
    images = torch.stack([torch.as_tensor(item[IMAGE]).as_subclass(Tensor).float() for item in taken])
    return images, torch.stack([torch.as_tensor(item[LABEL]).as_subclass(Tensor)[0].long() for item in taken])
