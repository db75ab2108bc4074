"""Where a program's gradient goes wrong: in an op, in an op that is used more than once, or in the engine.

A graph is judged in parts, which together are the whole, by the chain rule. What the engine makes of it is compared
with the chain of the nodes' own VJPs, computed in the plainest way there is; both do the same arithmetic, so that they
agree but for rounding. And each node's own VJP, at its actual input with its actual cotangent, is held against the
oracle. A numerical derivative of the whole would say less: it cannot see far through a deep graph.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from adverify.case import Case
from adverify.domains import Domain, real
from adverify.engine import Function, Variable
from adverify.evaluation import Memory
from adverify.expression import Apply, Expression, Instances, Leaf, Plus, Run, Use
from adverify.inference import infer
from adverify.probing import NothingFits
from adverify.properties.gradient import SpecialValues
from adverify.sampling import Sampling
from adverify.signatures import Signature
from adverify.subject import Arrays, BackwardRaised, Rejected, Subject, input_names, is_immutable, subject_of
from adverify.verdict import HOLDS, Evidence, Status, Verdict, mismatch, undecided

PASSES = ("", "in a second backward over the same graph, ", "when the graph is built again on the same leaves, ")
"""What is asked of the engine, as it is said in reports."""
MOST_CROWDED = 6
PLUS = subject_of(Plus, {})
SLACK = 64.0
"""How many roundings of each term may make the difference between two orders of adding."""


@dataclass(frozen=True, eq=False)
class Local(Case):
    """A node by itself: its op, at its actual input, with its actual cotangent."""

    actual: Arrays = ()

    @property
    def cotangents(self) -> Arrays:
        return self.actual


@dataclass(frozen=True, eq=False)
class Blame:
    """Who is guilty.

    Attributes
    ----------
    kind : str
        ``"op"``: a node's own VJP is wrong. ``"use"``: an op is right alone, and wrong where it is used more than
        once. ``"engine"``: every op is right, and what the engine makes of them is not.
    node : int
        Where it shows.
    text : str
        A sentence that names it.
    evidence : tuple of Evidence
    exception : BaseException, optional
    """

    kind: str
    node: int
    text: str
    evidence: tuple[Evidence, ...] = ()
    exception: BaseException | None = None

    def guilty(self, e: Expression) -> str:
        """The op that is to blame, or the engine."""
        n = e.nodes[self.node]
        return n.subject.kind.__name__ if self.kind != "engine" and isinstance(n, Apply) else "the engine"


@dataclass(frozen=True, eq=False)
class Judgement:
    """The verdict on an expression, with the blame if it is violated.

    Attributes
    ----------
    verdict : Verdict
    blame : Blame, optional
    nodes : int
        How many nodes' own VJPs were decided.
    expression : Expression, optional
        The graph that shows what is wrong, to which the blame refers.
    """

    verdict: Verdict
    blame: Blame | None = None
    nodes: int = 0
    expression: Expression | None = None

    @property
    def guilty(self) -> str:
        """The name of the op that is to blame, or "the engine"; empty if nothing is."""
        return self.blame.guilty(self.expression) if self.blame and self.expression else ""


def judge_expression(e: Expression) -> Judgement:
    """Judge the gradient of a graph, and find who is to blame if it is wrong."""
    try:
        chain = Chain(e)
    except Rejected as rejected:
        return Judgement(undecided(str(rejected)))
    except _Raised as raised:
        case = _local(e, raised.node, raised.cotangents)
        verdict = _asked([case])[0]
        if verdict.status is not Status.VIOLATED:
            return Judgement(undecided(str(raised.cause)))
        return _accused(Blame("op", raised.node, f"{e.name(raised.node)}: {verdict.reason}", (), raised.cause.cause), e)
    if not chain.is_finite:  # sums of NaN and infinity say nothing, but the node that gave them can be judged
        return _of_nodes(e, chain)
    blame = _of_engine(e, chain)
    if blame is not None:
        return _accused(blame, e)
    crowded = _crowded(e)
    blame = _of_engine(crowded, Chain(crowded))
    if blame is not None:
        return _accused(blame, crowded)
    return _of_nodes(e, chain)


def shows_the_same(e: Expression, known: Judgement) -> bool:
    """Whether a graph, as it stands, is wrong for the same reason as another one."""
    if known.blame is None:
        return False
    try:
        chain = Chain(e)
        if known.blame.kind == "op":
            found = _of_nodes(e, chain).blame
        else:
            found = _of_engine(e, chain) if chain.is_finite else None
    except Rejected:
        return False
    except _Raised:
        found = judge_expression(e).blame
    return found is not None and (found.kind, found.guilty(e)) == (known.blame.kind, known.guilty)


def _accused(blame: Blame, e: Expression) -> Judgement:
    verdict = Verdict(Status.VIOLATED, blame.text, blame.evidence, exception=blame.exception)
    return Judgement(verdict, blame, expression=e)


def _crowded(e: Expression) -> Expression:
    """The same graph, in which every op's output is also used elsewhere, twice by one op: nothing else may change."""
    applied = [i for i, n in enumerate(e.nodes) if isinstance(n, Apply)][-MOST_CROWDED:]
    others = tuple(Apply(PLUS, (Use(i), Use(i))) for i in applied)
    uses = tuple(Use(len(e.nodes) + k) for k in range(len(others)))
    weights = tuple(np.full_like(e.values[i][0], 0.5) for i in applied)
    return Expression((*e.nodes, *others), (*e.outputs, *uses), (*e.cotangents, *weights))


