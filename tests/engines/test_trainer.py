"""The trainer's arithmetic on two-weight models: expected values are worked out by hand or by a plain loop."""

import copy

import pytest
import torch
from ignite.engine import Events
from monai.engines import SupervisedTrainer
from monai.engines.utils import IterationEvents
from monai.handlers import from_engine
from torch import nn

from ganglion.engines import AlternatingTrainer, Phase, Streams
from ganglion.errors import DivergedError, InputError


class Squared:
    """Mean squared error of one network, times a weight; counts its calls and remembers modes and gradients."""

    def __init__(self, name, weight=1.0, check=None):
        self.name, self.weight, self.check, self.calls = name, weight, check, 0

    def __call__(self, networks, batch):
        self.calls += 1
        if self.check is not None:
            self.check(networks)
        error = (networks[self.name](batch["image"]) - batch["label"]).square().mean()
        return {"loss": self.weight * error, "error": error}


def sgd(module, lr=0.1):
    return torch.optim.SGD(module.parameters(), lr=lr)


def train(networks, phases, data, epochs=1, deployed="a", **options):
    trainer = AlternatingTrainer("cpu", epochs, data, networks, deployed, phases, **options)
    trainer.outputs = []
    trainer.add_event_handler(Events.ITERATION_COMPLETED, lambda e: trainer.outputs.append(dict(e.state.output[0])))
    trainer.run()
    return trainer


def test_one_step_is_the_hand_computed_one(scale):
    # y = 2x, x = (1, 2), target (1, 0): error ((2-1)^2 + 4^2) / 2 = 8.5
    # d/dw = mean(2 (y-t) x) = (2*1*1 + 2*4*2) / 2 = 9; d/db = mean(2 (y-t)) = (2 + 8) / 2 = 5
    model = scale(2.0, 0.0)
    data = [{"image": torch.tensor([[1.0], [2.0]]), "label": torch.tensor([[1.0], [0.0]])}]
    trainer = train({"a": model}, [Phase("p", "a", sgd(model), Squared("a"))], data)
    assert model.weight.item() == pytest.approx(2.0 - 0.9)
    assert model.bias.item() == pytest.approx(-0.5)
    assert trainer.outputs == [{"loss": 8.5, "p/loss": 8.5, "p/error": 8.5}]


def test_it_is_a_supervised_trainer_of_the_deployed_network(scale, batches):
    nets = {"a": scale(), "b": scale()}
    phases = [Phase("first", "b", sgd(nets["b"]), Squared("b")), Phase("second", "a", sgd(nets["a"]), Squared("a"))]
    trainer = train(nets, phases, batches)
    assert isinstance(trainer, SupervisedTrainer)
    assert trainer.network is nets["a"]
    assert trainer.optimizer is phases[1].optimizer
    assert trainer.state.max_epochs == 1
    assert [o["loss"] for o in trainer.outputs] == [o["second/loss"] for o in trainer.outputs]
    # What MONAI's logging handlers and its MLflow patch read.
    assert from_engine(["loss"], first=True)(trainer.state.output) == trainer.outputs[-1]["loss"]


def test_gradients_are_open_for_the_phases_own_network_only(scale, batches):
    nets = {"a": scale(1.0), "b": scale(1.0), "frozen": scale(1.0)}
    seen = []

    def check(open_name):
        def look(networks):
            seen.append({n: all(p.requires_grad for p in m.parameters()) for n, m in networks.items()})

        return look

    class Joint(Squared):
        """Touches all three networks."""

        def __call__(self, networks, batch):
            terms = super().__call__(networks, batch)
            return {"loss": terms["loss"] + sum(m(batch["image"]).mean() for m in networks.values())}

    phases = [Phase(n, n, sgd(nets[n], 0.01), Joint(n, check=check(n))) for n in ("a", "b")]
    gradients = []
    trainer = AlternatingTrainer("cpu", 1, batches[:1], nets, "a", phases)

    @trainer.on(IterationEvents.BACKWARD_COMPLETED)
    def _():
        gradients.append({n: [p.grad is not None for p in m.parameters()] for n, m in nets.items()})

    trainer.run()
    assert seen == [{"a": True, "b": False, "frozen": False}, {"a": False, "b": True, "frozen": False}]
    assert gradients == [
        {"a": [True, True], "b": [False, False], "frozen": [False, False]},
        {"a": [False, False], "b": [True, True], "frozen": [False, False]},
    ]
    assert nets["frozen"].weight.item() == 1.0
    assert nets["a"].weight.item() != 1.0
    assert nets["b"].weight.item() != 1.0


