"""Options that make a training of the StyleGAN2 bundle take seconds."""

QUICK = {
    "epochs": 1,
    "images_per_epoch": 8,
    "batch_size": 4,
    "resolution": 32,
    "spacing": [6.0, 6.0, 6.0],
    "penalty_interval": 2,
    "path_length_interval": 2,
    "tensorboard": False,
}

SEGMENTER_QUICK = {
    "epochs": 1,
    "slices_per_epoch": 8,
    "batch_size": 4,
    "val_interval": 1,
    "resolution": 32,
    "spacing": [6.0, 6.0, 6.0],
    "features": [4, 4, 4, 4, 4, 4],
    "tensorboard": False,
}
