"""How an op may go wrong in a graph only: what it keeps, changes or overwrites, shown with the op by itself."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from adverify.blame.rounding import is_close, is_same_array
from adverify.blame.visits import Observed, Visit
from adverify.case import largest
from adverify.engine import Function, Variable
from adverify.expression import Apply, Expression, Use, requires_grad
from adverify.misuse import misuse, overwrites, sends_nothing
from adverify.subject import Arrays, BackwardRaised, Rejected

REPEATS = 12
"""Uses in which an op that is not always the same is to show it."""
LOOSE = 1e4
"""Roundings, in units of the last place, between two orders of adding."""


def twins(e: Expression, i: int) -> list[int]:
    """The other nodes that use the same instance."""
    key = e.nodes[i].key[:2]
    return [j for j, n in enumerate(e.nodes) if j != i and isinstance(n, Apply) and n.key[:2] == key]


def offence(e: Expression, i: int, cotangents: Arrays) -> str:
    """Say what a node's backward does, by itself, that is not its right."""
    n, log = _applied(e, i), list[Visit]()
    _gradients(e, i, Observed(i, n.subject.make(), log), cotangents)
    return log[0].offence


def changes_its_input(e: Expression, i: int, cotangents: Arrays) -> bool:
    """Whether a node's forward or backward changes the values of what it is applied to."""
    n = _applied(e, i)
    op, inputs = n.subject.make(), _inputs(e, i)
    n.subject.apply(op, inputs)
    n.subject.pull_back(op, inputs, [np.array(g) for g in cotangents])
    return any(not is_same_array(x.data, a) for x, a in zip(inputs, e.operands(i), strict=True))


def is_unsteady(e: Expression, i: int, cotangents: Arrays) -> bool:
    """Whether a node's op gives another gradient when it is used again, by one instance or by new ones."""
    make = _applied(e, i).subject.make
    first, one = _gradients(e, i, make(), cotangents), make()
    return any(_differ(_gradients(e, i, op, cotangents), first) for _ in range(REPEATS) for op in (one, make()))


def confused_by(e: Expression, i: int, cotangents: Arrays) -> int | None:
    """The node whose forward, by an instance of its own, changes what a backward of another of its class gives."""
    n = _applied(e, i)
    first = _gradients(e, i, n.subject.make(), cotangents)
    for j, m in enumerate(e.nodes):
        if j == i or not isinstance(m, Apply) or m.subject.kind is not n.subject.kind:
            continue
        op, inputs = n.subject.make(), _inputs(e, i)
        n.subject.apply(op, inputs)
        m.subject.apply(m.subject.make(), _inputs(e, j))
        try:
            again = n.subject.pull_back(op, inputs, [np.array(g) for g in cotangents])
        except BackwardRaised:
            return j
        if _differ(again, first):
            return j
    return None


def is_replayed(e: Expression, i: int, visit: Visit, place: int) -> bool:
    """Whether a new instance, on the same inputs and cotangent, leaves the same as in the graph."""
    n = _applied(e, i)
    made: dict[Use, Variable] = {}
    for u, a, held in zip(n.inputs, e.operands(i), visit.held, strict=True):
        back = sends_nothing if isinstance(e.nodes[u.node], Apply) else None
        made.setdefault(u, Variable(np.array(a), np.array(held), requires_grad(e.nodes[u.node]), back))
    op, inputs = n.subject.make(), [made[u] for u in n.inputs]
    n.subject.apply(op, inputs)
    left = n.subject.pull_back(op, inputs, visit.given)[place]
    return is_close(left, visit.after[place], bar(visit.after[place]))


def disturber(e: Expression, cotangents: Sequence[Arrays | None]) -> tuple[int, str] | None:
    """A node whose op cannot be relied on, with what it does; `cotangents` is None for what no output depends on."""
    for i, given in enumerate(cotangents):
        if given is None or not isinstance(e.nodes[i], Apply):
            continue
        try:
            other = confused_by(e, i, given)
            if other is not None:
                return i, f"keeps something of another use, by node {other}, for all instances of its class"
            if _leaves_something(e, i, given):
                return i, "keeps something on its inputs, where another use finds it"
            what = mishandling(e, i, given)
            if what:
                return i, what
            if _keeps_its_cotangent(e, i, given):
                return i, "keeps the cotangent of an earlier pass"
            if is_unsteady(e, i, given):
                return i, "gives another gradient when it is used again"
        except (BackwardRaised, Rejected):
            return i, "does not always raise, but sometimes"
    return None


def _leaves_something(e: Expression, i: int, cotangents: Arrays) -> bool:
    """Whether a Variable has got an attribute that Variables do not have."""
    n = _applied(e, i)
    op, inputs = n.subject.make(), _inputs(e, i)
    n.subject.apply(op, inputs)
    n.subject.pull_back(op, inputs, [np.array(g) for g in cotangents])
    return any(vars(x).keys() != vars(Variable(x.data)).keys() for x in inputs)


def _keeps_its_cotangent(e: Expression, i: int, cotangents: Arrays) -> bool:
    """Whether another backward of the same instance, with another cotangent, adds something else than alone."""
    subject, inputs = _applied(e, i).subject, _inputs(e, i)
    others = tuple(np.asarray(g + np.arange(1, g.size + 1).reshape(g.shape), g.dtype) for g in cotangents)
    first, second = (_gradients(e, i, subject.make(), some) for some in (cotangents, others))
    op = subject.make()
    subject.apply(op, inputs)
    for some in (cotangents, others):
        left = subject.pull_back(op, inputs, [np.array(g) for g in some])
    return _differ(left, tuple(np.asarray(a + b) for a, b in zip(first, second, strict=True)))


def mishandling(e: Expression, i: int, cotangents: Arrays) -> str:
    """Say what a node's op does to Variables that is not its right, if it does."""
    question = _applied(e, i).subject, e.operands(i), cotangents
    what = misuse(*question)
    if what:
        return f"misuses Variables: {what}"
    return "overwrites the gradient that its input holds" if overwrites(*question) else ""


def bar(array: np.ndarray) -> float:
    """How far rounding may move sums as large as an array."""
    return LOOSE * float(np.finfo(array.dtype).eps) * largest(array)


def _applied(e: Expression, i: int) -> Apply:
    n = e.nodes[i]
    assert isinstance(n, Apply)
    return n


def _inputs(e: Expression, i: int) -> list[Variable]:
    return [Variable(np.array(a)) for a in e.operands(i)]


def _gradients(e: Expression, i: int, op: Function, cotangents: Arrays) -> Arrays:
    subject, inputs = _applied(e, i).subject, _inputs(e, i)
    subject.apply(op, inputs)
    return subject.pull_back(op, inputs, [np.array(g) for g in cotangents])


def _differ(one: Arrays, other: Arrays) -> bool:
    return any(not is_close(a, b, bar(b)) for a, b in zip(one, other, strict=True))
