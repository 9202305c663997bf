"""Engines: phases, the alternating trainer, run set-up. Handlers and objectives live in sub-packages."""

from .after_step import ClampWeights, ExponentialAverage
from .evaluator import MeanOverSubjects, SharedEvaluator
from .inferers import HeadSliceInferer
from .patch_inferer import HeadPatchInferer
from .phase import Phase
from .processes import OwnShare, join_processes, leave_processes
from .run import prepare_run
from .streams import Streams
from .synthesis import SubjectSynthesis
from .trainer import AlternatingTrainer

__all__ = [
    "AlternatingTrainer",
    "ClampWeights",
    "ExponentialAverage",
    "HeadPatchInferer",
    "HeadSliceInferer",
    "MeanOverSubjects",
    "OwnShare",
    "Phase",
    "SharedEvaluator",
    "Streams",
    "SubjectSynthesis",
    "join_processes",
    "leave_processes",
    "prepare_run",
]
