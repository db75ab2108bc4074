"""Gradients that are not added to what is there."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from adverify.case import Case
from adverify.diagnosis.base import Fault
from adverify.diagnosis.witness import fresh, is_same
from adverify.report import Failure


class Overwritten(Fault):
    """The gradient is assigned where it must be added.

    Examples
    --------
    ::

        class Op(Function):
            def forward(self, x):
                return variable(np.exp(x.data))

            def backward(self, x, grad):
                x.grad = grad * np.exp(x.data)
    """

    kind = "overwritten"
    properties = ("accumulation", "aliasing", "reentrancy", "composition")

    def explain(self, failure: Failure) -> str:
        names = [
            n for n, plain, after in _with_something_held(failure.case) if all(is_same(a, plain) for _, a in after)
        ]
        names = [f"{n}.grad" for n in names]
        return f"{' and '.join(names)} {_is(names)} assigned where it must be added to" if names else ""


def _is(names: Sequence[str]) -> str:
    return "is" if len(names) == 1 else "are each"


class Scratch(Fault):
    """What `.grad` held before is changed as well.

    Examples
    --------
    ::

        class Op(Function):
            def forward(self, x):
                return variable(np.exp(x.data))

            def backward(self, x, grad):
                x.grad += grad
                x.grad *= np.exp(x.data)
    """

    kind = "scratch"
    properties = ("accumulation",)

    def explain(self, failure: Failure) -> str:
        found = []
        for name, plain, after in _with_something_held(failure.case):
            kept = [(a - plain) / h for h, a in after]
            if all(is_same(k, kept[0]) for k in kept) and not is_same(kept[0], np.ones_like(kept[0])):
                unlike = np.ptp(kept[0]) > 1e-6 * np.abs(kept[0]).max(initial=0.0)
                times = "multiplied as well" if unlike else f"multiplied by {np.mean(kept[0]):.6g}"
                found.append(f"what {name}.grad held before is {times}")
            elif all(is_same(a, h) for h, a in after) and plain.any():
                found.append(f"nothing is added to {name}.grad if it holds something already")
        return "; ".join(found)


def _with_something_held(case: Case) -> list[tuple[str, np.ndarray, list[tuple[np.ndarray, np.ndarray]]]]:
    """Give each input's name, its plain gradient, and what was held before with what is there after, several times."""
    rng = case.rng()
    plain = [np.asarray(v, float) for v in case.vjp]
    after: list[list[tuple[np.ndarray, np.ndarray]]] = [[] for _ in plain]
    for _ in range(3):
        op, inputs = case.subject.make(), fresh(case)
        held = [rng.uniform(0.5, 2.0, a.shape) * (np.abs(v).max(initial=0.0) or 1.0)
                for a, v in zip(case.arrays, plain, strict=True)]  # fmt: skip
        for x, h in zip(inputs, held, strict=True):
            x.grad = np.array(h)
        case.subject.apply(op, inputs)
        left = case.subject.pull_back(op, inputs, case.cotangents)
        for pairs, h, a in zip(after, held, left, strict=True):
            pairs.append((h, np.asarray(a, float)))
    return [(n, v, pairs) for n, v, pairs in zip(case.names, plain, after, strict=True)
            if v.size and all(np.shape(a) == v.shape for _, a in pairs)]  # fmt: skip
