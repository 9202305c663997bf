"""Numbers: of segmentations by subject, what to say about many of them, and how drawn images compare with real ones."""

from .distributions import frechet_distance, kernel_distance, neighbourhoods
from .samples import label_statistics, likeness, memorisation, nearest, sliced_wasserstein
from .segmentation import DEFINITIONS, METRICS, lower_is_better, score_subject
from .summary import METHOD, holm, paired_difference, summarise, trainings_interval

__all__ = [
    "DEFINITIONS",
    "METHOD",
    "METRICS",
    "frechet_distance",
    "holm",
    "kernel_distance",
    "label_statistics",
    "likeness",
    "lower_is_better",
    "memorisation",
    "nearest",
    "neighbourhoods",
    "paired_difference",
    "score_subject",
    "sliced_wasserstein",
    "summarise",
    "trainings_interval",
]
