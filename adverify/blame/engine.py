"""What the engine makes of a graph: where it is not the chain rule, and whether an op or the engine is guilty of it."""

from __future__ import annotations

import functools
import itertools
import operator
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from adverify.blame.base import Blame
from adverify.blame.chain_rule import Chain
from adverify.blame.disturbances import LOOSE, changes_its_input, disturber, is_replayed, is_unsteady, offence, twins
from adverify.blame.rounding import is_close, rounding_bars
from adverify.blame.trial import Difference, Pass, chains_of, differences, passes
from adverify.blame.visits import Observers, Visit
from adverify.case import largest
from adverify.expression import Apply, Expression, Instances, Leaf, Use, requires_grad
from adverify.subject import Arrays
from adverify.verdict import Evidence, mismatch

MOST_LISTED = 4
"""Nodes that are named one by one."""
MOST_TERMS = 6
"""Parts of a cotangent of which those that are missing are sought."""


def blame_of_engine(e: Expression, chain: Chain) -> Blame | None:
    """Run the engine as a program does, and find out what it is that goes wrong, if anything does.

    Raises
    ------
    NodeRaised
        If a node's backward raises by itself for other cotangents, those of a later pass.
    """
    chains = chains_of(e, chain)
    try:
        found = next(differences(e, passes(e, chains, Instances())), None)
        if found is None:  # or the error bars are wide, because an op gives another gradient each time
            return None if chain.is_repeatable(e) else _of_disturber(e, chain)
        examination = _Examination(e, chains)
        blame = examination.find() or examination.unexplained(found)
        return (blame.kind == "engine" and _of_disturber(e, chain)) or blame
    except Exception as error:  # whatever the engine or an op raises where each op alone does not
        return _of_raised(e, error)


class _Term(NamedTuple):
    """A part of a node's cotangent: what it is called, of which output, and how much."""

    name: str
    output: int
    share: np.ndarray


