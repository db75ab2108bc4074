"""Formulas that are right elsewhere, and fail at single values: where two are equal, at zero, where they overflow."""

from __future__ import annotations

import numpy as np

from adverify.case import Case, flat, unflat
from adverify.diagnosis.base import GRADIENT, Fault
from adverify.diagnosis.gathering import Stopwatch, gather
from adverify.diagnosis.witness import measured, slope
from adverify.directions import moved_off
from adverify.domains import SYMMETRIC
from adverify.properties.gradient import SpecialValues
from adverify.report import Failure
from adverify.subject import Arrays
from adverify.summary import may_underflow
from adverify.verdict import Status, Verdict

OFF = 0.371
"""Added to equal elements, which stay equal: if that mends the gradient, it was their value and not the tie."""


class NotANumber(Fault):
    """The gradient is NaN or infinite where the true one is finite.

    Examples
    --------
    ::

        class Op(Function):
            def forward(self, x):
                return variable(np.abs(x.data) ** 3)

            def backward(self, x, grad):
                x.grad += 3 * grad * np.abs(x.data) ** 3 / x.data
    """

    kind = "nan"
    properties = (*GRADIENT, "special values", "extremes")

    def explain(self, failure: Failure) -> str:
        if failure.property in GRADIENT and _is_wrong_elsewhere(failure):
            return ""
        parts = []
        for e in failure.verdict.evidence:
            if e.actual.shape != e.expected.shape or np.isfinite(e.actual[e.wrong]).any():
                return ""
            known = e.wrong & np.isfinite(e.expected)
            if not known.any():
                continue
            kinds = {"NaN" if np.isnan(v) else "infinite" for v in e.actual[known]}
            right = np.where(np.abs(e.expected) <= e.error, 0.0, e.expected)[known]
            values = {f"{v:.6g}" for v in right}
            if may_underflow(flat(failure.case.arrays)) and not e.expected[known].any():
                where = "forward, as it is computed, does not change"
            else:
                where = f"{values.pop()} is right" if len(values) == 1 else "the true gradient is finite"
            parts.append(f"{e.what} is {' or '.join(sorted(kinds))} where {where}")
        return "; ".join(parts)


def _is_wrong_elsewhere(failure: Failure) -> bool:
    """Whether gradients are wrong that are finite, so that NaN or infinity is not all that is wrong."""
    witnesses = gather(failure.case, Stopwatch(), 0.1)
    return any((w.wrong(i) & np.isfinite(w.actual[i])).any() for w in witnesses for i in range(len(w.arrays)))


class Tie(Fault):
    """Among equal elements each gets the whole gradient, or none does.

    Examples
    --------
    ::

        class Op(Function):
            def forward(self, x):
                return variable(x.data.max())

            def backward(self, x, grad):
                x.grad += grad * (x.data == x.data.max())
    """

    kind = "tie"
    properties = ("special values", "extremes")

    def explain(self, failure: Failure) -> str:
        case = failure.case
        matrices = any(case.sampling.convention) or any(d.structure in SYMMETRIC for d in case.sampling.domains)
        if matrices or not _is_right_nearby(failure):
            return ""
        x, v = flat(case.arrays), flat(case.vjp)
        wrong = _wrong(failure)
        values, counts = np.unique(x, return_counts=True)
        if wrong is None or not np.isin(x[wrong], values[counts > 1]).all() or not np.isfinite(v).all():
            return ""
        tied = ", ".join(f"{t:.6g}" for t in np.unique(x[wrong])[:3])
        elsewhere = case.at(unflat(x + np.where(np.isin(x, x[wrong]), OFF, 0.0), case.arrays))
        paid = {_paid(c, wrong) for c in (case, elsewhere)}
        return f"where elements tie (at {tied}), {paid.pop()}" if len(paid) == 1 and None not in paid else ""


def _paid(case: Case, members: np.ndarray) -> str | None:
    """Say what equal elements get, if that is all or nothing of what they should get together."""
    apart = case.at(_pulled_apart(case.arrays))
    whole = np.abs(flat(apart.vjp)).max(initial=0.0)
    group = flat(case.vjp)[members]
    right, bar = slope(case, members)
    if group.size < 2 or not bar <= 1e-3 * abs(right):
        return None
    if np.allclose(np.abs(group), whole, rtol=1e-3) and np.allclose(group, right, rtol=1e-3):
        return "each of them gets the whole gradient"
    return None if group.any() else "none of them gets a gradient"


class Point(Fault):
    """The gradient is wrong at a special value only.

    Examples
    --------
    ::

        class Op(Function):
            def forward(self, x):
                return variable(x.data**3)

            def backward(self, x, grad):
                x.grad += grad * np.where(x.data == 0, 1, 3 * x.data**2)
    """

    kind = "point"
    properties = ("special values",)

    def explain(self, failure: Failure) -> str:
        wrong = _wrong(failure)
        if wrong is None or not _is_right_nearby(failure):
            return ""
        x = flat(failure.case.arrays)
        first = int(wrong.argmax())
        if np.unique(np.abs(x[wrong])).size != 1 or not _is_for_its_value(failure.case, wrong):
            return ""
        return f"only the value {x[first] + 0.0:.6g} itself is wrong; right next to it the gradient is right"


def _is_for_its_value(case: Case, wrong: np.ndarray) -> bool:
    """Whether an element stays wrong if all others change, and all are right if only those that are wrong do.

    Others may be to blame as well: a tie among them, or a zero.
    """
    x, off = flat(case.arrays), flat(moved_off(case).arrays)
    first = np.arange(x.size) == wrong.argmax()
    alone, beside = (case.at(unflat(np.where(kept, x, off), case.arrays)) for kept in (first, ~wrong))
    still = _wrong_in(SpecialValues().check(alone), alone)
    return still is not None and bool(still[first].all()) and SpecialValues().check(beside).status is Status.HOLDS


def _wrong(failure: Failure) -> np.ndarray | None:
    """Tell which elements of all inputs are wrong."""
    return _wrong_in(failure.verdict, failure.case)


def _wrong_in(verdict: Verdict, case: Case) -> np.ndarray | None:
    by_name = {e.what: e.wrong for e in verdict.evidence}
    parts = [np.ravel(by_name.get(f"{n}.grad", np.zeros(a.shape, bool)))
             for n, a in zip(case.names, case.arrays, strict=True)]  # fmt: skip
    wrong = np.concatenate(parts)
    return wrong if wrong.any() else None


def _is_right_nearby(failure: Failure) -> bool:
    witness = measured(moved_off(failure.case))
    return witness is not None and not any(witness.wrong(i).any() for i in range(len(witness.arrays)))


def _pulled_apart(arrays: Arrays) -> Arrays:
    x = flat(arrays)
    return unflat(x + 1e-3 * (1 + np.arange(x.size)) * np.maximum(np.abs(x), 1), arrays)
