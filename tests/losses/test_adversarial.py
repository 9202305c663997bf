"""Each kind against its formula written with probabilities, and the game: who gains when what looks how."""

import math

import pytest
import torch
from monai.losses import PatchAdversarialLoss

from ganglion.losses import discriminator_loss, generated_loss, generator_loss, real_score, unlabelled_loss
from ganglion.losses.adversarial import KINDS

LABEL = torch.tensor([0, 1, 2])


def classified(kind: str, sure: float = 1.0) -> list[tuple[torch.Tensor, torch.Tensor]]:
    return [(sure * torch.eye(3), LABEL)] if kind == "auxiliary_classifier" else []


def scores(seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return tuple(torch.randn(2, 3, 3, generator=generator, dtype=torch.float64) for _ in range(2))


def in_words(kind: str, real: torch.Tensor, generated: torch.Tensor) -> tuple[float, float]:
    """Discriminator's and generator's loss as the papers write them, with D = sigmoid(score)."""
    d_real, d_generated = 1 / (1 + (-real).exp()), 1 / (1 + (-generated).exp())
    entropy = -(d_real.log().mean() + (1 - d_generated).log().mean())
    classes = -math.log(math.e / (math.e + 2)) if kind == "auxiliary_classifier" else 0.0
    pair = {
        "minimax": (entropy, (1 - d_generated).log().mean()),
        "non_saturating": (entropy, -d_generated.log().mean()),
        "wasserstein": (-real.mean() + generated.mean(), -generated.mean()),
        "wasserstein_gp": (-real.mean() + generated.mean(), -generated.mean()),
        "least_squares": (((real - 1) ** 2).mean() + (generated**2).mean(), ((generated - 1) ** 2).mean()),
        "auxiliary_classifier": (entropy + classes, -d_generated.log().mean() + classes),
    }[kind]
    return pair[0].item(), pair[1].item()


@pytest.mark.parametrize("kind", KINDS)
def test_values_are_those_of_the_papers(kind):
    real, generated = scores()
    expected = in_words(kind, real, generated)
    assert discriminator_loss(real, generated, kind, classified(kind)).item() == pytest.approx(expected[0], rel=1e-7)
    assert generator_loss(generated, kind, classified(kind)).item() == pytest.approx(expected[1], rel=1e-7)


@pytest.mark.parametrize("kind", KINDS)
def test_the_discriminator_gains_when_it_tells_real_from_generated_better(kind):
    steps = [(0.5 + gap, 0.5 - gap) for gap in (-0.5, -0.2, 0.0, 0.2, 0.5)]  # least squares wants 1 and 0, no more
    costs = [
        discriminator_loss(torch.full((4,), real), torch.full((4,), made), kind, classified(kind)).item()
        for real, made in steps
    ]
    assert costs == sorted(costs, reverse=True)
    assert len(set(costs)) == len(costs)


@pytest.mark.parametrize("kind", KINDS)
def test_the_generator_gains_when_its_images_look_more_real(kind):
    costs = [generator_loss(torch.full((4,), made), kind, classified(kind)).item() for made in (-2.0, -1.0, 0.0, 1.0)]
    assert costs == sorted(costs, reverse=True)
    assert len(set(costs)) == len(costs)


@pytest.mark.parametrize("kind", KINDS)
def test_gradients_pull_in_opposite_directions(kind, gradient_of):
    real, generated = torch.full((3,), 0.4), torch.full((3,), 0.6)
    wish = classified(kind)
    assert (gradient_of(lambda score: discriminator_loss(score, generated, kind, wish), real) < 0).all()
    assert (gradient_of(lambda score: discriminator_loss(real, score, kind, wish), generated) > 0).all()
    assert (gradient_of(lambda score: generator_loss(score, kind, wish), generated) < 0).all()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("level", [1e3, -1e3])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_finite_at_the_extremes_and_in_float32(kind, level, dtype, gradient_of):
    high, low = torch.full((3,), level, dtype=dtype), torch.full((3,), -level, dtype=dtype)
    wish = classified(kind, 1e3)
    losses = (
        (lambda score: discriminator_loss(score, low, kind, wish), high),
        (lambda score: discriminator_loss(high, score, kind, wish), low),
        (lambda score: generator_loss(score, kind, wish), high),
    )
    with torch.autocast("cpu", dtype=torch.bfloat16):
        for loss, score in losses:
            value = loss(score)
            assert value.dtype == torch.float32
            assert torch.isfinite(value)
            assert torch.isfinite(gradient_of(loss, score)).all()


def test_only_minimax_leaves_a_generator_that_is_found_out_without_a_gradient(gradient_of):
    found_out = torch.full((1,), -50.0)
    gradients = {
        kind: gradient_of(lambda score: generator_loss(score, kind, classified(kind)), found_out).item()  # noqa: B023
        for kind in KINDS
    }
    assert gradients.pop("minimax") == pytest.approx(0.0, abs=1e-12)
    assert all(gradient <= -0.99 for gradient in gradients.values())


def test_least_squares_agrees_with_monai():
    real, generated = scores()
    theirs = PatchAdversarialLoss(criterion="least_squares", no_activation_leastsq=True)
    both = theirs(real, True, True) + theirs(generated, False, True)
    assert torch.allclose(discriminator_loss(real, generated, "least_squares"), both)
    assert torch.allclose(generator_loss(generated, "least_squares"), theirs(generated, True, False))


def test_non_saturating_scores_of_k_classes_give_the_semi_supervised_terms():
    generator = torch.Generator().manual_seed(1)
    real, made = (torch.randn(2, 4, 3, 3, generator=generator) for _ in range(2))
    expected = unlabelled_loss(real) + generated_loss(made)
    assert torch.allclose(discriminator_loss(real_score(real), real_score(made)), expected)


def test_auxiliary_classifier_charges_both_sides_for_wrong_classes():
    real, generated = (score.float() for score in scores())
    for loss in (
        lambda wish: discriminator_loss(real, generated, "auxiliary_classifier", wish),
        lambda wish: generator_loss(generated, "auxiliary_classifier", wish),
    ):
        costs = [loss(classified("auxiliary_classifier", sure)).item() for sure in (-2.0, 0.0, 2.0)]
        assert costs == sorted(costs, reverse=True)
        one, two = loss(classified("auxiliary_classifier")), loss(2 * classified("auxiliary_classifier"))
        assert two - one == pytest.approx(-math.log(math.e / (math.e + 2)), rel=1e-5)


def test_faults_are_named():
    score = torch.zeros(2)
    with pytest.raises(ValueError, match="kind is 'hinge', expected one of minimax, non_saturating, wasserstein"):
        discriminator_loss(score, score, "hinge")
    with pytest.raises(ValueError, match="kind 'auxiliary_classifier' needs classified"):
        generator_loss(score, "auxiliary_classifier")
    with pytest.raises(ValueError, match="kind 'minimax' takes no classified"):
        generator_loss(score, "minimax", classified("auxiliary_classifier"))
