"""Options that make a training of the GT-layer transfer GAN's bundle take seconds."""

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
