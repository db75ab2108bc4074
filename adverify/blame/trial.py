"""The engine, run on a graph as a program runs it, against the chain rule."""

from __future__ import annotations

import functools
import operator
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from adverify.blame.chain_rule import Chain
from adverify.blame.rounding import Bars, is_close, is_same_array, rounding_bars
from adverify.engine import Function
from adverify.expression import Apply, Expression, Leaf, Run, requires_grad

FACTORS = (1.0, -0.5, 0.25)
"""What the cotangents are multiplied with in each pass, or an engine that sends earlier ones again would be right."""


class Stage(NamedTuple):
    """When the gradients are looked at.

    Attributes
    ----------
    where : str
        As it is said in reports.
    of_nodes, of_leaves : tuple of int
        The passes whose cotangents have been added up by then; a leaf is older than a graph that is built again.
    """

    where: str
    of_nodes: tuple[int, ...]
    of_leaves: tuple[int, ...]


STAGES = (
    Stage("", (0,), (0,)),
    Stage("in a second backward over the same graph, ", (0, 1), (0, 1)),
    Stage("when the graph is built again on the same leaves, ", (2,), (0, 1, 2)),
    Stage("in the first graph, after a backward over another one, ", (0, 1), (0, 1, 2)),
)


class Pass(NamedTuple):
    """A graph after a pass of the engine.

    Attributes
    ----------
    stage : Stage
    run : Run
    chains : sequence of Chain
        The chain rule for each pass.
    """

    stage: Stage
    run: Run
    chains: Sequence[Chain]

    @property
    def where(self) -> str:
        return self.stage.where

    @property
    def is_another_look(self) -> bool:
        """Whether there was no pass over this graph since it was looked at."""
        return self.stage is STAGES[-1]

    def added_up(self, n: Leaf | Apply) -> list[Chain]:
        """The chain rule for each of the passes whose cotangents a node has been given by now."""
        return [self.chains[p] for p in (self.stage.of_leaves if isinstance(n, Leaf) else self.stage.of_nodes)]

    @property
    def chain(self) -> Chain:
        """The chain rule for the last pass over this graph."""
        return self.chains[self.stage.of_nodes[-1]]

    def wanted(self, e: Expression, i: int, k: int) -> np.ndarray:
        """What `.grad` is to hold."""
        n, like = e.nodes[i], e.values[i][k]
        given = [c.cotangents[i][k] for c in self.added_up(n)]
        if given[0] is None or not requires_grad(n):
            return np.zeros(like.shape, like.dtype)
        return np.asarray(functools.reduce(operator.add, given))


def chains_of(e: Expression, chain: Chain) -> list[Chain]:
    """The chain rule for each pass; `chain` is that for the first."""
    return [chain, *(Chain(_multiplied(e, factor)) for factor in FACTORS[1:])]


def _multiplied(e: Expression, factor: float) -> Expression:
    """The same graph with other cotangents."""
    other = replace(e, cotangents=tuple(np.asarray(factor * g) for g in e.cotangents))
    vars(other)["values"] = e.values  # where the cached property keeps them
    return other


def passes(e: Expression, chains: Sequence[Chain], instances: Callable[[int, Apply], Function]) -> Iterator[Pass]:
    """Differentiate a graph, the same graph again, and a new one on the same leaves; look at the first one again."""
    first = Run(e, None, instances)
    for stage, factor in zip(STAGES[:2], FACTORS[:2], strict=True):
        first.backward(factor)
        yield Pass(stage, first, chains)
    again = Run(e, {i: first.variables[i][0] for i in e.leaves}, instances)
    again.backward(FACTORS[2])
    yield Pass(STAGES[2], again, chains)
    yield Pass(STAGES[3], first, chains)


class Difference(NamedTuple):
    """A value or a gradient that is not what the chain rule says."""

    after: Pass
    node: int
    output: int
    is_value: bool
    expected: np.ndarray
    actual: np.ndarray


def differences(e: Expression, after_each: Iterator[Pass]) -> Iterator[Difference]:
    """Give every difference between the passes of an engine and the chain rule, the last node first."""
    bars: Bars = []
    for after in after_each:
        for i in range(len(e.nodes) - 1, -1, -1):
            for k, y in enumerate(after.run.variables[i]):
                wanted = after.wanted(e, i, k)
                if is_same_array(y.data, e.values[i][k]) and is_same_array(y.grad, wanted):
                    continue
                bars = bars or rounding_bars(e, after.chains[0])
                if not is_close(y.data, e.values[i][k], bars[i][k].value):
                    yield Difference(after, i, k, True, e.values[i][k], y.data)
                if not is_close(y.grad, wanted, len(after.added_up(e.nodes[i])) * bars[i][k].gradient):
                    yield Difference(after, i, k, False, wanted, y.grad)
