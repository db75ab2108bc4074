"""Backwards that do something else with the cotangent than multiply it by a Jacobian."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from adverify.case import Case
from adverify.diagnosis.base import GRADIENT, Fault, Mistake
from adverify.diagnosis.witness import Witness
from adverify.report import Failure
from adverify.subject import Arrays

_CHANGES: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "ignores the cotangent: it is right for a cotangent of ones only": np.ones_like,
    "uses the sum of the cotangent for each of its elements": lambda g: np.full_like(g, g.sum()),
    "uses the mean of the cotangent for each of its elements": lambda g: np.full_like(g, g.mean()),
    "uses the absolute value of the cotangent": np.abs,
    "uses the square of the cotangent": np.square,
    "uses the sign of the cotangent only": np.sign,
    "uses the cotangent's positive part only": lambda g: np.maximum(g, 0),
    "uses the cotangent's first element for all": lambda g: np.full_like(g, g.flat[0]),
    "uses the sum of the cotangent along its last axis": lambda g: g + 0 * g if not g.ndim else
        np.broadcast_to(g.sum(-1, keepdims=True), g.shape),
    "uses the mean of the cotangent along its last axis": lambda g: g + 0 * g if not g.ndim else
        np.broadcast_to(g.mean(-1, keepdims=True), g.shape),
}  # fmt: skip


class Cotangent(Mistake):
    """The cotangent is ignored, added up, averaged or made positive.

    Examples
    --------
    ::

        class Op(Function):
            def forward(self, x):
                return variable(np.exp(x.data))

            def backward(self, x, grad):
                x.grad += np.exp(x.data)
    """

    kind = "cotangent"
    complexity = 1

    def explain(self, witnesses: Sequence[Witness], i: int) -> str:
        for text, change in _CHANGES.items():
            if all(_is_truth_of(w, i, change) for w in witnesses):
                return text
        return ""


def _is_truth_of(w: Witness, i: int, change: Callable[[np.ndarray], np.ndarray]) -> bool:
    changed = tuple(np.array(change(g)) if g.size else g for g in w.cotangents)
    if all(np.array_equal(c, g) for c, g in zip(changed, w.cotangents, strict=True)):
        return not w.wrong(i).any()
    truth = w.truth(cotangents=changed)
    return truth is not None and truth.fits(i, w.actual[i])


class ConstantTerm(Mistake):
    """Something is added that does not depend on the cotangent.

    Examples
    --------
    ::

        class Op(Function):
            def forward(self, x):
                return variable(np.exp(x.data))

            def backward(self, x, grad):
                x.grad += grad * np.exp(x.data) + 0.01 * x.data
    """

    kind = "constant-term"
    complexity = 3
    is_slight = True
    properties = (*GRADIENT, "linearity")

    def explain(self, witnesses: Sequence[Witness], i: int) -> str:
        terms = []
        for w in witnesses:
            at_zero = w.backward(cotangents=tuple(np.zeros_like(g) for g in w.cotangents))
            if at_zero is None or not w.fits(i, w.actual[i] - at_zero[i]):
                return ""
            terms.append(at_zero[i])
        if not any(t.any() for t in terms):
            return ""
        decay = _share(terms, [w.arrays[i] for w in witnesses])
        what = f"{decay:.6g} times the input" if decay else "something"
        return f"has {what} added that does not depend on the cotangent"


def _share(terms: Sequence[np.ndarray], arrays: Sequence[np.ndarray]) -> float:
    """Give how many times the arrays the terms are; 0 if they are no multiple of them."""
    t, a = (np.concatenate([np.ravel(v) for v in values]) for values in (terms, arrays))
    ratio = float(t @ a / (a @ a)) if a.any() else 0.0
    return ratio if np.allclose(t, ratio * a, rtol=1e-9, atol=1e-12 * float(np.abs(t).max())) else 0.0


class Clipped(Fault):
    """The cotangent is clipped.

    Examples
    --------
    ::

        class Op(Function):
            def forward(self, x):
                return variable(np.exp(x.data))

            def backward(self, x, grad):
                x.grad += np.clip(grad, -1, 1) * np.exp(x.data)
    """

    kind = "cotangent"
    properties = ("linearity",)

    def explain(self, failure: Failure) -> str:
        case = failure.case
        limit = _limit(case)
        if limit is None:
            return ""
        rng = case.rng()
        for size in (0.5, 2.0, 30.0):
            g = tuple(size * limit * rng.normal(size=h.shape) for h in case.cotangents)
            clipped = tuple(np.clip(h, -limit, limit) for h in g)
            small = tuple(h * 1e-3 for h in clipped)
            parts = zip(*(_gradients(case, h) for h in (g, clipped, small)), strict=True)
            if not all(np.allclose(a, b, rtol=1e-6) and np.allclose(b, 1e3 * c, rtol=1e-6) for a, b, c in parts):
                return ""
        return f"the cotangent is clipped to [-{limit:.6g}, {limit:.6g}]"


def _gradients(case: Case, cotangents: Arrays) -> Arrays:
    return tuple(np.asarray(v, float) for v in case.subject.vjp(case.arrays, cotangents))


def _limit(case: Case) -> float | None:
    """Give the size at which a cotangent of equal elements stops to matter; None if it never does."""
    slope, top = (_total(case, size) for size in (1e-9, 1e12))
    if not slope or not np.isfinite(top) or not top:
        return None
    limit = top / slope * 1e-9
    return float(f"{limit:.10g}") if 1e-6 < limit < 1e9 else None


def _total(case: Case, size: float) -> float:
    gradients = _gradients(case, tuple(np.full(h.shape, size) for h in case.cotangents))
    return float(sum(np.abs(v).sum() for v in gradients))
