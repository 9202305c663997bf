"""Torch modules, nothing else. All of them end in logits."""

from .segan_transfer import Critic, Segmenter

__all__ = ["Critic", "Segmenter"]
