"""Images with label maps out of a generator, written as a data set that any bundle can be trained on."""

from __future__ import annotations

import hashlib
import logging
import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ..data.datalist import write_dataset_json
from ..data.nifti import write_volume
from ..errors import InputError, StorageError
from ..keys import CONTRASTS, TUMOUR
from .handlers.load_weights import load_network
from .randomness import derive_seed
from .sample_pictures import write_mosaic

logger = logging.getLogger(__name__)

LATENT = 512
NOISES = ("fixed", "drawn")
SCALE = 1000.0  # written intensity of an image's 1
_BACKGROUND = 0.02  # of that: what is darker in every contrast is written as 0, so that others find the head


def latent(seed: int, index: int, stream: int = 0) -> Tensor:
    """The latent vector of a sample, (1, 512): it depends on seed and number alone, not on how many are drawn."""
    generator = torch.Generator().manual_seed(derive_seed(seed, index, stream))
    return torch.randn(1, LATENT, generator=generator)


class Sampler:
    """Draws from a generator, sample by sample from a seed.

    Args:
        network: a generator with ``mapping``, ``styles`` and ``style_count``.
        seed: of all samples.
        truncation: how far from the average style, from 0 to 1.
        crossover: layer from which on a second latent vector gives the style; None for no mixing.
        noise: ``fixed`` (the same in every image) or ``drawn`` (from seed and number).
        batch_size: samples at a time; changes nothing but the time.
        weights: file that is loaded into the network; None leaves it as it is.

    Raises:
        InputError: for a setting out of its range, or weights that do not fit.
    """

    def __init__(
        self,
        network: nn.Module,
        seed: int = 0,
        truncation: float = 1.0,
        crossover: int | None = None,
        noise: str = "fixed",
        batch_size: int = 16,
        weights: str | Path | None = None,
    ) -> None:
        self.network: Any = network
        self.weights = None if weights is None else Path(weights)
        if self.weights is not None:
            load_network(network, self.weights, "generator")
        self._check(truncation, crossover, noise)
        self.seed, self.truncation, self.crossover = seed, truncation, crossover
        self.noise, self.batch_size = noise, 1 if noise == "drawn" else max(1, batch_size)

    def _check(self, truncation: float, crossover: int | None, noise: str) -> None:
        layers = self.network.style_count
        if not 0 <= truncation <= 1:
            raise InputError(f"truncation is {truncation}, expected a number from 0 to 1")
        if crossover is not None and not 0 < crossover < layers:
            raise InputError(f"crossover is {crossover}, expected a layer from 1 to {layers - 1}, or null for none")
        if noise not in NOISES:
            raise InputError(f"noise is {noise!r}, expected one of {', '.join(NOISES)}")

    @property
    def device(self) -> torch.device:
        """Where the network lies."""
        return next(self.network.parameters()).device

    @torch.no_grad()
    def styles(self, numbers: Sequence[int]) -> Tensor:
        """Styles of the samples of these numbers, (B, layers, W), mixed and truncated as asked."""
        z = torch.cat([latent(self.seed, number) for number in numbers]).to(self.device)
        other = None
        if self.crossover is not None:
            other = torch.cat([latent(self.seed, number, 1) for number in numbers]).to(self.device)
        styles = self.network.eval().styles(z, other, self.crossover)
        average = self.network.mapping.average
        return average + self.truncation * (styles - average)

    @torch.no_grad()
    def draw(self, styles: Tensor, first: int = 0) -> Tensor:
        """Images of styles, (B, C + labels, R, R), on the CPU; drawn noise is that of sample `first`."""
        if self.noise == "fixed":
            return self.network.eval()(styles).cpu()
        with torch.random.fork_rng(devices=[self.device] if self.device.type == "cuda" else []):
            torch.manual_seed(derive_seed(self.seed, first, 2))
            return self.network.eval()(styles, draw_noise=True).cpu()

    def images(self, count: int) -> Iterator[Tensor]:
        """The first samples, one at a time, (C + labels, R, R)."""
        for first in range(0, count, self.batch_size):
            numbers = range(first, min(count, first + self.batch_size))
            yield from self.draw(self.styles(numbers), first)

    def walk(self, pairs: int, steps: int) -> Tensor:
        """Straight ways through the space of styles from sample 2k to 2k + 1: (pairs, steps, C + labels, R, R)."""
        rows = []
        for pair in range(pairs):
            ends = self.styles([2 * pair, 2 * pair + 1])
            shares = torch.linspace(0, 1, steps, device=self.device)[:, None, None]
            between = torch.lerp(ends[:1].expand(steps, -1, -1), ends[1:].expand(steps, -1, -1), shares)
            rows.append(torch.cat([self.draw(each[None]) for each in between]))
        return torch.stack(rows)


