"""A training with everything that could break exact resume, small enough for milliseconds; run as a script by tests.

Dropout, batch norm, shuffled data with a random transform, draws from the global generators, accumulation, a lazy phase
whose objective has a state, a running average, a scheduler that counts epochs, and a validation that selects weights.
"""

import argparse
import copy
import hashlib
import os
import random
import signal
import subprocess
import time
from pathlib import Path

import numpy as np
import torch
from ignite.engine import Events
from ignite.metrics import Average
from monai.data import DataLoader, Dataset
from monai.engines import SupervisedEvaluator
from monai.handlers import ValidationHandler
from monai.transforms import Compose, RandGaussianNoised
from torch import nn

from ganglion.engines import AlternatingTrainer, ClampWeights, ExponentialAverage, Phase, prepare_run
from ganglion.engines.handlers import TrainingRun

SUBJECTS, BATCH, ACCUMULATE, EPOCH = 17, 3, 2, 3  # 6 batches, the last one smaller: 3 iterations of 2


class DrawGlobally:
    """A transform that uses the global generators of Python, NumPy and torch."""

    def __call__(self, item):
        shift = random.random() + np.random.rand() + float(torch.rand(()))  # noqa: NPY002
        return {**item, "image": item["image"] + 0.01 * shift}


class SegmenterObjective:
    """Supervised and adversarial terms, with noise drawn from torch's global generator."""

    def __call__(self, networks, batch):
        noise = 0.01 * torch.randn_like(batch["image"])
        prediction = networks["segmenter"](batch["image"] + noise)
        supervised = (prediction - batch["label"]).square().mean()
        adversarial = networks["critic"](prediction).mean()
        return {"loss": supervised - 0.1 * adversarial, "supervised": supervised, "adversarial": adversarial}


class CriticObjective:
    """Difference of means on detached fakes."""

    def __call__(self, networks, batch):
        with torch.no_grad():
            fake = networks["segmenter"](batch["image"])
        return {"loss": networks["critic"](fake).mean() - networks["critic"](batch["label"]).mean()}


class DriftPenalty:
    """A penalty against its own running mean, which a checkpoint must hold."""

    def __init__(self):
        self.mean = torch.zeros(())

    def __call__(self, networks, batch):
        score = networks["critic"](batch["label"]).mean()
        self.mean = 0.9 * self.mean + 0.1 * score.detach()
        return {"loss": (score - self.mean).square()}

    def state_dict(self):
        return {"mean": self.mean}

    def load_state_dict(self, state):
        self.mean = state["mean"]


def items(count=SUBJECTS):
    generator = torch.Generator().manual_seed(7)
    return [
        {
            "image": torch.randn(4, generator=generator),
            "label": torch.randn(1, generator=generator),
            "subject": f"sub-{number:03d}",
        }
        for number in range(count)
    ]


def loader(workers=0, count=SUBJECTS):
    noise = Compose([RandGaussianNoised(keys="image", prob=0.5, std=0.1), DrawGlobally()])
    return DataLoader(Dataset(items(count), noise), batch_size=BATCH, shuffle=True, num_workers=workers)


def networks():
    segmenter = nn.Sequential(nn.Linear(4, 6), nn.BatchNorm1d(6), nn.Dropout(0.3), nn.Linear(6, 1))
    critic = nn.Sequential(nn.Linear(1, 5), nn.LeakyReLU(0.2), nn.Linear(5, 1))
    return {"segmenter": segmenter, "critic": critic, "average": copy.deepcopy(segmenter)}


def phases(nets):
    segmenter = torch.optim.Adam(nets["segmenter"].parameters(), lr=0.02)
    critic = torch.optim.RMSprop(nets["critic"].parameters(), lr=0.01)
    return [
        Phase("critic", "critic", critic, CriticObjective(), after_step=ClampWeights(0.3, "linear")),
        Phase("drift", "critic", critic, DriftPenalty(), every=2),
        Phase(
            "segmenter",
            ["segmenter"],
            segmenter,
            SegmenterObjective(),
            grad_clip=1.0,
            after_step=[ExponentialAverage(nets["average"], momentum=0.2)],
            scheduler=torch.optim.lr_scheduler.StepLR(segmenter, 1, 0.7),
            scheduler_step="epoch",
        ),
    ]


class ScoreNetwork:
    """Puts minus the mean error of the running average over all subjects into the evaluator's metrics."""

    def __init__(self, nets):
        self.nets = nets

    def attach(self, engine):
        output = Average(lambda _: -self.error())
        output.attach(engine, "score")

    @torch.no_grad()
    def error(self):
        self.nets["average"].eval()
        self.nets["segmenter"].eval()
        batch = items()
        image = torch.stack([item["image"] for item in batch])
        label = torch.stack([item["label"] for item in batch])
        return float((self.nets["average"](image) - label).square().mean())


def validator(nets, count=2):
    return SupervisedEvaluator(
        device=torch.device("cpu"),
        val_data_loader=DataLoader(Dataset(items(count)), batch_size=1),
        network=nets["average"],
        key_val_metric={"score": Average(lambda _: -ScoreNetwork(nets).error())},
    )


def build(run_dir, epochs=3, workers=0, handlers=(), **options):
    prepare_run(seed=3)
    nets = networks()
    judge = validator(nets)
    run = TrainingRun(run_dir, validator=judge, tensorboard=False, **options)
    trainer = AlternatingTrainer(
        device="cpu",
        max_epochs=epochs,
        train_data_loader=loader(workers),
        networks=nets,
        deployed="segmenter",
        phases=phases(nets),
        accumulate=ACCUMULATE,
        seed=5,
        train_handlers=[run, ValidationHandler(1, judge), *handlers],
    )
    return trainer, run


def fingerprint(folder):
    """sha256 over all tensors of the final weights."""
    digest = hashlib.sha256()
    for file in sorted(Path(folder, "networks").glob("*.pt")):
        for name, value in torch.load(file, weights_only=True).items():
            digest.update(name.encode() + value.numpy().tobytes())
    return digest.hexdigest()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("run_dir")
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--workers", type=int, default=0)
    parser.add_argument("--stop-at", type=int, help="iteration in which the process signals itself")
    parser.add_argument("--time-limit", type=float, help="minutes")
    parser.add_argument("--stop-in-validation", type=int, help="epoch in whose validation it does so")
    parser.add_argument("--signal", default="SIGTERM")
    parser.add_argument("--group", action="store_true", help="signal the workers too, as job schedulers do")
    options = parser.parse_args()
    torch.set_num_threads(1)
    if options.group:
        os.setpgid(0, 0)
    trainer, run = build(options.run_dir, options.epochs, options.workers, time_limit=options.time_limit)

    def signal_self():
        number = getattr(signal, options.signal)
        if options.group:
            subprocess.run(["kill", f"-{int(number)}", "--", f"-{os.getpgid(0)}"], check=False)
            time.sleep(0.2)
        else:
            os.kill(os.getpid(), number)

    @trainer.on(Events.ITERATION_STARTED)
    def _(engine):
        if engine.state.iteration == options.stop_at:
            signal_self()

    @run.validator.on(Events.ITERATION_STARTED)
    def _(engine):
        if trainer.state.epoch == options.stop_in_validation:
            signal_self()

    trainer.run()


if __name__ == "__main__":
    main()
