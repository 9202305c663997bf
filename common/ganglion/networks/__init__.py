"""Torch modules, nothing else. Networks that segment end in logits, `CoarseToFine` in probabilities."""

from .multistage_gan import CoarseToFine, ImageGenerator, Refiner, fuse
from .noise_networks import NoiseEncoder, NoiseGenerator
from .segan_transfer import Critic, Segmenter
from .shared import SharedBatchNorm, share_batch_norm, share_network
from .stylegan2_synthesis import JointDiscriminator, JointGenerator
from .together import Together
from .weight_norm_unet import WeightNormUNet

__all__ = [
    "CoarseToFine",
    "Critic",
    "ImageGenerator",
    "JointDiscriminator",
    "JointGenerator",
    "NoiseEncoder",
    "NoiseGenerator",
    "Refiner",
    "Segmenter",
    "SharedBatchNorm",
    "Together",
    "WeightNormUNet",
    "fuse",
    "share_batch_norm",
    "share_network",
]
