"""Options that make a training of the multi-stage GAN's bundle take seconds."""

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
