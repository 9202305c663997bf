"""Torch modules, nothing else. All of them end in logits."""

from .segan_transfer import Critic, Segmenter
from .shared import SharedBatchNorm, share_batch_norm, share_network

__all__ = ["Critic", "Segmenter", "SharedBatchNorm", "share_batch_norm", "share_network"]