class WriteSamples:
    """Writes samples as a data set: `dataset.json`, a folder a sample, a file a contrast, the label; and pictures.

    Intensities go from 0 to 1000. What is darker than 2 % of that in every contrast is written as 0, as outside the
    head of a scan. Labels are the most probable ones. `run` is what a config calls.

    Args:
        sampler: draws the samples.
        output_dir: a new or empty folder.
        count: samples.
        contrasts: their names.
        spacing: sides of a voxel in mm, as the generator was trained.
        validation: share of the samples in the list `validation`, at least one if above 0.
        label_names: names and codes; default: those of tumours.
        grid: samples in the picture `grid.png`; 0 for none.
        walk: rows and steps of the picture `walk.png`; 0 rows for none.
    """

    def __init__(
        self,
        sampler: Sampler,
        output_dir: str | Path,
        count: int,
        contrasts: Sequence[str] = CONTRASTS,
        spacing: Sequence[float] = (1.0, 1.0, 1.0),
        validation: float = 0.1,
        label_names: Mapping[str, int] | None = None,
        grid: int = 16,
        walk: Sequence[int] = (4, 8),
    ) -> None:
        if count < 1 or not 0 <= validation < 1:
            raise InputError(f"count {count}, validation {validation}: expected 1 or more and a share below 1")
        self.sampler, self.folder, self.count = sampler, Path(output_dir), count
        self.contrasts, self.validation = tuple(contrasts), validation
        self.affine = np.diag([*map(float, spacing), 1.0])
        self.label_names = dict(label_names or {name: code for code, name in TUMOUR.items()})
        self.grid, self.walk = min(grid, count), tuple(walk)

    def run(self) -> Path:
        """Draw and write everything; returns the folder."""
        if self.folder.exists() and (not self.folder.is_dir() or any(self.folder.iterdir())):
            raise InputError(f"{self.folder}: exists and is not an empty folder, expected a new one; choose another")
        part = self.folder.with_name(f".{self.folder.name}.part")  # what was cut off is no data set
        names, kept = [], []
        try:
            shutil.rmtree(part, ignore_errors=True)
            part.mkdir(parents=True)
            for number, joint in enumerate(self.sampler.images(self.count)):
                names.append(f"sample-{number + 1:05d}")
                self._write(part / names[-1], joint)
                if number < self.grid:
                    kept.append(joint)
            write_dataset_json(part, self._dataset(names))
            self._pictures(part, kept)
            part.replace(self.folder)
        except OSError as error:
            raise StorageError(
                f"cannot write {self.folder} ({error.strerror}): free space or another folder"
            ) from error
        logger.info("%d samples written to %s", len(names), self.folder)
        return self.folder

    def _write(self, folder: Path, joint: Tensor) -> None:
        image = ((joint[: len(self.contrasts)].clamp(-1, 1) + 1) / 2).numpy()
        image[:, image.max(axis=0) < _BACKGROUND] = 0
        label = joint[len(self.contrasts) :].argmax(dim=0).numpy().astype(np.uint8)
        folder.mkdir()
        for contrast, values in zip(self.contrasts, image, strict=True):
            written = np.rint(values * SCALE).astype(np.int16)[..., None]
            write_volume(folder / f"{folder.name}_{contrast}.nii.gz", written, self.affine)
        write_volume(folder / f"{folder.name}_label.nii.gz", label[..., None], self.affine)

    def _dataset(self, names: list[str]) -> dict[str, Any]:
        def item(name: str) -> dict[str, Any]:
            images = [f"{name}/{name}_{contrast}.nii.gz" for contrast in self.contrasts]
            return {"subject": name, "image": images, "label": f"{name}/{name}_label.nii.gz"}

        held = max(1, round(self.validation * len(names))) if self.validation and len(names) > 1 else 0
        sampler = self.sampler
        how = {"seed": sampler.seed, "truncation": sampler.truncation, "crossover": sampler.crossover}
        digest = hashlib.sha256(sampler.weights.read_bytes()).hexdigest() if sampler.weights else None
        return {
            "name": "drawn",
            "description": "Slices with label maps drawn by a generator: no person was scanned",
            "generated": {**how, "noise": sampler.noise, "weights_sha256": digest},
            "channel_names": {str(number): contrast for number, contrast in enumerate(self.contrasts)},
            "labels": self.label_names,
            "file_ending": ".nii.gz",
            "training": [item(name) for name in names[: len(names) - held]],
            "validation": [item(name) for name in names[len(names) - held :]],
            "test": [],
            "unlabeled": [],
        }

    def _pictures(self, folder: Path, kept: list[Tensor]) -> None:
        contrasts = len(self.contrasts)
        if kept:
            write_mosaic(folder / "grid.png", torch.stack(kept), contrasts)
        if self.walk[0] > 0:
            rows = self.sampler.walk(*self.walk)
            write_mosaic(folder / "walk.png", rows.flatten(0, 1), contrasts, columns=self.walk[1])
