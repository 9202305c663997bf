"""Synthetic labelled subjects from real ones, by a generator that is told tissues."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from monai.inferers import SlidingWindowInferer
from monai.networks import one_hot
from monai.transforms import ResizeWithPadOrCrop
from torch import Tensor, nn

from ..data.datalist import write_dataset_json
from ..data.nifti import write_volume
from ..errors import InputError
from ..keys import IMAGE, LABEL, SUBJECT, TISSUES
from .handlers.load_weights import LoadWeights
from .synthesis_picture import write_synthesis_picture

logger = logging.getLogger(__name__)

EMPTY = -1.0  # of images beside the head
SCALE = 1000.0  # of the intensities written: 1 to 1000 in the head, 0 beside it


class SubjectSynthesis:
    """Writes a synthetic subject with labels for each real one, as a data set of its own, and a picture of each.

    Subjects are paired in a ring: each is given its neighbour's tissue code. What is written depends on the generator:

    - mode ``vector``: the subject's own image with the neighbour's code; the label map is the subject's own, and it is
      true as far as the generator keeps the anatomy.
    - mode ``tissue_map``: the neighbour's image with the subject's label map, which says where tissues lie.

    Windows of a volume are blended with Gaussian weights; noise is the same in all windows of a subject, another in
    each subject. Volumes lie on the grid of the network: turned, resampled and cropped as for training.

    Args:
        network: the generator; called with image, label map (one-hot) and noise.
        dataset: items with `subject`, `image` (C, X, Y, Z) in [-1, 1], -1 beside the head, and `label` (1, X, Y, Z).
        output_dir: folder to write, new or empty.
        contrasts: names of the channels.
        roi_size: sides of a window.
        sw_batch_size: windows at a time.
        overlap: share of a window that overlaps with the next one along each axis.
        seed: of the noise.
        device: where the network runs.
        weights: file of the generator's weights; None leaves them as they are.
        pictures: whether a picture is written beside each subject.
    """

    def __init__(
        self,
        network: nn.Module,
        dataset: Any,
        output_dir: str | Path,
        contrasts: Sequence[str],
        roi_size: Sequence[int],
        sw_batch_size: int = 4,
        overlap: float = 0.5,
        seed: int = 0,
        device: torch.device | str = "cpu",
        weights: str | Path | None = None,
        pictures: bool = True,
    ) -> None:
        self.network: Any = network
        self.dataset = dataset
        self.output_dir = Path(output_dir)
        self.contrasts = list(contrasts)
        self.seed = seed
        self.device = torch.device(device)
        self.weights = weights
        self.pictures = pictures
        self.inferer = SlidingWindowInferer(roi_size, sw_batch_size, overlap, mode="gaussian", cval=EMPTY)

    def run(self) -> Path:
        """Write all subjects and their `dataset.json`; returns the folder."""
        number = len(self.dataset)
        if number < 2:
            raise InputError(
                f"synthetic subjects: found {number} real one with labels, expected two or more, since each is given "
                "another's tissue code; name a longer list with --section, or take more subjects."
            )
        if self.output_dir.exists() and any(self.output_dir.iterdir()):
            raise InputError(f"{self.output_dir}: found files in it, expected a new or empty folder; name another one.")
        LoadWeights(self.weights, self.network).load()
        self.network.eval()
        entries = [self._write(self.dataset[k], self.dataset[(k + 1) % number], k) for k in range(number)]
        content = {
            "name": "synthetic",
            "description": f"Synthetic subjects by a generator of mode {self.network.mode}; not for use as real scans",
            "channel_names": {str(channel): name for channel, name in enumerate(self.contrasts)},
            "labels": {name: code for code, name in TISSUES.items()},
            "seed": self.seed,
            "file_ending": ".nii.gz",
            "training": entries,
        }
        write_dataset_json(self.output_dir, content)
        logger.info("wrote %d synthetic subjects to %s", number, self.output_dir)
        return self.output_dir

    def _write(self, item: Mapping[str, Any], neighbour: Mapping[str, Any], index: int) -> dict[str, Any]:
        """Make and write one subject; returns its entry in `dataset.json`."""
        label, shape = item[LABEL], item[LABEL].shape[1:]
        other_image, other_label = _fitted(neighbour[IMAGE], shape, EMPTY), _fitted(neighbour[LABEL], shape, 0)
        placed = self.network.mode == "tissue_map"
        image, own, code = (other_image, other_label, label) if placed else (item[IMAGE], label, other_label)
        made, same = (self._generate(image, each, index) for each in (code, own))
        inside = _plain(label if placed else item[IMAGE] - EMPTY).gt(0).any(dim=0)
        name = f"synthetic-{item[SUBJECT]}"
        folder = self.output_dir / name
        folder.mkdir(parents=True)
        files = [f"{name}/{name}_{contrast}.nii.gz" for contrast in self.contrasts]
        affine = np.asarray(item[IMAGE].affine, dtype=np.float64)
        for file, channel in zip(files, made, strict=True):
            values = ((channel + 1) / 2 * SCALE).clamp(1, SCALE) * inside
            write_volume(self.output_dir / file, values.round().numpy().astype(np.int16), affine)
        codes = _plain(label)[0].numpy().astype(np.uint8)
        write_volume(folder / f"{name}_label.nii.gz", codes, affine)
        if self.pictures:
            write_synthesis_picture(folder / f"{name}.png", _panels(_plain(image), same, made, codes))
        return {SUBJECT: name, IMAGE: files, LABEL: f"{name}/{name}_label.nii.gz"}

    @torch.no_grad()
    def _generate(self, image: Tensor, label: Tensor, index: int) -> Tensor:
        """An image (C, X, Y, Z) in (-1, 1) with the tissue code of a label map (1, X, Y, Z)."""
        source = torch.Generator().manual_seed(self.seed * 100_003 + index)
        noise = (torch.rand(1, self.network.noise_size, generator=source) * 2 - 1).to(self.device)
        # Beside the volume both are -1: no head there, and code 0.
        volume = torch.cat([_plain(image), _plain(label) - 1])[None].to(self.device)

        def call(windows: Tensor) -> Tensor:
            tissues = one_hot(windows[:, -1:] + 1, self.network.classes)
            return self.network(windows[:, :-1], tissues, noise.expand(len(windows), -1))[0]

        return torch.as_tensor(self.inferer(volume, call))[0].float().cpu()


def _plain(volume: Tensor) -> Tensor:
    """A volume without its grid."""
    return volume.as_subclass(Tensor).float().cpu()


def _fitted(volume: Tensor, shape: Sequence[int], value: float) -> Tensor:
    """A volume, centred, on a grid of another shape: cut, or filled up."""
    return ResizeWithPadOrCrop(shape, constant_values=value)(_plain(volume))


def _panels(image: Tensor, same: Tensor, made: Tensor, codes: np.ndarray) -> dict[str, np.ndarray]:
    """The axial slice with most tissue in the first contrast: input, with its own code, with another, difference."""
    index = int((codes > 0).sum(axis=(0, 1)).argmax())
    slices = {"input": image, "own code": same, "code swapped": made}
    panels = {title: volume[0, :, :, index].numpy() for title, volume in slices.items()}
    return {**panels, "difference": panels["code swapped"] - panels["own code"]}
