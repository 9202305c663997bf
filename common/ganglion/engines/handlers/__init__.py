"""Ignite handlers that the bundles' configs name."""

from .subject_scores import SubjectScores

__all__ = ["SubjectScores"]