def test_an_objective_of_weight_zero_moves_nothing(scale, batches):
    nets = {"a": scale(0.5, 0.5), "b": scale(0.5, 0.5)}
    phases = [Phase("p", "a", sgd(nets["a"]), Squared("a", 0.0)), Phase("q", "b", sgd(nets["b"]), Constant())]
    train(nets, phases, batches)
    assert all(p.item() == 0.5 for net in nets.values() for p in net.parameters())


class Constant:
    """A loss that depends on no weight."""

    def __call__(self, networks, batch):
        return {"loss": torch.ones(())}


def test_modes_after_a_validation_and_of_frozen_networks(scale, batches):
    nets = {"a": scale(), "frozen": nn.BatchNorm1d(1)}
    modes = []
    objective = Squared("a", check=lambda networks: modes.append((nets["a"].training, nets["frozen"].training)))
    trainer = AlternatingTrainer("cpu", 2, batches[:1], nets, "a", [Phase("p", "a", sgd(nets["a"]), objective)])
    trainer.add_event_handler(Events.EPOCH_COMPLETED, lambda: [net.eval() for net in nets.values()])
    trainer.run()
    assert modes == [(True, False), (True, False)]


@pytest.mark.parametrize("order", [("a", "whole"), ("whole", "a")])
def test_a_deployed_network_may_hold_the_trained_ones(scale, batches, order):
    """The whole is trained by way of its part: whatever the order of the names, the part is in training mode."""
    part = scale()
    nets = {"a": part, "whole": nn.Sequential(part, nn.Dropout(0.5))}
    modes = []
    objective = Squared("a", check=lambda networks: modes.append((part.training, nets["whole"][1].training)))
    trainer = AlternatingTrainer(
        "cpu", 1, batches[:1], {name: nets[name] for name in order}, "whole", [Phase("p", "a", sgd(part), objective)]
    )
    before = part.weight.item()
    trainer.run()
    assert modes == [(True, False)]
    assert trainer.network is nets["whole"]
    assert nets["whole"].state_dict()["0.weight"].item() == part.weight.item() != before
    fresh = AlternatingTrainer("cpu", 1, batches[:1], nets, "whole", [Phase("p", "a", sgd(part), objective)])
    fresh.load_state_dict(trainer.state_dict())


def test_a_frozen_critic_keeps_its_statistics_but_passes_gradients(scale, batches):
    critic = nn.BatchNorm1d(1)
    before = copy.deepcopy(critic.state_dict())
    model = scale(1.0)

    def through(networks, batch):
        return {"loss": networks["critic"](networks["a"](batch["image"])).mean()}

    train({"a": model, "critic": critic}, [Phase("p", "a", sgd(model), through)], batches)
    assert all(torch.equal(value, before[name]) for name, value in critic.state_dict().items())
    assert model.weight.item() != 1.0


def test_lazy_phases_and_late_ones_run_when_they_are_due(scale, batches):
    nets = {"a": scale(), "b": scale()}
    lazy, late, plain = Squared("b"), Squared("b"), Squared("a")
    phases = [
        Phase("plain", "a", sgd(nets["a"], 1e-3), plain),
        Phase("lazy", "b", sgd(nets["b"], 1e-3), lazy, every=4),
        Phase("late", "b", sgd(nets["b"], 1e-3), late, start_epoch=3),
    ]
    trainer = train(nets, phases, batches, epochs=3)
    assert (plain.calls, lazy.calls, late.calls) == (18, 4, 6)
    assert [n for n, o in enumerate(trainer.outputs, 1) if "lazy/loss" in o] == [4, 8, 12, 16]
    assert [n for n, o in enumerate(trainer.outputs, 1) if "late/loss" in o] == list(range(13, 19))


