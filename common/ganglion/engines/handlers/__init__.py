"""Handlers for MONAI's engines: the run folder, weights to begin with, scores by subject."""

from .load_weights import LoadWeights
from .subject_scores import SubjectScores
from .subset_scores import FuseContrastsd, SubsetScores
from .training_run import TrainingRun
from .translation_scores import TranslationScores

__all__ = ["FuseContrastsd", "LoadWeights", "SubjectScores", "SubsetScores", "TrainingRun", "TranslationScores"]
