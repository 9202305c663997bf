"""Numbers about segmentations: a score for each subject on the whole volume, and what to say about many of them."""

from .segmentation import DEFINITIONS, METRICS, score_subject
from .summary import METHOD, paired_difference, summarise

__all__ = ["DEFINITIONS", "METHOD", "METRICS", "paired_difference", "score_subject", "summarise"]
