"""The unified network's game: signs, who receives gradients, what each weight does, and that a batch is learnt."""

import pytest
import torch
import torch.nn.functional as F

from ganglion.engines.objectives.unified_multimodal import (
    CriticObjective,
    DiscriminatorObjective,
    GeneratorObjective,
    LabellingObjective,
    Segmentation,
    codes_of,
    seen_by_critic,
    true_maps,
    wanted_of,
)
from ganglion.losses import multi_scale_l1
from ganglion.networks import Critic, DomainDiscriminator, PlainUNet, UnifiedGenerator

NONE = {
    "segmentation_weight": 0.0,
    "shape_weight": 0.0,
    "adversarial_weight": 0.0,
    "contrast_weight": 0.0,
    "cycle_weight": 0.0,
    "distance_weight": 0.0,
}


@pytest.fixture
def networks():
    torch.manual_seed(0)
    return {
        "generator": UnifiedGenerator(3, base=4, levels=2, dropout=0.0),
        "discriminator": DomainDiscriminator(3, side=16, base=4, layers=3),
        "critic": Critic(1, width=4),
    }


@pytest.fixture
def batch():
    generator = torch.Generator().manual_seed(1)
    label = torch.zeros(6, 1, 16, 16)
    label[:, :, 4:10, 5:12] = 1
    contrast = torch.tensor([0, 0, 1, 1, 2, 2])
    image = 0.2 * torch.rand(6, 1, 16, 16, generator=generator) - 0.6 + 0.9 * label + 0.1 * contrast.view(-1, 1, 1, 1)
    return {"image": image, "label": label, "contrast": contrast}


def of_generator(**weights) -> GeneratorObjective:
    return GeneratorObjective(3, Segmentation(), **{**NONE, **weights})


def gradients(network: torch.nn.Module) -> list[bool]:
    return [parameter.grad is not None and bool(parameter.grad.any()) for parameter in network.parameters()]


# --- what the pieces are ------------------------------------------------------------------------------------------


def test_wanted_contrasts_are_those_of_the_batch_in_another_order():
    contrast = torch.arange(50) % 4
    wanted = wanted_of(contrast)
    assert sorted(wanted.tolist()) == sorted(contrast.tolist())
    assert wanted.tolist() != contrast.tolist()


def test_the_critic_sees_an_image_from_0_to_1_and_maps_without_the_background():
    image, maps = seen_by_critic(torch.tensor([-1.0, 1.0]).view(2, 1, 1, 1), torch.zeros(2, 3, 1, 1))
    assert image.flatten().tolist() == [0.0, 1.0]
    torch.testing.assert_close(maps, torch.full((2, 2, 1, 1), 1 / 3))
    assert true_maps(torch.tensor([0.0, 2.0]).view(2, 1, 1, 1), 3).flatten(1).tolist() == [[0.0, 0.0], [0.0, 1.0]]


def test_the_segmentation_loss_is_weighted_entropy_and_dice_of_the_batch(batch):
    logits, label = torch.randn(6, 2, 16, 16), batch["label"]
    p, y = logits.softmax(dim=1)[:, 1:], label
    dice = 1 - (2 * (p * y).sum() + 1e-5) / (p.sum() + y.sum() + 1e-5)
    entropy = F.cross_entropy(logits, label.squeeze(1).long(), weight=torch.tensor([0.02, 0.98]))
    torch.testing.assert_close(Segmentation([0.02, 0.98], dice_weight=2.0)(logits, label), entropy + 2 * dice)
    torch.testing.assert_close(Segmentation([0.02, 0.98], dice_weight=0.0)(logits, label), entropy)


def test_few_false_voxels_cost_less_with_the_sources_weights(batch):
    """Why labels spread: 0.02 for the background makes a rim of false tumour cheaper than a missed voxel."""
    label = batch["label"]
    rim, missed = F.max_pool2d(label, 3, 1, 1), -F.max_pool2d(-label, 3, 1, 1)
    losses = {}
    for name, weights in (("source", [0.02, 0.98]), ("ours", None)):
        loss = Segmentation(weights, dice_weight=0.0)
        losses[name] = [float(loss(torch.cat([4 - 8 * m, 8 * m - 4], 1), label)) for m in (rim, missed)]
    assert losses["source"][0] < 0.1 * losses["source"][1]
    assert losses["ours"][0] > losses["ours"][1]


# --- the discriminator --------------------------------------------------------------------------------------------


def test_the_discriminators_loss_moves_it_alone_and_its_terms_add_up(networks, batch):
    terms = DiscriminatorObjective(3, penalty_weight=7.0, contrast_weight=0.5)(networks, batch)
    expected = terms["score_drawn"] - terms["score_real"] + 7 * terms["penalty"] + 0.5 * terms["contrast"]
    torch.testing.assert_close(terms["loss"], expected)
    terms["loss"].backward()
    assert all(gradients(networks["discriminator"]))
    assert not any(gradients(networks["generator"]))


def test_a_step_of_the_discriminator_raises_real_and_lowers_drawn_scores(networks, batch):
    objective = DiscriminatorObjective(3, penalty_weight=0.0, contrast_weight=0.0)

    def gap() -> float:
        torch.manual_seed(3)
        terms = objective(networks, batch)
        return float((terms["score_real"] - terms["score_drawn"]).detach())

    before = gap()
    objective(networks, batch)["loss"].backward()
    torch.optim.SGD(networks["discriminator"].parameters(), lr=0.1).step()
    assert gap() > before


