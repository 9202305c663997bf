"""Coarse and refining phases: gradients, terms, the ramp, and what is learnt on one batch."""

import pytest
import torch
from monai.losses import DiceLoss

from ganglion.engines.objectives.few_labels import brain_probability
from ganglion.engines.objectives.multistage_gan import CoarseObjective, RefinerObjective
from ganglion.losses import labelled_loss, posterior_consistency
from ganglion.networks import Refiner, WeightNormUNet


@pytest.fixture
def networks():
    torch.manual_seed(0)
    return {
        "coarse": WeightNormUNet(2, 2, width=2),
        "refiner": Refiner(2, width=4, dropout=0.0),
        "discriminator": WeightNormUNet(2, 4, width=2),
    }


def test_the_coarse_phase_learns_brain_from_background(networks, batch):
    optimizer = torch.optim.Adam(networks["coarse"].parameters(), lr=5e-3)
    dice = []
    for _ in range(30):
        terms = CoarseObjective()(networks, batch)
        optimizer.zero_grad()
        terms["loss"].backward()
        optimizer.step()
        dice.append(terms["dice"].item())
    assert terms["loss"].item() == pytest.approx((terms["dice"] + terms["cross_entropy"]).item())
    assert dice[-1] < 0.5 * dice[0]
    brain = brain_probability(networks, batch["labelled"]["image"]) > 0.5
    assert (brain == (batch["labelled"]["label"] > 0)).float().mean() > 0.9


def test_the_refiner_moves_alone(networks, batch):
    RefinerObjective(threshold=0.0)(networks, batch)["loss"].backward()
    assert all(p.grad is not None for p in networks["refiner"].parameters())
    assert all(p.grad is None for name in ("coarse", "discriminator") for p in networks[name].parameters())


def test_terms_are_what_they_are_called(networks, batch):
    terms = RefinerObjective([0.33, 1.5, 0.83, 1.33], 2.0, 0.5, threshold=0.0)(networks, batch)
    image, label, other = (
        batch["labelled"]["image"],
        batch["labelled"]["label"],
        batch["unlabelled"]["image"],
    )
    logits = networks["refiner"](image, brain_probability(networks, image))
    theirs = networks["refiner"](other, brain_probability(networks, other))
    dice = DiceLoss(softmax=True, to_onehot_y=True, squared_pred=True, smooth_nr=1e-6, smooth_dr=1e-6)(logits, label)
    entropy = labelled_loss(logits, label, [0.33, 1.5, 0.83, 1.33])
    consistency, sure = posterior_consistency(theirs, networks["discriminator"](other), threshold=0.0)
    assert terms["sure"].item() == sure.item() == 1
    assert terms["consistency"].item() == pytest.approx(consistency.item(), rel=1e-4)
    assert terms["loss"].item() == pytest.approx((entropy + 2 * dice + 0.5 * consistency).item(), rel=1e-4)


def test_the_ramp_grows_and_survives_a_checkpoint(networks, batch):
    objective = RefinerObjective(consistency_weight=0.5, ramp=4)
    weights = [objective(networks, batch)["consistency_weight"].item() for _ in range(3)]
    resumed = RefinerObjective(consistency_weight=0.5, ramp=4)
    resumed.load_state_dict(objective.state_dict())
    weights += [resumed(networks, batch)["consistency_weight"].item() for _ in range(3)]
    assert weights == pytest.approx([0, 0.125, 0.25, 0.375, 0.5, 0.5])


def test_without_consistency_neither_discriminator_nor_unlabelled_images_are_needed(networks, batch):
    terms = RefinerObjective(consistency_weight=0.0)(
        {"refiner": networks["refiner"], "coarse": networks["coarse"]}, {"labelled": batch["labelled"]}
    )
    assert set(terms) == {"loss", "cross_entropy", "dice"}


def test_fifty_steps_on_one_batch_learn_it(networks, batch):
    optimizer = torch.optim.Adam(networks["refiner"].parameters(), lr=5e-3)
    dice = []
    for _ in range(50):
        terms = RefinerObjective(consistency_weight=0.0)(networks, batch)
        optimizer.zero_grad()
        terms["loss"].backward()
        optimizer.step()
        dice.append(terms["dice"].item())
    assert dice[-1] < 0.5 * dice[0]


@pytest.mark.parametrize("scale", [-1e3, 1e3])
def test_finite_at_extreme_inputs(networks, batch, scale):
    batch["labelled"]["image"] = batch["labelled"]["image"] * scale
    batch["unlabelled"]["image"] = batch["unlabelled"]["image"] * scale
    for objective, name in ((CoarseObjective(), "coarse"), (RefinerObjective(), "refiner")):
        terms = objective(networks, batch)
        terms["loss"].backward()
        assert all(torch.isfinite(value) for value in terms.values())
        assert all(torch.isfinite(p.grad).all() for p in networks[name].parameters())
