"""The divergence against torch's distributions, who is moved, and which voxels count."""

import pytest
import torch
from torch.distributions import Categorical, kl_divergence

from ganglion.losses import posterior_consistency


def pair(seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return tuple(2 * torch.randn(2, 4, 3, 3, generator=generator, dtype=torch.float64) for _ in range(2))


@pytest.mark.parametrize("temperature", [1.0, 2.0])
def test_value_is_the_mean_divergence_over_voxels(temperature):
    logits, teacher = pair()
    p, q = (Categorical(logits=each.movedim(1, -1)) for each in (teacher / temperature, logits))
    loss, share = posterior_consistency(logits, teacher, temperature, threshold=0.0)
    assert loss.item() == pytest.approx(kl_divergence(p, q).mean().item(), rel=1e-12)
    assert share == 1


def test_voxels_of_which_the_teacher_is_not_sure_count_as_zero():
    logits, teacher = pair()
    sure = teacher.softmax(dim=1).amax(dim=1) >= 0.8
    assert 0 < sure.double().mean() < 1
    p, q = (Categorical(logits=each.movedim(1, -1)) for each in (teacher, logits))
    loss, share = posterior_consistency(logits, teacher, threshold=0.8)
    assert loss.item() == pytest.approx((kl_divergence(p, q) * sure).mean().item(), rel=1e-12)
    assert share.item() == pytest.approx(sure.double().mean().item())


def test_only_the_learner_is_moved_and_only_where_the_teacher_is_sure(gradient_of):
    logits, teacher = pair()
    teacher.requires_grad_(True)
    gradient = gradient_of(lambda tensor: posterior_consistency(tensor, teacher)[0], logits)
    assert teacher.grad is None
    moved = gradient.abs().sum(dim=1) > 0
    assert torch.equal(moved, teacher.detach().softmax(dim=1).amax(dim=1) >= 0.8)


def test_gradient_leads_to_the_teacher():
    logits, teacher = (each.detach() for each in pair())
    logits.requires_grad_(True)
    optimiser = torch.optim.Adam([logits], lr=0.3)
    for _ in range(100):
        optimiser.zero_grad()
        loss, _ = posterior_consistency(logits, teacher, threshold=0.0)
        loss.backward()
        optimiser.step()
    assert loss < 0.01
    assert torch.equal(logits.argmax(dim=1), teacher.argmax(dim=1))


def test_farther_costs_more_and_agreement_nothing():
    _, teacher = pair()
    other = teacher.flip(1)
    mixes = [torch.lerp(teacher, other, share) for share in (0.0, 0.3, 0.6, 1.0)]
    costs = [posterior_consistency(mix, teacher, threshold=0.0)[0].item() for mix in mixes]
    assert costs == sorted(costs)
    assert costs[0] == pytest.approx(0.0, abs=1e-12)


def test_a_teacher_who_is_never_sure_costs_nothing():
    logits, _ = pair()
    loss, share = posterior_consistency(logits, torch.zeros_like(logits))
    assert (loss, share) == (0, 0)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_finite_at_the_extremes_and_in_float32(dtype, gradient_of):
    logits = torch.tensor([1e3, -1e3, 0.0], dtype=dtype).reshape(1, 3, 1)
    for teacher in (logits, -logits, 0 * logits):
        with torch.autocast("cpu", dtype=torch.bfloat16):
            loss, _ = posterior_consistency(logits, teacher, threshold=0.0)
        assert loss.dtype == torch.float32
        assert torch.isfinite(loss)
        gradient = gradient_of(lambda own: posterior_consistency(own, teacher, threshold=0.0)[0], logits)  # noqa: B023
        assert torch.isfinite(gradient).all()