def test_the_contrast_is_learnt_from_real_images_alone(networks, batch):
    objective = DiscriminatorObjective(3, penalty_weight=0.0)
    terms = objective(networks, batch)
    told = networks["discriminator"](batch["image"])[1]
    torch.testing.assert_close(terms["contrast"], F.cross_entropy(told, batch["contrast"]))


# --- the generator ------------------------------------------------------------------------------------------------


def test_without_weights_nothing_moves(networks, batch):
    of_generator()(networks, batch)["loss"].backward()
    assert not any(gradients(networks["generator"]))


@pytest.mark.parametrize("name", [key.removesuffix("_weight") for key in NONE])
def test_each_weight_is_that_of_its_term(name, networks, batch):
    terms = of_generator(**{f"{name}_weight": 3.0})(networks, batch)
    torch.testing.assert_close(terms["loss"], 3 * terms[name])
    terms["loss"].backward()
    moved = {part for part, p in networks["generator"].named_parameters() if p.grad is not None and p.grad.any()}
    labels, translates = (any(part.startswith(start) for part in moved) for start in ("segmenter.dec", "translator"))
    assert labels == (name in ("segmentation", "shape", "distance"))
    assert translates == (name in ("shape", "adversarial", "contrast", "cycle"))


def test_translation_is_drawn_towards_higher_scores(networks, batch):
    objective = of_generator(adversarial_weight=1.0)

    def score() -> float:
        torch.manual_seed(3)
        return -float(objective(networks, batch)["adversarial"].detach())

    before = score()
    torch.manual_seed(3)
    objective(networks, batch)["loss"].backward()
    torch.optim.SGD(networks["generator"].parameters(), lr=0.1).step()
    assert score() > before


def test_the_weight_of_translated_labels_grows_and_its_count_is_kept(networks, batch):
    objective = of_generator(shape_weight=8.0)
    objective.shape_ramp = 4
    weights = []
    for _ in range(6):
        weights.append(objective.grown())
        objective(networks, batch)
    assert weights == [0.0, 2.0, 4.0, 6.0, 8.0, 8.0]
    other = of_generator(shape_weight=8.0)
    other.load_state_dict(objective.state_dict())
    assert other.updates == 6


@pytest.mark.parametrize("weight", ["shape_weight", "distance_weight"])
def test_what_is_not_weighed_is_not_compared(weight, networks, batch):
    weights = {"shape_weight": 1.0, "distance_weight": 1.0, weight: 0.0}
    if weight == "distance_weight":
        del networks["critic"]
    assert weight.removesuffix("_weight") not in of_generator(**weights)(networks, batch)


# --- the critic ---------------------------------------------------------------------------------------------------


def test_the_critic_widens_what_the_generator_narrows(networks, batch):
    generator, critic = networks["generator"].eval(), networks["critic"].eval()
    torch.manual_seed(2)
    loss = CriticObjective(3)(networks, batch)["loss"]
    torch.manual_seed(2)
    terms = of_generator(distance_weight=1.0)(networks, batch)
    torch.testing.assert_close(loss, -terms["distance"])
    torch.manual_seed(2)
    logits = generator.segment(batch["image"], codes_of(wanted_of(batch["contrast"]), 3, batch["image"]))
    seen, maps = seen_by_critic(batch["image"], logits)
    torch.testing.assert_close(-loss, multi_scale_l1(critic(seen, maps), critic(seen, batch["label"])))
    loss.backward()
    assert all(gradients(critic))
    assert not any(gradients(generator))


# --- together -----------------------------------------------------------------------------------------------------


def test_labels_are_learnt_on_one_batch(networks, batch):
    objective = GeneratorObjective(3, Segmentation(), 20.0, 20.0, adversarial_weight=0.0, distance_weight=1.0)
    optimizer = torch.optim.Adam(networks["generator"].parameters(), lr=3e-2)
    losses = []
    for _ in range(25):
        optimizer.zero_grad()
        terms = objective(networks, batch)
        terms["loss"].backward()
        optimizer.step()
        losses.append({name: float(term.detach()) for name, term in terms.items()})
    assert losses[-1]["segmentation"] < 0.5 * losses[0]["segmentation"]
    assert losses[-1]["shape"] < 0.7 * losses[0]["shape"]
    assert losses[-1]["cycle"] < 0.5 * losses[0]["cycle"]


def test_the_baseline_learns_labels_alone(batch):
    torch.manual_seed(0)
    network = PlainUNet(base=4, levels=2, dropout=0.0)
    terms = LabellingObjective(3, Segmentation())({"generator": network}, batch)
    assert set(terms) == {"loss", "segmentation"}
    torch.testing.assert_close(terms["loss"], Segmentation()(network.segmenter(batch["image"], None), batch["label"]))
    terms["loss"].backward()
    assert all(p.grad is not None for p in network.parameters())


@pytest.mark.parametrize(
    "objective", [DiscriminatorObjective(3), CriticObjective(3), of_generator(distance_weight=1.0)]
)
def test_autocast_agrees_with_float32_and_the_penalty_is_in_float32(objective, networks, batch):
    networks = {name: network.eval() for name, network in networks.items()}
    torch.manual_seed(4)
    wide = objective(networks, batch)["loss"]
    torch.manual_seed(4)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        narrow = objective(networks, batch)["loss"]
    assert float(narrow.detach()) == pytest.approx(float(wide.detach()), rel=0.05, abs=0.02)
