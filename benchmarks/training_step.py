"""A training step of the bundle against a plain loop with the same networks, losses and data in memory."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from monai.bundle import ConfigParser
from monai.losses import DiceLoss

from ganglion.losses import multi_scale_l1

from .machine import Rates
from .side_by_side import ROOT, Row, Size, at_most, in_turn, seconds
from .training_loops import Loops, our_loop, parsed_variant

CONFIGS = ROOT / "bundles" / "segan_transfer" / "configs"
STEPS = {"reference": 20, "paper": 1}  # in each turn
# Slices in a batch of the reference as in its train.json; of the paper's 64 a fourth, which takes a fourth of the time.
BATCH = {"reference": (32, 96), "paper": (16, 160)}
LIMIT = 1.05


def measure(folder: Path, size: Size, rates: Rates) -> list[Row]:
    """One row for the reference configuration, one for the paper's."""
    rows = []
    for name in STEPS:
        steps = 1 if size.toy else STEPS[name]
        loops = two_loops(name, size, steps)
        first, second = in_turn([seconds(loops.ours, size), seconds(loops.plain, size)], size.pairs)
        eaten = loops.samples * steps / first.median
        note = f"{steps} steps a turn, {loops.samples} slices a step, {eaten:.1f} slices a second"
        rows.append(at_most(f"training step, {name}", "s", first, "a plain PyTorch loop", second, LIMIT, note))
    return rows


def parsed(name: str, size: Size, **overrides: Any) -> ConfigParser:
    """The training configuration of a variant; `reference` has no overlay."""
    return parsed_variant(CONFIGS, name, {**({"width": 4} if size.toy else {}), **overrides})


def two_loops(name: str, size: Size, steps: int) -> Loops:
    """Both loops on one batch in memory, from the same weights."""
    slices, side = (2, 32) if size.toy else BATCH[name]
    generator = torch.Generator().manual_seed(0)
    image = torch.rand(slices, 4, side, side, generator=generator)
    label = (torch.rand(slices, 1, side, side, generator=generator) > 0.9).float()
    batch = {"image": image, "label": label, "subject": [f"sub-{k}" for k in range(slices)]}
    parser = parsed(name, size, **{"train#handlers": [], "train#dataloader": [None] * steps})
    networks = parser.get_parsed_content("networks")
    copies = {part: copy.deepcopy(network) for part, network in networks.items()}
    trainer = parser.get_parsed_content("train#trainer")
    optimizers = {
        part: type(phase.optimizer)(copies[part].parameters(), **phase.optimizer.defaults)
        for part, phase in zip(("critic", "segmenter"), trainer.phases, strict=True)
    }
    limit = parser["critic_clip"] if parser["critic_guard"] == "clip" else None
    step = _plain_step(copies["segmenter"], copies["critic"], optimizers, limit)

    def plain() -> None:
        for _ in range(steps):
            step(image, label)

    return Loops(our_loop(trainer, batch, steps), plain, slices, networks, copies)


def _plain_step(
    segmenter: torch.nn.Module, critic: torch.nn.Module, optimizers: dict[str, Any], limit: float | None
) -> Callable[[torch.Tensor, torch.Tensor], tuple[float, float]]:
    """SegAN's step as a tutorial would write it, sparing no gradient that it does not need."""
    dice = DiceLoss(squared_pred=True, smooth_nr=1e-6, smooth_dr=1e-6)
    segmenter.train()
    critic.train()

    def step(image: torch.Tensor, label: torch.Tensor) -> tuple[float, float]:
        critic.requires_grad_(True)
        with torch.no_grad():
            probability = segmenter(image).sigmoid()
        first = -multi_scale_l1(critic(image, probability), critic(image, label))
        optimizers["critic"].zero_grad(set_to_none=True)
        first.backward()
        optimizers["critic"].step()
        with torch.no_grad():
            for layer in critic.modules() if limit else ():
                if isinstance(layer, torch.nn.Conv2d):
                    layer.weight.clamp_(-limit, limit)
        critic.requires_grad_(False)
        probability = segmenter(image).sigmoid()
        with torch.no_grad():
            reference = critic(image, label)
        second = multi_scale_l1(critic(image, probability), reference) + dice(probability, label)
        optimizers["segmenter"].zero_grad(set_to_none=True)
        second.backward()
        optimizers["segmenter"].step()
        return first.item(), second.item()

    return step


def eaten_by_paper(size: Size) -> float:
    """Slices a second that the paper configuration's step eats on the cores that torch uses."""
    loops = two_loops("paper", size, 1)
    return loops.samples / in_turn([seconds(loops.ours, size)], max(1, min(3, size.pairs)))[0].median
