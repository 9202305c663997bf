"""MR signal equations against hand-worked values and algebra."""

import numpy as np
import pytest

from ganglion.data.phantom.signal import (
    ADULT,
    CSF,
    Substance,
    draw_flair,
    draw_t1,
    draw_t2,
    inversion_recovery,
    inversion_recovery_real,
    null_time,
    ramp,
    spin_echo,
    spoiled_gradient_echo,
)

WATER = Substance(0.8, 1000.0, 100.0)


def test_spin_echo_at_tr_t1_and_te_t2():
    """PD (1 - 1/e) / e."""
    assert spin_echo(1000.0, 100.0)(WATER) == pytest.approx(0.8 * (1 - np.exp(-1)) * np.exp(-1))


def test_inversion_recovery_is_zero_at_the_null_time():
    tr = 9000.0
    sequence = inversion_recovery(tr, 100.0, null_time(WATER.t1, tr))
    assert sequence(WATER) == pytest.approx(0.0, abs=1e-9)


def test_inversion_recovery_gives_a_magnitude_and_the_signed_one_keeps_order():
    short, long = Substance(0.8, 600.0, 80.0), Substance(0.8, 4000.0, 80.0)
    assert inversion_recovery(4416.0, 15.0, 400.0)(long) > 0
    signed = inversion_recovery_real(4416.0, 15.0, 400.0)
    assert 0.0 < signed(long) < signed(short)


def test_ernst_angle_gives_the_most_signal():
    """The flip angle arccos(exp(-TR/T1)) maximises a spoiled gradient echo (Ernst)."""
    best = np.rad2deg(np.arccos(np.exp(-20.0 / WATER.t1)))
    signals = [spoiled_gradient_echo(20.0, 4.0, angle)(WATER) for angle in (0.7 * best, best, 1.4 * best)]
    assert signals[1] > max(signals[0], signals[2])


def test_contrast_agent_shortens_t1_by_its_relaxivity():
    """1/T1' = 1/1000 + 0.0045 x 1: T1' = 181.8 ms."""
    assert WATER.with_contrast(1.0).t1 == pytest.approx(1000.0 / 5.5)
    assert WATER.with_contrast(0.0) == WATER


def test_mixtures_average_rates():
    other = Substance(1.0, 4000.0, 400.0)
    half = WATER.towards(other, 0.5)
    assert half.pd == pytest.approx(0.9)
    assert 1 / half.t1 == pytest.approx((1 / 1000 + 1 / 4000) / 2)
    assert WATER.towards(other, 0.0) == WATER


def test_ramp_ends_in_its_substances():
    sequence, other = spin_echo(500.0, 10.0), Substance(1.0, 4000.0, 400.0)
    values = ramp(sequence, WATER, other, np.array([0.0, 1.0, 2.0, 0.5], dtype=np.float32))
    expected = [sequence(WATER), sequence(other), sequence(other), sequence(WATER.towards(other, 0.5))]
    np.testing.assert_allclose(values, expected, rtol=1e-5)


@pytest.mark.parametrize("field", [1.5, 3.0])
def test_order_of_tissues_in_each_contrast(field):
    """T1: CSF < GM < WM. T2: WM < GM < CSF. FLAIR: CSF darkest; GM brighter than WM in most subjects, not in all."""
    rng = np.random.default_rng(0)
    brighter = 0
    for _ in range(100):
        tissue = {name: substance.varied(rng, 0.05) for name, substance in ADULT[field].items()}
        t1, t2, flair = draw_t1(rng, field), draw_t2(rng), draw_flair(rng, tissue["CSF"])
        csf, grey, white = ([s(tissue[name]) for s in (t1, t2, flair)] for name in ("CSF", "GM", "WM"))
        assert csf[0] < grey[0] < white[0]
        assert white[1] * 0.95 < grey[1] < csf[1]
        assert csf[2] < 0.6 * white[2]
        assert 0.7 < grey[2] / white[2] < 2.0
        brighter += grey[2] > white[2]
    assert brighter > 70


def test_spread_is_as_asked():
    rng = np.random.default_rng(0)
    times = np.log([CSF.varied(rng, 0.05).t1 for _ in range(2000)])
    assert times.std() == pytest.approx(0.05, rel=0.1)
    assert times.mean() == pytest.approx(np.log(CSF.t1), abs=0.005)
