"""A phase refuses what cannot be meant, in one line that names it."""

import pytest
import torch

from ganglion.engines import Phase
from ganglion.engines.phase import objective_terms
from ganglion.errors import InputError


def sgd(*modules):
    return torch.optim.SGD([p for module in modules for p in module.parameters()], lr=0.1)


def nothing(networks, batch):
    return {"loss": torch.zeros(())}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"name": "a/b"}, "'a/b'"),
        ({"trains": []}, "trains no network"),
        ({"every": 0}, "every=0"),
        ({"start_epoch": 0}, "start_epoch=0"),
        ({"start_epoch": 3, "end_epoch": 2}, "end_epoch=2 is before start_epoch=3"),
        ({"grad_clip": 0.0}, "grad_clip=0.0"),
        ({"scheduler_step": "day"}, "'day'"),
    ],
)
def test_bad_arguments_are_named(scale, options, message):
    arguments = {"name": "critic", "trains": "critic", "optimizer": sgd(scale()), "objective": nothing, **options}
    with pytest.raises(InputError, match=message):
        Phase(**arguments)


def test_a_plateau_scheduler_is_refused(scale):
    optimizer = sgd(scale())
    plateau = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer)
    with pytest.raises(InputError, match="ReduceLROnPlateau needs a metric"):
        Phase("critic", "critic", optimizer, nothing, scheduler=plateau)


@pytest.mark.parametrize(("every", "start", "expected"), [(1, 1, [1, 2, 3, 4, 5, 6]), (2, 1, [2, 4, 6]), (3, 2, [6])])
def test_due_counts_iterations_and_epochs_from_one(scale, every, start, expected):
    phase = Phase("critic", "critic", sgd(scale()), nothing, every=every, start_epoch=start)
    # Three iterations an epoch.
    assert [i for i in range(1, 7) if phase.due(i, 1 + (i - 1) // 3)] == expected


def test_a_phase_ends_and_its_network_is_frozen(scale):
    phase = Phase("coarse", "coarse", sgd(scale()), nothing, every=2, start_epoch=2, end_epoch=3)
    assert [i for i in range(1, 17) if phase.due(i, 1 + (i - 1) // 4)] == [6, 8, 10, 12]


def test_optimizer_must_hold_the_trained_networks_parameters_only(scale):
    networks = {"critic": scale(), "segmenter": scale()}
    with pytest.raises(InputError, match="holds 2 parameters of 'segmenter'"):
        Phase("critic", "critic", sgd(*networks.values()), nothing).check_networks(networks)
    with pytest.raises(InputError, match=r"holds parameters of none of \['critic'\]"):
        Phase("critic", "critic", sgd(scale()), nothing).check_networks(networks)
    with pytest.raises(InputError, match="trains 'critics', but the networks are"):
        Phase("critic", "critics", sgd(networks["critic"]), nothing).check_networks(networks)
    Phase("both", ["critic", "segmenter"], sgd(*networks.values()), nothing).check_networks(networks)


def test_terms_must_hold_a_scalar_loss(scale):
    def phase(terms):
        return Phase("critic", "critic", sgd(scale()), lambda networks, batch: terms)

    with pytest.raises(InputError, match=r"returned \['distance'\], expected a term 'loss'"):
        objective_terms(phase({"distance": torch.zeros(())}), {}, None)
    with pytest.raises(InputError, match=r"term 'loss' of phase 'critic' has shape \(2,\)"):
        objective_terms(phase({"loss": torch.zeros(2)}), {}, None)
    assert objective_terms(phase({"loss": torch.zeros(()), "share": 0.5}), {}, None)["share"] == 0.5
