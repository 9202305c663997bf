"""StyleGAN2's phases: who moves, which terms, running means, and a resumed training that equals an unbroken one."""

import copy

import pytest
import torch
import torch.nn.functional as F
from monai.data import DataLoader, Dataset

from ganglion.engines import AdaptiveAugmentation, AlternatingTrainer, ExponentialAverage, LazyAdam, Phase
from ganglion.engines.objectives.label_forms import REMEDIES, LabelForm
from ganglion.engines.objectives.stylegan2_synthesis import (
    DiscriminatorObjective,
    DiscriminatorPenaltyObjective,
    Draw,
    GeneratorObjective,
    PathLengthObjective,
)
from ganglion.networks import JointDiscriminator, JointGenerator
from ganglion.networks.stylegan2_synthesis import SIZES

CONTRASTS, LABELS, SIDE = 2, 3, 32


@pytest.fixture(autouse=True)
def small_networks(monkeypatch):
    monkeypatch.setitem(SIZES, "toy", (256, 16, 2))


def build(remedy="soft"):
    torch.manual_seed(1)
    generator = JointGenerator(CONTRASTS, LABELS, "toy", SIDE)
    for module in generator.modules():
        if hasattr(module, "strength"):
            torch.nn.init.constant_(module.strength, 0.1)
    both = JointDiscriminator(CONTRASTS + LABELS, "toy", SIDE)
    if remedy != "second":
        return {"generator": generator, "discriminator": both}
    return {
        "generator": generator,
        "discriminator": JointDiscriminator(CONTRASTS, "toy", SIDE),
        "label_discriminator": both,
    }


def items(count=8):
    generator = torch.Generator().manual_seed(3)
    image = torch.rand(count, CONTRASTS, SIDE, SIDE, generator=generator) * 2 - 1
    label = torch.zeros(count, 1, SIDE, SIDE)
    label[:, :, 8:20, 8:20] = torch.randint(1, LABELS, (count, 1, 1, 1), generator=generator).float()
    return [{"image": i, "label": lab, "subject": f"s{k}"} for k, (i, lab) in enumerate(zip(image, label, strict=True))]


@pytest.fixture
def batch():
    found = items(4)
    return {key: torch.stack([item[key] for item in found]) for key in ("image", "label")}


def objectives(remedy="soft", **options):
    form, draw, augmentation = LabelForm(remedy, LABELS), Draw(), AdaptiveAugmentation(**options)
    return {
        "discriminator": DiscriminatorObjective(draw, form, augmentation),
        "discriminator_penalty": DiscriminatorPenaltyObjective(draw, form, 1.0, 16, augmentation),
        "generator": GeneratorObjective(draw, form, augmentation=augmentation),
        "path_length": PathLengthObjective(draw, CONTRASTS),
    }


@pytest.mark.parametrize("remedy", REMEDIES)
def test_each_phase_gives_gradients_to_every_weight_of_its_networks_alone(remedy, batch):
    """To every weight, since processes that share a network wait for all of them."""
    networks = build(remedy)
    for name, objective in objectives(remedy, probability=0.5).items():
        moving = ("generator",) if name in ("generator", "path_length") else tuple(set(networks) - {"generator"})
        for other, network in networks.items():
            network.zero_grad(set_to_none=True)
            network.requires_grad_(other in moving)
        terms = objective(networks, batch)
        assert all(torch.isfinite(value).all() for value in terms.values())
        terms["loss"].backward()
        for other, network in networks.items():
            with_gradient = {key for key, p in network.named_parameters() if p.grad is not None}
            expected = {key for key, _ in network.named_parameters()} if other in moving else set()
            assert with_gradient == expected, (name, other)


def test_terms_are_what_they_are_called(batch):
    networks = build()
    made = objectives()
    torch.manual_seed(5)
    terms = made["discriminator"](networks, batch)
    torch.manual_seed(5)
    drawn = made["discriminator"].form.drawn(Draw()(networks, 4, torch.device("cpu")))["discriminator"]
    real = made["discriminator"].form.real(batch["image"], batch["label"])["discriminator"]
    ours, theirs = networks["discriminator"](real), networks["discriminator"](drawn)
    expected = F.softplus(-ours).mean() + F.softplus(theirs).mean()
    assert terms["loss"].item() == pytest.approx(expected.item(), rel=1e-5)
    assert terms["score_real"].item() == pytest.approx(ours.mean().item(), rel=1e-4)
    assert terms["sureness"].item() == pytest.approx((drawn[:, 2:].amax(1).mean().item() + 1) / 2, rel=1e-4)
    real.requires_grad_()
    (gradient,) = torch.autograd.grad(networks["discriminator"](real).sum(), real)
    penalty = made["discriminator_penalty"](networks, batch)
    assert penalty["penalty"].item() == pytest.approx(gradient.flatten(1).square().sum(1).mean().item(), rel=1e-4)
    assert penalty["loss"].item() == pytest.approx(8 * penalty["penalty"].item())
    assert 0 <= penalty["accuracy_without_labels"] <= 1


