"""What is not finite stops the training within its iteration, is named, and the checkpoint before it goes on."""

import math

import pytest
import torch
from ignite.engine import Events
from torch import nn

from ganglion.engines import AlternatingTrainer, Phase
from ganglion.engines.finite import WatchedState, describe_cases
from ganglion.engines.handlers.checkpoint import load_plain
from ganglion.errors import DivergedError

NAN, INF = math.nan, math.inf


def into_batch(key, value):
    """A value in one subject's part of one of the two batches of an iteration."""

    def inject(trainer, handler):
        trainer.state.batch[1][key][0, 0] = value

    return inject


def into_term(phase, term):
    """A term that an objective returns."""

    def inject(trainer, handler):
        (chosen,) = (each for each in trainer.phases if each.name == phase)
        whole = chosen.objective

        def objective(networks, batch):
            terms = whole(networks, batch)
            return {**terms, term: terms[term] * NAN}

        chosen.objective = objective

    return inject


def into_gradient(network, value):
    """One entry of the gradient of one parameter."""

    def inject(trainer, handler):
        def spoil(gradient):
            gradient = gradient.clone()
            gradient.view(-1)[0] = value
            return gradient

        weight = trainer.networks[network][0].weight.requires_grad_()
        weight.register_hook(spoil)

    return inject


def into_network(network, layer, name, value):
    """One entry of a parameter or buffer."""

    def inject(trainer, handler):
        with torch.no_grad():
            getattr(trainer.networks[network][layer], name).view(-1)[0] = value

    return inject


def into_moments(trainer, handler):
    """The running mean of the segmenter's Adam."""
    adam = trainer.phases[2].optimizer
    adam.state[trainer.networks["segmenter"][0].weight]["exp_avg"].fill_(NAN)


def into_statistics(trainer, handler):
    """The running statistics of an objective."""
    trainer.phases[1].objective.mean.fill_(NAN)


def into_rate(trainer, handler):
    """A schedule that went wrong."""
    trainer.phases[2].optimizer.param_groups[0]["lr"] = NAN


FAULTS = {
    "image": (into_batch("image", NAN), "term 'loss' of phase 'critic' is nan; the batch's image already held"),
    "image, infinite": (into_batch("image", INF), "term 'loss' of phase 'critic' is nan; the batch's image already"),
    "label": (into_batch("label", NAN), "term 'loss' of phase 'critic' is nan; the batch's label already held"),
    "critic's loss": (into_term("critic", "loss"), "term 'loss' of phase 'critic' is nan"),
    "penalty": (into_term("drift", "loss"), "term 'loss' of phase 'drift' is nan"),
    "segmenter's loss": (into_term("segmenter", "loss"), "term 'loss' of phase 'segmenter' is nan"),
    "term that is only told": (into_term("segmenter", "supervised"), "term 'supervised' of phase 'segmenter' is nan"),
    "segmenter's gradient": (into_gradient("segmenter", NAN), "gradient of phase 'segmenter' is nan"),
    "critic's gradient": (into_gradient("critic", NAN), "gradient of phase 'critic' is nan"),
    "gradient, infinite": (into_gradient("segmenter", -INF), "gradient of phase 'segmenter' is inf"),
    "segmenter's weight": (into_network("segmenter", 0, "weight", NAN), "of phase 'critic' is nan"),
    "critic's weight": (into_network("critic", 2, "bias", NAN), "of phase 'critic' is nan"),
    "average's weight": (into_network("average", 3, "bias", INF), "weight average.3.bias of phase 'segmenter' is nan"),
    "running mean": (
        into_network("segmenter", 1, "running_mean", NAN),
        "weight segmenter.1.running_mean of phase 'segmenter' is nan",
    ),
    "running variance": (
        into_network("segmenter", 1, "running_var", INF),
        "weight segmenter.1.running_var of phase 'segmenter' is inf",
    ),
    "Adam's moments": (into_moments, "weight segmenter.0.weight of phase 'segmenter' is nan"),
    "objective's statistics": (into_statistics, "term 'loss' of phase 'drift' is nan"),
    "learning rate": (into_rate, "weight segmenter.0.weight of phase 'segmenter' is nan"),
}


