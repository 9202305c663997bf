"""K + 1 classes against a generator: who receives gradients, signs, terms, and that each adversary trains."""

import pytest
import torch
from monai.losses import DiceLoss

from ganglion.engines.objectives.few_labels import (
    DiscriminatorObjective,
    Generate,
    GeneratorObjective,
    SupervisedObjective,
    brain_probability,
)
from ganglion.errors import InputError
from ganglion.losses import generated_loss, labelled_loss, real_score, unlabelled_loss
from ganglion.losses.adversarial import KINDS
from ganglion.networks import ImageGenerator, NoiseEncoder, NoiseGenerator, WeightNormUNet

ADVERSARIES = ("k_plus_1", *KINDS)
NOISE = 8


@pytest.fixture
def networks():
    torch.manual_seed(0)
    return {
        "coarse": WeightNormUNet(2, 2, width=2),
        "generator": ImageGenerator(2, noise_size=NOISE, width=2),
        "discriminator": WeightNormUNet(2, 4, width=2),
    }


@pytest.fixture
def generate():
    return Generate(NOISE)


def gradients(network):
    return [p.grad is not None and bool(p.grad.any()) for p in network.parameters()]


@pytest.mark.parametrize("adversary", ADVERSARIES)
def test_each_phase_reaches_its_own_network(networks, batch, generate, adversary):
    DiscriminatorObjective(generate, adversary=adversary)(networks, batch)["loss"].backward()
    assert all(gradients(networks["discriminator"]))
    assert not any(gradients(networks["generator"]) + gradients(networks["coarse"]))
    networks["discriminator"].requires_grad_(False)
    GeneratorObjective(generate, adversary=adversary)(networks, batch)["loss"].backward()
    assert all(gradients(networks["generator"]))
    assert not any(gradients(networks["coarse"]))


def test_terms_are_what_they_are_called(networks, batch, generate):
    torch.manual_seed(5)
    terms = DiscriminatorObjective(generate, 1.5, 0.5, 2.0, [0.33, 1.5, 0.83, 1.33], drift_weight=0.25)(networks, batch)
    torch.manual_seed(5)
    image, label = batch["labelled"]["image"], batch["labelled"]["label"]
    unlabelled = batch["unlabelled"]["image"]
    d = networks["discriminator"]
    fakes = generate(networks, unlabelled, generate.noise(unlabelled))
    expected = {
        "labelled": labelled_loss(d(image), label, [0.33, 1.5, 0.83, 1.33]),
        "unlabelled": unlabelled_loss(d(unlabelled)),
        "generated": generated_loss(d(fakes)),
        "drift": real_score(d(torch.cat([image, unlabelled]))).square().mean(),
        "score_real": real_score(d(unlabelled)).mean(),
        "score_generated": real_score(d(fakes)).mean(),
    }
    assert {name: terms[name].item() for name in expected} == pytest.approx({n: v.item() for n, v in expected.items()})
    total = 1.5 * expected["labelled"] + 0.5 * expected["unlabelled"] + 2 * expected["generated"]
    assert terms["loss"].item() == pytest.approx((total + 0.25 * expected["drift"]).item())
    assert not terms["score_real"].requires_grad


def test_the_non_saturating_adversary_is_the_same_game(networks, batch, generate):
    losses = []
    for adversary in ("k_plus_1", "non_saturating"):
        torch.manual_seed(3)
        losses.append(DiscriminatorObjective(generate, adversary=adversary)(networks, batch)["loss"].item())
    assert losses[0] == pytest.approx(losses[1])


@pytest.mark.parametrize("adversary", ADVERSARIES)
def test_steps_of_the_discriminator_part_real_from_generated(networks, batch, generate, adversary):
    optimizer = torch.optim.Adam(networks["discriminator"].parameters(), lr=2e-3)
    objective = DiscriminatorObjective(generate, adversary=adversary)
    gaps = []
    for _ in range(12):
        torch.manual_seed(0)
        terms = objective(networks, batch)
        optimizer.zero_grad()
        terms["loss"].backward()
        optimizer.step()
        gaps.append((terms["score_real"] - terms["score_generated"]).item())
    assert gaps[-1] > gaps[0]


def test_a_step_of_the_generator_raises_the_score_of_its_images(networks, batch, generate):
    optimizer = torch.optim.SGD(networks["generator"].parameters(), lr=1e-2)
    objective = GeneratorObjective(generate, 0.0, 1.0)

    def adversarial():
        torch.manual_seed(0)
        return objective(networks, batch)["adversarial"]

    before = adversarial()
    before.backward()
    optimizer.step()
    assert adversarial() < before


def test_noise_alone_and_an_encoder(batch):
    torch.manual_seed(0)
    large = {"unlabelled": {"image": batch["unlabelled"]["image"].repeat(1, 1, 2, 2, 2)}}
    networks = {
        "generator": NoiseGenerator(2, 32, noise_size=NOISE, width=2),
        "discriminator": WeightNormUNet(2, 4, width=2),
        "encoder": NoiseEncoder(2, noise_size=NOISE, width=2),
    }
    objective = GeneratorObjective(Generate(NOISE, from_image=False), 1.0, 0.0, recovery_weight=0.01)
    terms = objective(networks, large)
    assert set(terms) == {"loss", "features", "recovery"}
    terms["loss"].backward()
    assert all(gradients(networks["generator"]))
    assert all(gradients(networks["encoder"]))


def test_without_a_coarse_network_the_generator_sees_the_image_alone(batch, generate):
    networks = {
        "generator": ImageGenerator(2, coarse_channels=0, noise_size=NOISE, width=2),
        "discriminator": WeightNormUNet(2, 4, width=2),
    }
    assert brain_probability(networks, batch["labelled"]["image"]) is None
    terms = GeneratorObjective(generate, diversity_weight=1.0)(networks, batch)
    assert set(terms) == {"loss", "features", "adversarial", "diversity"}


@pytest.mark.parametrize("weight", [0.0, 0.5])
def test_supervised_is_cross_entropy_and_dice_on_labels_alone(networks, batch, weight):
    given = {"discriminator": networks["discriminator"]}
    terms = SupervisedObjective(dice_weight=weight)(given, {"labelled": batch["labelled"]})
    logits, label = networks["discriminator"](batch["labelled"]["image"]), batch["labelled"]["label"]
    dice = DiceLoss(softmax=True, to_onehot_y=True, squared_pred=True, smooth_nr=1e-6, smooth_dr=1e-6)(logits, label)
    assert terms["loss"].item() == pytest.approx((labelled_loss(logits, label) + weight * dice).item())


def test_a_generator_without_any_term_is_refused(generate):
    with pytest.raises(InputError, match="all weights"):
        GeneratorObjective(generate, 0.0, 0.0)


def test_autocast_agrees_with_float32(networks, batch, generate):
    found = []
    for enabled in (False, True):
        torch.manual_seed(0)
        with torch.autocast("cpu", torch.bfloat16, enabled=enabled):
            found.append(DiscriminatorObjective(generate)(networks, batch))
    for name, value in found[0].items():
        assert found[1][name].item() == pytest.approx(value.item(), rel=0.05, abs=0.02)