def test_the_mean_path_length_runs_and_survives_a_checkpoint(batch):
    networks, objective = build(), PathLengthObjective(Draw(), CONTRASTS, decay=0.5)
    mean = 0.0
    for _ in range(3):
        terms = objective(networks, batch)
        mean += 0.5 * (terms["length"].item() - mean)
        assert objective.mean.item() == pytest.approx(mean, rel=1e-5)
        assert terms["loss"].item() == pytest.approx(8 * terms["penalty"].item(), rel=1e-5)
    other = PathLengthObjective(Draw(), CONTRASTS)
    other.load_state_dict(objective.state_dict())
    assert other.mean == objective.mean > 0


def test_path_length_leaves_the_labels_out(batch):
    """Label channels that are scaled a hundredfold change nothing."""
    lengths = []
    for factor in (1.0, 100.0):
        networks = build()
        with torch.no_grad():
            networks["generator"].head.weight.mul_(factor)
        torch.manual_seed(2)
        lengths.append(PathLengthObjective(Draw(), CONTRASTS)(networks, batch)["length"].item())
    assert lengths[0] == pytest.approx(lengths[1], rel=1e-5)


def test_the_average_style_follows_the_styles_drawn(batch):
    networks = build()
    objective = GeneratorObjective(Draw(mixing=1.0), LabelForm(labels=LABELS), average_beta=0.75)
    torch.manual_seed(4)
    objective(networks, batch)
    torch.manual_seed(4)
    z = torch.randn(4, 512)
    expected = 0.25 * networks["generator"].mapping(z).mean(dim=0)
    assert torch.allclose(networks["generator"].mapping.average, expected, atol=1e-6)


def test_styles_are_mixed_as_often_as_asked():
    networks = build()
    for mixing, least, most in ((0.0, 0, 0), (1.0, 20, 20), (0.5, 3, 17)):
        styles = [Draw(mixing).styles(networks, 1, torch.device("cpu")) for _ in range(20)]
        mixed = sum(not torch.equal(each[:, 0], each[:, -1]) for each in styles)
        assert least <= mixed <= most


def training(epochs):
    networks = build()
    average = copy.deepcopy(networks["generator"])
    made = objectives(target=0.6, probability=0.2, every=4, images_per_unit=50)
    of_d = LazyAdam(networks["discriminator"].parameters(), 4)
    of_g = LazyAdam(networks["generator"].parameters(), 2)
    follow = ExponentialAverage(average, half_life_images=100, images_per_step=4, ramp=0.5)
    phases = [
        Phase("discriminator", "discriminator", of_d, made["discriminator"]),
        Phase("discriminator_penalty", "discriminator", of_d, made["discriminator_penalty"], every=4),
        Phase("generator", "generator", of_g, made["generator"], after_step=follow),
        Phase("path_length", "generator", of_g, made["path_length"], every=2),
    ]
    loader = DataLoader(Dataset(items(12)), batch_size=4, shuffle=True, drop_last=True)
    networks["average"] = average
    trainer = AlternatingTrainer("cpu", epochs, loader, networks, "average", phases, seed=7)
    return trainer, made, follow


def test_a_resumed_training_equals_an_uninterrupted_one():
    """Stopped after three of nine iterations: within the intervals of penalty, augmentation and path length."""
    whole, made, follow = training(3)
    whole.run()
    first, _, _ = training(1)
    first.run()
    state = copy.deepcopy(first.state_dict())
    assert state["objectives"]["discriminator"]["augmentation"]["calls"] == 3
    resumed, ours, images = training(3)
    resumed.load_state_dict(state)
    resumed.run()
    for name, network in whole.unwrapped.items():
        for key, value in network.state_dict().items():
            assert torch.equal(value, resumed.unwrapped[name].state_dict()[key]), f"{name} {key}"
    assert made["path_length"].mean == ours["path_length"].mean != 0
    assert made["generator"].augmentation.state_dict() == ours["generator"].augmentation.state_dict()
    assert made["generator"].augmentation.probability != 0.2
    assert images.images == follow.images == 36
    assert whole.unwrapped["generator"].mapping.average.abs().max() > 0
    averages = (whole.unwrapped["average"].mapping.average, whole.unwrapped["generator"].mapping.average)
    assert torch.equal(*averages)


def test_half_precision_trains():
    trainer, *_ = training(1)
    trainer.precision = "bf16"
    trainer.run()
    assert all(torch.isfinite(p).all() for p in trainer.unwrapped["generator"].parameters())