class _Examination:
    """Runs a graph again with an observer at each node, and says which node or which edge is wrong."""

    def __init__(self, e: Expression, chains: Sequence[Chain]) -> None:
        self.e, self.chains = e, chains
        self.bars = rounding_bars(e, chains[0])
        self.log: list[Visit] = []

    def find(self) -> Blame | None:
        for after in passes(self.e, self.chains, Observers(self.log)):
            log = self.log[:]
            self.log.clear()
            blame = next(self._blames(after, log), None)
            if blame is not None:
                return blame
        return None

    def unexplained(self, found: Difference) -> Blame:
        """The engine is wrong, and right as soon as its ops are looked at: it keeps something of an instance."""
        after, i, k = found.after, found.node, found.output
        what = f"a gradient {self._what_is_wrong(after, i, {k: found.actual}, held=True)}"
        text = f"{after.where}the engine gives {self.e.mention(i)} {'another value' if found.is_value else what}"
        return Blame("engine", i, text, _evidence(f"node {i}", found.expected, found.actual))

    def _blames(self, after: Pass, log: Sequence[Visit]) -> Iterator[Blame]:
        e = self.e
        for v in log:
            if v.offence and offence(e, v.node, after.chain.complete(e, v.node)):
                yield Blame("use", v.node, f"{after.where}the backward of {e.name(v.node)}, {v.offence}")
        for i, outputs in enumerate(after.run.variables):
            for k, y in enumerate(outputs):
                if not is_close(y.data, e.values[i][k], self.bars[i][k].value):
                    yield self._of_value(after, i, k, y.data)
        for i in range(len(e.nodes) - 1, -1, -1):
            if isinstance(e.nodes[i], Apply) and after.chain.is_reached(i) and not after.is_another_look:
                yield from self._of_visits(after, i, [v for v in log if v.node == i])
            yield from self._of_kept(after, i)

    def _of_value(self, after: Pass, i: int, k: int, actual: Any) -> Blame:
        """A value in the graph is not what a fresh instance gives: an op changed it, or remembers something."""
        e = self.e
        users = [j for j, _ in e.consumers[i]]
        evidence = _evidence(f"node {i}", e.values[i][k], actual)
        if isinstance(e.nodes[i], Apply) and self._is_by_sharing(i):
            use = "uses" if len(twins(e, i)) == 1 else "use"
            text = f"{e.name(i)}, gives another output where {_nodes(twins(e, i))} {use} the same instance"
            return Blame("use", i, after.where + text, evidence)
        guilty = next((j for j in users if changes_its_input(e, j, after.chain.complete(e, j))), i)
        what = "changes the values of its input" if guilty != i or users else "gives another output than a new instance"
        return Blame("use", guilty, f"{after.where}{e.name(guilty)}, {what}", evidence)

    def _is_by_sharing(self, i: int) -> bool:
        """Whether all is well as soon as each node has an instance of its own."""
        if not twins(self.e, i):
            return False
        try:
            return next(differences(self.e, passes(self.e, self.chains, Observers([], apart=True))), None) is None
        except Exception:  # then it is not
            return False

    def _of_visits(self, after: Pass, i: int, visits: Sequence[Visit]) -> Iterator[Blame]:
        """A node is to be visited once, with its complete cotangent."""
        e, wanted = self.e, after.chain.complete(self.e, i)
        the_engine = f"{after.where}the engine"
        if not visits:
            if any(np.any(g != 0) for g in wanted):
                yield Blame("engine", i, f"{the_engine} never visits {e.mention(i)}, and loses what comes from "
                            f"{self._senders(i)}")  # fmt: skip
            return
        given = visits[0].given
        wrong = "" if self._is_cotangent(after, i, given) else self._what_is_wrong(after, i, dict(enumerate(given)))
        if len(visits) > 1:
            first = f", first with a cotangent {wrong}" if wrong else ""
            yield Blame("engine", i, f"{the_engine} visits {e.mention(i)} {len(visits)} times{first}")
        if wrong:
            evidence = _evidence(f"cotangent of node {i}", wanted[0], given[0])
            yield Blame("engine", i, f"{the_engine} visits {e.mention(i)} with a cotangent {wrong}", evidence)
        yield from self._of_shares(after, i, visits[0])

    def _is_cotangent(self, after: Pass, i: int, given: Arrays) -> bool:
        known = zip(given, after.chain.complete(self.e, i), self.bars[i], strict=True)
        return all(is_close(g, wanted, bar.gradient) for g, wanted, bar in known)

    def _of_shares(self, after: Pass, i: int, visit: Visit) -> Iterator[Blame]:
        """The node got the right cotangent: does it add what it adds alone?"""
        e, n = self.e, self.e.nodes[i]
        assert isinstance(n, Apply)
        alone = n.subject.vjp(e.operands(i), tuple(np.asarray(g) for g in visit.given))
        for u in dict.fromkeys(n.inputs):
            source = e.nodes[u.node]
            if isinstance(source, Leaf) and not source.requires_grad:
                continue  # nobody reads what an op leaves there
            places = [p for p, v in enumerate(n.inputs) if v == u]
            own = np.asarray(sum(np.asarray(alone[p], float) for p in places))
            before, now = (np.asarray(some[places[0]], float) for some in (visit.held, visit.after))
            size = largest(before) + sum(largest(alone[p]) for p in places)
            bar = LOOSE * float(np.finfo(e.values[u.node][u.output].dtype).eps) * size
            if not is_close(now, np.asarray(before + own), bar):
                evidence = _evidence(f"what {e.name(i)}, adds to {e.name(u.node)}", before + own, now)
                yield self._of_share(after, i, visit, u, is_close(now, own, bar), evidence)

    def _of_share(
        self, after: Pass, i: int, visit: Visit, u: Use, overwrites: bool, evidence: tuple[Evidence, ...]
    ) -> Blame:
        """One use of the node's op leaves something wrong on its input: does it do so out of the graph, too?"""
        e, n = self.e, self.e.nodes[i]
        places = [p for p, v in enumerate(n.inputs) if v == u]
        to, several = e.mention(u.node), f"its inputs {' and '.join(map(str, places))}" if len(places) > 1 else ""
        if is_replayed(e, i, visit, places[0]):
            if overwrites and np.any(visit.held[places[0]]):
                others = " and ".join(e.mention(j) for j, _ in e.consumers[u.node] if j != i)
                others = others or ("it as an output" if u in e.outputs else "an earlier pass")
                what = f"overwrites the gradient of {to}, which holds the share of {others}"
            elif several:
                what = f"with {to} as {several}, does not add all shares"
            else:
                what = f"does not add its share to what the gradient of {to} holds"
        elif self._is_by_sharing(i):
            what = f"keeps something of another use of the same instance, by {_nodes(twins(e, i))}"
        elif is_unsteady(e, i, after.chain.complete(e, i)):
            what = "gives another gradient when it is used again"
        else:
            edge = f"{e.mention(i)} -> {to}" + (f", which is {several}" if several else "")
            return Blame("engine", i, f"{after.where}the engine does not add what goes along the edge {edge}", evidence)
        return Blame("use", i, f"{after.where}{e.name(i)}, {what}", evidence)

    def _of_kept(self, after: Pass, i: int) -> Iterator[Blame]:
        """A node is to have its gradient in the end, or none."""
        e, n = self.e, self.e.nodes[i]
        for k, y in enumerate(after.run.variables[i]):
            wanted, actual = after.wanted(e, i, k), y.grad
            if is_close(actual, wanted, len(after.added_up(n)) * self.bars[i][k].gradient):
                continue
            if not requires_grad(n):
                text = f"the engine leaves a gradient on {e.mention(i)}, which requires none"
            elif np.shape(actual) != wanted.shape or np.asarray(actual).dtype != wanted.dtype:
                is_what = f"is of shape {np.shape(actual)} and dtype {np.asarray(actual).dtype}"
                text = f"the gradient of {e.mention(i)} {is_what}"
            else:
                wrong = self._what_is_wrong(after, i, {k: actual}, held=True)
                text = f"the engine gives {e.mention(i)} a gradient {wrong}"
            yield Blame("engine", i, after.where + text, _evidence(f"gradient of node {i}", wanted, actual))

    def _what_is_wrong(self, after: Pass, i: int, actual: Mapping[int, Any], held: bool = False) -> str:
        """Name the edge whose share is missing, or there twice, or the pass; `held`: of what earlier passes left."""
        wanted = self._sums(i, after.added_up(self.e.nodes[i]) if held else [after.chain])
        terms = self._terms(after.chain, i)
        lacking = [some for count in range(1, len(terms) + 1) for some in itertools.combinations(terms, count)]
        for some in lacking:
            if _is_off_by(actual, wanted, some, -1.0):
                return f"that lacks {_listed([t.name for t in some])}"
        for term in terms:
            if _is_off_by(actual, wanted, (term,), 1.0):
                return f"with twice {term.name}"
        return self._of_other_passes(after, i, actual) or f"other than the sum of what comes from {self._senders(i)}"

    def _terms(self, chain: Chain, i: int) -> list[_Term]:
        """What a node's cotangent is the sum of."""
        e, found = self.e, list[_Term]()
        for j, p in e.consumers[i]:
            if chain.shares[j] and np.any(chain.shares[j][p]):
                position = f" (its input {p})" if len(e.nodes[j].inputs) > 1 else ""
                name = f"what {e.mention(j)}{position} sends to it"
                found.append(_Term(name, e.nodes[j].inputs[p].output, np.asarray(chain.shares[j][p])))
        for number, (u, g) in enumerate(zip(e.outputs, chain.seeds, strict=True)):
            if u.node == i and np.any(g):
                found.append(_Term(f"what it is given as output {number} of the graph", u.output, g))
        return found[:MOST_TERMS]

    def _of_other_passes(self, after: Pass, i: int, actual: Mapping[int, Any]) -> str:
        """Say which passes' cotangents it holds, if not those that it should."""
        numbers = after.stage.of_leaves
        for some in (s for count in numbers for s in itertools.combinations(numbers, count + 1)):
            sums = self._sums(i, [self.chains[p] for p in some])
            if all(is_close(np.asarray(a), sums[k], 1e-9 * largest(sums[k])) for k, a in actual.items()):
                return ("as of pass " if len(some) == 1 else "as of passes ") + _listed([p + 1 for p in some])
        return ""

    def _sums(self, i: int, chains: Sequence[Chain]) -> list[np.ndarray]:
        """The cotangents of a node, added up over passes."""
        each = zip(*(c.complete(self.e, i) for c in chains), strict=True)
        return [np.asarray(functools.reduce(operator.add, some)) for some in each]

    def _senders(self, i: int) -> str:
        return _nodes(sorted({j for j, _ in self.e.consumers[i]})) or "the output"


