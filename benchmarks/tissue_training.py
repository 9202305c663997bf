"""Training the multi-stage GAN: a step against a plain loop, patches against the step, and the step's memory.

`python -m benchmarks.tissue_training step NAME SIDE PATCHES STEPS` trains that much and says its peak memory.
"""

from __future__ import annotations

import copy
import subprocess
import sys
from pathlib import Path
from typing import Any

import torch
from monai.bundle import ConfigParser

from ganglion.engines.objectives.few_labels import brain_probability
from ganglion.losses import (
    drift_penalty,
    feature_matching,
    generated_loss,
    generator_loss,
    labelled_loss,
    mode_seeking,
    posterior_consistency,
    real_score,
    tissue_dice,
    unlabelled_loss,
)

from .case_worker import status
from .data_pipeline import against_step, pipeline
from .machine import Rates
from .side_by_side import ROOT, Row, Size, Spread, at_most, figure, in_turn, one_thread, seconds, simulated_case
from .training_loops import Loops, our_loop, parsed_variant

CONFIGS = ROOT / "bundles" / "multistage_gan" / "configs"
WIDTHS = ("coarse_width", "refiner_width", "generator_width", "discriminator_width")
STEPS = {"reference": 2, "paper": 1}  # in each turn
# Labelled patches of 32^3 in a step, and as many unlabelled ones: the reference's four; of the paper's thirty one.
PATCHES = {"reference": 4, "paper": 1}
MEMORY = (("reference", 32, 4), ("reference", 64, 4), ("paper", 32, 2))  # configuration, side, patches of each kind
LIMIT = 1.05


def measure(folder: Path, size: Size, rates: Rates) -> list[Row]:
    """Rows about steps, then about data, then about memory."""
    rows: list[Row] = []
    eaten = 0.0
    for name, steps in STEPS.items():
        loops = two_loops(name, size, steps)
        first, second = in_turn([seconds(loops.ours, size), seconds(loops.plain, size)], size.pairs)
        eaten = loops.samples * steps / first.median  # the paper's comes last
        note = f"{steps} steps a turn, {loops.samples} labelled and as many unlabelled patches a step, {eaten:.2g} "
        note += "of each a second"
        what = f"training step, multistage_gan, {name}"
        rows.append(at_most(what, "s", first, "a plain PyTorch loop", second, LIMIT, note))
    return [*rows, *_data(folder, size, eaten), *(row for setting in MEMORY for row in _memory(*setting, size))]


def parsed(name: str, size: Size, **overrides: Any) -> ConfigParser:
    """The training configuration of a variant; `reference` has no overlay."""
    toy = {**dict.fromkeys(WIDTHS, 2), "patch_size": [16, 16, 16]} if size.toy else {}
    # All phases in every iteration: the longest step, and the one that the plain loop takes.
    return parsed_variant(CONFIGS, name, {"adversary_every": 1, **toy, **overrides})


def two_loops(name: str, size: Size, steps: int, patches: int = 0, side: int = 0) -> Loops:
    """Both loops on one batch in memory, from the same weights, in the phases after the coarse network's own."""
    phases = ["@discriminator_phase", "@generator_phase", "@refiner_phase"]
    options = {"train#handlers": [], "train#dataloader": [None] * steps, "coarse_epochs": 0, "phases": phases}
    parser = parsed(name, size, **options)
    patches = patches or PATCHES[name]
    shape = [side or int(edge) for edge in parser["patch_size"]]
    batch = _random_batch(patches, shape)
    networks = parser.get_parsed_content("networks")
    copies = copy.deepcopy(networks)
    trainer = parser.get_parsed_content("train#trainer")
    optimizers = {
        phase.name: type(phase.optimizer)(copies[phase.name].parameters(), **phase.optimizer.defaults)
        for phase in trainer.phases
    }
    step = _PlainStep(copies, optimizers, parser)

    def plain() -> None:
        for _ in range(steps):
            step(batch["labelled"]["image"], batch["labelled"]["label"], batch["unlabelled"]["image"])

    return Loops(our_loop(trainer, batch, steps), plain, patches, networks, copies)


def _random_batch(patches: int, shape: list[int]) -> dict[str, dict[str, Any]]:
    generator = torch.Generator().manual_seed(0)
    images = torch.rand(2, patches, 2, *shape, generator=generator) * 2 - 1
    label = torch.randint(0, 4, (patches, 1, *shape), generator=generator).float()
    names = [f"sub-{k}" for k in range(patches)]
    return {
        "labelled": {"image": images[0], "label": label, "subject": names},
        "unlabelled": {"image": images[1], "subject": names},
    }


