"""The chain rule in the plainest way there is: what the cotangent of every node is to be."""

from __future__ import annotations

from typing import Any

import numpy as np

from adverify.expression import Expression, Leaf
from adverify.subject import Arrays, BackwardRaised


class NodeRaised(Exception):
    """A node's backward raised by itself."""

    def __init__(self, node: int, cotangents: Arrays, cause: BackwardRaised) -> None:
        self.node, self.cotangents, self.cause = node, cotangents, cause


class Chain:
    """The chain rule on the data of an expression, one node after the other, each op by a fresh instance.

    Attributes
    ----------
    cotangents : list of list of ndarray or None
        For each output of each node; None for what no output depends on.
    sizes : list of list of ndarray
        How large the terms were that were added up, element by element.
    shares : list of tuple of ndarray
        What each node sends to each of its inputs.
    seeds : tuple of ndarray
        What each output is given.

    Parameters
    ----------
    jitter : int
        Other than 0: every cotangent is off by a few roundings, which shows what rounding does.
    """

    def __init__(self, e: Expression, jitter: int = 0) -> None:
        rng = np.random.default_rng(jitter)
        self.seeds = e.cotangents
        self.cotangents: list[list[Any]] = [[None] * len(values) for values in e.values]
        self.sizes = [[np.zeros(y.shape) for y in values] for values in e.values]
        self.shares: list[Arrays] = [()] * len(e.nodes)
        for u, g in zip(e.outputs, e.cotangents, strict=True):
            self._add(e, u, g)
        for i in range(len(e.nodes) - 1, -1, -1):
            n, sent = e.nodes[i], self.cotangents[i]
            if jitter:
                sent[:] = [g if g is None else jittered(g, rng, s) for g, s in zip(sent, self.sizes[i], strict=True)]
            if isinstance(n, Leaf) or all(g is None for g in sent):
                continue
            complete = self.complete(e, i)
            try:
                self.shares[i] = n.subject.vjp(e.operands(i), complete)
            except BackwardRaised as raised:
                raise NodeRaised(i, complete, raised) from raised
            for u, a, share in zip(n.inputs, e.operands(i), self.shares[i], strict=True):
                if np.shape(share) != a.shape:
                    error = ValueError(f"backward left a gradient of shape {np.shape(share)} for an input of "
                                       f"shape {a.shape}")  # fmt: skip
                    raise NodeRaised(i, complete, BackwardRaised(error))
                self._add(e, u, share)

    def _add(self, e: Expression, u: Any, share: Any) -> None:
        like = e.values[u.node][u.output]
        share = np.asarray(share, like.dtype)
        before = self.cotangents[u.node][u.output]
        self.cotangents[u.node][u.output] = share if before is None else before + share
        self.sizes[u.node][u.output] += np.abs(share)

    def complete(self, e: Expression, i: int) -> Arrays:
        """The cotangents of a node, zeros for outputs that nothing uses."""
        given = zip(self.cotangents[i], e.values[i], strict=True)
        return tuple(np.zeros(y.shape, y.dtype) if g is None else np.asarray(g) for g, y in given)

    @property
    def is_finite(self) -> bool:
        return all(np.isfinite(g).all() for sent in self.cotangents for g in sent if g is not None)

    def is_repeatable(self, e: Expression) -> bool:
        """Whether the ops give the same once more, to the last bit."""
        both = zip(self.cotangents, Chain(e).cotangents, strict=True)
        pairs = [pair for one, other in both for pair in zip(one, other, strict=True)]
        return all(a is b or np.array_equal(a, b, equal_nan=True) for a, b in pairs)

    def is_reached(self, i: int) -> bool:
        return any(g is not None for g in self.cotangents[i])


def jittered(g: np.ndarray, rng: np.random.Generator, size: np.ndarray | None = None) -> np.ndarray:
    """An array that is off by a few roundings, of numbers of some size: by default its own."""
    roundings = rng.uniform(-4, 4, g.shape) * np.finfo(g.dtype).eps
    return np.asarray(g + roundings * (np.abs(g) if size is None else size), g.dtype)
