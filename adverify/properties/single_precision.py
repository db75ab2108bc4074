"""What backward computes in single precision on the way, as steps show that single precision cannot see."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from adverify.case import Case, flat, largest
from adverify.properties.base import EPS, drift, gradients, grads
from adverify.strategies.cases import ordinary
from adverify.subject import BackwardRaised, Rejected
from adverify.verdict import Status, Verdict, undecided

FINE, COARSE = 2.0**-34, 2.0**-16
"""Relative steps that single precision cannot see, and that it sees plainly."""

STEPS = np.array([FINE, 2 * FINE, 4 * FINE, COARSE / 8, COARSE / 2, COARSE])
"""By which a point is left: three fine ones and three coarse ones."""

SHARE, CLEAR = 1e-3, 5.0
"""How much of a value's change, relative to the value, has to be missing, and how many times what steps differ by."""

MOVING, PLAINLY = 0.5, 2.0**-36
"""Of all outputs that are not 0 so many have to move by so much over coarse steps, relative to themselves."""

BY_CHANCE = 0.05
"""Of outputs so many may seem to ignore a step."""

EXPLAINED = 1e-5
"""Of the size of a gradient: the most by which single precision explains that it is off."""

TINY = 1e-290
"""Below it even doubles have few digits."""

VISIBLE = 1e-9
"""Of the usual size of a gradient: what is smaller may be what is left after cancelling, a few bits."""

FEW_BITS, LAST_BIT = 2.0**24 * EPS, 2.0**-57
"""Of a cotangent: what is left of parts of its size that cancel fits into single precision below the one, and is a
multiple of the other."""

ELSEWHERE = 6
"""Other inputs at which single precision must be seen as well."""


def left_to_precision(case: Case, verdict: Verdict) -> Verdict:
    """Leave what another property found to this one, if single precision explains it."""
    if verdict.status is not Status.VIOLATED or not verdict.evidence:
        return verdict
    most = EXPLAINED * max(case.sizes, default=0.0)
    is_small = all(bool((np.abs(e.actual - e.expected)[e.wrong] <= most).all()) for e in verdict.evidence)
    if not is_small or not rounds_to_single(case):
        return verdict
    return undecided("the gradient is computed in single precision, as `precision` says")


def rounds_to_single(case: Case) -> str:
    """Say how backward is seen to compute in single precision; nothing if it is not.

    Digits that cancel inside backward, as in 1 - tanh(x), go missing as well, but not for any input: what is seen at
    the case must be seen at other ordinary inputs too. Where the last bits of the inputs decide there are no digits.
    """
    for i in range(len(case.arrays)):
        how = _seen_to_round(case, i)
        if (
            how
            and drift(case, gradients)[i] <= FINE * case.sizes[i]
            and _is_seen([_seen_to_round(other, i) for other in elsewhere(case)])
        ):
            return how
    return ""


def _is_seen(found: Sequence[str | None]) -> bool:
    """Whether it is seen wherever it can be seen, and somewhere."""
    return "" not in found and any(found)


def elsewhere(case: Case) -> Iterator[Case]:
    """Give other inputs of the same shapes."""
    rng = case.rng()
    shapes = tuple(a.shape for a in case.arrays)
    for _ in range(ELSEWHERE):
        if case.sampling.given:
            yield case.at(tuple(a * rng.uniform(0.1, 1.0, a.shape) for a in case.arrays))
        else:
            yield case.at(ordinary(shapes, case.sampling, rng))