class _PlainStep:
    """The three phases as a tutorial would write them, with the same losses, and nothing around them."""

    def __init__(
        self, networks: dict[str, torch.nn.Module], optimizers: dict[str, torch.optim.Optimizer], parser: ConfigParser
    ) -> None:
        self.networks, self.optimizers = networks, optimizers
        names = ("unlabelled", "generated", "dice", "drift", "consistency", "feature", "adversarial", "diversity")
        self.weight = {name: float(parser[f"{name}_weight"]) for name in names}
        self.classes, self.clip = parser["class_weights"], parser["grad_clip"]
        self.noise_size = int(parser["noise_size"])
        self.ramp = int(parser.get_parsed_content("ramp"))
        self.updates = 0

    def __call__(self, image: torch.Tensor, label: torch.Tensor, unlabelled: torch.Tensor) -> tuple[float, ...]:
        losses = []
        terms = (
            ("discriminator", lambda: self.discriminator(image, label, unlabelled)),
            ("generator", lambda: self.generator(unlabelled)),
            ("refiner", lambda: self.refiner(image, label, unlabelled)),
        )
        for name, loss_of in terms:
            for other in ("coarse", "discriminator", "generator", "refiner"):
                self.networks[other].requires_grad_(other == name)
            loss = loss_of()
            self.optimizers[name].zero_grad(set_to_none=True)
            loss.backward()
            if self.clip:
                torch.nn.utils.clip_grad_norm_(self.networks[name].parameters(), self.clip)
            self.optimizers[name].step()
            losses.append(loss.item())
        return tuple(losses)

    def make(self, image: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        noise = torch.rand(len(image), self.noise_size) * 2 - 1
        return noise, self.networks["generator"](image, noise, brain_probability(self.networks, image))

    def discriminator(self, image: torch.Tensor, label: torch.Tensor, unlabelled: torch.Tensor) -> torch.Tensor:
        with torch.no_grad():
            _, made = self.make(unlabelled)
        ours, theirs, fakes = self.networks["discriminator"](torch.cat([image, unlabelled, made])).chunk(3)
        loss = labelled_loss(ours, label, self.classes) + self.weight["unlabelled"] * unlabelled_loss(theirs)
        loss = loss + self.weight["generated"] * generated_loss(fakes)
        if self.weight["dice"]:
            loss = loss + self.weight["dice"] * tissue_dice(ours, label)
        if self.weight["drift"]:
            loss = loss + self.weight["drift"] * drift_penalty(torch.cat([ours, theirs]))
        return loss

    def generator(self, unlabelled: torch.Tensor) -> torch.Tensor:
        critic: Any = self.networks["discriminator"]
        noise, made = self.make(unlabelled)
        logits, features = critic.with_features(made)
        with torch.no_grad():
            _, wanted = critic.with_features(unlabelled)
        other_noise, other = self.make(unlabelled)
        loss = self.weight["feature"] * feature_matching(wanted, features)
        loss = loss + self.weight["adversarial"] * generator_loss(real_score(logits), "non_saturating")
        return loss + self.weight["diversity"] * mode_seeking(noise, other_noise, made, other)

    def refiner(self, image: torch.Tensor, label: torch.Tensor, unlabelled: torch.Tensor) -> torch.Tensor:
        both = torch.cat([image, unlabelled])
        ours, theirs = self.networks["refiner"](both, brain_probability(self.networks, both)).chunk(2)
        with torch.no_grad():
            teacher = self.networks["discriminator"](unlabelled)
        weight = self.weight["consistency"] * min(1.0, self.updates / self.ramp if self.ramp else 1.0)
        self.updates += 1
        loss = labelled_loss(ours, label, self.classes) + tissue_dice(ours, label)
        return loss + weight * posterior_consistency(theirs, teacher, 1.0, 0.8)[0]


def _data(folder: Path, size: Size, eaten: float) -> list[Row]:
    """Pairs of a labelled and an unlabelled patch a second and core from cached volumes, and reading a subject."""
    data = simulated_case(folder, size, cohort="iseg")
    rows: list[Row] = []
    with one_thread() as threads:
        for name in STEPS:
            parser = parsed(name, size, dataset_dir=str(data), **({"spacing": [size.spacing] * 3} if size.toy else {}))
            parser["train#dataset#data#section"] = "test"
            item = parser.get_parsed_content("train#dataset#data")[0]
            bare = {key: value for key, value in item.items() if key != "label"}
            labelled, unlabelled = (
                parser.get_parsed_content(f"train#{kind}").transforms
                for kind in ("preprocessing", "unlabelled_preprocessing")
            )
            count = int(parser["patches_per_volume"])
            drawn, reading = pipeline([(item, labelled), (bare, unlabelled)], count, size)
            what = f"data, multistage_gan, {name}: labelled and unlabelled patches from the cache, augmented, collated"
            rows.append(against_step(what, "of each/s a core", drawn, eaten, threads))
            rows.append(figure(f"reading a subject for the cache, multistage_gan, {name}: one core", "s", reading))
    return rows


def _memory(name: str, side: int, patches: int, size: Size) -> list[Row]:
    """Peak memory of a process that does two steps, and of one that builds everything and does none."""
    if size.toy and name == "paper":
        return []
    side, patches = (16, 1) if size.toy else (side, patches)
    line = [sys.executable, "-m", "benchmarks.tissue_training", "step", name, str(side), str(patches)]
    peaks = {}
    for steps in (0, 2):  # each says its own: what the system says of a child counts this process too, from the fork on
        done = subprocess.run([*line, str(steps)], cwd=ROOT, check=True, capture_output=True, text=True)
        peaks[steps] = float(done.stdout.split()[-1]) / 1024
    what = f"memory of a training step, multistage_gan, {name}, {patches} + {patches} patches of {side} cubed"
    note = f"peak of the process; {peaks[0]:.2f} GiB of it for importing and building"
    return [figure(what, "GiB", Spread.of([peaks[2]]), note=note)]


def main(words: list[str]) -> None:
    """Train a few steps, for its memory."""
    if not words or words[0] != "step":
        sys.exit("expected: step NAME SIDE PATCHES STEPS")
    name, side, patches, steps = words[1], *map(int, words[2:])
    loops = two_loops(name, Size(), max(1, steps), patches, side)
    if steps:
        loops.ours()
    print(status("VmHWM"))


if __name__ == "__main__":
    main(sys.argv[1:])
