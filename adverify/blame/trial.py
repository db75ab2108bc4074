"""The engine, run on a graph as a program runs it, against the chain rule."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np

from adverify.blame.chain_rule import Chain
from adverify.blame.rounding import Bars, is_close, is_same_array, rounding_bars
from adverify.engine import Function
from adverify.expression import Apply, Expression, Leaf, Run

PASSES = ("", "in a second backward over the same graph, ", "when the graph is built again on the same leaves, ")
"""What is asked of the engine, as it is said in reports."""


class Pass(NamedTuple):
    """A graph after a pass of the engine.

    Attributes
    ----------
    number : int
        Which one, as in PASSES.
    run : Run
    """

    number: int
    run: Run

    @property
    def where(self) -> str:
        return PASSES[self.number]

    def times(self, n: Leaf | Apply) -> int:
        """How often a node has been differentiated by now: in the end a leaf is older than the graph."""
        return self.number + 1 if isinstance(n, Leaf) else (1, 2, 1)[self.number]


def passes(e: Expression, instances: Callable[[int, Apply], Function]) -> Iterator[Pass]:
    """Differentiate a graph, the same graph again, and a new one on the same leaves."""
    first = Run(e, None, instances)
    for number in (0, 1):
        first.backward()
        yield Pass(number, first)
    again = Run(e, {i: first.variables[i][0] for i in e.leaves}, instances)
    again.backward()
    yield Pass(2, again)


class Difference(NamedTuple):
    """A value or a gradient that is not what the chain rule says."""

    after: Pass
    node: int
    expected: np.ndarray
    actual: np.ndarray


def differences(e: Expression, chain: Chain, after_each: Iterator[Pass]) -> Iterator[Difference]:
    """Give every difference between the passes of an engine and the chain rule, the last node first."""
    bars: Bars = []
    for after in after_each:
        for i in range(len(e.nodes) - 1, -1, -1):
            times = after.times(e.nodes[i])
            for k, y in enumerate(after.run.variables[i]):
                wanted = wanted_gradient(e, chain, i, k, times)
                if is_same_array(y.data, e.values[i][k]) and is_same_array(y.grad, wanted):
                    continue
                bars = bars or rounding_bars(e, chain)
                if not is_close(y.data, e.values[i][k], bars[i][k].value):
                    yield Difference(after, i, e.values[i][k], y.data)
                if not is_close(y.grad, wanted, times * bars[i][k].gradient):
                    yield Difference(after, i, wanted, y.grad)


def wanted_gradient(e: Expression, chain: Chain, i: int, k: int, times: int) -> np.ndarray:
    """What `.grad` is to hold after so many passes."""
    n, like, g = e.nodes[i], e.values[i][k], chain.cotangents[i][k]
    if g is None or not requires_grad(n):
        return np.zeros(like.shape, like.dtype)
    total = g
    for _ in range(times - 1):
        total = total + g
    return np.asarray(total)


def requires_grad(n: Leaf | Apply) -> bool:
    """Whether the gradient of a node is kept at the end of a pass."""
    return n.requires_grad if isinstance(n, Leaf) else n.kept
