"""Evaluation by several processes: each scores its own share of the subjects, which may be empty."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from ignite.engine import Events
from ignite.metrics import Metric
from monai.engines import SupervisedEvaluator

from . import processes


class SharedEvaluator(SupervisedEvaluator):
    """MONAI's evaluator, which also runs where this process has no subject: its handlers still meet the others'."""

    def run(self, global_epoch: int = 1) -> None:
        """Evaluate this process's share; arguments as MONAI's."""
        if self.state.epoch_length != 0:
            super().run(global_epoch)
            return
        self.state.max_epochs = max(global_epoch, 1)
        self.state.epoch, self.state.iteration = global_epoch, 0
        for event in (Events.STARTED, Events.EPOCH_STARTED, Events.EPOCH_COMPLETED, Events.COMPLETED):
            self.fire_event(event)


class MeanOverSubjects(Metric):
    """Mean of a metric over the subjects of all processes, each counted once.

    Args:
        metric: one of MONAI's cumulative metrics, ``DiceMetric`` for instance; subjects for which it is not a number
            (both maps empty) are left out, as MONAI's means do.
        output_transform: takes lists of predictions and of labels, (C, X, Y, Z) each, from the evaluator's output.
    """

    def __init__(self, metric: Any, output_transform: Callable[[Any], Any]) -> None:
        self.metric = metric
        super().__init__(output_transform)

    def reset(self) -> None:
        """Forget all subjects."""
        self._values: list[float] = []

    def update(self, output: Any) -> None:
        """Take in the subjects of one batch."""
        for prediction, label in zip(*output, strict=True):
            values = self.metric(y_pred=prediction[None], y=label[None])
            self._values.append(float(torch.as_tensor(values).float().nanmean()))
            self.metric.reset()

    def compute(self) -> float:
        """The mean; every process has to ask for it."""
        counted = [value for value in self._values if not math.isnan(value)]
        device = processes.device() if processes.count() > 1 else None
        numbers = torch.tensor([math.fsum(counted), len(counted)], dtype=torch.float64, device=device)
        summed, number = processes.total(numbers).tolist()
        return summed / number if number else math.nan