class _Raised(Exception):
    def __init__(self, node: int, cotangents: Arrays, cause: BackwardRaised) -> None:
        self.node, self.cotangents, self.cause = node, cotangents, cause


class Chain:
    """The chain rule on the data of an expression, one node after the other, each op by a fresh instance.

    Attributes
    ----------
    cotangents : list of list of ndarray or None
        For each output of each node; None for what no output depends on.
    sizes : list of list of float
        How large the terms were that were added up.
    shares : list of tuple of ndarray
        What each node sends to each of its inputs.

    Parameters
    ----------
    jitter : int
        Other than 0: every cotangent is off by a few roundings, which shows what rounding does.
    """

    def __init__(self, e: Expression, jitter: int = 0) -> None:
        rng = np.random.default_rng(jitter)
        self.cotangents: list[list[Any]] = [[None] * len(values) for values in e.values]
        self.sizes = [[0.0] * len(values) for values in e.values]
        self.shares: list[Arrays] = [()] * len(e.nodes)
        for u, g in zip(e.outputs, e.cotangents, strict=True):
            self._add(e, u, g)
        for i in range(len(e.nodes) - 1, -1, -1):
            n, sent = e.nodes[i], self.cotangents[i]
            if jitter:
                sent[:] = [g if g is None else _jittered(g, rng) for g in sent]
            if isinstance(n, Leaf) or all(g is None for g in sent):
                continue
            complete = self.complete(e, i)
            try:
                self.shares[i] = n.subject.vjp(e.operands(i), complete)
            except BackwardRaised as raised:
                raise _Raised(i, complete, raised) from raised
            for u, a, share in zip(n.inputs, e.operands(i), self.shares[i], strict=True):
                if np.shape(share) != a.shape:
                    error = ValueError(f"backward left a gradient of shape {np.shape(share)} for an input of "
                                       f"shape {a.shape}")  # fmt: skip
                    raise _Raised(i, complete, BackwardRaised(error))
                self._add(e, u, share)

    def _add(self, e: Expression, u: Any, share: Any) -> None:
        like = e.values[u.node][u.output]
        share = np.asarray(share, like.dtype)
        before = self.cotangents[u.node][u.output]
        self.cotangents[u.node][u.output] = share if before is None else before + share
        self.sizes[u.node][u.output] += float(np.abs(share).max(initial=0.0))

    def complete(self, e: Expression, i: int) -> Arrays:
        """The cotangents of a node, zeros for outputs that nothing uses."""
        given = zip(self.cotangents[i], e.values[i], strict=True)
        return tuple(np.zeros(y.shape, y.dtype) if g is None else np.asarray(g) for g, y in given)

    @property
    def is_finite(self) -> bool:
        return all(np.isfinite(g).all() for sent in self.cotangents for g in sent if g is not None)

    def is_reached(self, i: int) -> bool:
        return any(g is not None for g in self.cotangents[i])