def test_loss_is_there_in_every_iteration(scale, batches):
    nets = {"a": scale(), "b": scale()}
    phases = [
        Phase("critic", "b", sgd(nets["b"], 1e-3), Squared("b")),
        Phase("generator", "a", sgd(nets["a"], 1e-3), Squared("a"), every=3),
    ]
    outputs = train(nets, phases, batches).outputs
    assert [o["loss"] for o in outputs[:2]] == [o["critic/loss"] for o in outputs[:2]]
    assert outputs[2]["loss"] == outputs[2]["generator/loss"]
    assert outputs[3]["loss"] == outputs[4]["loss"] == outputs[2]["loss"]
    nothing = train(nets, [Phase("p", "a", sgd(nets["a"]), Squared("a"), start_epoch=2)], batches).outputs
    assert [o["loss"] for o in nothing] == [0.0] * 6


def adversarial(networks, batch):
    """A segmenter's loss that depends on the critic's present weights."""
    return {"loss": -networks["critic"](networks["a"](batch["image"])).mean()}


def critic_distance(networks, batch):
    fake = networks["a"](batch["image"]).detach()
    return {"loss": (networks["critic"](fake) - networks["critic"](batch["label"])).square().mean()}


@pytest.mark.parametrize("sizes", [[2, 2, 2, 2], [2, 2, 2], [3, 1, 2]])
def test_accumulation_equals_one_big_batch_for_alternating_phases(scale, sizes):
    """Also where batches differ in size, and where a second phase depends on the first one's step."""
    generator = torch.Generator().manual_seed(1)
    image = torch.randn(sum(sizes), 1, generator=generator, dtype=torch.float64)
    label = torch.randn(sum(sizes), 1, generator=generator, dtype=torch.float64)
    small = [{"image": i, "label": t} for i, t in zip(image.split(sizes), label.split(sizes), strict=True)]
    half = [2] if len(sizes) == 4 else [len(sizes)]  # windows of two of four, or all at once
    size = half[0]
    groups = [small[n : n + size] for n in range(0, len(small), size)]
    big = [{k: torch.cat([b[k] for b in group]) for k in ("image", "label")} for group in groups]

    def run(data, accumulate):
        nets = {"a": scale(0.7, 0.1).double(), "critic": scale(-0.4, 0.2).double()}
        phases = [
            Phase("critic", "critic", torch.optim.Adam(nets["critic"].parameters(), 0.05), critic_distance),
            Phase("a", "a", torch.optim.Adam(nets["a"].parameters(), 0.05), adversarial, grad_clip=0.1),
        ]
        trainer = train(nets, phases, data, epochs=3, accumulate=accumulate)
        return [p.item() for net in nets.values() for p in net.parameters()], trainer

    weights, trainer = run(small, size)
    expected, reference = run(big, 1)
    assert weights == pytest.approx(expected, rel=1e-12)
    assert trainer.state.epoch_length == reference.state.epoch_length == len(big)
    for ours, theirs in zip(trainer.outputs, reference.outputs, strict=True):
        assert {k: float(v) for k, v in ours.items()} == pytest.approx(
            {k: float(v) for k, v in theirs.items()}, rel=1e-5
        )


def test_accumulation_of_exact_numbers_is_exact(scale):
    data = [{"image": torch.tensor([[x], [2 * x]]), "label": torch.zeros(2, 1)} for x in (1.0, 2.0)]
    big = [{key: torch.cat([batch[key] for batch in data]) for key in ("image", "label")}]
    ends = []
    for given, accumulate in ((data, 2), (big, 1)):
        model = scale(1.0, 0.5)
        train({"a": model}, [Phase("p", "a", sgd(model, 0.125), Squared("a"))], given, accumulate=accumulate)
        ends.append([model.weight.item(), model.bias.item()])
    assert ends[0] == ends[1]


