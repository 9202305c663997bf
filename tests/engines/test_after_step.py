"""Clamps and running averages: expected values are arithmetic."""

import copy

import pytest
import torch
from torch import nn

from ganglion.engines import AlternatingTrainer, ClampWeights, ExponentialAverage, Phase
from ganglion.errors import InputError


def critic():
    network = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.Linear(2, 1))
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.fill_(1.0)
    return network


@pytest.mark.parametrize(
    ("modules", "clamped"),
    [
        ("conv", {"0.weight"}),
        (["conv", "linear"], {"0.weight", "2.weight"}),
        ("all", {"0.weight", "0.bias", "1.weight", "1.bias", "2.weight", "2.bias"}),
    ],
)
def test_only_the_chosen_weights_are_clamped(modules, clamped):
    network = critic()
    ClampWeights(0.05, modules)([network])
    small = {name for name, value in network.named_parameters() if torch.all(value == 0.05)}
    kept = {name for name, value in network.named_parameters() if torch.all(value == 1.0)}
    assert small == clamped
    assert len(small) + len(kept) == 6


def test_the_clamp_is_two_sided_and_leaves_small_weights():
    layer = nn.Linear(3, 1)
    with torch.no_grad():
        layer.weight.copy_(torch.tensor([[-2.0, 0.01, 2.0]]))
    ClampWeights(0.05, "linear")([layer])
    assert layer.weight.tolist() == [pytest.approx([-0.05, 0.01, 0.05])]


def test_bad_clamps_are_named():
    with pytest.raises(InputError, match="limit is 0"):
        ClampWeights(0.0)
    with pytest.raises(InputError, match=r"unknown modules \['norm'\]"):
        ClampWeights(0.1, "norm")


def test_the_average_follows_a_weight_that_grows_by_one(scale):
    """Each step adds one to the weight; momentum 1/2 gives 0, 1/2, 5/4, 17/8."""
    model = scale(0.0)
    average = copy.deepcopy(model)
    keep = ExponentialAverage(average, momentum=0.5)
    seen = []
    for _ in range(3):
        with torch.no_grad():
            model.weight += 1.0
        keep([model])
        seen.append(average.weight.item())
    assert seen == [0.5, 1.25, 2.125]


def test_the_half_life_counts_images(scale):
    """A weight jumped from 0 to 1: after half_life_images images the average is one half, in steps of any size."""
    for images in (1, 4, 16):
        model, steps = scale(1.0), 64 // images
        average = scale(0.0)
        keep = ExponentialAverage(average, half_life_images=64, images_per_step=images)
        for _ in range(steps):
            keep([model])
        assert average.weight.item() == pytest.approx(0.5, rel=1e-5)


def test_buffers_are_copied_but_share_no_memory():
    """The catch of Ignite's handler: its copied buffers alias the live model's."""
    model = nn.BatchNorm1d(1)
    average = copy.deepcopy(model)
    ExponentialAverage(average, momentum=0.5)([model])
    kept = average.running_mean.clone()
    model.train()(torch.full((4, 1), 8.0))
    assert model.running_mean.item() == pytest.approx(0.8)
    assert torch.equal(average.running_mean, kept)
    ExponentialAverage(average, momentum=0.5)([model])
    assert average.running_mean.item() == pytest.approx(0.8)
    assert average.num_batches_tracked.item() == 1
    assert average.running_mean.data_ptr() != model.running_mean.data_ptr()


def test_two_averages_keep_their_own_momentum(scale):
    """The other catch: with Ignite's handler a warm-up drives one name whatever name is given."""
    model, slow, fast = scale(1.0), scale(0.0), scale(0.0)
    ExponentialAverage(slow, momentum=0.25)([model])
    ExponentialAverage(fast, momentum=0.75)([model])
    assert (slow.weight.item(), fast.weight.item()) == (0.25, 0.75)


@pytest.mark.parametrize("options", [{}, {"momentum": 0.0}, {"momentum": 2.0}, {"half_life_images": 100}])
def test_a_momentum_is_needed(scale, options):
    with pytest.raises(InputError, match="half_life_images together with images_per_step"):
        ExponentialAverage(scale(), **options)


def test_in_a_training_the_average_stays_in_eval_mode_and_is_updated_only_with_its_phase(scale, batches):
    model = nn.Sequential(nn.Linear(1, 1), nn.BatchNorm1d(1))
    average = copy.deepcopy(model)
    calls = []

    class Counting(ExponentialAverage):
        def __call__(self, networks):
            calls.append(average.training)
            super().__call__(networks)

    def objective(networks, batch):
        return {"loss": networks["a"](batch["image"]).square().mean()}

    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    phase = Phase("p", "a", optimizer, objective, every=2, after_step=Counting(average, momentum=0.5))
    trainer = AlternatingTrainer("cpu", 1, batches, {"a": model, "average": average}, "average", [phase])
    trainer.run()
    assert calls == [False, False, False]
    assert trainer.network is average
    assert "average" in trainer.state_dict()["networks"]


def test_with_a_ramp_the_half_life_grows_with_the_images_seen(scale):
    """After n images the half life is n / 2, up to 64: beta = 0.5 ** (step / half life)."""
    model, average = scale(1.0), scale(0.0)
    keep = ExponentialAverage(average, half_life_images=64, images_per_step=16, ramp=0.5)
    expected = 0.0
    for number in range(1, 11):
        beta = 0.5 ** (16 / min(64, 0.5 * 16 * number))
        expected = beta * expected + 1 - beta
        keep([model])
        assert average.weight.item() == pytest.approx(expected, rel=1e-5)
    assert keep.state_dict() == {"images": 160}


@pytest.mark.parametrize("options", [{"ramp": 0.0, "half_life_images": 8, "images_per_step": 1}, {"ramp": 0.1}])
def test_a_ramp_needs_images(scale, options):
    with pytest.raises(InputError, match="ramp is .* beside half_life_images and images_per_step"):
        ExponentialAverage(scale(), **{"momentum": 0.5, **options})


def test_the_images_seen_are_part_of_a_checkpoint(scale, batches):
    def build():
        model = scale(0.5)
        keep = ExponentialAverage(scale(), half_life_images=64, images_per_step=16, ramp=0.5)
        objective = lambda networks, batch: {"loss": networks["a"](batch["image"]).square().mean()}  # noqa: E731
        phase = Phase(
            "p", "a", torch.optim.SGD(model.parameters(), 0.1), objective, after_step=[lambda nets: None, keep]
        )
        return keep, AlternatingTrainer("cpu", 1, batches, {"a": model, "average": keep.average}, "average", [phase])

    keep, trainer = build()
    trainer.run()
    state = trainer.state_dict()
    assert state["after_steps"] == {"p": {"1": {"images": 16 * len(batches)}}}
    other, resumed = build()
    resumed.load_state_dict(state)
    assert other.images == keep.images > 0
    without = {key: value for key, value in state.items() if key != "after_steps"}
    build()[1].load_state_dict(without)
