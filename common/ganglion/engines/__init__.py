"""Engines: phases, the alternating trainer, run set-up. Handlers and objectives live in sub-packages."""

from .adaptive_augmentation import AdaptiveAugmentation
from .after_step import ClampWeights, ExponentialAverage
from .evaluator import MeanOverSubjects, SharedEvaluator
from .generation_scores import CompareSamples, SegmenterFeatures
from .inferers import HeadSliceInferer
from .lazy import LazyAdam
from .patch_inferer import HeadPatchInferer
from .phase import Phase
from .processes import OwnShare, join_processes, leave_processes
from .projection import Projector, ProjectSlices
from .run import prepare_run
from .sampling import Sampler, WriteSamples
from .schedules import LinearDecay
from .streams import Streams
from .synthesis import SubjectSynthesis
from .trainer import AlternatingTrainer

__all__ = [
    "AdaptiveAugmentation",
    "AlternatingTrainer",
    "ClampWeights",
    "CompareSamples",
    "ExponentialAverage",
    "HeadPatchInferer",
    "HeadSliceInferer",
    "LazyAdam",
    "LinearDecay",
    "MeanOverSubjects",
    "OwnShare",
    "Phase",
    "ProjectSlices",
    "Projector",
    "Sampler",
    "SegmenterFeatures",
    "SharedEvaluator",
    "Streams",
    "SubjectSynthesis",
    "WriteSamples",
    "join_processes",
    "leave_processes",
    "prepare_run",
]
