"""Where a program's gradient goes wrong: in an op, in an op that is used more than once, or in the engine.

A graph is judged in parts, which together are the whole, by the chain rule. What the engine makes of it is compared
with the chain of the nodes' own VJPs, computed in the plainest way there is; both do the same arithmetic, so that they
agree but for rounding. And each node's own VJP, at its actual input with its actual cotangent, is held against the
oracle. A numerical derivative of the whole would say less: it cannot see far through a deep graph.
"""

from __future__ import annotations

from adverify.blame.base import Blame, Judgement, accused
from adverify.blame.chain_rule import Chain, NodeRaised
from adverify.blame.crowd import crowded
from adverify.blame.disturbances import mishandling
from adverify.blame.engine import blame_of_engine
from adverify.blame.nodes import judge_nodes, judge_raising_node
from adverify.expression import Apply, Expression
from adverify.subject import BackwardRaised, Rejected
from adverify.verdict import undecided


def judge_expression(e: Expression) -> Judgement:
    """Judge the gradient of a graph, and find who is to blame if it is wrong."""
    try:
        chain = Chain(e)
    except Rejected as rejected:
        return Judgement(undecided(str(rejected)))
    except NodeRaised as raised:
        return judge_raising_node(e, raised)
    found: Judgement | None = None
    if chain.is_finite:  # sums of NaN and infinity say nothing, but the node that gave them can be judged
        found = _of_engine(e, chain) or _in_company(crowded(e))
    if found is not None and found.blame is not None and found.blame.kind != "engine":
        return found
    # What an op does alone may be wrong, and only right, or differently wrong, where the engine calls it.
    nodes = judge_nodes(e, chain)
    return nodes if found is None or nodes.blame is not None else found


def _of_engine(e: Expression, chain: Chain) -> Judgement | None:
    try:
        blame = blame_of_engine(e, chain)
    except NodeRaised as raised:  # for other cotangents, of a later pass
        return _of_raising(e, raised)
    return None if blame is None else accused(blame, e)


def _in_company(e: Expression) -> Judgement | None:
    try:
        chain = Chain(e)
    except Rejected:  # the graph is judged without it
        return None
    except NodeRaised as raised:
        return _of_raising(e, raised)
    return _of_engine(e, chain)


def _of_raising(e: Expression, raised: NodeRaised) -> Judgement | None:
    judgement = judge_raising_node(e, raised)
    return judgement if judgement.blame is not None else None


def blame_of_misuse(e: Expression) -> Blame | None:
    """Blame an op for what it does to Variables that is not its right, though the gradient may be right here."""
    try:
        chain = Chain(e)
        for i, n in enumerate(e.nodes):
            what = mishandling(e, i, chain.complete(e, i)) if isinstance(n, Apply) and chain.is_reached(i) else ""
            if what:
                return Blame("use", i, f"{e.name(i)}, {what}")
    except (Rejected, BackwardRaised, NodeRaised):  # which is judged where it matters
        return None
    return None


def shows_the_same(e: Expression, known: Judgement) -> bool:
    """Whether a graph, as it stands, is wrong for the same reason as another one."""
    if known.blame is None:
        return False
    try:
        chain = Chain(e)
        if known.blame.kind == "op":
            found = judge_nodes(e, chain).blame
        else:
            found = blame_of_engine(e, chain) if chain.is_finite else None
    except Rejected:
        return False
    except NodeRaised as raised:
        found = judge_raising_node(e, raised).blame
    return found is not None and (found.kind, found.guilty(e)) == (known.blame.kind, known.guilty)


__all__ = ["Blame", "Judgement", "blame_of_misuse", "judge_expression", "shows_the_same"]
