"""Losses: functions of tensors, one topic a file."""

from .multi_scale import multi_scale_l1

__all__ = ["multi_scale_l1"]
