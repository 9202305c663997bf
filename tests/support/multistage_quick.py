"""What tests need to know of the multi-stage GAN's bundle, and options that make it train in seconds."""

from bundle_under_test import BundleUnderTest

TESTED = BundleUnderTest("multistage_gan")
QUICK = {
    "spacing": [4.0, 4.0, 4.0],
    "patch_size": [16, 16, 16],
    "coarse_width": 2,
    "refiner_width": 2,
    "generator_width": 2,
    "discriminator_width": 2,
    "epochs": 2,
    "coarse_epochs": 1,
    "patches_per_epoch": 2,
    "volumes_per_batch": 1,
    "patches_per_volume": 1,
    "val_interval": 1,
    "tensorboard": False,
}
WIDTHS = {key: value for key, value in QUICK.items() if key.endswith("_width")}
SIZES = {**WIDTHS, "spacing": QUICK["spacing"], "patch_size": QUICK["patch_size"]}
# The discriminator itself is what labels; no network stands beside it, or one that makes patches from noise.
BASELINES = {"unet", "standard_gan", "fm_gan", "bad_gan"}
# These change the network that labels, or its input, and go over inference.json as well.
OVER_BOTH = BASELINES | {"one_stage", "no_fusion", "plain_skips", "small", "paper", "adults", "mrbrains"}
# What training and inference must agree in.
SAME = ("contrasts", "spacing", "patch_size", "coarse_width", "refiner_width", "discriminator_width", "outputs")
SAME += ("fusion", "skips", "weights", "bundle_root", "coarse_def", "refiner_def", "network_def", "network", "device")
OTHER_WIDTH = {"refiner_width": 4}
