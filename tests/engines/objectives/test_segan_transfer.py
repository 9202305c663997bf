"""The min-max game: signs, who receives gradients, weights at zero, and that training on one batch learns it."""

import pytest
import torch
from monai.losses import DiceLoss

from ganglion.engines.objectives.segan_transfer import CriticObjective, SegmenterObjective
from ganglion.losses import multi_scale_l1
from ganglion.networks import Critic, Segmenter


@pytest.fixture
def networks():
    torch.manual_seed(0)
    return {"segmenter": Segmenter(1, width=4), "critic": Critic(1, width=4)}


@pytest.fixture
def batch():
    generator = torch.Generator().manual_seed(1)
    label = torch.zeros(4, 1, 32, 32)
    label[:, :, 8:20, 10:24] = 1
    image = 0.3 * torch.rand(4, 1, 32, 32, generator=generator) + 0.6 * label
    return {"image": image, "label": label}


class DrawsMap(torch.nn.Module):
    """A segmenter whose logits are its only parameter, so that gradients are those of the map."""

    def __init__(self, logits: torch.Tensor) -> None:
        super().__init__()
        self.logits = torch.nn.Parameter(logits)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return self.logits


def test_critic_maximises_what_the_segmenter_minimises(networks, batch):
    networks = {name: network.eval() for name, network in networks.items()}
    critic_loss = CriticObjective()(networks, batch)["loss"]
    distance = SegmenterObjective(dice_weight=0.0)(networks, batch)["loss"]
    assert critic_loss < 0 < distance
    assert critic_loss.item() == pytest.approx(-distance.item())


def test_a_step_against_each_gradient_moves_the_distance_the_right_way(networks, batch):
    """The sign test: after the critic's step the distance is larger, after the segmenter's smaller."""

    def distance() -> float:
        with torch.no_grad():
            return SegmenterObjective(dice_weight=0.0)(networks, batch)["distance"].item()

    for name, objective, grows in (
        ("critic", CriticObjective(), True),
        ("segmenter", SegmenterObjective(dice_weight=0.0), False),
    ):
        optimizer = torch.optim.SGD(networks[name].parameters(), lr=1e-2)
        before = distance()
        optimizer.zero_grad()
        objective(networks, batch)["loss"].backward()
        optimizer.step()
        assert (distance() > before) is grows
        networks["segmenter"].zero_grad()
        networks["critic"].zero_grad()


def test_the_segmenters_map_is_pulled_towards_the_truth(batch):
    critic = Critic(1, width=4).eval()
    segmenter = DrawsMap(torch.zeros(4, 1, 32, 32))
    SegmenterObjective()({"segmenter": segmenter, "critic": critic}, batch)["loss"].backward()
    inside, outside = batch["label"] == 1, batch["label"] == 0
    assert segmenter.logits.grad[inside].mean() < 0 < segmenter.logits.grad[outside].mean()


def test_the_critics_loss_leaves_the_segmenter_alone(networks, batch):
    CriticObjective()(networks, batch)["loss"].backward()
    assert all(p.grad is None for p in networks["segmenter"].parameters())
    assert all(p.grad is not None for p in networks["critic"].parameters())


def test_terms_are_what_they_are_called(networks, batch):
    networks = {name: network.eval() for name, network in networks.items()}
    terms = SegmenterObjective(distance_weight=0.5, dice_weight=2.0)(networks, batch)
    p = networks["segmenter"](batch["image"]).sigmoid()
    features = [networks["critic"](batch["image"], m) for m in (p, batch["label"])]
    assert terms["distance"].item() == pytest.approx(multi_scale_l1(*features).item())
    assert terms["loss"].item() == pytest.approx(0.5 * terms["distance"].item() + 2.0 * terms["dice"].item())
    y = batch["label"]
    per_image = 1 - (2 * (p * y).sum((1, 2, 3)) + 1e-6) / ((p * p).sum((1, 2, 3)) + y.sum((1, 2, 3)) + 1e-6)
    assert terms["dice"].item() == pytest.approx(per_image.mean().item(), rel=1e-6)


def test_without_distance_weight_the_critic_is_never_called(batch):
    segmenter = Segmenter(1, width=4)
    terms = SegmenterObjective(distance_weight=0.0)({"segmenter": segmenter}, batch)
    assert set(terms) == {"loss", "dice"}


def test_both_weights_zero_move_nothing(networks, batch):
    loss = SegmenterObjective(distance_weight=0.0, dice_weight=0.0)(networks, batch)["loss"]
    loss.backward()
    assert all(p.grad is None or not p.grad.any() for p in networks["segmenter"].parameters())


@pytest.mark.parametrize("logit", [-1e3, 1e3])
@pytest.mark.parametrize("empty", [True, False])
def test_finite_at_extreme_logits_and_on_empty_masks(batch, logit, empty):
    if empty:
        batch["label"] = torch.zeros_like(batch["label"])
    segmenter = DrawsMap(torch.full((4, 1, 32, 32), logit))
    networks = {"segmenter": segmenter, "critic": Critic(1, width=4)}
    for objective in (CriticObjective(), SegmenterObjective()):
        terms = objective(networks, batch)
        terms["loss"].backward()
        assert all(torch.isfinite(t) for t in terms.values())
    assert torch.isfinite(segmenter.logits.grad).all()


def test_autocast_agrees_with_float32(networks, batch):
    networks = {name: network.eval() for name, network in networks.items()}
    exact = SegmenterObjective()(networks, batch)
    with torch.autocast("cpu", torch.bfloat16):
        rounded = SegmenterObjective()(networks, batch)
    for name, value in exact.items():
        assert rounded[name].item() == pytest.approx(value.item(), rel=0.03)


def test_fifty_steps_on_one_batch_learn_it(networks, batch):
    critic_optimizer = torch.optim.Adam(networks["critic"].parameters(), lr=2e-4)
    optimizer = torch.optim.Adam(networks["segmenter"].parameters(), lr=2e-3)
    overlaps = []
    for _ in range(50):
        for objective, opt in ((CriticObjective(), critic_optimizer), (SegmenterObjective(), optimizer)):
            networks["critic"].zero_grad()
            networks["segmenter"].zero_grad()
            terms = objective(networks, batch)
            terms["loss"].backward()
            opt.step()
        overlaps.append(terms["dice"].item())
    assert overlaps[-1] < 0.5 * overlaps[0]
    assert DiceLoss(sigmoid=True)(networks["segmenter"](batch["image"]), batch["label"]) < 0.3


def test_map_distance_reaches_the_map_where_nothing_is_labelled(batch):
    """Dice has next to no gradient on a slice without tumour; the L1 distance of the maps has one everywhere."""
    empty = {"image": batch["image"], "label": torch.zeros_like(batch["label"])}
    drawn = {"segmenter": DrawsMap(torch.zeros_like(batch["label"]))}
    pull = {}
    for name, weights in {"dice": {"dice_weight": 1.0}, "map": {"dice_weight": 0.0, "map_weight": 1.0}}.items():
        terms = SegmenterObjective(distance_weight=0.0, **weights)(drawn, empty)
        (pull[name],) = torch.autograd.grad(terms["loss"], drawn["segmenter"].logits)
    assert terms["map"].item() == pytest.approx(0.5)  # |0.5 - 0| everywhere
    assert (pull["map"] > 0).all()
    assert pull["dice"].abs().max() < 1e-6 * pull["map"].max()
