"""What tests need to know of the GT-layer transfer GAN's bundle, and options that make it train in seconds."""

from bundle_under_test import BundleUnderTest

TESTED = BundleUnderTest("gt_transfer")
QUICK = {
    "spacing": [4.0, 4.0, 4.0],
    "patch_size": [16, 16, 16],
    "generator_width": 2,
    "discriminator_width": 2,
    "epochs": 2,
    "patches_per_epoch": 4,
    "volumes_per_batch": 2,
    "patches_per_volume": 1,
    "val_interval": 1,
    "tensorboard": False,
}
WIDTHS = {key: value for key, value in QUICK.items() if key.endswith("_width")}
SIZES = {**WIDTHS, "spacing": QUICK["spacing"], "patch_size": QUICK["patch_size"]}
# These change the network that labels, or its input, and go over inference.json as well.
OVER_BOTH = {"multi_stage", "last_features", "small", "paper", "adults", "infants", "mrbrains", "transfer"}
# What training and inference must agree in.
SAME = ("contrasts", "spacing", "patch_size", "discriminator_width", "outputs", "weights", "bundle_root")
SAME += ("network_def", "network", "device")
OTHER_WIDTH = {"discriminator_width": 4}
