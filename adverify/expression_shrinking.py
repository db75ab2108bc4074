"""The smallest graph that still shows what is wrong with one: parts are left out, and values become simple."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np

from adverify.blame.chain_rule import Chain, NodeRaised
from adverify.blame.crowd import PLUS
from adverify.expression import Apply, Expression, Leaf, Plus, Use
from adverify.subject import Rejected

SECONDS = 3.0


def shrunk(e: Expression, is_wrong: Callable[[Expression], bool], seconds: float = SECONDS) -> Expression:
    """Make an expression smaller as long as `is_wrong` says that it shows the same.

    Parameters
    ----------
    e : Expression
    is_wrong : callable
        Takes an Expression; `e` itself is taken to be wrong.
    seconds : float
        When to stop.

    Examples
    --------
    >>> from adverify import tensor
    >>> from adverify.ops import sin
    >>> x = tensor([0.3, 0.7])
    >>> shrunk(Expression.trace(sin(x) * x + x), lambda e: "Multiply" in e.ops)
    <Expression of 1 leaves: 1 = Multiply(0, 0)>
    """
    enough = time.thread_time() + seconds
    progress = True
    while progress:
        progress = False
        for simpler in simplifications(e):
            if time.thread_time() > enough:
                return e
            if complexity(simpler) < complexity(e) and is_wrong(simpler):
                e, progress = simpler, True
                break
    return e


def complexity(e: Expression) -> tuple[float, ...]:
    """What makes a graph hard to read, the worst first."""
    leaves = [n for n in e.nodes if isinstance(n, Leaf)]
    applied = [n for n in e.nodes if isinstance(n, Apply)]
    values = np.concatenate([np.ravel(n.array) for n in leaves] or [np.zeros(0)]).astype(float)
    weights = np.concatenate([np.ravel(g) for g in e.cotangents]).astype(float)
    unusual = sum(n.kept for n in applied) + sum(not n.requires_grad for n in leaves)
    narrow = sum(n.array.dtype != float for n in leaves)
    rough = float(np.sum(values != np.round(values))) + float(np.sum(weights != 1.0))
    return (len(applied), len(e.nodes), len(e.outputs), sum(len(n.inputs) for n in applied),
            sum(n.subject.kind is not Plus for n in applied), values.size, narrow,
            unusual, sum(map(len, _shapes(e))), rough, float(np.abs(values).sum()))  # fmt: skip


def _shapes(e: Expression) -> list[tuple[int, ...]]:
    return [n.array.shape for n in e.nodes if isinstance(n, Leaf)]


def simplifications(e: Expression) -> Iterator[Expression]:
    """Give graphs that are simpler in one respect, those first that leave out most."""
    for way in (
        _alone,
        _cut,
        _one_output,
        _opened,
        _bypassed,
        _merged,
        _added,
        _reconnected,
        _plain,
        _resized,
        _simple_values,
    ):
        for simpler in way(e):
            try:
                _ = simpler.values
            except (Rejected, ValueError):  # an op does not take what it would get
                continue
            yield simpler


def _chain(e: Expression) -> Chain | None:
    """The cotangents that nodes have; None if there are not all, for a node raises."""
    try:
        return Chain(e)
    except NodeRaised:
        return None


def _alone(e: Expression) -> Iterator[Expression]:
    """Each node as the root, with the cotangent that it has in the graph; by itself first."""
    chain = _chain(e)
    if chain is None:
        return
    reached = [i for i, n in enumerate(e.nodes) if isinstance(n, Apply) and chain.is_reached(i)]
    for i in reached:
        outputs = tuple(Use(i, k) for k in range(len(e.values[i])) if chain.cotangents[i][k] is not None)
        cotangents = tuple(np.asarray(chain.cotangents[i][u.output]) for u in outputs)
        whole = e.below(outputs, cotangents)
        last = len(whole.nodes) - 1
        yield _with_leaves(whole, last.__ne__)
    for i in reached[:-1]:
        outputs = tuple(Use(i, k) for k in range(len(e.values[i])) if chain.cotangents[i][k] is not None)
        yield e.below(outputs, tuple(np.asarray(chain.cotangents[i][u.output]) for u in outputs))


def _with_leaves(e: Expression, chosen: Callable[[int], bool]) -> Expression:
    """The graph in which some nodes are leaves that hold what the nodes gave; of one of several outputs, one each."""
    nodes: list[Leaf | Apply] = []
    place: dict[Use, Use] = {}
    for i, n in enumerate(e.nodes):
        if isinstance(n, Apply) and chosen(i):
            for k, y in enumerate(e.values[i]):
                place[Use(i, k)] = Use(len(nodes))
                nodes.append(Leaf(y))
        else:
            for k in range(len(e.values[i])):
                place[Use(i, k)] = Use(len(nodes), k)
            nodes.append(n if isinstance(n, Leaf) else replace(n, inputs=tuple(place[u] for u in n.inputs)))
    outputs = tuple(place[u] for u in e.outputs)
    return Expression(tuple(nodes), outputs, e.cotangents).below(outputs, e.cotangents)


def _cut(e: Expression) -> Iterator[Expression]:
    """A node becomes a leaf."""
    for i in range(len(e.nodes) - 1, -1, -1):
        if isinstance(e.nodes[i], Apply):
            yield _with_leaves(e, i.__eq__)


def _one_output(e: Expression) -> Iterator[Expression]:
    for u, g in zip(e.outputs, e.cotangents, strict=True):
        yield e.below((u,), (g,))
    for k in range(len(e.outputs)):
        outputs, cotangents = e.outputs[:k] + e.outputs[k + 1 :], e.cotangents[:k] + e.cotangents[k + 1 :]
        if outputs:
            yield e.below(outputs, cotangents)


def _opened(e: Expression) -> Iterator[Expression]:
    """Instead of an output, the inputs of its node are outputs, with the cotangents that they have in the graph."""
    chain = _chain(e)
    if chain is None:
        return
    for u in e.outputs:
        kept = [(v, g) for v, g in zip(e.outputs, e.cotangents, strict=True) if v != u]
        others = [v for v in dict.fromkeys(e.nodes[u.node].inputs) if v not in dict(kept)]
        sent = [(v, chain.cotangents[v.node][v.output]) for v in others]
        kept += [(v, g) for v, g in sent if g is not None]
        if kept:
            yield e.below([v for v, _ in kept], tuple(np.asarray(g) for _, g in kept))


def _bypassed(e: Expression) -> Iterator[Expression]:
    """A node is left out, and one of its inputs is used in its place."""
    for i in range(len(e.nodes) - 1, -1, -1):
        for source in dict.fromkeys(e.nodes[i].inputs):
            yield _redirected(e, i, source)


def _merged(e: Expression) -> Iterator[Expression]:
    """A leaf is left out, and another node is used in its place."""
    for i in e.leaves:
        users = e.consumers[i]
        first = min((k for k, _ in users), default=len(e.nodes))
        for j in range(first - 1, -1, -1):
            if j != i:
                yield _redirected(e, i, Use(j))


def _added(e: Expression) -> Iterator[Expression]:
    """A node adds up its inputs, instead of what it does; it has one input less, if that is what it does."""
    for i, n in enumerate(e.nodes):
        if isinstance(n, Apply) and n.subject.kind is not Plus and len(e.values[i]) == 1:
            yield replace(e, nodes=(*e.nodes[:i], replace(n, subject=PLUS), *e.nodes[i + 1 :])).refitted()
        elif isinstance(n, Apply) and n.subject.kind is Plus and len(n.inputs) > 1:
            for k in range(len(n.inputs)):
                fewer = replace(n, inputs=n.inputs[:k] + n.inputs[k + 1 :])
                whole = replace(e, nodes=(*e.nodes[:i], fewer, *e.nodes[i + 1 :]))
                yield whole.below(e.outputs, e.cotangents).refitted()


def _reconnected(e: Expression) -> Iterator[Expression]:
    """One input of a node is taken from another node."""
    for i, n in enumerate(e.nodes):
        for k, u in enumerate(n.inputs):
            for j in range(i):
                if Use(j) != u and isinstance(n, Apply):
                    other = replace(n, inputs=(*n.inputs[:k], Use(j), *n.inputs[k + 1 :]))
                    whole = replace(e, nodes=(*e.nodes[:i], other, *e.nodes[i + 1 :]))
                    yield whole.below(e.outputs, e.cotangents).refitted()


def _redirected(e: Expression, i: int, source: Use) -> Expression:
    """The graph that uses `source` wherever it uses the first output of node `i`."""

    def turn(u: Use) -> Use:
        return source if u == Use(i) else u

    nodes = tuple(n if isinstance(n, Leaf) else replace(n, inputs=tuple(map(turn, n.inputs))) for n in e.nodes)
    outputs = tuple(map(turn, e.outputs))
    whole = Expression(nodes, outputs, e.cotangents)
    return whole.below(outputs, e.cotangents).refitted()


def _plain(e: Expression) -> Iterator[Expression]:
    """Flags as usual, doubles, cotangents of ones."""
    for i, n in enumerate(e.nodes):
        if isinstance(n, Apply) and n.kept:
            yield _replaced(e, i, replace(n, kept=False))
        elif isinstance(n, Leaf) and not n.requires_grad:
            yield _replaced(e, i, replace(n, requires_grad=True))
        if isinstance(n, Leaf) and n.array.dtype != float:
            yield _replaced(e, i, replace(n, array=n.array.astype(float)))
    yield replace(e, cotangents=tuple(np.ones_like(g) for g in e.cotangents))


def _replaced(e: Expression, i: int, node: Leaf | Apply) -> Expression:
    return replace(e, nodes=(*e.nodes[:i], node, *e.nodes[i + 1 :])).refitted()


def _resized(e: Expression) -> Iterator[Expression]:
    """All axes of one length get shorter; leaves lose an axis."""
    for n in sorted({n for s in _shapes(e) for n in s if n > 1}, reverse=True):
        for new in range(1, n):
            arrays = [
                leaf.array[tuple(slice(new) if m == n else slice(None) for m in leaf.array.shape)]
                for leaf in e.nodes
                if isinstance(leaf, Leaf)
            ]
            yield _at(e, arrays)
    leaves = [n.array for n in e.nodes if isinstance(n, Leaf)]
    if any(a.ndim for a in leaves):
        yield _at(e, [a[0] if a.ndim and len(a) else a for a in leaves])


def _ones(a: np.ndarray) -> np.ndarray:
    return np.ones_like(a)


def _all_different(a: np.ndarray) -> np.ndarray:
    return np.arange(1, a.size + 1, dtype=a.dtype).reshape(a.shape)


def _whole(a: np.ndarray) -> np.ndarray:
    return np.asarray(np.round(a))


def _short(a: np.ndarray) -> np.ndarray:
    return np.asarray(np.round(a, 1))


def _simple_values(e: Expression) -> Iterator[Expression]:
    """Ones, small numbers all different, and each value rounded; in all leaves or in one."""
    leaves = [n.array for n in e.nodes if isinstance(n, Leaf)]
    ways: tuple[Callable[[np.ndarray], np.ndarray], ...] = (_ones, _all_different, _whole, _short)
    for way in ways:
        yield _at(e, [way(a) for a in leaves])
        if len(leaves) > 1:
            for k, a in enumerate(leaves):
                yield _at(e, [*leaves[:k], way(a), *leaves[k + 1 :]])


def _at(e: Expression, arrays: list[np.ndarray]) -> Expression:
    nodes = list(e.nodes)
    for i, array in zip(e.leaves, arrays, strict=True):
        n = nodes[i]
        assert isinstance(n, Leaf)
        nodes[i] = replace(n, array=array)
    return replace(e, nodes=tuple(nodes)).refitted()
