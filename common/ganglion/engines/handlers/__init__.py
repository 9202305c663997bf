"""Handlers for MONAI's engines: the run folder, weights to begin with, scores by subject."""

from .load_weights import LoadWeights
from .subject_scores import SubjectScores
from .training_run import TrainingRun

__all__ = ["LoadWeights", "SubjectScores", "TrainingRun"]
