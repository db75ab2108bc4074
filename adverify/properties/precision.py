from __future__ import annotations

import numpy as np

from adverify.case import Case, largest
from adverify.properties.base import EPS, WAYS, Property, grads, in_pieces, is_usable, nudged
from adverify.properties.single_precision import elsewhere, rounds_to_single
from adverify.subject import Arrays, BackwardRaised, Rejected
from adverify.verdict import HOLDS, Evidence, Verdict, undecided, violated

EPS32 = float(np.finfo(np.float32).eps)

FAR = 100.0
"""Its exponential is beyond float32, and far within float64."""

GROWS = 1e8
"""How many times larger a gradient may be for inputs 10 times as large: what grows faster overflows by its nature."""


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
            seen = [_lost_in_single(other) is not None for other in elsewhere(case) if is_usable(other)]
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