def _seen_to_round(case: Case, i: int) -> str | None:
    """Say how backward rounds the gradient of input `i`, nothing if it does not; None if that cannot be seen here.

    Backward that does not notice a step of 2**-34, or a part of it, but does one of 2**-16 has rounded to single on the
    way.
    """
    rng = case.rng()
    shift = tuple(rng.choice([-1.0, 1.0], a.shape) * rng.uniform(0.5, 1.0, a.shape) for a in case.arrays)
    points = [tuple(a * (1 + t * s) for a, s in zip(case.arrays, shift, strict=True)) for t in (0.0, *STEPS)]
    name = grads(case)[i]
    try:
        g = tuple(rng.normal(size=g.shape) for g in case.cotangents)
        outputs = [flat(case.subject.forward(p)) for p in points]
        moved = [np.ravel(case.subject.vjp(p, g)[i]) for p in points]
        scaled = [np.ravel(case.subject.vjp(case.arrays, tuple(h * (1 + t) for h in g))[i]) for t in (0.0, *STEPS)]
    except (Rejected, BackwardRaised):
        return None
    if not _moves(outputs) or _some(_ignores(outputs, 64 * EPS)) or _some(_ignores_a_part(outputs, SHARE / 16)):
        return None
    at = moved[0]
    seen = (np.abs(at) > max(TINY, VISIBLE * case.sizes[i])) & np.isfinite(at) & ~_is_left_over(at, largest(*g))
    if not seen.any():
        return None
    if (at[seen] == at[seen].astype(np.float32)).all():
        return f"every element of {name} is a single-precision number: backward rounds to float32"
    ignores_fine, ignores_coarse = (scaled[k][seen] == scaled[0][seen] for k in (1, -1))
    if _most(_ignores(moved, 1e-9)) or (ignores_fine & ~ignores_coarse).all():
        return f"{name} does not notice a relative change of 6e-11: backward rounds to float32 on the way"
    if _most(_ignores_a_part(moved, SHARE)) or _most(_ignores_a_part([v[seen] for v in scaled], SHARE)):
        return f"a part of {name} does not notice a relative change of 6e-11: backward rounds it to float32"
    return ""


def _moves(outputs: Sequence[np.ndarray]) -> bool:
    """Whether forward moves so plainly that its gradient is more than rounding."""
    at, *_, far = outputs
    if at.shape != far.shape:
        return False
    with np.errstate(all="ignore"):
        plainly = np.abs(far - at)[at != 0] > PLAINLY * np.abs(at[at != 0])
    return bool(plainly.size and plainly.mean() >= MOVING)


def _some(flags: np.ndarray) -> bool:
    """Whether more are true than would be by chance."""
    return bool(flags.size and flags.mean() > BY_CHANCE)


def _most(flags: np.ndarray) -> bool:
    """Whether most are true; rounding may turn over for some."""
    return bool(flags.size and flags.mean() > 0.5)


def _is_left_over(values: np.ndarray, size: float) -> np.ndarray:
    """Which values may be what is left of parts of a size that cancel: a few bits, and at a coarse place."""
    unit = LAST_BIT * 2.0 ** np.floor(np.log2(size)) if size else 0.0
    with np.errstate(all="ignore"):
        left: np.ndarray = (np.abs(values) < FEW_BITS * size) & (np.remainder(values, unit) == 0)
    return left


def _ignores(values: Sequence[np.ndarray], least: float) -> np.ndarray:
    """Whether each element that moves in proportion to coarse steps, by `least` of itself, ignores a fine one.

    `values` are those at the point and after each of STEPS.
    """
    at, near, *_, half, far = values
    if not at.shape == near.shape == half.shape == far.shape:
        return np.zeros(0, bool)
    with np.errstate(all="ignore"):
        change = np.abs(far - at)
        proportional = np.abs(far - at - 2 * (half - at)) <= 0.1 * change
        usable = (np.abs(at) > TINY) & np.isfinite(at) & np.isfinite(far)
        moves = usable & proportional & (change > least * np.abs(at))
    ignores: np.ndarray = near[moves] == at[moves]
    return ignores


def _ignores_a_part(values: Sequence[np.ndarray], share: float) -> np.ndarray:
    """Whether each element that moves with coarse steps has, for all fine ones, another slope: a part of it rests.

    Rounding in double gives fine steps slopes that differ among each other.
    """
    at, *moved = values
    if any(v.shape != at.shape for v in moved):
        return np.zeros(0, bool)
    with np.errstate(all="ignore"):
        slopes = (np.stack(moved) - at) / STEPS[:, None]
        fine, coarse = slopes[:3], slopes[3:]
        usable = (np.abs(at) > TINY) & np.isfinite(slopes).all(axis=0)
        moves = usable & (np.abs(coarse[-1]) > share * np.abs(at))
        scatter = np.ptp(fine, axis=0) + np.ptp(coarse, axis=0)
        missing = np.abs(np.median(fine, axis=0) - coarse[-1])
        rests: np.ndarray = missing > CLEAR * scatter + share * np.abs(at)
    return rests[moves]
