"""Handlers for MONAI's engines: the run folder, weights to begin with, scores by subject."""

from .load_weights import LoadWeights
from .training_run import TrainingRun

__all__ = ["LoadWeights", "TrainingRun"]
