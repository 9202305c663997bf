"""Losses: functions of tensors, one topic a file."""

from .adversarial import discriminator_loss, generator_loss
from .consistency import posterior_consistency
from .edges import edge_loss, tissue_edges
from .feature_matching import feature_matching
from .mode_seeking import mode_seeking
from .multi_scale import multi_scale_l1
from .noise_recovery import noise_recovery
from .overlap import tissue_dice
from .penalties import between, gradient_penalty, path_lengths
from .semi_supervised import drift_penalty, generated_loss, labelled_loss, logit_drift, real_score, unlabelled_loss

__all__ = [
    "between",
    "discriminator_loss",
    "drift_penalty",
    "edge_loss",
    "feature_matching",
    "generated_loss",
    "generator_loss",
    "gradient_penalty",
    "labelled_loss",
    "logit_drift",
    "mode_seeking",
    "multi_scale_l1",
    "noise_recovery",
    "path_lengths",
    "posterior_consistency",
    "real_score",
    "tissue_dice",
    "tissue_edges",
    "unlabelled_loss",
]
