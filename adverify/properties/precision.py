from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from adverify.case import Case, flat, largest
from adverify.properties.base import EPS, WAYS, Property, drift, gradients, grads, in_pieces, is_usable, nudged
from adverify.strategies.cases import ordinary
from adverify.subject import Arrays, BackwardRaised, Rejected
from adverify.verdict import HOLDS, Evidence, Status, Verdict, undecided, violated

EPS32 = float(np.finfo(np.float32).eps)
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

FAR = 100.0
"""Its exponential is beyond float32, and far within float64."""

GROWS = 1e8
"""How many times larger a gradient may be for inputs 10 times as large: what grows faster overflows by its nature."""

ELSEWHERE = 6
"""Other inputs at which single precision must be seen as well."""


class Precision(Property):
    """A cast to float32 inside a double op costs nine digits; float32 inputs should cost no more than they must.

    The gradient still looks right to seven digits, so that a test with a tolerance of 1e-5 passes.

    Examples
    --------
    >>> import numpy as np
    >>> from adverify import Function, check_case, variable
    >>> class InSingle(Function):
    ...     def forward(self, x):
    ...         return variable(np.sin(x.data))
    ...     def backward(self, x, grad):
    ...         x.grad += grad * np.cos(x.data).astype(np.float32)
    >>> check_case(InSingle, [[1.0, 2.0]], property="precision")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
        ...
    adverify.report.VerificationError: InSingle: breaks 'precision': x.grad does not notice a relative...
    ...
    """

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
        """Compare float32 inputs with the same numbers as float64.

        Where digits cancel inside backward, all of them may be lost at some inputs. A loss that leaves a number must so
        be seen at half of some other inputs too.
        """
        lost = _lost_in_single(case)
        if lost is None:
            return HOLDS
        share, evidence = lost
        if np.isfinite(share):
            seen = [_lost_in_single(other) is not None for other in _elsewhere(case) if is_usable(other)]
            if 2 * sum(seen) < len(seen):
                return HOLDS
        return violated(f"for float32 inputs {evidence.what} is off by {share:.1g} of its size", evidence)


def overflow_in_single(case: Case) -> Verdict:
    """Look for NaN and infinity at float32 inputs whose exponential float32 does not hold, while doubles do."""
    largest_input = largest(*case.arrays)
    if not largest_input or any(d.structure for d in case.sampling.domains) or case.sampling.given:
        return HOLDS
    usual, far = (tuple((a * (size / largest_input)).astype(np.float32) for a in case.arrays) for size in (1.0, FAR))
    double = tuple(a.astype(np.float64) for a in far)
    if not all(d.holds(a).all() for d, a in zip(case.sampling.domains, double, strict=True)):
        return HOLDS
    try:
        expected, actual = _gradients(case, double), _gradients(case, far)
        # What is not finite at usual inputs either does not overflow; and what doubles do not hold, a little farther
        # on, the oracle sees.
        farther = _gradients(case, tuple(10 * a for a in double))
        others = (*_gradients(case, usual), *farther)
    except (Rejected, BackwardRaised):
        return HOLDS
    if not all(np.isfinite(v).all() for v in others):
        return HOLDS
    if any(largest(v) > GROWS * largest(e) for v, e in zip(farther, expected, strict=True)):
        return HOLDS  # as a product of many does, which leaves the range of float32 on the way, whatever is written
    for name, e, a in zip(grads(case), expected, actual, strict=True):
        held = np.isfinite(e) & (np.abs(e) < 1e30)
        wrong = held & ~np.isfinite(a) if np.shape(a) == np.shape(e) else np.zeros((), bool)
        if wrong.any():
            bar = np.where(held, 1e3 * EPS32 * np.abs(e), np.inf)
            found = Evidence(name, np.asarray(e, float), np.asarray(a, float), bar, wrong)
            return violated(f"for float32 inputs of {FAR:g}, {name} is not finite, and for the same as float64 it is",
                            found)  # fmt: skip
    return HOLDS


def _gradients(case: Case, arrays: Arrays) -> tuple[np.ndarray, ...]:
    """Give the gradients at other inputs, for the case's cotangents in the dtypes of the outputs there."""
    outputs = case.subject.forward(arrays)
    cotangents = [g.astype(y.dtype) for g, y in zip(case.cotangents, outputs, strict=True)]
    return tuple(np.asarray(v) for v in case.subject.vjp(arrays, cotangents))


def _lost_in_single(case: Case) -> tuple[float, Evidence] | None:
    """Show a gradient that for float32 inputs is off by more than float32 costs, and by what share of its size."""
    single = tuple(a.astype(np.float32) for a in case.arrays)
    double = tuple(a.astype(np.float64) for a in single)
    if not all(np.isfinite(a).all() and np.abs(a).max(initial=0.0) <= 30 for a in single):
        return None
    try:
        outputs = case.subject.forward(single)
        if _differs(outputs, case.subject.forward(double)):
            return None  # forward is another function for float32, as where an epsilon is that of the dtype
        g32 = tuple(g.astype(y.dtype) for g, y in zip(case.cotangents, outputs, strict=True))
        actual = case.subject.vjp(single, g32)
        expected = case.subject.vjp(double, case.cotangents)
        rng = case.rng()
        near = [case.subject.vjp(tuple(nudged(a, rng) for a in single), g32) for _ in range(WAYS)]
    except Rejected:
        return None
    if [y.shape for y in outputs] != [y.shape for y in case.outputs]:
        return None
    for name, size, e, a, *others in zip(grads(case), case.sizes, expected, actual, *near, strict=True):
        e, a = np.asarray(e, float), np.asarray(a, float)
        if not e.size or not np.isfinite(e).all() or not np.abs(e).max() < 1e30 or not 1e-30 < size < 1e30:
            continue
        steepest = max(size, float(np.abs(e).max()))
        scatter = max(float(np.abs(np.asarray(o, float) - a).max()) for o in others)
        scatter = scatter if np.isfinite(scatter) else 0.0
        bar = np.full(e.shape, EPS32 * (1e3 * steepest + in_pieces(case) / EPS) + 30 * scatter)
        wrong = ~(np.abs(a - e) <= bar)
        if wrong.any():
            return float(np.abs(a - e).max() / steepest), Evidence(name, e, a, bar, wrong)
    return None


def _differs(single: Arrays, double: Arrays) -> bool:
    """Whether outputs differ by more than float32 explains."""
    return any(
        y.shape != z.shape or bool((np.abs(y - z) > 1e4 * EPS32 * np.abs(z).max(initial=0.0)).any())
        for y, z in zip(single, double, strict=True)
    )


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
            and _is_seen([_seen_to_round(other, i) for other in _elsewhere(case)])
        ):
            return how
    return ""


def _is_seen(found: Sequence[str | None]) -> bool:
    """Whether it is seen wherever it can be seen, and somewhere."""
    return "" not in found and any(found)


def _elsewhere(case: Case) -> Iterator[Case]:
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
