"""Tumour growth and labels."""

import numpy as np
import pytest

from ganglion.data.phantom.fields import Grid
from ganglion.data.phantom.tumour import PROLIFERATION, TumourDraw, clean_time, draw_tumour, grow, label_tumour


def bar(length=120, speed=1.0):
    density = np.zeros((length, 3, 3), dtype=np.float32)
    density[0] = 1.0
    return density, np.full((length, 3, 3), speed, dtype=np.float32)


@pytest.mark.parametrize("diffusivity", [1.0, 0.25])
def test_fronts_travel_at_the_speed_of_fisher(diffusivity):
    """A front of dc/dt = D c'' + rho c (1 - c) travels at 2 sqrt(rho D) (Fisher 1937; Kolmogorov et al. 1937).

    It nears that speed from below, and space and time are discrete: within 15 %.
    """
    arrival = grow(*bar(speed=diffusivity), target=10**6)[:, 1, 1]
    speed = 40.0 / (arrival[70] - arrival[30])
    assert speed == pytest.approx(2.0 * np.sqrt(PROLIFERATION * diffusivity), rel=0.15)


def test_fluid_is_never_entered():
    density, diffusivity = bar()
    diffusivity[60:62] = 0.0
    arrival = grow(density, diffusivity, target=10**6)[:, 1, 1]
    assert (arrival[:60] < 1e4).all()
    assert (arrival[60:] >= 1e4).all()


def test_growth_stops_at_its_target():
    arrival = grow(*bar(), target=90)
    assert 90 <= int((arrival < 1e4).sum()) < 200


def test_clean_time_puts_unreached_points_last():
    cleaned = clean_time(np.array([0.0, 5.0, 1e4], dtype=np.float32))
    np.testing.assert_allclose(cleaned, [0.0, 5.0, 21.0])


def test_drawn_volumes_cover_5_to_150_ml_and_kinds_differ():
    rng = np.random.default_rng(0)
    draws = [draw_tumour(rng) for _ in range(600)]
    volumes = np.array([d.volume for d in draws])
    assert volumes.min() >= 5.0
    assert volumes.max() <= 150.0
    counts, _ = np.histogram(volumes, bins=[5, 15, 40, 80, 115, 150.01])
    assert counts.min() > 40
    assert {d.kind for d in draws} == {"ring", "solid", "low"}
    assert sum(d.foci > 1 for d in draws) > 60


def ball(kind, necrosis):
    """A tumour in a ball of tissue, with arrival times equal to the distance from the middle."""
    grid = Grid((41, 41, 41), (2.0, 2.0, 2.0), (82.0, 82.0, 82.0))
    away = np.sqrt(sum((x - 41.0) ** 2 for x in np.meshgrid(*grid.positions, indexing="ij"))).astype(np.float32)
    draw = TumourDraw(kind, 100.0, 0.4, necrosis, 1, 0.1, 0.0, 0.0, 0.0)
    solid = away < 38.0
    return label_tumour(draw, grid, away, away, solid, np.zeros(grid.shape, dtype=np.float32)), away, grid


def test_volumes_are_those_drawn():
    tumour, _, grid = ball("ring", 0.5)
    whole, core = (tumour.label > 0).sum() * grid.voxel_ml, np.isin(tumour.label, (1, 3)).sum() * grid.voxel_ml
    assert whole == pytest.approx(100.0, rel=0.02)
    assert core == pytest.approx(40.0, rel=0.1)
    assert (tumour.label == 1).sum() == pytest.approx(0.5 * np.isin(tumour.label, (1, 3)).sum(), rel=0.1)


def test_core_lies_inside_rim_inside_oedema():
    tumour, away, _ = ball("ring", 0.5)
    reach = {code: away[tumour.label == code] for code in (1, 2, 3)}
    assert reach[1].max() < reach[2].min()
    assert reach[3].max() < reach[2].min() + 2.0
    assert reach[1].mean() < reach[3].mean() < reach[2].mean()


def test_a_tumour_that_takes_up_no_agent_has_no_rim():
    tumour, _, _ = ball("low", 1.0)
    assert set(np.unique(tumour.label)) == {0, 1, 2}


def test_nearness_falls_from_core_to_edge():
    tumour, away, _ = ball("ring", 0.5)
    assert tumour.nearness.min() >= 0.0
    assert tumour.nearness[away < 5.0].min() > tumour.nearness[tumour.label == 2].mean()
