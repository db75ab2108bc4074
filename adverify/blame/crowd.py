"""A graph in company: every op's output, and every op, is also used elsewhere, where it may change nothing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from adverify.engine import Function, Variable, variable
from adverify.expression import Apply, Expression, Leaf, Plus, Use
from adverify.subject import Arrays, Rejected, subject_of

MOST = 6
"""Nodes that get company."""


class Both(Function):
    """Its input, twice: the simplest op of several outputs there is."""

    def forward(self, x: Variable) -> tuple[Variable, Variable]:
        return variable(np.array(x.data)), variable(np.array(x.data))

    def backward(self, x: Variable, grads: tuple[np.ndarray, np.ndarray]) -> None:
        x.grad = x.grad + grads[0] + grads[1]


PLUS, BOTH = subject_of(Plus, {}), subject_of(Both, {})


def crowded(e: Expression) -> Expression:
    """The same graph and more outputs.

    The last op's output goes into several outputs, kept and not, each op's output twice into one sum with a constant,
    and each op is applied once more, by the same instance, to other values. Every other op's output is kept.
    """
    applied = [i for i, n in enumerate(e.nodes) if isinstance(n, Apply)][-MOST:]
    nodes, outputs, cotangents = list(e.nodes), list(e.outputs), list(e.cotangents)

    def add(node: Apply, values: Arrays) -> None:
        nodes.append(node)
        for k, y in enumerate(values):
            outputs.append(Use(len(nodes) - 1, k))
            cotangents.append(np.full_like(y, 0.5))

    every_other = applied[len(e.nodes) % 2 :: 2]
    for i in applied:
        y = e.values[i][0]
        if i == applied[-1]:
            add(Apply(BOTH, (Use(i),), kept=True), (y, y))
            add(Apply(BOTH, (Use(i),)), (y, y))
        nodes.append(Leaf(np.ones((), y.dtype), requires_grad=False))
        add(Apply(PLUS, (Use(i), Use(i), Use(len(nodes) - 1))), (y,))
    for i in applied:
        n = e.nodes[i]
        assert isinstance(n, Apply)
        if i in every_other:
            nodes[i] = replace(n, kept=True)
        operands, values = _elsewhere(n, e.operands(i))
        if values:
            nodes += [Leaf(a) for a in operands]
            first = len(nodes) - len(operands)
            add(Apply(n.subject, tuple(Use(first + k) for k in range(len(operands)))), values)
    return Expression(tuple(nodes), tuple(outputs), tuple(cotangents))


def _elsewhere(n: Apply, operands: Arrays) -> tuple[Arrays, Arrays]:
    """Other operands of the same shapes that an op takes, with what it gives; nothing if none is found."""
    for others in _others(operands):
        try:
            with np.errstate(all="ignore"):
                return others, n.subject.forward(others)
        except Rejected:
            continue
    return (), ()


def _others(operands: Arrays) -> Iterator[Arrays]:
    """Backwards, so that a matrix stays symmetric; with other signs, or farther in or out of a bounded domain."""
    backwards = [np.flip(a) for a in operands]
    for factor in (-0.75, 0.75, 1.25, 1.0):
        yield tuple(np.asarray(factor * a, a.dtype) for a in backwards)
