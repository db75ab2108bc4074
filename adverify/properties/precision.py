from __future__ import annotations

import numpy as np

from adverify.case import Case, flat
from adverify.properties.base import Property, grads
from adverify.subject import Arrays, Rejected
from adverify.verdict import HOLDS, Evidence, Verdict, undecided, violated

EPS32 = float(np.finfo(np.float32).eps)
FINE, COARSE = 2.0**-34, 2.0**-16
"""Relative steps that single precision cannot see, and that it sees plainly."""

TINY = 1e-290
"""Below it even doubles have few digits."""


class Precision(Property):
    """A cast to float32 inside a double op costs nine digits; float32 inputs should cost no more than they must."""

    name = "precision"
    rule = "a double gradient is computed in double, and float32 inputs lose no more than float32 costs"
    needs = ("gradient", "linearity")

    def check(self, case: Case) -> Verdict:
        plain = [np.asarray(v, float) for v in case.vjp]
        if not all(np.isfinite(v).all() for v in plain):
            return undecided("the gradient is not finite")
        how = rounds_to_single(case)
        return violated(how) if how else self._in_single(case)

    def _in_single(self, case: Case) -> Verdict:
        """Compare float32 inputs with the same numbers as float64."""
        single = tuple(a.astype(np.float32) for a in case.arrays)
        double = tuple(a.astype(np.float64) for a in single)
        if not all(np.isfinite(a).all() and np.abs(a).max(initial=0.0) <= 30 for a in single):
            return HOLDS
        try:
            outputs = case.subject.forward(single)
            g32 = tuple(g.astype(y.dtype) for g, y in zip(case.cotangents, outputs, strict=True))
            actual = case.subject.vjp(single, g32)
            expected = case.subject.vjp(double, case.cotangents)
            near = [
                case.subject.vjp(tuple(np.nextafter(a, np.float32(end)) for a in single), g32)
                for end in (-np.inf, np.inf)
            ]
        except Rejected:
            return HOLDS
        if [y.shape for y in outputs] != [y.shape for y in case.outputs]:
            return HOLDS
        for name, size, e, a, *others in zip(grads(case), case.sizes, expected, actual, *near, strict=True):
            e, a = np.asarray(e, float), np.asarray(a, float)
            if not e.size or not np.isfinite(e).all() or not np.abs(e).max() < 1e30 or not 1e-30 < size < 1e30:
                continue
            largest = max(size, float(np.abs(e).max()))
            drift = max(float(np.abs(np.asarray(o, float) - a).max()) for o in others)
            drift = drift if np.isfinite(drift) else 0.0
            bar = np.full(e.shape, 2e3 * EPS32 * largest + 30 * drift)
            wrong = ~(np.abs(a - e) <= bar)
            if wrong.any():
                return violated(f"for float32 inputs {name} is off by {np.abs(a - e).max() / largest:.1g} of its size",
                                Evidence(name, e, a, bar, wrong))  # fmt: skip
        return HOLDS


def rounds_to_single(case: Case) -> str:
    """Say how backward is seen to compute in single precision; nothing if it is not.

    Backward that does not notice a step of 2**-34 but does one of 2**-20 has rounded to single on the way.
    """
    rng = case.rng()
    g = tuple(rng.normal(size=g.shape) for g in case.cotangents)
    shift = tuple(rng.choice([-1.0, 1.0], a.shape) * rng.uniform(0.5, 1.0, a.shape) for a in case.arrays)

    def moved(step: float) -> Arrays:
        return tuple(a * (1 + step * s) for a, s in zip(case.arrays, shift, strict=True))

    try:
        if _is_stuck(*(flat(case.subject.forward(moved(step))) for step in (0.0, FINE, COARSE / 2, COARSE))):
            return ""
        at, near, half, far = (flat(case.subject.vjp(moved(step), g)) for step in (0.0, FINE, COARSE / 2, COARSE))
    except Rejected:
        return ""
    nudged = flat(case.subject.vjp(case.arrays, tuple(h * (1 + FINE) for h in g)))
    nonzero = (np.abs(at) > TINY) & np.isfinite(at)
    if nonzero.any() and (at[nonzero] == at[nonzero].astype(np.float32)).all():
        return "every element of the gradient is a single-precision number: backward rounds to float32"
    if _is_stuck(at, near, half, far) or (nonzero.any() and (nudged[nonzero] == at[nonzero]).all()):
        return "backward does not notice a relative change of 6e-11: it rounds to float32 on the way"
    return ""


def _is_stuck(at: np.ndarray, near: np.ndarray, half: np.ndarray, far: np.ndarray) -> bool:
    """Whether what moves in proportion to coarse steps does not move at all under a fine one."""
    if not at.shape == near.shape == half.shape == far.shape:
        return False
    with np.errstate(all="ignore"):
        proportional = np.abs(far - at - 2 * (half - at)) <= 0.1 * np.abs(far - at)
        moves = (
            (np.abs(far - at) > 1e-9 * np.abs(at))
            & (np.abs(at) > TINY)
            & np.isfinite(at)
            & np.isfinite(far)
            & proportional
        )
    return bool(moves.any() and (near[moves] == at[moves]).mean() > 0.5)  # rounding may turn over for a few
