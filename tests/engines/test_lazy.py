"""Adam for a lazily regularised network."""

import pytest
import torch

from ganglion.engines import LazyAdam
from ganglion.errors import InputError


def test_rate_and_decays_are_those_of_a_share_of_a_step():
    group = LazyAdam([torch.nn.Parameter(torch.zeros(1))], 16, lr=0.002, betas=(0.0, 0.99)).param_groups[0]
    assert group["lr"] == pytest.approx(0.002 * 16 / 17)
    assert group["betas"] == pytest.approx((0.0, 0.99 ** (16 / 17)))


def test_an_interval_of_steps_decays_as_it_would_without_the_further_one():
    group = LazyAdam([torch.nn.Parameter(torch.zeros(1))], 4, betas=(0.5, 0.99)).param_groups[0]
    assert [beta**5 for beta in group["betas"]] == pytest.approx([0.5**4, 0.99**4])
    assert 5 * group["lr"] == pytest.approx(4 * 0.002)


def test_without_an_interval_it_is_adam():
    group = LazyAdam([torch.nn.Parameter(torch.zeros(1))], lr=0.1, betas=(0.5, 0.9)).param_groups[0]
    assert (group["lr"], group["betas"]) == (0.1, (0.5, 0.9))
    with pytest.raises(InputError, match="interval is 0"):
        LazyAdam([torch.nn.Parameter(torch.zeros(1))], 0)