def test_an_epochs_last_window_may_be_shorter(scale, batches):
    model, objective = scale(), Squared("a")
    trainer = train({"a": model}, [Phase("p", "a", sgd(model, 1e-3), objective)], batches[:5], epochs=2, accumulate=2)
    assert trainer.state.epoch_length == 3
    assert trainer.state.iteration == 6
    assert objective.calls == 10


def test_clipping_limits_the_total_norm(scale):
    # Gradient (9, 5) as above, norm sqrt(106); clipped to 1 it is (9, 5) / sqrt(106).
    model = scale(2.0, 0.0)
    data = [{"image": torch.tensor([[1.0], [2.0]]), "label": torch.tensor([[1.0], [0.0]])}]
    train({"a": model}, [Phase("p", "a", sgd(model, 1.0), Squared("a"), grad_clip=1.0)], data)
    assert model.weight.item() == pytest.approx(2.0 - 9 / 106**0.5, abs=1e-5)
    assert model.bias.item() == pytest.approx(-5 / 106**0.5, abs=1e-5)


def test_bf16_runs_the_objective_under_autocast_and_keeps_fp32_weights(batches):
    model = nn.Linear(1, 1)
    kinds = []

    def objective(networks, batch):
        output = networks["a"](batch["image"])
        kinds.append(output.dtype)
        return {"loss": (output.float() - batch["label"]).square().mean()}

    train({"a": model}, [Phase("p", "a", sgd(model, 1e-3), objective)], batches, precision="bf16")
    assert set(kinds) == {torch.bfloat16}
    assert model.weight.dtype == torch.float32
    assert torch.isfinite(model.weight).all()


def overflowing(at):
    """An objective whose gradient, not whose value, overflows in one iteration."""
    calls = []

    def objective(networks, batch):
        calls.append(1)
        value = networks["a"](batch["image"]).square().mean()
        if len(calls) == at:
            value = value + torch.sqrt(0.0 * networks["a"].weight).sum()
        return {"loss": value}

    return objective


def test_a_scaler_skips_an_overflow_instead_of_stopping(scale, batches):
    """The scaler of fp16 in a training on the CPU: the update is left out, the scale halved, training goes on."""
    model = scale(1.0)
    trainer = AlternatingTrainer(
        "cpu", 1, batches, {"a": model}, "a", [Phase("p", "a", sgd(model, 1e-4), overflowing(3), grad_clip=1.0)]
    )
    trainer.scalers["p"] = torch.amp.GradScaler("cpu", init_scale=64.0)
    weights = []
    trainer.add_event_handler(Events.ITERATION_COMPLETED, lambda: weights.append(model.weight.item()))
    trainer.run()
    assert weights[2] == weights[1]
    assert len(set(weights)) == 5
    assert trainer.scalers["p"].get_scale() == 32.0
    assert trainer.state_dict()["scalers"]["p"]["scale"] == 32.0


@pytest.mark.gpu
@pytest.mark.parametrize("precision", ["fp32", "bf16", "fp16"])
def test_on_a_gpu(toy, precision):
    nets = toy.networks()
    trainer = AlternatingTrainer(
        "cuda", 3, toy.loader(), nets, "segmenter", toy.phases(nets), precision=precision, accumulate=2
    )
    trainer.run()
    assert all(p.device.type == "cuda" and torch.isfinite(p).all() for net in nets.values() for p in net.parameters())
    assert trainer.scalers["critic"].is_enabled() == (precision == "fp16")


def test_schedulers_step_by_update_or_by_epoch(scale, batches):
    rates = {}
    for kind in ("update", "epoch"):
        model = scale()
        optimizer = sgd(model, 1.0)
        halve = torch.optim.lr_scheduler.StepLR(optimizer, 1, 0.5)
        phase = Phase("p", "a", optimizer, NoSlope(), scheduler=halve, scheduler_step=kind, every=3)
        train({"a": model}, [phase], batches, epochs=2)
        rates[kind] = optimizer.param_groups[0]["lr"]
    assert rates == {"update": 0.5**4, "epoch": 0.5**2}


