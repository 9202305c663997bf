"""Torch modules, nothing else. All of them end in logits."""

from .segan_transfer import Critic, Segmenter
from .shared import SharedBatchNorm, share_batch_norm, share_network
from .together import Together

__all__ = ["Critic", "Segmenter", "SharedBatchNorm", "Together", "share_batch_norm", "share_network"]
