"""Torch modules, nothing else. Networks that segment end in logits, `CoarseToFine` in probabilities."""

from .conditioning import ConditionalInstanceNorm
from .each_contrast import EachContrast, EveryTranslation, MissingContrasts
from .gt_transfer import TransferGenerator
from .multistage_gan import CoarseToFine, ImageGenerator, Refiner, fuse
from .noise_networks import NoiseEncoder, NoiseGenerator
from .segan_transfer import Critic, Segmenter
from .shared import SharedBatchNorm, share_batch_norm, share_network
from .stargan import DomainDiscriminator, StarGenerator, TranslateThenLabel
from .stylegan2_synthesis import JointDiscriminator, JointGenerator
from .together import Together
from .unified_multimodal import AnyContrast, PlainUNet, UnifiedGenerator
from .weight_norm_unet import WeightNormUNet

__all__ = [
    "AnyContrast",
    "CoarseToFine",
    "ConditionalInstanceNorm",
    "Critic",
    "DomainDiscriminator",
    "EachContrast",
    "EveryTranslation",
    "ImageGenerator",
    "JointDiscriminator",
    "JointGenerator",
    "MissingContrasts",
    "NoiseEncoder",
    "NoiseGenerator",
    "PlainUNet",
    "Refiner",
    "Segmenter",
    "SharedBatchNorm",
    "StarGenerator",
    "Together",
    "TransferGenerator",
    "TranslateThenLabel",
    "UnifiedGenerator",
    "WeightNormUNet",
    "fuse",
    "share_batch_norm",
    "share_network",
]
