"""How a learning rate falls over a training: `LinearDecay`."""

from __future__ import annotations

from typing import Any

from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from ..errors import InputError


class LinearDecay(LRScheduler):
    """Keeps the learning rate, then lowers it by the same amount each epoch, down to a share in the last epoch.

    Source: StarGAN's and UAGAN's code, 1e-4 to 1e-6 over the last epochs.

    Args:
        optimizer: whose learning rates.
        epochs: of the whole training.
        decay_epochs: how many of them, the last ones, have a lower rate; 0 for none, at most all of them.
        least: share of the rate that the last epoch has.
    """

    def __init__(self, optimizer: Optimizer, epochs: int, decay_epochs: int, least: float = 0.01) -> None:
        if decay_epochs < 0 or not 0 <= least <= 1:
            raise InputError(
                f"LinearDecay: decay_epochs is {decay_epochs} and least {least}, expected 0 or more, 0 to 1"
            )
        self.epochs, self.decay_epochs, self.least = epochs, min(decay_epochs, epochs), least
        super().__init__(optimizer)

    def get_lr(self) -> list[Any]:
        """The rates of the epoch that begins, ``last_epoch`` epochs being done."""
        done = self.last_epoch - (self.epochs - self.decay_epochs) + 1  # epochs of decay, with this one
        share = min(max(done / self.decay_epochs, 0.0), 1.0) if self.decay_epochs else 0.0
        return [base * (1.0 - (1.0 - self.least) * share) for base in self.base_lrs]
