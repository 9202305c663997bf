"""Numbers about segmentations: a score for each subject on the whole volume, and what to say about many of them."""

from .segmentation import DEFINITIONS, METRICS, lower_is_better, score_subject
from .summary import METHOD, holm, paired_difference, summarise, trainings_interval

__all__ = [
    "DEFINITIONS",
    "METHOD",
    "METRICS",
    "holm",
    "lower_is_better",
    "paired_difference",
    "score_subject",
    "summarise",
    "trainings_interval",
]