@pytest.fixture(scope="module")
def undisturbed(toy, tmp_path_factory):
    """The fingerprint of two epochs without a fault."""
    folder = tmp_path_factory.mktemp("undisturbed")
    toy.build(folder, epochs=2)[0].run()
    return toy.fingerprint(folder)


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_stops_the_run_within_its_iteration_and_the_checkpoint_goes_on(
    toy, tmp_path, undisturbed, fault, counted
):
    """The second epoch's last iteration of 3 is disturbed; all phases are due in it."""
    inject, says = FAULTS[fault]
    trainer, handler = toy.build(tmp_path, epochs=2)
    subjects = []

    @trainer.on(Events.ITERATION_STARTED(once=6))
    def _(engine):
        subjects.extend(name for batch in engine.state.batch for name in batch["subject"])
        inject(engine, handler)

    with pytest.raises(DivergedError) as caught:
        trainer.run()
    message = str(caught.value)
    assert trainer.state.iteration == 6
    assert message.startswith("training diverged in epoch 2, iteration 6: ")
    assert says in message
    assert f"subjects: {', '.join(subjects)}; " in message
    if "already held" in says:
        assert f"not finite ({trainer.state.batch[1]['subject'][0]}); " in message
    assert "iteration-000000003.pt; " in message
    assert "\n" not in message
    (kept,) = (tmp_path / "checkpoints").iterdir()
    state = load_plain(kept)["trainer"]
    assert all(torch.isfinite(value).all() for part in state["networks"].values() for value in part.values())
    toy.build(tmp_path, epochs=2)[0].run()
    assert toy.fingerprint(tmp_path) == undisturbed
    counted("training faults")


def once(networks, batch):
    return {"loss": networks["a"](batch["image"]).square().mean()}


@pytest.mark.parametrize("due", [1, 100])
def test_a_network_that_no_phase_touches_is_watched_too(scale, batches, due, counted):
    """Also in an iteration in which no phase is due."""
    nets = {"a": scale(1.0), "spare": nn.BatchNorm1d(1)}
    phase = Phase("p", "a", torch.optim.SGD(nets["a"].parameters(), 1e-3), once, every=due)
    trainer = AlternatingTrainer("cpu", 1, batches, nets, "a", [phase])
    trainer.add_event_handler(Events.ITERATION_STARTED(once=2), lambda: nets["spare"].running_var.fill_(NAN))
    with pytest.raises(DivergedError, match=r"iteration 2: weight spare\.running_var of phase 'p' is nan"):
        trainer.run()
    counted("training faults")


def test_a_buffer_that_is_replaced_is_still_watched():
    network = nn.BatchNorm1d(2)
    watched = WatchedState(network)
    network.running_mean = torch.tensor([0.0, INF])
    assert any(tensor is network.running_mean for tensor in watched.tensors())
    assert len(watched.tensors()) == 4


def loader(subjects, folder):
    """A loader over items as a data set's list has them."""
    items = [
        {"subject": name, "image": [folder / name / f"{name}_{c}.nii.gz" for c in ("T1", "T2")]} for name in subjects
    ]
    return torch.utils.data.DataLoader(type("Listed", (list,), {"data": items})(items))


def test_the_files_of_the_subject_at_fault_are_named(tmp_path):
    batch = {"subject": ["sub-1", "sub-2"], "image": torch.zeros(2, 1, 4, 4)}
    data = loader(["sub-1", "sub-2", "sub-3"], tmp_path)
    every = "sub-1/sub-1_T1.nii.gz, sub-1/sub-1_T2.nii.gz, sub-2/sub-2_T1.nii.gz, sub-2/sub-2_T2.nii.gz"
    assert describe_cases(batch, data) == f"subjects: sub-1, sub-2; files: {every}"
    batch["image"][1, 0, 2, 3] = NAN
    assert describe_cases([batch], data) == (
        "the batch's image already held values that are not finite (sub-2); subjects: sub-1, sub-2; "
        "files: sub-2/sub-2_T1.nii.gz, sub-2/sub-2_T2.nii.gz"
    )
    assert str(tmp_path) not in describe_cases(batch, data)


def test_a_long_list_of_files_is_cut(tmp_path):
    names = [f"sub-{number}" for number in range(20)]
    told = describe_cases({"subject": names, "image": torch.zeros(20, 1)}, loader(names, tmp_path))
    assert told.endswith("sub-7/sub-7_T2.nii.gz, and 24 more")


# --- half precision: the one fault that goes on ---------------------------------------------------------------------


class Overflow:
    """A squared output whose gradient is not finite while the scale is above a limit, or in chosen calls."""

    def __init__(self, calls=(), above=INF):
        self.calls, self.above, self.scaler, self.call = calls, above, None, 0

    def __call__(self, networks, batch):
        self.call += 1
        value = networks["a"](batch["image"]).square().mean()
        if self.call in self.calls or self.scaler.get_scale() > self.above:
            value = value + torch.sqrt(0.0 * networks["a"].weight).sum()  # 0 forward; 0 * inf backward
        return {"loss": value}


