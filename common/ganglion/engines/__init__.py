"""Engines: phases, the alternating trainer, run set-up. Handlers and objectives live in sub-packages."""

from .after_step import ClampWeights, ExponentialAverage
from .phase import Phase
from .run import prepare_run
from .streams import Streams
from .trainer import AlternatingTrainer

__all__ = ["AlternatingTrainer", "ClampWeights", "ExponentialAverage", "Phase", "Streams", "prepare_run"]