class NoSlope:
    """A loss with a gradient of zero."""

    def __call__(self, networks, batch):
        return {"loss": 0.0 * networks["a"](batch["image"]).mean()}


def test_two_phases_may_share_an_optimizer(scale, batches):
    """The penalty of a critic steps the critic's own optimiser: Adam's counter counts both."""
    model = scale()
    adam = torch.optim.Adam(model.parameters(), 1e-3)
    train({"a": model}, [Phase("p", "a", adam, Squared("a")), Phase("q", "a", adam, Squared("a"), every=2)], batches)
    assert int(adam.state[model.weight]["step"]) == 9


def test_only_what_the_optimizer_holds_is_trained(scale, batches):
    model = scale(1.0, 1.0)
    train({"a": model}, [Phase("p", "a", torch.optim.SGD([model.weight], 0.01), Squared("a"))], batches)
    assert model.bias.item() == 1.0
    assert model.weight.item() != 1.0


def test_a_gradient_penalty_goes_through(scale, batches):
    """WGAN-GP's double backward: for a linear critic the penalty is (|w| - 1)^2 and pulls w to 1."""
    critic = scale(3.0)

    def penalty(networks, batch):
        mixed = batch["image"].clone().requires_grad_(True)
        (gradient,) = torch.autograd.grad(networks["a"](mixed).sum(), mixed, create_graph=True)
        return {"loss": (gradient.norm(dim=1) - 1).square().mean()}

    trainer = train({"a": critic}, [Phase("gp", "a", sgd(critic, 0.25), penalty)], batches, epochs=4)
    assert trainer.outputs[0]["loss"] == 4.0
    # Each step: w - 0.25 * 2 (w - 1), so the distance to 1 is halved 24 times.
    assert critic.weight.item() == pytest.approx(1.0 + 2 * 0.5**24)


def test_streams_of_labelled_and_unlabelled_data(scale, batches):
    streams = Streams({"labelled": batches[:2], "unlabelled": batches})
    seen = []

    def objective(networks, batch):
        seen.append((batch["labelled"]["subject"][0], batch["unlabelled"]["subject"][0]))
        return {"loss": networks["a"](batch["unlabelled"]["image"]).square().mean()}

    model = scale()
    train({"a": model}, [Phase("p", "a", sgd(model, 1e-3), objective)], streams)
    assert len(streams) == 6
    assert seen[:3] == [("sub-000", "sub-000"), ("sub-002", "sub-002"), ("sub-000", "sub-004")]
    with pytest.raises(InputError, match=r"streams without a batch: \['unlabelled'\]"):
        Streams({"labelled": batches, "unlabelled": []})


def test_iteration_events_fire_in_order(scale, batches):
    model, order = scale(), []
    trainer = AlternatingTrainer("cpu", 1, batches[:1], {"a": model}, "a", [Phase("p", "a", sgd(model), Squared("a"))])
    for event in (IterationEvents.MODEL_COMPLETED, IterationEvents.BACKWARD_COMPLETED):
        trainer.add_event_handler(event, lambda e, name=event.value: order.append(name))
    for event in (IterationEvents.FORWARD_COMPLETED, IterationEvents.LOSS_COMPLETED):
        trainer.add_event_handler(event, lambda e, name=event.value: order.append(name))
    trainer.run()
    assert order == ["forward_completed", "loss_completed", "backward_completed", "model_completed"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"precision": "fp16"}, "needs a GPU"),
        ({"precision": "amp"}, "'amp', expected one of"),
        ({"accumulate": 0}, "accumulate is 0"),
        ({"deployed": "c"}, "deployed is 'c'"),
    ],
)
def test_bad_settings_are_named(scale, batches, options, message):
    model = scale()
    with pytest.raises(InputError, match=message):
        train({"a": model}, [Phase("p", "a", sgd(model), Squared("a"))], batches, **options)


def test_phases_need_names_of_their_own_and_data_a_batch(scale, batches):
    model = scale()
    phase = Phase("p", "a", sgd(model), Squared("a"))
    with pytest.raises(InputError, match=r"phases are \['p', 'p'\]"):
        train({"a": model}, [phase, phase], batches)
    with pytest.raises(InputError, match="give no batch"):
        train({"a": model}, [phase], [])
    with pytest.raises(InputError, match="set epoch_length"):
        train({"a": model}, [phase], (batch for batch in batches))


