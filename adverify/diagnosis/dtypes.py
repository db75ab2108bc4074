"""Digits that are lost, and dtypes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from adverify.diagnosis.base import Fault, Mistake
from adverify.diagnosis.witness import Witness
from adverify.report import Failure


class WrongType(Fault):
    """The gradient has another dtype than its input.

    Examples
    --------
    ::

        class Op(Function):
            def forward(self, x):
                return variable(np.exp(x.data))

            def backward(self, x, grad):
                x.grad = (x.grad + grad * np.exp(x.data)).astype(np.float32)
    """

    kind = "dtype"
    properties = ("shape",)

    def explain(self, failure: Failure) -> str:
        return failure.verdict.reason if " dtype " in failure.verdict.reason else ""


MULTIPLES = (1.3, 1.7, 1.9)
OWN = 0.1
"""The share of an error that has to be seen as a lack of linearity, for the cotangent or its multiples."""

LEAST = 3
"""Witnesses at which rounding must be seen."""


class Single(Mistake):
    """A part of the gradient is rounded to single precision.

    Examples
    --------
    ::

        class Op(Function):
            def forward(self, x):
                return variable(x.data - x.data.mean())

            def backward(self, x, grad):
                x.grad += grad - np.float32(grad.mean())
    """

    kind = "precision"
    is_slight = True

    def explain(self, witnesses: Sequence[Witness], i: int) -> str:
        seen = [_rounds(w, i) for w in witnesses if w.wrong(i).any()]
        if len(seen) < LEAST or not all(seen):
            return ""
        return "is off by what a cast to a narrower dtype costs: a part of it is rounded on the way"


def _rounds(w: Witness, i: int) -> bool:
    """Whether an error is another share of the gradient for most multiples of the cotangent, and the same for twice it.

    To double a float32 is exact. The true gradient is linear, so what backward lacks to be linear is its own error.
    """
    lacks = [_bent(w, i, c) for c in (2.0, *MULTIPLES)]
    off = float(np.nanmax(np.abs(w.actual[i] - w.expected[i])))
    return lacks[0] == 0 and max(lacks) >= OWN * off


def _bent(w: Witness, i: int, c: float) -> float:
    """Give by how much the gradient for a multiple of the cotangent is not that multiple; NaN if it cannot be told."""
    given = w.backward(cotangents=tuple(c * g for g in w.cotangents))
    return float(np.abs(given[i] - c * w.actual[i]).max(initial=0.0)) if given is not None else np.nan


class Precision(Fault):
    """Digits are lost to single precision.

    Examples
    --------
    ::

        class Op(Function):
            def forward(self, x):
                return variable(np.exp(x.data))

            def backward(self, x, grad):
                x.grad += grad * np.exp(x.data).astype(np.float32)
    """

    kind = "precision"
    properties = ("precision",)

    def explain(self, failure: Failure) -> str:
        return failure.verdict.reason
