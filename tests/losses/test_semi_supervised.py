"""The K+1 terms against the (K+1)-way softmax written out, in float64; their order, gradients and limits."""

import math

import pytest
import torch
import torch.nn.functional as F

from ganglion.losses import drift_penalty, generated_loss, labelled_loss, logit_drift, real_score, unlabelled_loss

K = 4


def logits_and_label(seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    logits = 3 * torch.randn(2, K, 3, 3, 3, generator=generator, dtype=torch.float64)
    return logits, torch.randint(K, (2, 1, 3, 3, 3), generator=generator)


def extended(logits: torch.Tensor) -> torch.Tensor:
    """Probabilities of K + 1 classes, the last logit being 0."""
    return torch.softmax(torch.cat([logits, torch.zeros_like(logits[:, :1])], dim=1), dim=1)


def test_unlabelled_term_is_minus_log_of_not_being_the_last_class():
    logits, _ = logits_and_label()
    expected = -(1 - extended(logits)[:, -1]).log().mean()
    assert unlabelled_loss(logits).item() == pytest.approx(expected.item(), rel=1e-12)


def test_generated_term_is_minus_log_of_the_last_class():
    logits, _ = logits_and_label()
    assert generated_loss(logits).item() == pytest.approx(-extended(logits)[:, -1].log().mean().item(), rel=1e-12)


def test_labelled_term_is_the_extended_softmax_renormalised_over_real_classes():
    logits, label = logits_and_label()
    real = extended(logits)[:, :K]
    true = (real / real.sum(dim=1, keepdim=True)).gather(1, label)
    assert labelled_loss(logits, label).item() == pytest.approx(-true.log().mean().item(), rel=1e-12)


def test_probability_of_real_is_z_over_z_plus_one():
    logits, _ = logits_and_label()
    z = logits.exp().sum(dim=1)
    assert torch.allclose(real_score(logits).sigmoid(), z / (z + 1), rtol=1e-12)
    assert torch.allclose(unlabelled_loss(logits), -(z / (z + 1)).log().mean(), rtol=1e-12)
    assert torch.allclose(generated_loss(logits), -(1 / (z + 1)).log().mean(), rtol=1e-12)


def test_the_printed_forms_are_another_thing():
    """log((Z / Z) + 1) is a constant; log((1 / Z) + 1) rewards a discriminator that takes fakes for real."""
    logits, _ = logits_and_label()
    z = logits.exp().sum(dim=1)
    assert torch.allclose(-(z / z + 1).log(), torch.full_like(z, -math.log(2)))
    printed = -(1 / z + 1).log().mean()
    assert printed < 0 < generated_loss(logits)


def test_class_weights_make_a_weighted_mean():
    logits, label = logits_and_label()
    weights = [0.33, 1.5, 0.83, 1.33]
    each = -torch.log_softmax(logits, dim=1).gather(1, label)
    weight = torch.tensor(weights, dtype=torch.float64)[label]
    assert labelled_loss(logits, label, weights).item() == pytest.approx(
        ((weight * each).sum() / weight.sum()).item(), rel=1e-7
    )
    assert torch.allclose(labelled_loss(logits, label, [2.0] * K), labelled_loss(logits, label))


def test_label_may_come_with_or_without_a_channel_and_of_any_type():
    logits, label = logits_and_label()
    expected = labelled_loss(logits, label)
    assert labelled_loss(logits, label[:, 0]) == expected
    assert labelled_loss(logits, label.float()) == expected
    assert labelled_loss(logits, label.to(torch.uint8)) == expected


def test_gradients_have_the_right_signs(gradient_of):
    logits, label = logits_and_label()
    assert (gradient_of(unlabelled_loss, logits) < 0).all()
    assert (gradient_of(generated_loss, logits) > 0).all()
    gradient = gradient_of(lambda tensor: labelled_loss(tensor, label), logits)
    true = torch.zeros_like(gradient).scatter_(1, label, 1.0).bool()
    assert (gradient[true] < 0).all()
    assert (gradient[~true] > 0).all()
    # a common shift is invisible to it
    assert torch.allclose(gradient.sum(dim=1), torch.zeros_like(gradient[:, 0]), atol=1e-15)


def test_worse_costs_more():
    logits, _ = logits_and_label()
    shifted = [logits + shift for shift in (-2.0, -1.0, 0.0, 1.0, 2.0)]
    unlabelled = [unlabelled_loss(each).item() for each in shifted]
    generated = [generated_loss(each).item() for each in shifted]
    assert unlabelled == sorted(unlabelled, reverse=True)
    assert generated == sorted(generated)
    right = torch.zeros(1, K, 1, 1, 1)
    right[:, 2] = 1.0
    costs = [labelled_loss(scale * right, torch.full((1, 1, 1, 1, 1), 2)).item() for scale in (-1.0, 0.0, 1.0, 5.0)]
    assert costs == sorted(costs, reverse=True)
    assert costs[1] == pytest.approx(math.log(K))


@pytest.mark.parametrize("level", [1e3, -1e3])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_values_and_gradients_are_finite_at_the_extremes(level, dtype, gradient_of):
    logits = torch.full((1, K, 2, 2, 2), level, dtype=dtype)
    logits[:, 1] = -level
    label = torch.zeros(1, 1, 2, 2, 2)
    terms = (unlabelled_loss, generated_loss, drift_penalty, lambda tensor: labelled_loss(tensor, label))
    for loss in terms:
        value, gradient = loss(logits), gradient_of(loss, logits)
        assert value.dtype == torch.float32
        assert torch.isfinite(value)
        assert torch.isfinite(gradient).all()


def test_a_wrong_extreme_still_has_a_gradient(gradient_of):
    """Through a sigmoid and a logarithm it would be exactly 0 or not a number."""
    low, high = torch.full((1, K, 1, 1, 1), -1e3), torch.full((1, K, 1, 1, 1), 1e3)
    assert gradient_of(unlabelled_loss, low).sum().item() == pytest.approx(-1.0, rel=1e-5)
    assert gradient_of(generated_loss, high).sum().item() == pytest.approx(1.0, rel=1e-5)
    assert unlabelled_loss(low).item() == pytest.approx(1e3 - math.log(K), rel=1e-6)


def test_terms_are_float32_under_autocast():
    logits, label = logits_and_label()
    half = logits.bfloat16()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        values = [unlabelled_loss(half), generated_loss(half), labelled_loss(half, label), drift_penalty(half)]
    expected = [unlabelled_loss(half.float()), generated_loss(half.float()), labelled_loss(half.float(), label)]
    assert [value.dtype for value in values] == [torch.float32] * 4
    assert torch.equal(torch.stack(values[:3]), torch.stack(expected))


def test_drift_is_what_the_labelled_term_cannot_see():
    logits, label = logits_and_label()
    logits = logits.float()
    for shift in (-50.0, 50.0):
        assert labelled_loss(logits + shift, label).item() == pytest.approx(
            labelled_loss(logits, label).item(), rel=1e-4
        )
        assert logit_drift(logits + shift).item() == pytest.approx(logit_drift(logits).item() + shift, rel=1e-4)
        assert drift_penalty(logits + shift) > drift_penalty(logits)
    assert not logit_drift(logits.requires_grad_(True)).requires_grad


def test_drift_penalty_is_the_mean_square_beyond_its_limit(gradient_of):
    logits = torch.full((1, 1, 2), 3.0)
    logits[..., 1] = -7.0
    assert drift_penalty(logits).item() == pytest.approx((9 + 49) / 2)
    assert drift_penalty(logits, limit=5.0).item() == pytest.approx((0 + 4) / 2)
    gradient = gradient_of(lambda tensor: drift_penalty(tensor, 5.0), logits)
    assert gradient.flatten().tolist() == pytest.approx([0.0, -2.0])


def test_fifty_steps_with_all_three_terms_tell_the_kinds_apart():
    """A table of logits, one row a kind of image, is what a perfect discriminator could reach."""
    label = torch.arange(K).reshape(1, K)
    labelled, unlabelled, generated = (torch.zeros(1, K, K, requires_grad=True) for _ in range(3))
    optimiser = torch.optim.Adam([labelled, unlabelled, generated], lr=0.4)
    for _ in range(50):
        optimiser.zero_grad()
        (labelled_loss(labelled, label) + unlabelled_loss(unlabelled) + generated_loss(generated)).backward()
        optimiser.step()
    assert torch.equal(labelled.argmax(dim=1), label)
    assert F.softplus(-real_score(unlabelled)).max() < 0.01
    assert F.softplus(real_score(generated)).max() < 0.01
