"""The weights of the best validation epoch."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from torch import nn

from ..trainer_state import plain


class BestWeights:
    """Copies of all networks from the epoch whose validation was best.

    Args:
        better: ``better(new, former)`` says whether a metric is better; MONAI's default is "greater".
    """

    def __init__(self, better: Callable[[float, float], bool]) -> None:
        self.better = better
        self.metric: float | None = None
        self.epoch = 0
        self.networks: dict[str, Any] = {}

    def offer(self, metric: float, epoch: int, networks: Mapping[str, nn.Module]) -> bool:
        """Keep these weights if the metric is a number better than the best so far."""
        if math.isnan(metric) or not (self.metric is None or self.better(metric, self.metric)):
            return False
        self.metric, self.epoch = metric, epoch
        self.networks = {name: plain(network.state_dict(), name) for name, network in networks.items()}
        return True

    def state_dict(self) -> dict[str, Any]:
        """Metric, epoch and weights."""
        return {"metric": self.metric, "epoch": self.epoch, "networks": self.networks}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Put a state back."""
        self.metric, self.epoch, self.networks = state["metric"], state["epoch"], state["networks"]
