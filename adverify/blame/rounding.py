"""How far apart rounding may bring two ways to compute one graph."""

from __future__ import annotations

import dataclasses
from typing import Any, NamedTuple

import numpy as np

from adverify.blame.chain_rule import Chain, NodeRaised, jittered
from adverify.case import largest
from adverify.expression import Expression, Leaf
from adverify.subject import Arrays, Rejected

SLACK = 64.0
"""How many roundings of each term may make the difference between two orders of adding."""

DECIDES = 0.1
"""The share of a gradient, above which what rounding changes has no bound: its inputs may as well be singular."""


class Bar(NamedTuple):
    """How far rounding may move a value, and its gradient."""

    value: float
    gradient: float


Bars = list[list[Bar]]


def rounding_bars(e: Expression, chain: Chain) -> Bars:
    """See what rounding does: what the graph and the chain do where every value and cotangent is off by as much."""
    others: list[tuple[Expression, Chain]] = []
    for seed in (1, 2, 3):
        perturbed = _perturbed(e, seed)
        try:
            others.append((perturbed, Chain(perturbed, seed)))
        except (NodeRaised, Rejected):  # at the end of a domain: nothing can be said of what rounding does
            return [[Bar(np.inf, np.inf)] * len(values) for values in e.values]
    bars: Bars = []
    for i, values in enumerate(e.values):
        bars.append([])
        for k, y in enumerate(values):
            g = chain.cotangents[i][k]
            eps = float(np.finfo(y.dtype).eps)
            value = max(_distance(y, p.values[i][k]) for p, _ in others)
            gradient = 0.0 if g is None else max(_distance(g, o.cotangents[i][k]) for _, o in others)
            size, terms = largest(y), largest(chain.sizes[i][k])
            bar = 16 * gradient + SLACK * eps * terms if gradient <= DECIDES * terms else np.inf
            bars[-1].append(Bar(16 * value + SLACK * eps * size, bar))
    return bars


def _perturbed(e: Expression, seed: int) -> Expression:
    """The same graph, with values that are all off by a few roundings; as it is, if an op does not take them."""
    rng = np.random.default_rng(seed)
    values: list[Arrays] = []
    for n in e.nodes:
        operands = [values[u.node][u.output] for u in n.inputs]
        try:
            exact = (n.array,) if isinstance(n, Leaf) else n.subject.forward(operands)
        except Rejected:
            return e
        values.append(tuple(jittered(y, rng) for y in exact))
    other = dataclasses.replace(e)
    vars(other)["values"] = tuple(values)  # where the cached property keeps them
    return other


def _distance(a: np.ndarray, b: np.ndarray) -> float:
    with np.errstate(all="ignore"):
        return float(np.nan_to_num(np.abs(a - b), nan=0.0).max(initial=0.0))


def is_same_array(actual: Any, expected: np.ndarray) -> bool:
    """Whether shape, dtype and all values are equal."""
    return (
        np.shape(actual) == expected.shape
        and np.asarray(actual).dtype == expected.dtype
        and bool(np.array_equal(actual, expected, equal_nan=True))
    )


def is_close(actual: Any, expected: np.ndarray, bar: float) -> bool:
    """Whether shape and dtype are equal, and no value is off by more than `bar`."""
    if np.shape(actual) != expected.shape or np.asarray(actual).dtype != expected.dtype:
        return False
    with np.errstate(all="ignore"):
        same = (np.abs(actual - expected) <= bar) | (actual == expected) | (np.isnan(actual) & np.isnan(expected))
    return bool(same.all())
