"""What measurements of training steps share: a variant's configuration, and our trainer on one batch in memory."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch
from monai.bundle import ConfigParser


class Loops(NamedTuple):
    """Acts that train some steps each, with our trainer and without; samples of a step; each one's networks."""

    ours: Callable[[], None]
    plain: Callable[[], None]
    samples: int
    networks: dict[str, torch.nn.Module]
    copies: dict[str, torch.nn.Module]


def parsed_variant(configs: Path, name: str, overrides: Mapping[str, Any]) -> ConfigParser:
    """The training configuration of a variant, on the processor; `reference` has no overlay."""
    parser = ConfigParser()
    files = [configs / "train.json", *([] if name == "reference" else [configs / "variants" / f"{name}.json"])]
    parser.read_config([str(file) for file in files])
    parser.update({"device": "$torch.device('cpu')", **overrides})
    return parser


def our_loop(trainer: Any, batch: Mapping[str, Any], steps: int) -> Callable[[], None]:
    """An act that trains this many steps on this batch each time, with the trainer of a configuration."""
    trainer.data_loader = [batch] * steps
    trainer.state.max_epochs = 0

    def ours() -> None:
        torch.set_deterministic_debug_mode("warn")  # as prepare_run does in a run
        trainer.state.max_epochs += 1
        trainer.run()
        torch.set_deterministic_debug_mode("default")

    return ours