def _is_off_by(actual: Mapping[int, Any], wanted: Sequence[np.ndarray], terms: Sequence[_Term], sign: float) -> bool:
    """Whether what came is what was wanted but for some terms."""
    for k, a in actual.items():
        other = wanted[k] + sum(sign * t.share for t in terms if t.output == k)
        size = largest(*(t.share for t in terms))
        if not is_close(np.asarray(a, wanted[k].dtype), np.asarray(other, wanted[k].dtype), 1e-9 * size):
            return False
    return any(t.output in actual for t in terms)


def _nodes(numbers: Sequence[int]) -> str:
    return ("node " if len(numbers) == 1 else "nodes ") + _listed(numbers) if numbers else ""


def _listed(things: Sequence[Any]) -> str:
    """``"1, 2 and 3"``; of many, the first few and how many more there are."""
    shown = [str(thing) for thing in things[:MOST_LISTED]]
    if len(things) > MOST_LISTED:
        shown.append(f"{len(things) - MOST_LISTED} more")
    return " and ".join(", ".join(shown).rsplit(", ", 1))


def _evidence(what: str, expected: Any, actual: Any) -> tuple[Evidence, ...]:
    if np.shape(expected) != np.shape(actual):
        return (Evidence(what, np.asarray(expected), np.asarray(actual), np.zeros(()), np.ones((), bool)),)
    return (mismatch(what, expected, actual, 1e-9 * largest(expected)),)


def _of_disturber(e: Expression, chain: Chain) -> Blame | None:
    """Before the engine is accused: an op that does not always do the same."""
    reached = [chain.complete(e, i) if chain.is_reached(i) else None for i in range(len(e.nodes))]
    found = disturber(e, reached)
    return None if found is None else Blame("use", found[0], f"{e.name(found[0])}, {found[1]}")


def _of_raised(e: Expression, error: Exception) -> Blame:
    """Find the node in which an exception came up: it did not when the node was alone."""
    trace, frames = error.__traceback__, []
    while trace is not None:
        frames.append(trace.tb_frame.f_locals.get("self"))
        trace = trace.tb_next
    for i, n in enumerate(e.nodes):
        if isinstance(n, Apply) and any(type(f) is n.subject.kind for f in frames):
            text = f"{e.name(i)}, raises in a graph and not alone: {type(error).__name__}: {error}"
            return Blame("use", i, text, exception=error)
    return Blame("engine", len(e.nodes) - 1, f"the engine raises {type(error).__name__}: {error}", exception=error)
