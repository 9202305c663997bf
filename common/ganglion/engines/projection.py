"""Real slices looked for among what a generator can draw."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from monai.networks import one_hot
from torch import Tensor, nn

from ..data.whole import written_whole
from ..errors import InputError
from ..keys import IMAGE, SUBJECT
from .handlers.load_weights import load_network
from .sample_pictures import write_mosaic

logger = logging.getLogger(__name__)

_RAMP = (0.05, 0.25)  # shares of the steps in which the learning rate rises, and falls


class Projector:
    """Finds the styles whose drawn contrasts come closest to given ones; labels are what the generator adds to them.

    1. Begins at the average style. 2. Adam on the styles alone, noise fixed, on the mean square difference at every
    side from that of the image down to 8, plus `anchor` times the mean square distance from the average style in units
    of the styles' spread. 3. Keeps the styles of the least difference.

    Source of the way, not of the distance: Karras et al., Analyzing and improving the image quality of StyleGAN (2020),
    appendix D; its perceptual distance needs a network that would have to be downloaded.

    Args:
        network: a generator with ``mapping``, ``style_count`` and ``contrasts``.
        steps: of the optimiser.
        learning_rate: its largest.
        anchor: weight that holds styles near the average.
        each_layer: whether each layer may have a style of its own; closer, but less of a picture of the latent space.
        seed: of the vectors from which the styles' spread is taken.
        weights: file that is loaded into the network; None leaves it as it is.
    """

    def __init__(
        self,
        network: nn.Module,
        steps: int = 300,
        learning_rate: float = 0.1,
        anchor: float = 0.01,
        each_layer: bool = False,
        seed: int = 0,
        weights: str | Path | None = None,
    ) -> None:
        if steps < 1 or not learning_rate > 0 or anchor < 0:
            raise InputError(
                f"steps {steps}, learning_rate {learning_rate}, anchor {anchor}: expected 1 or more, above 0, 0 or more"
            )
        if weights is not None:
            load_network(network, weights, "generator")
        self.network: Any = network.eval().requires_grad_(False)
        self.steps, self.learning_rate, self.anchor = steps, learning_rate, anchor
        self.each_layer, self.seed = each_layer, seed

    def __call__(self, image: Tensor) -> tuple[Tensor, Tensor, float]:
        """Project contrasts (C, R, R) in [-1, 1].

        Returns:
            Styles (layers, W), what they draw (C + labels, R, R), and the root mean square difference of the contrasts.
        """
        network, target = self.network, image[None].to(next(self.network.parameters()).device)
        average = network.mapping.average
        generator = torch.Generator().manual_seed(self.seed)
        many = network.mapping(torch.randn(1000, 512, generator=generator).to(target.device))
        spread = many.std(dim=0).mean().clamp_min(1e-6)
        layers = network.style_count if self.each_layer else 1
        moved = torch.zeros(1, layers, len(average), device=target.device, requires_grad=True)
        optimizer = torch.optim.Adam([moved], lr=self.learning_rate)
        best, kept = float("inf"), moved.detach().clone()
        for step in range(self.steps + 1):
            drawn = network((average + spread * moved).expand(1, network.style_count, -1))[:, : network.contrasts]
            difference = float(F.mse_loss(drawn, target))
            if difference < best:
                best, kept = difference, moved.detach().clone()
            if step < self.steps:
                optimizer.param_groups[0]["lr"] = self.learning_rate * _rate(step / self.steps)
                optimizer.zero_grad()
                (_at_all_sides(drawn, target) + self.anchor * moved.square().mean()).backward()
                optimizer.step()
        styles = (average + spread * kept).expand(1, network.style_count, -1)
        with torch.no_grad():
            return styles[0].cpu(), network(styles)[0].cpu(), best**0.5


def _rate(share: float) -> float:
    """Share of the largest learning rate at a share of all steps: up, level, down."""
    return min(1.0, (share + 1e-3) / _RAMP[0], (1 - share) / _RAMP[1])


def _at_all_sides(drawn: Tensor, target: Tensor) -> Tensor:
    losses = [F.mse_loss(drawn, target)]
    while drawn.shape[-1] > 8:
        drawn, target = F.avg_pool2d(drawn, 2), F.avg_pool2d(target, 2)
        losses.append(F.mse_loss(drawn, target))
    return torch.stack(losses).mean()


class ProjectSlices:
    """Projects slices of a data set: pairs in `projection.png`, styles in `styles.pt`, numbers in `projection.json`.

    Args:
        projector: finds the styles.
        items: items with ``image`` (C, R, R) in [-1, 1], ``label`` (1, R, R) and ``subject``.
        output_dir: folder that is written.
        count: how many items are taken.
        labels: codes of the label map.
    """

    def __init__(
        self, projector: Projector, items: Iterable[Mapping[str, Any]], output_dir: str | Path, count: int, labels: int
    ) -> None:
        self.projector, self.items, self.folder = projector, items, Path(output_dir)
        self.count, self.labels = count, labels

    def run(self) -> Path:
        """Project and write; returns the folder."""
        pictures, styles, rows = [], [], []
        for _, item in zip(range(self.count), self.items, strict=False):
            image = torch.as_tensor(item[IMAGE]).as_subclass(Tensor).float()
            label = torch.as_tensor(item["label"]).as_subclass(Tensor)
            found, drawn, difference = self.projector(image)
            real = torch.cat([image, one_hot(label, self.labels, dim=0)])
            pictures += [real, drawn]
            styles.append(found)
            rows.append({"subject": str(item[SUBJECT]), "rms_difference": difference})
            logger.info("%s: root mean square difference %.4f", *rows[-1].values())
        if not rows:
            raise InputError("found no slice to project, expected at least one; choose another list (section)")
        self.folder.mkdir(parents=True, exist_ok=True)
        write_mosaic(self.folder / "projection.png", torch.stack(pictures), len(pictures[0]) - self.labels)
        torch.save({"styles": torch.stack(styles)}, self.folder / "styles.pt")
        with written_whole(self.folder / "projection.json") as part:
            part.write_text(json.dumps({"slices": rows}, indent=2) + "\n", encoding="utf-8")
        return self.folder