def half(scale, batches, objective, epochs=1, first_scale=64.0, handlers=()):
    """A training on the CPU with the scaler that fp16 has on a GPU."""
    model = scale(1.0)
    phase = Phase("p", "a", torch.optim.SGD(model.parameters(), 1e-4), objective, grad_clip=1.0)
    trainer = AlternatingTrainer("cpu", epochs, batches, {"a": model}, "a", [phase], train_handlers=handlers)
    trainer.scalers["p"] = objective.scaler = torch.amp.GradScaler("cpu", init_scale=first_scale)
    trainer.weights = []
    trainer.add_event_handler(Events.ITERATION_COMPLETED, lambda: trainer.weights.append(model.weight.item()))
    return trainer


def test_an_overflow_leaves_one_update_out_and_goes_on(scale, batches, counted):
    trainer = half(scale, batches, Overflow(calls=(3,)))
    trainer.run()
    expected = half(scale, [batches[n] for n in (0, 1, 3, 4, 5)], Overflow())
    expected.run()
    assert trainer.weights[2] == trainer.weights[1]
    assert trainer.weights[:2] + trainer.weights[3:] == pytest.approx(expected.weights, rel=1e-6)
    assert trainer.scalers["p"].get_scale() == 32.0
    counted("training faults")


def test_a_scale_that_is_too_high_is_found_and_the_training_goes_on(scale, batches):
    """As at the start of every training in half precision."""
    trainer = half(scale, batches, Overflow(above=2.0**13), first_scale=2.0**16)
    trainer.run()
    assert trainer.scalers["p"].get_scale() == 2.0**13
    assert len(set(trainer.weights)) == 4  # three left out


def test_a_gradient_that_no_scale_mends_stops_the_run(scale, batches, counted):
    """Not an overflow: from a scale of 4 on it takes three halvings to be below 1."""
    trainer = half(scale, batches, Overflow(calls=range(2, 99)), first_scale=4.0)
    with pytest.raises(DivergedError, match="iteration 4: gradient of phase 'p' is nan"):
        trainer.run()
    assert trainer.weights[0] == trainer.weights[2] == trainer.networks["a"].weight.item()
    counted("training faults")


@pytest.mark.parametrize("kind", ["image", "weight"])
def test_under_a_scaler_only_the_overflow_goes_on(scale, batches, kind, counted):
    trainer = half(scale, batches, Overflow())

    @trainer.on(Events.ITERATION_STARTED(once=2))
    def _(engine):
        with torch.no_grad():
            (engine.state.batch["image"] if kind == "image" else engine.networks["a"].bias).fill_(NAN)

    with pytest.raises(DivergedError, match="iteration 2: term 'loss' of phase 'p' is nan"):
        trainer.run()
    counted("training faults")


@pytest.mark.gpu
@pytest.mark.parametrize("kind", ["overflow", "image", "weight", "gradient"])
def test_on_a_gpu_only_the_overflow_goes_on(batches, kind, counted):
    """The real thing: float16 under autocast. A scale of 2^40 overflows until it has come down."""
    model = nn.Linear(1, 1)
    phase = Phase("p", "a", torch.optim.SGD(model.parameters(), 1e-4), once)
    trainer = AlternatingTrainer("cuda", 10, batches, {"a": model}, "a", [phase], precision="fp16")
    if kind == "overflow":
        trainer.scalers["p"] = torch.amp.GradScaler("cuda", init_scale=2.0**40)

    @trainer.on(Events.ITERATION_STARTED)
    def _(engine):
        if engine.state.iteration == 2 and kind in ("image", "weight"):
            with torch.no_grad():
                (engine.state.batch["image"] if kind == "image" else model.weight).fill_(NAN)
        if engine.state.iteration == 2 and kind == "gradient":
            model.weight.requires_grad_().register_hook(lambda gradient: gradient * NAN)

    if kind == "overflow":
        before = model.weight.item()
        trainer.run()
        assert torch.isfinite(model.weight).all()
        assert model.weight.item() != before
        assert 1 <= trainer.scalers["p"].get_scale() < 2.0**40
    else:
        with pytest.raises(DivergedError, match="of phase 'p' is nan"):
            trainer.run()
        assert (trainer.state.iteration == 2) == (kind != "gradient")  # there the scale is lowered to 1 first
    counted("training faults")