def _jittered(g: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return np.asarray(g * (1 + rng.uniform(-4, 4, g.shape) * np.finfo(g.dtype).eps), g.dtype)


# The engine against the chain -----------------------------------------------------------------------------------------


def _of_engine(e: Expression, chain: Chain) -> Blame | None:
    """Run the engine as a program does, and find out what it is that goes wrong, if anything does."""
    try:
        found = next(_differences(e, chain, _passes(e, Instances())), None)
        if found is not None:
            return _Witnessed(e, chain).find() or _unexplained(e, *found)
    except Exception as error:  # whatever the engine or an op raises where each op alone does not
        return _raised_in_engine(e, error)
    return None


def _passes(e: Expression, instances: Callable[[int, Apply], Function]) -> Iterator[tuple[int, Run, int]]:
    """Give each pass's number, the graph after it, and how often its leaves were differentiated."""
    first = Run(e, None, instances)
    first.backward()
    yield 0, first, 1
    first.backward()
    yield 1, first, 2
    again = Run(e, {i: first.variables[i][0] for i in e.leaves}, instances)
    again.backward()
    yield 2, again, 3


Difference = tuple[int, int, int, np.ndarray, np.ndarray]
"""Pass, node, output, what should be there, what is."""


def _differences(e: Expression, chain: Chain, passes: Iterator[tuple[int, Run, int]]) -> Iterator[Difference]:
    """Give every value and gradient of a run that is not that of the chain, the last node first."""
    bars: Bars = []
    for number, run, times in passes:
        for i in range(len(e.nodes) - 1, -1, -1):
            n = e.nodes[i]
            for k, y in enumerate(run.variables[i]):
                if not _is_same_array(y.data, e.values[i][k]):
                    bars = bars or _bars(e, chain)
                    if not _is_close(y.data, e.values[i][k], bars[i][k].value):
                        yield number, i, k, e.values[i][k], y.data
                wanted = _wanted(e, chain, n, i, k, times if isinstance(n, Leaf) else (1, 2, 1)[number])
                if _is_same_array(y.grad, wanted):
                    continue
                bars = bars or _bars(e, chain)
                if not _is_close(y.grad, wanted, times * bars[i][k].gradient):
                    yield number, i, k, wanted, y.grad


def _wanted(e: Expression, chain: Chain, n: Leaf | Apply, i: int, k: int, times: int) -> np.ndarray:
    """What `.grad` is to hold after so many passes."""
    like, g = e.values[i][k], chain.cotangents[i][k]
    if g is None or not (n.requires_grad if isinstance(n, Leaf) else n.kept):
        return np.zeros(like.shape, like.dtype)
    total = g
    for _ in range(times - 1):
        total = total + g
    return np.asarray(total)


class Bar(NamedTuple):
    """How far rounding may move a value, and its gradient."""

    value: float
    gradient: float


Bars = list[list[Bar]]


def _bars(e: Expression, chain: Chain) -> Bars:
    """See what rounding does: what the graph and the chain do where every value and cotangent is off by as much."""
    others: list[tuple[Expression, Chain]] = []
    for seed in (1, 2, 3):
        perturbed = _perturbed(e, seed)
        try:
            others.append((perturbed, Chain(perturbed, seed)))
        except (_Raised, Rejected):  # at the end of a domain: nothing can be said of what rounding does
            return [[Bar(np.inf, np.inf)] * len(values) for values in e.values]
    bars: Bars = []
    for i, values in enumerate(e.values):
        bars.append([])
        for k, y in enumerate(values):
            g = chain.cotangents[i][k]
            eps = float(np.finfo(y.dtype).eps)
            value = max(_distance(y, p.values[i][k]) for p, _ in others)
            gradient = 0.0 if g is None else max(_distance(g, o.cotangents[i][k]) for _, o in others)
            size = float(np.abs(y).max(initial=0.0))
            bars[-1].append(Bar(16 * value + SLACK * eps * size, 16 * gradient + SLACK * eps * chain.sizes[i][k]))
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
        values.append(tuple(_jittered(y, rng) for y in exact))
    other = dataclasses.replace(e)
    vars(other)["values"] = tuple(values)  # where the cached property keeps them
    return other


def _distance(a: np.ndarray, b: np.ndarray) -> float:
    with np.errstate(all="ignore"):
        return float(np.nan_to_num(np.abs(a - b), nan=0.0).max(initial=0.0))


def _is_same_array(actual: Any, expected: np.ndarray) -> bool:
    return (
        np.shape(actual) == expected.shape
        and np.asarray(actual).dtype == expected.dtype
        and bool(np.array_equal(actual, expected, equal_nan=True))
    )


def _is_close(actual: Any, expected: np.ndarray, bar: float) -> bool:
    if np.shape(actual) != expected.shape or np.asarray(actual).dtype != expected.dtype:
        return False
    with np.errstate(all="ignore"):
        same = (np.abs(actual - expected) <= bar) | (actual == expected) | (np.isnan(actual) & np.isnan(expected))
    return bool(same.all())


class _Visit(NamedTuple):
    """One call of a node's backward.

    Attributes
    ----------
    node : int
    held, after : list of ndarray
        Its inputs' gradients, before and after.
    given : tuple of ndarray
        The cotangents it got.
    offence : str
        What it does that is not its right.
    """

    node: int
    held: list[np.ndarray]
    after: list[np.ndarray]
    given: Arrays
    offence: str


class _Witness(Function):
    """An op in a graph that is looked at: which cotangent it got, and what it added to each input."""

    def __init__(self, node: int, op: Function, log: list[_Visit]) -> None:
        self.node, self.op, self.log = node, op, log

    def forward(self, *inputs: Variable) -> Any:
        return self.op.forward(*inputs)

    def backward(self, *inputs_and_grad: Any) -> None:
        *inputs, grad = inputs_and_grad
        cotangents = grad if isinstance(grad, tuple) else (grad,)
        given, values = (tuple(map(np.array, some)) for some in (cotangents, [x.data for x in inputs]))
        held = [np.array(x.grad) for x in inputs]
        self.op.backward(*inputs, grad)
        offence = ""
        if not all(map(_is_same_array, cotangents, given)):
            offence = "changes the cotangent that it is given"
        elif not all(map(_is_same_array, [x.data for x in inputs], values)):
            offence = "changes its input's values"
        for x in inputs:
            left = np.asarray(x.grad)
            if np.result_type(left, x.data) != left.dtype:
                offence = offence or f"leaves a gradient of dtype {left.dtype} on an input of dtype {x.data.dtype}"
        self.log.append(_Visit(self.node, held, [np.array(x.grad) for x in inputs], given, offence))


class _Witnesses:
    """Makes the instances of a graph, one witness for each node and one op for all that are alike, or one for each."""

    def __init__(self, log: list[_Visit], apart: bool = False) -> None:
        self.log, self.apart = log, apart
        self.made: dict[Any, Function] = {}

    def __call__(self, i: int, n: Apply) -> Function:
        key = i if self.apart else (n.subject.kind, n.subject.name)
        if key not in self.made:
            self.made[key] = n.subject.make()
        return _Witness(i, self.made[key], self.log)


class _Witnessed:
    """Runs a graph again with a witness at each node, and says which node or which edge is wrong."""

    def __init__(self, e: Expression, chain: Chain) -> None:
        self.e, self.chain = e, chain
        self.log: list[_Visit] = []

    def find(self) -> Blame | None:
        start = 0
        bars = _bars(self.e, self.chain)
        for number, run, times in _passes(self.e, _Witnesses(self.log)):
            log, start = self.log[start:], len(self.log)
            blame = self._in_pass(number, log, run, times, bars)
            if blame is not None:
                return blame
        return None

    def _in_pass(self, number: int, log: list[_Visit], run: Run, times: int, bars: Bars) -> Blame | None:
        visits: dict[int, list[_Visit]] = {i: [v for v in log if v.node == i] for i in range(len(self.e.nodes))}
        for v in log:
            if v.offence:
                what = f"{PASSES[number]}the backward of {self.e.name(v.node)}, {v.offence}"
                return Blame("use", v.node, what)
        for i, outputs in enumerate(run.variables):
            for k, y in enumerate(outputs):
                if not _is_close(y.data, self.e.values[i][k], bars[i][k].value):
                    return self._of_value(number, i, k, y.data)
        for i in range(len(self.e.nodes) - 1, -1, -1):
            blame = self._of_node(number, i, visits, run, times, bars)
            if blame is not None:
                return blame
        return None

    def _of_value(self, number: int, i: int, k: int, actual: Any) -> Blame:
        """A value in the graph is not what a fresh instance gives: an op changed it, or remembers something."""
        n = self.e.nodes[i]
        users = [j for j, _ in self.e.consumers[i]]
        evidence = _evidence(f"node {i}", self.e.values[i][k], actual)
        if isinstance(n, Apply) and self._is_by_sharing(i):
            others = self._twins(i)
            text = f"{self.e.name(i)}, gives another output where {_nodes(others)} use the same instance"
            return Blame("use", i, PASSES[number] + text, evidence)
        guilty = next((j for j in users if self._changes_its_input(j)), i)
        what = "changes the values of its input" if guilty != i or users else "gives another output than a new instance"
        return Blame("use", guilty, f"{PASSES[number]}{self.e.name(guilty)}, {what}", evidence)

    def _changes_its_input(self, j: int) -> bool:
        n = self.e.nodes[j]
        assert isinstance(n, Apply)
        inputs = [Variable(np.array(a)) for a in self.e.operands(j)]
        op = n.subject.make()
        n.subject.apply(op, inputs)
        n.subject.pull_back(op, inputs, self.chain.complete(self.e, j))
        return any(not _is_same_array(x.data, a) for x, a in zip(inputs, self.e.operands(j), strict=True))

    def _twins(self, i: int) -> list[int]:
        """The other nodes that use the same instance."""
        n = self.e.nodes[i]
        key = n.key[:2]
        return [j for j, m in enumerate(self.e.nodes) if j != i and isinstance(m, Apply) and m.key[:2] == key]

    def _is_by_sharing(self, i: int) -> bool:
        """Whether all is well as soon as each node has an instance of its own."""
        if not self._twins(i):
            return False
        log: list[_Visit] = []
        try:
            found = _differences(self.e, self.chain, _passes(self.e, _Witnesses(log, apart=True)))
            return next(found, None) is None
        except Exception:  # then it is not
            return False

    def _of_node(
        self, number: int, i: int, visits: dict[int, list[_Visit]], run: Run, times: int, bars: Bars
    ) -> Blame | None:
        e, n = self.e, self.e.nodes[i]
        where = PASSES[number]
        if isinstance(n, Apply) and self.chain.is_reached(i):
            wanted, seen = self.chain.complete(e, i), [v.given for v in visits[i]]
            right = [all(_is_close(g, w, b.gradient) for g, w, b in zip(s, wanted, bars[i], strict=True)) for s in seen]

            def both(given: Arrays) -> tuple[dict[int, Any], dict[int, Any]]:
                return dict(enumerate(given)), dict(enumerate(wanted))

            if len(seen) > 1:
                return Blame("engine", i, f"{where}the engine visits {e.mention(i)} {len(seen)} times"
                             + ("" if right[0] else f", first {self._what_is_missing(i, *both(seen[0]))}"))  # fmt: skip
            if not seen and any(np.any(w != 0) for w in wanted):
                return Blame("engine", i, f"{where}the engine never visits {e.mention(i)}, "
                             f"and loses what {self._senders(i)} sends to it")  # fmt: skip
            if seen and not right[0]:
                evidence = _evidence(f"cotangent of node {i}", wanted[0], seen[0][0])
                missing = self._what_is_missing(i, *both(seen[0]))
                return Blame("engine", i, f"{where}the engine visits {e.mention(i)} {missing}", evidence)
            if seen:
                blame = self._of_shares(where, i, visits[i][0])
                if blame is not None:
                    return blame
        for k, y in enumerate(run.variables[i]):
            wanted_grad = _wanted(e, self.chain, n, i, k, times if isinstance(n, Leaf) else (1, 2, 1)[number])
            if not _is_close(y.grad, wanted_grad, times * bars[i][k].gradient):
                return self._of_kept(number, i, k, y.grad, wanted_grad)
        return None

    def _of_shares(self, where: str, i: int, visit: _Visit) -> Blame | None:
        """The node got the right cotangent: does it add what it adds alone?"""
        _, held, after, given, _ = visit
        e, n = self.e, self.e.nodes[i]
        assert isinstance(n, Apply)
        alone = n.subject.vjp(e.operands(i), tuple(np.asarray(g) for g in given))
        for u in dict.fromkeys(n.inputs):
            source = e.nodes[u.node]
            if isinstance(source, Leaf) and not source.requires_grad:
                continue  # nobody reads what an op leaves there
            places = [p for p, v in enumerate(n.inputs) if v == u]
            own = sum(np.asarray(alone[p], float) for p in places)
            before, now = np.asarray(held[places[0]], float), np.asarray(after[places[0]], float)
            size = float(np.abs(before).max(initial=0.0) + sum(np.abs(alone[p]).max(initial=0.0) for p in places))
            eps = float(np.finfo(e.values[u.node][u.output].dtype).eps)
            if _is_close(now, np.asarray(before + own), 1e4 * eps * size):
                continue
            evidence = _evidence(f"what {e.name(i)}, adds to {e.name(u.node)}", before + own, now)
            return self._of_share(where, i, visit, u, _is_close(now, np.asarray(own), 1e4 * eps * size), evidence)
        return None

    def _of_share(
        self, where: str, i: int, visit: _Visit, u: Use, overwrites: bool, evidence: tuple[Evidence, ...]
    ) -> Blame:
        """One use of the node's op leaves something wrong on its input: does it do so out of the graph, too?"""
        e, n = self.e, self.e.nodes[i]
        places = [p for p, v in enumerate(n.inputs) if v == u]
        name, to = e.name(i), e.mention(u.node)
        if self._is_replayed(i, visit, places[0]):
            if overwrites and np.any(visit.held[places[0]]):
                others = " and ".join(e.mention(j) for j, _ in e.consumers[u.node] if j != i) or "an earlier pass"
                what = f"overwrites the gradient of {to}, which holds the share of {others}"
            elif len(places) > 1:
                what = f"with {to} as its inputs {' and '.join(map(str, places))}, does not add all shares"
            else:
                what = f"does not add its share to what the gradient of {to} holds"
            return Blame("use", i, f"{where}{name}, {what}", evidence)
        if self._is_by_sharing(i):
            what = f"keeps something of another use of the same instance, by {_nodes(self._twins(i))}"
            return Blame("use", i, f"{where}{name}, {what}", evidence)
        if self._is_remembered(i):
            return Blame("use", i, f"{where}{name}, gives another gradient when it is used again", evidence)
        edge = f"{e.mention(i)} -> {to}"
        if len(places) > 1:
            edge += f", which is its inputs {' and '.join(map(str, places))}"
        return Blame("engine", i, f"{where}the engine does not add what goes along the edge {edge}", evidence)

    def _is_remembered(self, i: int) -> bool:
        """Whether an instance gives another gradient the second or the third time."""
        n, operands, g = self.e.nodes[i], self.e.operands(i), self.chain.complete(self.e, i)
        assert isinstance(n, Apply)
        op, found = n.subject.make(), []
        for _ in PASSES:
            inputs = [Variable(np.array(a)) for a in operands]
            n.subject.apply(op, inputs)
            found.append(n.subject.pull_back(op, inputs, [np.array(c) for c in g]))
        return any(not _is_same_array(a, b) for again in found[1:] for a, b in zip(again, found[0], strict=True))

    def _is_replayed(self, i: int, visit: _Visit, place: int) -> bool:
        """Whether a new instance, on the same inputs and cotangent, leaves the same as in the graph."""
        n = self.e.nodes[i]
        assert isinstance(n, Apply)
        made: dict[Use, Variable] = {}
        for u, a, held in zip(n.inputs, self.e.operands(i), visit.held, strict=True):
            made.setdefault(u, Variable(np.array(a), np.array(held)))
        op, inputs = n.subject.make(), [made[u] for u in n.inputs]
        n.subject.apply(op, inputs)
        left = n.subject.pull_back(op, inputs, visit.given)[place]
        size = float(np.abs(visit.after[place]).max(initial=0.0))
        return _is_close(left, visit.after[place], 1e4 * float(np.finfo(left.dtype).eps) * size)

    def _of_kept(self, number: int, i: int, k: int, actual: Any, wanted: np.ndarray) -> Blame:
        n = self.e.nodes[i]
        evidence = _evidence(f"gradient of node {i}", wanted, actual)
        where, name = PASSES[number], self.e.mention(i)
        if not (n.requires_grad if isinstance(n, Leaf) else n.kept):
            return Blame("engine", i, f"{where}the engine leaves a gradient on {name}, which requires none", evidence)
        if np.shape(actual) != wanted.shape or np.asarray(actual).dtype != wanted.dtype:
            return Blame("engine", i, f"{where}the gradient of {name} is of shape {np.shape(actual)} and dtype "
                         f"{np.asarray(actual).dtype}", evidence)  # fmt: skip
        missing = self._what_is_missing(i, {k: actual}, {k: wanted})
        return Blame("engine", i, f"{where}the engine gives {name} a gradient {missing}", evidence)

    def _senders(self, i: int) -> str:
        return _nodes(sorted({j for j, _ in self.e.consumers[i]})) or "the output"

    def _what_is_missing(self, i: int, actual: Mapping[int, Any], wanted: Mapping[int, Any]) -> str:
        """Name the edge whose share is missing, or there twice."""
        shares = [(j, p, self.chain.shares[j][p]) for j, p in self.e.consumers[i] if self.chain.shares[j]]
        for word, sign in (("without what", -1.0), ("with twice what", 1.0)):
            for j, p, share in shares:
                k = self.e.nodes[j].inputs[p].output
                if k not in actual:
                    continue
                other = wanted[k] + sign * np.asarray(share)
                bar = 1e-9 * float(np.abs(share).max(initial=0.0))
                if np.any(share) and _is_close(np.asarray(actual[k], other.dtype), other, bar):
                    position = f" (its input {p})" if len(self.e.nodes[j].inputs) > 1 else ""
                    return f"{word} {self.e.mention(j)}{position} sends to it"
        return "which is not the sum of what " + self._senders(i) + " sends to it"


def _nodes(numbers: Sequence[int]) -> str:
    return ("node " if len(numbers) == 1 else "nodes ") + " and ".join(map(str, numbers)) if numbers else ""


def _evidence(what: str, expected: Any, actual: Any) -> tuple[Evidence, ...]:
    if np.shape(expected) != np.shape(actual):
        return (Evidence(what, np.asarray(expected), np.asarray(actual), np.zeros(()), np.ones((), bool)),)
    return (mismatch(what, expected, actual, 1e-9 * float(np.abs(expected).max(initial=0.0))),)


def _unexplained(e: Expression, number: int, i: int, k: int, expected: np.ndarray, actual: Any) -> Blame:
    """The engine is wrong, and right as soon as it is looked at."""
    text = f"{PASSES[number]}the engine gives {e.mention(i)} another gradient than the chain rule"
    return Blame("engine", i, text, _evidence(f"gradient of node {i}", expected, actual))


def _raised_in_engine(e: Expression, error: Exception) -> Blame:
    """Find the node in which an exception came up: it did not when the node was alone."""
    log: list[_Visit] = []
    try:
        for _ in _passes(e, _Witnesses(log)):
            pass
    except Exception:
        trace = error.__traceback__
        frames = []
        while trace is not None:
            frames.append(trace.tb_frame.f_locals.get("self"))
            trace = trace.tb_next
        for i, n in enumerate(e.nodes):
            if isinstance(n, Apply) and any(type(f) is n.subject.kind for f in frames):
                text = f"{e.name(i)}, raises in a graph and not alone: {type(error).__name__}: {error}"
                return Blame("use", i, text, exception=error)
    return Blame("engine", len(e.nodes) - 1, f"the engine raises {type(error).__name__}: {error}", exception=error)


# The nodes against the oracle -----------------------------------------------------------------------------------------


def _of_nodes(e: Expression, chain: Chain) -> Judgement:
    """Judge each node's own VJP."""
    asked = [
        i
        for i, n in enumerate(e.nodes)
        if isinstance(n, Apply) and chain.is_reached(i) and _is_telling(chain.complete(e, i))
    ]
    cases = [_local(e, i, chain.complete(e, i)) for i in asked]
    verdicts = _asked(cases)
    doubts = []
    for i, case, verdict in zip(asked, cases, verdicts, strict=True):
        if verdict.status is Status.UNDECIDED:
            doubts.append(f"{e.nodes[i].subject.kind.__name__}: {verdict.reason}")  # type: ignore[union-attr]
        elif verdict.status is Status.VIOLATED:
            confirmed = _confirmed(case, verdict)
            if confirmed.status is Status.VIOLATED:
                text = f"{e.name(i)}{_peculiarity(case, confirmed)}: by itself, {confirmed.reason}"
                return _accused(Blame("op", i, text, confirmed.evidence, confirmed.exception), e)
            doubts.append(f"{e.nodes[i].subject.kind.__name__}: {confirmed.reason}")  # type: ignore[union-attr]
    decided = len(cases) - len(doubts)
    return Judgement(undecided(doubts[0]) if doubts else HOLDS, None, decided)


def _is_telling(cotangents: Arrays) -> bool:
    return all(np.isfinite(g).all() for g in cotangents) and any(np.any(g) for g in cotangents)


def _asked(cases: Sequence[Local]) -> list[Verdict]:
    """Ask the oracle about all cases at once, in their order."""
    found = {id(case): verdict for case, verdict in SpecialValues().judge(cases)}
    return [found[id(case)] for case in cases]


def _local(e: Expression, i: int, cotangents: Arrays) -> Local:
    n = e.nodes[i]
    assert isinstance(n, Apply)
    arrays = tuple(np.array(a, float) for a in e.operands(i))
    outputs = n.subject.forward(arrays)
    actual = tuple(np.array(g, y.dtype) for g, y in zip(cotangents, outputs, strict=True))
    return Local(n.subject, arrays, 1, _sampling(n.subject, arrays), actual=actual)


_MEMORIES: dict[Any, tuple[tuple[Domain, ...] | None, Memory]] = {}
_INFERRED: dict[Any, tuple[Sampling, ...]] = {}
MOST_REMEMBERED = 4096


def _sampling(subject: Subject, arrays: Arrays) -> Sampling:
    """What is known of a node before anything is inferred: what its op declares."""
    key = _identity(subject)
    if key not in _MEMORIES:
        if len(_MEMORIES) >= MOST_REMEMBERED:
            _MEMORIES.clear()
        declared = getattr(subject.make(), "domain", None)
        _MEMORIES[key] = declared, Memory()
    declared, memory = _MEMORIES[key]
    domains = (declared,) * len(arrays) if isinstance(declared, Domain) else tuple(declared or ())[: len(arrays)]
    domains = domains or (real,) * len(arrays)
    return Sampling((tuple(a.shape for a in arrays),), domains, 0.0, 0.0, False, (False,) * len(arrays), memory=memory)


def _identity(subject: Subject) -> Any:
    """What two Subjects have in common that do the same, as far as can be told; the same one each time for one."""
    state = getattr(subject.make(), "__dict__", {})
    return (subject.kind, *sorted(state.items())) if all(map(is_immutable, state.values())) else subject.make


def _confirmed(case: Local, verdict: Verdict) -> Verdict:
    """Ask again with all that can be inferred about the op: nobody is accused for a lack of knowledge."""
    subject = case.subject
    key = (_identity(subject), len(case.arrays))
    if key not in _INFERRED:
        made = subject.make()
        hinted = getattr(made, "signature", None)
        domains = None if getattr(made, "domain", None) is None else case.sampling.domains
        try:
            _INFERRED[key] = infer(subject, len(case.arrays), Signature.parse(hinted) if hinted else None, domains)
        except NothingFits:
            _INFERRED[key] = (case.sampling,)
    inside = [s for s in _INFERRED[key] if all(d.holds(a).all() for d, a in zip(s.domains, case.arrays, strict=True))]
    if not inside:
        return undecided("the input is outside of the domain that was inferred")
    return _asked([dataclasses.replace(case, sampling=inside[0])])[0]


def _peculiarity(case: Local, verdict: Verdict) -> str:
    """Say what is special about the input where the gradient is wrong: ties, zeros."""
    names = input_names(case.subject, len(case.arrays))
    for evidence in verdict.evidence:
        name = evidence.what.removesuffix(".grad")
        if name not in names or evidence.wrong.shape != case.arrays[names.index(name)].shape:
            continue
        array = case.arrays[names.index(name)]
        wrong = np.argwhere(evidence.wrong)
        if not len(wrong):
            continue
        first = tuple(int(j) for j in wrong[0])
        if array.ndim == 2:
            column, row = array[:, first[1]], array[first[0]]
            if np.sum(column == array[first]) > 1:
                return f", with ties in column {first[1]} of {name}"
            if np.sum(row == array[first]) > 1:
                return f", with ties in row {first[0]} of {name}"
        elif np.sum(array == array[first]) > 1:
            return f", with ties in {name}"
        if array[first] == 0:
            return f", where {name} is 0"
    return ""
