"""MR signal: relaxation times, signal equations and the scan parameters that are drawn for each subject.

Sources of relaxation times (ms) and proton densities (relative to fluid):
- 1.5 T: BrainWeb (R. K. Kwan, A. C. Evans, G. B. Pike, "MRI simulation-based evaluation of image-processing and
  classification methods", IEEE TMI 18, 1999): GM 833/83/0.86, WM 500/70/0.77. White matter's T2 is set to 76 here:
  with 70, grey matter outshines white matter on FLAIR more than on the real scans that this was compared with.
- 3 T: G. J. Stanisz et al., "T1, T2 relaxation and magnetization transfer in tissue at 3T", Magn Reson Med 54, 2005:
  GM 1820/99, WM 1084/69.
- Fluid: T1 of about 4200 ms at both fields, which FLAIR's usual inversion times (about 2400 ms) presuppose.
Lesions have no table: their ranges were set so that the contrasts of real scans lie inside those simulated.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from .fields import Array

RELAXIVITY = 4.5e-3  # of gadolinium chelates, per mM and ms


@dataclass(frozen=True)
class Substance:
    """Proton density relative to water, T1 and T2 in ms."""

    pd: float
    t1: float
    t2: float

    def varied(self, rng: np.random.Generator, spread: float) -> Substance:
        """The same with log-normal spread of each relaxation time and half of it for the density."""
        a, b, c = rng.normal(0.0, spread, 3)
        return Substance(self.pd * float(np.exp(a / 2)), self.t1 * float(np.exp(b)), self.t2 * float(np.exp(c)))

    def towards(self, other: Substance, share: float) -> Substance:
        """A mixture in fast exchange: densities and relaxation rates are averaged."""
        keep = 1.0 - share
        return Substance(
            keep * self.pd + share * other.pd,
            1.0 / (keep / self.t1 + share / other.t1),
            1.0 / (keep / self.t2 + share / other.t2),
        )

    def with_contrast(self, millimolar: float) -> Substance:
        """After a gadolinium agent has shortened T1: 1/T1' = 1/T1 + r1 C."""
        return Substance(self.pd, 1.0 / (1.0 / self.t1 + RELAXIVITY * millimolar), self.t2)


CSF = Substance(1.0, 4200.0, 1000.0)
ADULT = {
    1.5: {"CSF": CSF, "GM": Substance(0.86, 833.0, 83.0), "WM": Substance(0.77, 500.0, 76.0)},
    3.0: {"CSF": CSF, "GM": Substance(0.86, 1820.0, 99.0), "WM": Substance(0.77, 1084.0, 69.0)},
}

Sequence = Callable[[Substance], float]


def spin_echo(tr: float, te: float) -> Sequence:
    """S = PD (1 - exp(-TR/T1)) exp(-TE/T2)."""
    return lambda s: float(s.pd * (1.0 - np.exp(-tr / s.t1)) * np.exp(-te / s.t2))


def inversion_recovery(tr: float, te: float, ti: float) -> Sequence:
    """S = PD |1 - 2 exp(-TI/T1) + exp(-TR/T1)| exp(-TE/T2), the magnitude image."""
    return lambda s: float(s.pd * abs(1.0 - 2.0 * np.exp(-ti / s.t1) + np.exp(-tr / s.t1)) * np.exp(-te / s.t2))


def inversion_recovery_real(tr: float, te: float, ti: float) -> Sequence:
    """The signed S = PD (1 - 2 exp(-TI/T1) + exp(-TR/T1)) exp(-TE/T2), raised by 0.6 so that nothing is negative."""
    return lambda s: float(s.pd * (1.0 - 2.0 * np.exp(-ti / s.t1) + np.exp(-tr / s.t1)) * np.exp(-te / s.t2) + 0.6)


def spoiled_gradient_echo(tr: float, te: float, flip: float) -> Sequence:
    """Ernst equation S = PD sin a (1 - E1) / (1 - cos a E1) exp(-TE/T2), E1 = exp(-TR/T1), flip angle a in degrees."""
    angle = np.deg2rad(flip)

    def signal(s: Substance) -> float:
        e1 = np.exp(-tr / s.t1)
        return float(s.pd * np.sin(angle) * (1.0 - e1) / (1.0 - np.cos(angle) * e1) * np.exp(-te / s.t2))

    return signal


def null_time(t1: float, tr: float) -> float:
    """Inversion time at which a substance gives no signal: T1 ln(2 / (1 + exp(-TR/T1)))."""
    return float(t1 * np.log(2.0 / (1.0 + np.exp(-tr / t1))))


def draw_t1(rng: np.random.Generator, field: float) -> Sequence:
    """Spin echo at 1.5 T in half of the subjects, a spoiled gradient echo in the others."""
    if field < 2.0 and rng.random() < 0.5:
        return spin_echo(float(rng.uniform(400, 700)), float(rng.uniform(8, 18)))
    return spoiled_gradient_echo(float(rng.uniform(9, 30)), float(rng.uniform(3, 6)), float(rng.uniform(15, 30)))


def draw_t2(rng: np.random.Generator) -> Sequence:
    """Fast spin echo with usual clinical times."""
    return spin_echo(float(rng.uniform(2800, 6500)), float(rng.uniform(75, 115)))


def draw_flair(rng: np.random.Generator, fluid: Substance) -> Sequence:
    """Inversion recovery with fluid close to its null point."""
    tr = float(rng.uniform(7000, 11000))
    ti = null_time(fluid.t1, tr) * float(rng.uniform(0.93, 1.06))
    return inversion_recovery(tr, float(rng.uniform(85, 145)), ti)


def ramp(sequence: Sequence, start: Substance, end: Substance, share: Array) -> Array:
    """Signal of mixtures of two substances, voxel by voxel, from a table of 33 mixtures.

    Args:
        sequence: the signal equation.
        start: the substance at share 0.
        end: the substance at share 1.
        share: (X, Y, Z) in 0..1.
    """
    knots = np.linspace(0.0, 1.0, 33, dtype=np.float32)
    table = np.array([sequence(start.towards(end, float(k))) for k in knots], dtype=np.float32)
    at = np.clip(share, 0.0, 1.0) * np.float32(32.0)
    low = np.minimum(at.astype(np.int32), 31)
    weight = at - low
    return (table[low] * (1 - weight) + table[low + 1] * weight).astype(np.float32)
