"""The clock of a run: from its first step on, and what is no time."""

import pytest

from ganglion.engines import prepare_run
from ganglion.engines.handlers.deadline import Deadline
from ganglion.errors import InputError


class Clock:
    """A clock that is set by hand."""

    def __init__(self, monkeypatch):
        self.now = 1000.0
        monkeypatch.setattr("time.monotonic", lambda: self.now)


@pytest.fixture
def clock(monkeypatch):
    """The clock of the test; a run has begun at its present time."""
    clock = Clock(monkeypatch)
    prepare_run(seed=None, deterministic=False, debug=True)
    return clock


def test_it_counts_from_the_first_step_of_the_run(clock):
    clock.now += 300.0  # loading data takes time that counts
    limit = Deadline(10)
    assert not limit.passed()
    clock.now += 299.9
    assert not limit.passed()
    clock.now += 0.1
    assert limit.passed()


def test_a_later_run_in_the_same_process_has_its_own_time(clock):
    """As in a server that has been up for days."""
    clock.now += 1e6
    prepare_run(seed=None, deterministic=False, debug=True)
    assert not Deadline(0.5).passed()


def test_without_a_limit_it_never_passes(clock):
    limit = Deadline(None)
    clock.now += 1e9
    assert not limit.passed()


@pytest.mark.parametrize("minutes", [0, -1, "1h", float("nan"), True])
def test_what_is_no_time_is_refused(minutes):
    with pytest.raises(InputError, match="time_limit is .*, expected minutes above 0, or null for no limit"):
        Deadline(minutes)
