"""What an op does to Variables that is not its right: it is to add to its inputs' gradients in backward, no more."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from adverify.engine import Function, Variable
from adverify.subject import Arrays, Subject


def misuse(subject: Subject, arrays: Arrays, cotangents: Arrays) -> str:
    """Say what an op changes besides its inputs' gradients, as ``"backward changes ..."``; empty if nothing.

    Two uses of one instance show it, of the same values: what is kept of values is not asked here. The inputs are
    leaves, and then intermediates of a graph.
    """
    for is_leaf in (True, False):
        op, uses = subject.make(), [_inputs(arrays, is_leaf) for _ in range(2)]
        found = [*_by_forward(subject, op, uses), *_by_backward(subject, op, uses, cotangents)]
        if found:
            return found[0]
    return ""


def overwrites(subject: Subject, arrays: Arrays, cotangents: Arrays) -> bool:
    """Whether a second backward leaves what the first did, where twice as much should be, on leaves or in a graph."""
    for is_leaf in (True, False):
        op, inputs = subject.make(), _inputs(arrays, is_leaf)
        subject.apply(op, inputs)
        first, second = (tuple(map(np.array, _pull_back(subject, op, inputs, cotangents))) for _ in range(2))
        if any(np.any(a) and np.isfinite(a).all() and np.array_equal(a, b) for a, b in zip(first, second, strict=True)):
            return True
    return False


def sends_nothing(grad: Any) -> None:
    """The `back` of what stands for an intermediate of a graph."""


def _inputs(arrays: Arrays, is_leaf: bool) -> list[Variable]:
    return [Variable(np.array(a), requires_grad=is_leaf, back=None if is_leaf else sends_nothing) for a in arrays]


def _by_forward(subject: Subject, op: Function, uses: Sequence[list[Variable]]) -> Iterator[str]:
    for inputs in uses:
        for x in inputs:
            x.grad = np.ones_like(x.data)
        before = _states(inputs)
        subject.apply(op, inputs)
        for part in _changed(before, inputs):
            yield f"forward changes {part} of its input"


def _by_backward(subject: Subject, op: Function, uses: Sequence[list[Variable]], cotangents: Arrays) -> Iterator[str]:
    for x in (x for inputs in uses for x in inputs):
        x.grad = None
    halves = tuple(np.asarray(-0.5 * g, g.dtype) for g in cotangents)  # so that a buffer of both uses shows
    first, second = uses
    for inputs, others, given in ((first, second, cotangents), (second, first, halves)):
        before, elsewhere = _states(inputs), _states(others)
        _pull_back(subject, op, inputs, given)
        for part in _changed(before, inputs):
            if part != GRADIENT:
                yield f"backward changes {part} of its input"
        for part in _changed(elsewhere, others):
            yield f"backward changes {part} of another use's input"


GRADIENT = "the gradient"
State = tuple[bool, Any, np.ndarray]


def _states(inputs: Sequence[Variable]) -> list[State]:
    return [(x.requires_grad, x.back, np.array(_gradient(x))) for x in inputs]


def _changed(before: Sequence[State], inputs: Sequence[Variable]) -> Iterator[str]:
    """Name what is not as it was, besides values."""
    for (requires_grad, back, grad), x in zip(before, inputs, strict=True):
        if x.requires_grad != requires_grad:
            yield "`requires_grad`"
        if x.back is not back:
            yield "`back`"
        if not np.array_equal(_gradient(x), grad, equal_nan=True):
            yield GRADIENT


def _gradient(x: Variable) -> Any:
    """The gradient; to read `grad` would allocate what is not there."""
    return np.zeros_like(x.data) if x._grad is None else x._grad


def _pull_back(subject: Subject, op: Function, inputs: list[Variable], cotangents: Arrays) -> tuple[Any, ...]:
    return subject.pull_back(op, inputs, [np.array(g) for g in cotangents])
