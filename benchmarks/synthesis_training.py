"""Training StyleGAN2 of images with label maps: all four phases against the textbook's form of its convolution."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from monai.bundle import ConfigParser
from torch import Tensor

from ganglion.networks.modulation import ModulatedConvolution

from .machine import Rates
from .side_by_side import ROOT, Row, Size, Spread, at_most, in_turn, one_thread

CONFIG = ROOT / "bundles" / "stylegan2_synthesis" / "configs" / "train_generator.json"
# Network, layout, precision; the first is what the others are set against.
SIDES = (
    ("one kernel a sample, grouped convolutions", "textbook", torch.contiguous_format, "fp32"),
    ("scaled inputs", "ours", torch.contiguous_format, "fp32"),
    ("scaled inputs, channels last (as train_generator.json)", "ours", torch.channels_last, "fp32"),
    ("scaled inputs, bf16", "ours", torch.contiguous_format, "bf16"),
    ("scaled inputs, channels last, bf16", "ours", torch.channels_last, "bf16"),
)
SIZES = (("slim", 64), ("tiny", 64))
OURS = ModulatedConvolution.forward


def measure(folder: Path, size: Size, rates: Rates) -> list[Row]:
    """A row a way of training, each against the textbook's, for each size of the networks."""
    rows: list[Row] = []
    with one_thread():
        for name, resolution in SIZES[: 1 if size.toy else None]:
            batch = 4 if size.toy else 8
            sides = [Side(name, resolution, batch, size, *how) for _, *how in SIDES]
            plain, *others = in_turn([side.milliseconds for side in sides], size.pairs)
            for (what, *_), found in zip(SIDES[1:], others, strict=True):
                rows.append(_row(f"{what}: {name}, {resolution} pixels", found, plain, batch))
    return rows


def _row(what: str, ours: Spread, theirs: Spread, batch: int) -> Row:
    limit = 0.8 if "channels last" in what else None
    note = f"all four phases, each weighed by how often it runs, batch {batch}"
    return at_most(f"training a generator, {what}", "ms an image", ours, SIDES[0][0], theirs, limit, note)


class Side:
    """One way of training on one batch in memory.

    Args:
        name: size of the networks.
        resolution: pixels of a side.
        batch: images.
        size: whose clock is looked at.
        form: `ours` or `textbook`.
        layout: of images and weights.
        precision: `fp32` or `bf16`.
    """

    def __init__(
        self, name: str, resolution: int, batch: int, size: Size, form: str, layout: torch.memory_format, precision: str
    ) -> None:
        parser = ConfigParser()
        parser.read_config(str(CONFIG))
        parser.update({"size": name, "resolution": resolution, "batch_size": batch, "device": "$torch.device('cpu')"})
        torch.manual_seed(0)
        self.networks: dict[str, Any] = parser.get_parsed_content("networks")
        self.phases = [parser.get_parsed_content(phase[1:]) for phase in parser["phases"]]
        image = torch.rand(batch, 4, resolution, resolution) * 2 - 1
        label = torch.randint(0, 4, (batch, 1, resolution, resolution))
        self.batch = {"image": image.contiguous(memory_format=layout), "label": label}
        for network in self.networks.values():
            network.to(memory_format=layout)
        self.form, self.bf16, self.count = form, precision == "bf16", batch
        self.clock: Callable[[], float] = time.process_time if size.clock == "cpu" else time.perf_counter

    def milliseconds(self) -> float:
        """Train each phase once; milliseconds an image, each phase weighed by how often it runs."""
        ModulatedConvolution.forward = OURS if self.form == "ours" else textbook  # type: ignore[method-assign]
        try:
            return sum(self._phase(phase) / phase.every for phase in self.phases) / self.count * 1e3
        finally:
            ModulatedConvolution.forward = OURS  # type: ignore[method-assign]

    def _phase(self, phase: Any) -> float:
        for name, network in self.networks.items():
            network.requires_grad_(name in phase.trains)
        start = self.clock()
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=self.bf16):
            loss = phase.objective(self.networks, self.batch)["loss"]
        loss.backward()
        phase.optimizer.step()
        phase.optimizer.zero_grad(set_to_none=True)
        return self.clock() - start


def textbook(self: ModulatedConvolution, features: Tensor, style: Tensor) -> Tensor:
    """A kernel for each sample, and one convolution with as many groups: eq. 1 and 3 of StyleGAN2 as they stand."""
    B, C, H, W = features.shape
    kernel = self.weight * self.scale * self.style(style)[:, None, :, None, None]  # B O I k k
    if self.demodulate:
        kernel = kernel * torch.rsqrt(kernel.square().sum(dim=(2, 3, 4), keepdim=True) + self.epsilon)
    kernel, grouped = kernel.to(features.dtype), features.reshape(1, B * C, H, W)
    if self.doubles:
        turned = kernel.transpose(1, 2).reshape(B * C, -1, *kernel.shape[3:])
        result = F.conv_transpose2d(grouped, turned, stride=2, groups=B)
        smoothed: Tensor = self.smooth(result.reshape(B, -1, *result.shape[2:]))
        return smoothed
    result = F.conv2d(grouped, kernel.reshape(-1, *kernel.shape[2:]), padding=self.padding, groups=B)
    return result.reshape(B, -1, *result.shape[2:])
