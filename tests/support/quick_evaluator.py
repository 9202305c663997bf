"""MONAI's evaluator over items whose network changes nothing, for tests of handlers."""

import torch
from monai.data import DataLoader
from monai.engines import SupervisedEvaluator

AFFINE = torch.diag(torch.tensor([1.0, 1.0, 2.0, 1.0], dtype=torch.float64))


def evaluate(items, handler, postprocessing=None, batch_size=1):
    """Run it, the network's output being the image."""
    evaluator = SupervisedEvaluator(
        device=torch.device("cpu"),
        val_data_loader=DataLoader(items, batch_size=batch_size),
        network=torch.nn.Identity(),
        postprocessing=postprocessing,
        val_handlers=[handler],
    )
    evaluator.run()
    return evaluator
