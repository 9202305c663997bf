"""The learning rate stays, then falls by the same amount each epoch."""

import pytest
import torch

from ganglion.engines import LinearDecay
from ganglion.errors import InputError


def rates(epochs: int, decay_epochs: int, least: float = 0.01) -> list[float]:
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=2.0)
    schedule, found = LinearDecay(optimizer, epochs, decay_epochs, least), []
    for _ in range(epochs):
        found.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    return found


def test_the_last_epochs_fall_to_the_least_rate():
    assert rates(6, 4, 0.0) == pytest.approx([2.0, 2.0, 1.5, 1.0, 0.5, 0.0])
    assert rates(4, 4, 0.2) == pytest.approx([1.6, 1.2, 0.8, 0.4])
    assert rates(3, 0) == [2.0, 2.0, 2.0]
    assert rates(2, 40, 0.0) == pytest.approx([1.0, 0.0])


def test_it_goes_on_from_a_checkpoint():
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=2.0)
    schedule = LinearDecay(optimizer, 4, 4, 0.0)
    optimizer.step()
    schedule.step()
    other = LinearDecay(torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=2.0), 4, 4, 0.0)
    other.load_state_dict(schedule.state_dict())
    assert other.get_lr() == schedule.get_lr() == [1.0]


def test_what_cannot_be_is_refused():
    with pytest.raises(InputError, match="decay_epochs is -1"):
        rates(3, -1)