def test_persistent_workers_are_refused(scale, batches):
    model = scale()
    loader = torch.utils.data.DataLoader([{"image": torch.zeros(1)}], num_workers=1, persistent_workers=True)
    with pytest.raises(InputError, match="set persistent_workers to false"):
        train({"a": model}, [Phase("p", "a", sgd(model), Squared("a"))], loader)


def test_a_short_loader_is_gone_through_again(scale, batches):
    model, objective = scale(), Squared("a")
    trainer = train({"a": model}, [Phase("p", "a", sgd(model, 1e-3), objective)], batches[:2], epochs=2, epoch_length=5)
    assert trainer.state.iteration == objective.calls == 10


class Poison:
    """Makes something not finite in the third iteration."""

    def __init__(self, kind):
        self.kind, self.calls = kind, 0

    def __call__(self, networks, batch):
        self.calls += 1
        value = networks["a"](batch["image"]).square().mean()
        bad = float("nan") if self.calls == 3 else 1.0
        if self.kind == "loss":
            return {"loss": value * bad}
        if self.kind == "term":
            return {"loss": value, "dice": value.detach() * bad}
        if self.kind == "gradient" and self.calls == 3:
            value = value + torch.sqrt(0.0 * networks["a"].weight).sum()  # 0 forward; 0 * inf backward
        if self.kind == "weight" and self.calls == 3:
            value = value * 1e15
        return {"loss": value}


@pytest.mark.parametrize(
    ("kind", "what"),
    [
        ("loss", "term 'loss' of phase 'p' is nan"),
        ("term", "term 'dice' of phase 'p' is nan"),
        ("gradient", "gradient of phase 'p' is nan"),
        ("weight", "weight a.weight of phase 'p' is "),
    ],
)
def test_a_value_that_is_not_finite_stops_within_its_iteration(scale, batches, kind, what):
    model = scale(1.0)
    # A rate so high that a gradient of 1e15, finite itself, carries the weights beyond the largest number.
    rate = 1e30 if kind == "weight" else 1e-3
    trainer = AlternatingTrainer("cpu", 1, batches, {"a": model}, "a", [Phase("p", "a", sgd(model, 0.0), Poison(kind))])
    trainer.add_event_handler(Events.ITERATION_STARTED(once=3), lambda: set_rate(trainer, rate))
    with pytest.raises(DivergedError) as caught:
        trainer.run()
    message = str(caught.value)
    assert what in message
    assert "epoch 1, iteration 3" in message
    assert "subjects: sub-004, sub-005" in message
    assert "last good checkpoint: none" in message
    assert "\n" not in message


def set_rate(trainer, rate):
    trainer.optimizer.param_groups[0]["lr"] = rate


def test_a_batch_that_was_bad_already_is_said_to_be(scale, batches):
    model = scale(1.0)
    batches[1]["image"][0, 0] = float("inf")
    with pytest.raises(DivergedError, match="the batch's image already held values that are not finite.*sub-002"):
        train({"a": model}, [Phase("p", "a", sgd(model, 1e-3), Squared("a"))], batches)


def test_the_phase_that_failed_first_is_named(scale, batches):
    nets = {"a": scale(1.0), "b": scale(1.0)}
    phases = [
        Phase("critic", "b", sgd(nets["b"], 1e-3), Squared("b", float("nan"))),
        Phase("segmenter", "a", sgd(nets["a"], 1e-3), Squared("a")),
    ]
    with pytest.raises(DivergedError, match="of phase 'critic'"):
        train(nets, phases, batches)


def test_the_same_seed_gives_the_same_weights(toy, tmp_path):
    prints = []
    for name in ("first", "second"):
        trainer, _ = toy.build(tmp_path / name, epochs=1)
        trainer.run()
        prints.append(toy.fingerprint(tmp_path / name))
    assert prints[0] == prints[1]
