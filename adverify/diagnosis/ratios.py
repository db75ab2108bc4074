"""Gradients that are right but for a factor that is a simple function of the values."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence

import numpy as np

from adverify.diagnosis.base import Mistake
from adverify.diagnosis.factors import LEAST
from adverify.diagnosis.witness import Witness


class Ratio(Mistake):
    """The gradient is a simple function of the values times what it should be.

    Examples
    --------
    ::

        class Op(Function):
            def forward(self, x):
                return variable(np.tanh(x.data))

            def backward(self, x, grad):
                x.grad += grad * (1 - np.tanh(x.data))
    """

    kind = "ratio"
    complexity = 7

    def explain(self, witnesses: Sequence[Witness], i: int) -> str:
        left: set[str] | None = None
        usable: dict[str, list[Witness]] = {}
        for w in witnesses:
            found = _candidates(w, i)
            names = list(found) if left is None else [n for n in found if n in left]
            fitting = {n for n in names if w.is_times(i, found[n])}
            left = fitting if left is None else (left - set(found)) | fitting
            for name in names:
                usable.setdefault(name, []).append(w)
            if not left:
                return ""
        for name, seen in usable.items():
            if left and name in left and _seen(seen, i) >= LEAST:
                return f"is {name} times what it should be"
        return ""


def _seen(witnesses: Sequence[Witness], i: int) -> int:
    """Count the elements that are wrong, and whose true gradient is known and not zero."""
    return sum(int((w.wrong(i) & (np.abs(w.expected[i]) > 0) & np.isfinite(w.actual[i])).sum()) for w in witnesses)


def _quantities(w: Witness, i: int) -> dict[str, np.ndarray]:
    shape = w.arrays[i].shape
    found = {n: a for n, a in zip(w.case.names, w.arrays, strict=True) if a.shape == shape}
    if len(w.case.outputs) == 1 and w.case.outputs[0].shape in (shape, ()):
        found["the output"] = np.broadcast_to(w.case.outputs[0], shape)
    return found


_FUNCTIONS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "{}": lambda q: q,
    "{}**2": lambda q: q**2,
    "|{}|": np.abs,
    "sqrt({})": np.sqrt,
    "exp({})": np.exp,
    "exp({}**2)": lambda q: np.exp(q**2),
    "log({})": np.log,
    "sin({})": np.sin,
    "cos({})": np.cos,
    "tanh({})": np.tanh,
    "cosh({})": np.cosh,
    "(1 - {})": lambda q: 1 - q,
    "(1 + {})": lambda q: 1 + q,
    "(1 - {}**2)": lambda q: 1 - q**2,
    "(1 + {}**2)": lambda q: 1 + q**2,
    "(1 + |{}|)": lambda q: 1 + np.abs(q),
    "sqrt(1 - {}**2)": lambda q: np.sqrt(1 - q**2),
    "sqrt(1 + {}**2)": lambda q: np.sqrt(1 + q**2),
}


def _candidates(w: Witness, i: int) -> dict[str, np.ndarray]:
    """Evaluate every function that a factor may be, of the inputs and the output at each element."""
    found: dict[str, np.ndarray] = {}
    quantities = _quantities(w, i)
    for pattern, function in _FUNCTIONS.items():
        for name, q in quantities.items():
            value = function(q)
            found[pattern.format(name)] = value
            found[f"1 / {pattern.format(name)}"] = 1 / value
            found[f"{pattern.format(name)} / 2"] = value / 2
            found[f"-{pattern.format(name)}"] = -value
            found[f"2 * {pattern.format(name)}"] = 2 * value
    for (a, p), (b, q) in itertools.permutations(quantities.items(), 2):
        found[f"{a} / {b}"] = p / q
        found[f"{a} * {b}"] = p * q
        found[f"1 / ({a} * {b})"] = 1 / (p * q)
        found[f"log({a}) / log({b})"] = np.log(p) / np.log(q)
    return found
