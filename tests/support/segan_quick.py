"""Options that make a training of the SegAN bundle take seconds."""

QUICK = {
    "epochs": 1,
    "val_interval": 1,
    "volumes_per_batch": 2,
    "slices_per_volume": 2,
    "width": 4,
    "tensorboard": False,
}
