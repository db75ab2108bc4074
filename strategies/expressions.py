"""Programs: graphs of ops whose shapes fit and whose values stay in every op's domain, as they are grown."""

from __future__ import annotations

import contextlib
import itertools
import math
import operator
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from typing import Any, NamedTuple

import numpy as np
from adverify.strategies.adapters import Gram, Squash, Symmetrise
from adverify.strategies.cases import ordinary
from adverify.strategies.values import Regime, decode, width
from hypothesis import reject
from hypothesis import strategies as st

import adverify.ops
from adverify.discovery import functions_in
from adverify.domains import MATRICES, SYMMETRIC, Domain, interval, positive_definite, real, symmetric
from adverify.engine import Function
from adverify.expression import Apply, Expression, Leaf, Use
from adverify.inference import infer
from adverify.isolation import isolated
from adverify.probing import NothingFits, Prober
from adverify.shapes import MAX_ELEMENTS, Shape, Shapes, is_bare, is_degenerate
from adverify.signatures import Signature
from adverify.subject import Arrays, MalformedOp, Rejected, Subject, arities, subject_of
from adverify.tracing import as_written

BYTES = 10
"""Of one drawn step: which op, on which nodes, and what becomes of its output."""
MOST_PATTERNS, MOST_RARE = 48, 5
USUAL_AXES = 3
"""Of an input; with more of them, shapes of nodes seldom suit each other."""
MOST_ARGUMENTS = 8
MOST_STARTS = 64
"""Combinations of the shapes that are asked for with which an op is tried."""
TRIES = 4
"""Ways in which an op's shapes are tried on the nodes that are there, before the step is left out."""
OTHERS = 3
"""Ops that are tried for a step, where the first one suits nothing."""
MOST_NAMED = 5
"""Ops of which an error says what they take."""
LARGEST = 1e4
"""Operands beyond it are squashed."""
FILLED = {"unit": interval(0.05, 0.95), "normal": real, "above": interval(1.1, 3.0), "negative": interval(-0.9, -0.1),
          "below": interval(-3.0, -1.1), "large": interval(4.0, 7.0), "larger": interval(10.0, 40.0),
          "deep": interval(-20.0, -5.0), "narrow": interval(0.001, 0.01), "symmetric": symmetric,
          "positive definite": positive_definite}  # fmt: skip
"""Where the values lie with which forward was found to work."""


class Fit(NamedTuple):
    """What an op takes: shapes, of which the sizes are to be renamed, shapes of leaves, and a domain for each input."""

    subject: Subject
    patterns: tuple[Shapes, ...]
    starts: tuple[Shapes, ...]
    domains: tuple[Domain, ...]


Combinations = tuple[Shapes, ...]
Menu = Sequence[tuple[Any, Sequence[dict[str, Any]]]]


def expressions(
    ops: Iterable[type[Function] | Function] | None = None,
    max_nodes: int = 12,
    leaves: int = 5,
    shapes: Iterable[Shape] | None = None,
) -> st.SearchStrategy[Expression]:
    """Draw graphs of ops, with values for their leaves and cotangents for their outputs.

    Nodes are shared, have one Variable in several places, keep their gradient or not; leaves require it or not, and
    one may be unused; there may be several outputs. Every op gets operands of shapes and in domains that suit it: what
    is outside is squashed. A simpler draw has fewer nodes, simpler leaves, and ops from the beginning of `ops`. Each
    graph applies an op at least. What an op of your own takes is found out at the call, which takes some 50 ms an op.

    Parameters
    ----------
    ops : iterable of Function classes or instances, optional
        Default: all of `adverify.ops`.
    max_nodes : int
        The most ops, those that squash included.
    leaves : int
        The most leaves.
    shapes : iterable of tuple of int, optional
        The shapes that leaves may have, of 100 elements at most. Default: whatever the ops take.

    Raises
    ------
    TypeError, ValueError
        If an argument is not of this kind; and where a graph is drawn, if no op takes leaves of these shapes.

    Examples
    --------
    >>> from hypothesis import find
    >>> from adverify.ops import Add, Exp, Multiply
    >>> smallest = find(expressions([Add, Exp, Multiply]), lambda e: "Exp" in e.ops and e.shared)
    >>> sorted(smallest.ops)
    ['Add', 'Exp']
    """
    given, asked = None if ops is None else _given_ops(ops), _given_shapes(shapes)
    for op, choices in _menu(given or ()):  # now, since no example should wait for it
        if op not in _all_ops():
            for arguments in choices:
                _fits(op, arguments, asked)
    return _expressions(given, _count("max_nodes", max_nodes), _count("leaves", leaves), asked)


@st.composite
def _expressions(
    draw: st.DrawFn, ops: tuple[Any, ...] | None, max_nodes: int, leaves: int, shapes: tuple[Shape, ...] | None
) -> Expression:
    menu = _menu(_all_ops() if ops is None else ops)
    growth = _Growth(draw, max_nodes, leaves, shapes)
    raw = bytes(BYTES)
    for _ in range(max_nodes):
        raw = draw(st.binary(min_size=BYTES, max_size=BYTES))
        growth.step(menu, raw)
        if not draw(st.integers(0, 7)):  # next to the step, so that Hypothesis can leave out a step with its leaves
            break
    if not growth.nodes:
        growth.step(menu, raw, len(menu))
    if not growth.nodes:
        _check_that_something_fits(menu, shapes)
        reject()
    return growth.finished(draw(st.integers(0, 255)))


def _given_ops(ops: Any) -> tuple[Any, ...]:
    if not isinstance(ops, Iterable) or isinstance(ops, str | bytes):
        raise TypeError(f"ops is a list of Function classes or instances, such as [Sin, Add]; got {ops!r}")
    given = tuple(ops)
    if not given:
        raise ValueError("ops is empty; give at least one Function")
    for op in given:
        subject_of(op, next(iter(_arguments(op)), {}))
    return given


def _count(name: str, value: Any) -> int:
    try:
        count = operator.index(value)
    except TypeError:
        raise TypeError(f"{name} is a whole number, at least 1; got {value!r}, a {type(value).__name__}") from None
    if count < 1:
        raise ValueError(f"{name} is a whole number, at least 1; got {count}")
    return count


def _given_shapes(shapes: Any) -> tuple[Shape, ...] | None:
    if shapes is None:
        return None
    expected = f"shapes is a list of shapes of 1 to {MAX_ELEMENTS} elements, such as [(3,), (2, 3)]; got {shapes!r}"
    try:
        given = tuple(dict.fromkeys(tuple(map(operator.index, s)) for s in shapes))
    except TypeError:
        raise TypeError(expected) from None
    if not given or any(min(s, default=1) < 1 or math.prod(s) > MAX_ELEMENTS for s in given):
        raise ValueError(expected)
    return given


def _check_that_something_fits(menu: Menu, shapes: tuple[Shape, ...] | None) -> None:
    """Raise ValueError if none of the ops could ever be applied to leaves, and say what they take instead."""
    found = [(op, _fits(op, arguments, shapes)) for op, choices in menu for arguments in choices]
    if any(fit.starts for _, fits in found for fit in fits):
        return
    taken = [f"{fits[0].subject.name} takes {', '.join(map(str, fits[0].patterns[0]))}" for _, fits in found if fits]
    never = [f"{_name(op)} takes nothing that was tried" for op, fits in found if not fits]
    where = "" if shapes is None else f" to leaves of shapes={list(shapes)!r}"
    raise ValueError(f"no op of ops can be applied{where}: {'; '.join([*taken, *never][:MOST_NAMED])}. Give other "
                     "shapes or ops, or the op a `signature` and a `domain`")  # fmt: skip


def _name(op: Any) -> str:
    return str(op.__name__ if isinstance(op, type) else type(op).__name__)


@cache
def _all_ops() -> tuple[type[Function], ...]:
    return tuple(functions_in(adverify.ops))


@cache
def _menu(ops: tuple[Any, ...]) -> Menu:
    """Give each op with the constructor arguments to choose from."""
    return tuple((op, tuple(_arguments(op))) for op in ops)


def _arguments(op: Any) -> list[dict[str, Any]]:
    declared: Mapping[str, Sequence[Any]] = getattr(op, "arguments", {}) if isinstance(op, type) else {}
    product = [dict(zip(declared, values, strict=True)) for values in itertools.product(*declared.values())]
    return product[:: -(-len(product) // MOST_ARGUMENTS)]


def _fits(op: Any, arguments: dict[str, Any], shapes: tuple[Shape, ...] | None) -> tuple[Fit, ...]:
    key = (op, repr(arguments), shapes)
    if key not in _KNOWN:
        _KNOWN[key] = tuple(_found(op, arguments, shapes))
    return _KNOWN[key]


_KNOWN: dict[Any, tuple[Fit, ...]] = {}


def _found(op: Any, arguments: dict[str, Any], shapes: tuple[Shape, ...] | None) -> Iterator[Fit]:
    """Find out what an op takes: of the built-in ones, which are many, less than `infer` does."""
    subject = subject_of(op, arguments)
    made = subject.make()
    subject = subject if isinstance(op, type) else as_written(subject, made)
    hinted, declared = getattr(made, "signature", None), getattr(made, "domain", None)
    parsed = Signature.parse(hinted) if hinted else None
    look = _glanced_at if op in _all_ops() else _looked_at
    for numbers in ((len(parsed.inputs),),) if parsed else arities(subject):
        found: list[Fit] = []
        for arity in numbers:
            domains = (declared,) * arity if isinstance(declared, Domain) else declared and tuple(declared)[:arity]
            asked = tuple(itertools.islice(itertools.product(shapes or (), repeat=arity), MOST_STARTS))
            with isolated(), contextlib.suppress(NothingFits, MalformedOp):
                found += look(subject, arity, parsed, domains, asked)
        yield from (fit if shapes is not None else fit._replace(starts=fit.patterns) for fit in found)
        if found:
            return


def _looked_at(
    subject: Subject, arity: int, signature: Signature | None, domains: tuple[Domain, ...] | None, asked: Combinations
) -> Iterator[Fit]:
    """Infer what an op takes, as for a check of it alone, unless only the shapes that are asked for suit it."""
    try:
        samplings = infer(subject, arity, signature, domains)
    except NothingFits:
        yield from _glanced_at(subject, arity, signature, domains, asked)
        return
    for sampling in samplings:
        rng = np.random.default_rng(0)
        prober = Prober(subject, arity, sampling.domains)
        starts = tuple(s for s in asked if prober.accepts(ordinary(s, sampling, rng)))
        small = [s for s in sampling.telling if max(map(math.prod, s)) <= MAX_ELEMENTS]
        usual = [s for s in small if max(map(len, s)) <= USUAL_AXES]
        others = [s for s in small if max(map(len, s)) > USUAL_AXES]
        rare = [*_spread(others, MOST_RARE if usual else MOST_PATTERNS), *_spread(sampling.degenerate, MOST_RARE)]
        patterns = (*_spread(usual, MOST_PATTERNS), *rare)
        if patterns or starts:
            yield Fit(subject, patterns or starts, starts, sampling.domains)


def _glanced_at(
    subject: Subject, arity: int, signature: Signature | None, domains: tuple[Domain, ...] | None, asked: Combinations
) -> Iterator[Fit]:
    """Find shapes and values that an op takes, not their limits: a graph that comes of it is tried anyway."""
    prober = Prober(subject, arity, domains)
    usual = [list(signature.shapes())] if signature else prober.tiers(False)
    candidates, fillings = prober.search([*usual, list(asked)])
    starts = tuple(s for s in asked if prober.accepts(prober.filled(s, fillings)))
    patterns = _patterns(prober, candidates, fillings) or starts
    if patterns:
        yield Fit(subject, patterns, starts, domains or _domains(prober, patterns, fillings))


def _patterns(prober: Prober, candidates: Sequence[Shapes], fillings: Sequence[str]) -> tuple[Shapes, ...]:
    usual = [s for s in dict.fromkeys(candidates) if not is_bare(s)]
    taken = [s for s in _spread(usual, 4 * MOST_PATTERNS) if prober.accepts(prober.filled(s, fillings))]
    taken = taken or [s for s in usual if prober.accepts(prober.filled(s, fillings))]
    taken.sort(key=lambda s: (is_degenerate(s), max(map(len, s)) > USUAL_AXES, sum(map(math.prod, s))))
    return tuple(taken[:MOST_PATTERNS])


def _spread(some: Sequence[Shapes], most: int) -> Sequence[Shapes]:
    """So many of them at most, from beginning to end."""
    return some[:: -(-len(some) // most) or 1]


def _domains(prober: Prober, patterns: tuple[Shapes, ...], fillings: Sequence[str]) -> tuple[Domain, ...]:
    domains = [FILLED.get(name, interval(0.05, 0.95)) for name in fillings]
    for i, name in enumerate(fillings):
        wider = [*fillings[:i], "normal", *fillings[i + 1 :]]
        if name == "unit" and all(prober.accepts(prober.filled(patterns[0], wider, seed)) for seed in range(3)):
            domains[i] = real
    return tuple(domains)


class _Step:
    """The bytes of one step, as answers to questions; 0 is the simplest answer to each."""

    def __init__(self, raw: bytes) -> None:
        self.op = 256 * raw[0] + raw[1]
        self.arguments, self.fit, self.place, self.pattern = raw[2:6]
        self._operands = raw[6:9]
        self.fate = raw[9]

    def operand(self, i: int) -> int:
        return self._operands[i % len(self._operands)] + i // len(self._operands)

    @property
    def kept(self) -> bool:
        return self.fate % 4 == 3


class _Unfit(Exception):
    """An op cannot be applied to what is there."""


class _Growth:
    """A graph under way, every node with its values."""

    def __init__(self, draw: st.DrawFn, max_nodes: int, leaves: int, shapes: tuple[Shape, ...] | None) -> None:
        self.draw, self.max_nodes, self.max_leaves, self.shapes = draw, max_nodes, leaves, shapes
        self.nodes: list[Leaf | Apply] = []
        self.values: list[Arrays] = []
        self.used: set[int] = set()

    def step(self, menu: Menu, raw: bytes, tries: int = OTHERS) -> None:
        """Apply an op to what is there; if it cannot be, another one."""
        step = _Step(raw)
        for k in range(tries):
            op, arguments = menu[(step.op + k) % len(menu)]
            fits = _fits(op, arguments[step.arguments % len(arguments)], self.shapes)
            if fits and self._is_applied(fits[step.fit % len(fits)], step):
                return

    def _is_applied(self, fit: Fit, step: _Step) -> bool:
        before = len(self.nodes), set(self.used)
        for shapes, known in itertools.islice(self._solutions(fit, step), TRIES):
            for squash in (False, True):
                try:
                    self._apply(fit, shapes, known, step, squash)
                except (_Unfit, Rejected):
                    self._undo(*before)
                else:
                    return True
        return False

    def _undo(self, count: int, used: set[int]) -> None:
        del self.nodes[count:], self.values[count:]
        self.used = set(used)  # which the next try adds to

    def _solutions(self, fit: Fit, step: _Step) -> Iterator[tuple[Shapes, dict[int, Use]]]:
        """Give shapes that fit an op and, of its inputs, the one that a node which is there is put into."""
        arity = len(fit.domains)
        place = step.place % arity
        order = _turned(fit.patterns, step.pattern)
        for u in self._candidates(step.operand(place)):
            shape = self._shape(u)
            if arity > 1 and step.place % 2:
                yield (shape,) * arity, {place: u}
            for pattern in order:
                for shapes in self._renamings(pattern, place, shape):
                    yield shapes, {place: u}
        for shapes in _turned(fit.starts, step.pattern):
            yield shapes, {}

    def _renamings(self, pattern: Shapes, place: int, shape: Shape) -> Iterator[Shapes]:
        """Give a pattern other sizes, so that one input has some shape, and the others those that they may have."""
        if len(pattern[place]) != len(shape):
            return
        if self.shapes is None:
            yield _renamed(pattern, place, shape)
            return
        there = [self._shape(Use(i)) for i in range(len(self.nodes) - 1, -1, -1)]
        choices = [list(dict.fromkeys((*self.shapes, *there)))] * len(pattern)
        choices[place] = [shape]
        yield from itertools.islice(_matching(pattern, choices, {}), 1)

    def _candidates(self, preference: int) -> list[Use]:
        """Some of the outputs that are there: what nothing uses yet, or anything; what ops gave more often."""
        everything = [Use(i, k) for i in range(len(self.nodes) - 1, -1, -1) for k in range(len(self.values[i]))]
        everything.sort(key=lambda u: isinstance(self.nodes[u.node], Leaf))
        fresh = [u for u in everything if u.node not in self.used]
        chosen = fresh if fresh and preference % 2 == 0 else everything
        start = int(len(chosen) * (preference // 2 / 128) ** 2)
        return chosen[start : start + 2]

    def _shape(self, u: Use) -> Shape:
        return self.values[u.node][u.output].shape

    def _apply(self, fit: Fit, shapes: Shapes, known: dict[int, Use], step: _Step, squash: bool) -> None:
        inputs = []
        (first,) = known.values() or (None,)
        for i, (shape, domain) in enumerate(zip(shapes, fit.domains, strict=True)):
            u = known[i] if i in known else self._operand(shape, domain, step.operand(i), first)
            inputs.append(self._into(u, domain, squash))
        if sum(isinstance(n, Apply) for n in self.nodes) >= self.max_nodes:
            raise _Unfit
        outputs = fit.subject.forward([self.values[u.node][u.output] for u in inputs])
        if any(y.size > MAX_ELEMENTS or np.abs(y).max(initial=0.0) > 1e6 for y in outputs):
            raise _Unfit
        self._add(Apply(fit.subject, tuple(inputs), step.kept), outputs)

    def _operand(self, shape: Shape, domain: Domain, preference: int, first: Use | None) -> Use:
        """What another input of the op is already, a node of the shape that is there, or a new leaf."""
        if first is not None and preference % 2 == 0 and self._shape(first) == shape:
            return first
        there = [Use(i) for i in range(len(self.nodes) - 1, -1, -1) if self._shape(Use(i)) == shape]
        there.sort(key=lambda u: u.node in self.used)
        is_full = sum(isinstance(n, Leaf) for n in self.nodes) >= self.max_leaves
        if there and (is_full or preference % 8 != 7):
            return there[preference // 8 % len(there)]
        if is_full or (self.shapes is not None and shape not in self.shapes):
            raise _Unfit
        regime = Regime.SPECIAL if preference % 32 >= 24 else Regime.ORDINARY
        size = math.prod(shape) * width(regime)
        values = decode(self.draw(st.binary(min_size=size, max_size=size)), shape, domain, regime)
        single = preference % 64 == 47
        self._add(Leaf(values.astype(np.float32 if single else float), preference < 192), ())
        return Use(len(self.nodes) - 1)

    def _into(self, u: Use, domain: Domain, squash: bool) -> Use:
        """The output itself if it is in the domain, or what an adapter makes of it."""
        array = self.values[u.node][u.output]
        if domain.structure in MATRICES:
            if isinstance(self.nodes[u.node], Leaf) and u.node not in self.used and not squash:
                return u
            if domain.structure not in SYMMETRIC or array.ndim < 2 or array.shape[-1] != array.shape[-2]:
                raise _Unfit
            u = self._adapted(self._tame(u), Squash()) if squash else self._tame(u)
            return self._adapted(u, Symmetrise() if domain.structure == "symmetric" else Gram())
        if domain.structure == "distinct" and np.unique(array).size < array.size:
            raise _Unfit
        if domain.structure == "ascending" and not (np.diff(np.atleast_1d(array)) > 0).all():
            raise _Unfit
        if not squash and bool(domain.holds(array).all()) and np.abs(array).max(initial=0.0) <= LARGEST:
            return u
        return self._adapted(u, _squash(domain))

    def _tame(self, u: Use) -> Use:
        largest = np.abs(self.values[u.node][u.output]).max(initial=0.0)
        return u if largest <= 10 else self._adapted(u, Squash())

    def _adapted(self, u: Use, adapter: Function) -> Use:
        subject = _subject_of_adapter(adapter)
        if sum(isinstance(n, Apply) for n in self.nodes) >= self.max_nodes - 1:
            raise _Unfit
        self._add(Apply(subject, (u,)), subject.forward([self.values[u.node][u.output]]))
        return Use(len(self.nodes) - 1)

    def _add(self, node: Leaf | Apply, outputs: Arrays) -> None:
        self.nodes.append(node)
        self.values.append((node.array,) if isinstance(node, Leaf) else outputs)
        self.used |= {u.node for u in node.inputs}

    def finished(self, fate: int) -> Expression:
        """Choose what is differentiated, and leave out what it does not need."""
        ends = [i for i in range(len(self.nodes)) if i not in self.used and isinstance(self.nodes[i], Apply)]
        chosen = ends[-3:] if fate % 4 else ends[-1:]
        outputs = [Use(i, k) for i in chosen for k in range(len(self.values[i]) if fate % 8 == 7 else 1)]
        rng = np.random.default_rng(fate)
        quarters = np.array([0.25, 0.5, 0.75, 1.0, -0.25, -0.5, -0.75, -1.0])
        cotangents = []
        for u in outputs:
            y = self.values[u.node][u.output]
            cotangents.append((rng.choice(quarters, y.shape) if fate else np.ones(y.shape)).astype(y.dtype))
        unused = [i for i, n in enumerate(self.nodes) if isinstance(n, Leaf)] if fate % 8 == 5 else []
        whole = Expression(tuple(self.nodes), tuple(outputs), tuple(cotangents))
        return whole.below(outputs, tuple(cotangents), unused)


def _subject_of_adapter(adapter: Function) -> Subject:
    key = (type(adapter), *vars(adapter).values())
    return _ADAPTERS.setdefault(key, subject_of(type(adapter), vars(adapter)))


_ADAPTERS: dict[Any, Subject] = {}


def _squash(domain: Domain) -> Squash:
    low, high = domain.low, domain.high
    if np.isfinite(low) and np.isfinite(high):
        return Squash(low, high)
    if np.isfinite(low) or np.isfinite(high):
        return Squash(low + 0.1, low + 3.0) if np.isfinite(low) else Squash(high - 3.0, high - 0.1)
    return Squash(0.2, 0.8) if domain.without else Squash()


def _renamed(pattern: Shapes, place: int, shape: Shape) -> Shapes:
    """Give the axes of a pattern the sizes that one of its shapes is to have."""
    sizes = dict(zip(pattern[place], shape, strict=True))
    others = tuple(tuple(sizes.get(n, n) for n in s) for s in pattern)
    return (*others[:place], shape, *others[place + 1 :])


def _turned(some: Sequence[Shapes], start: int) -> list[Shapes]:
    """All of them, in their order, but from another one on."""
    first = start % max(1, len(some))
    return [*some[first:], *some[:first]]


def _matching(pattern: Shapes, choices: Sequence[Sequence[Shape]], sizes: Mapping[int, int]) -> Iterator[Shapes]:
    """Give a pattern's inputs shapes of their choices, so that axes of one size in the pattern have one there, too."""
    if not pattern:
        yield ()
        return
    for shape in choices[0]:
        both = [*sizes.items(), *zip(pattern[0], shape, strict=False)]
        if len(shape) == len(pattern[0]) and len(set(both)) == len(dict(both)):
            for others in _matching(pattern[1:], choices[1:], dict(both)):
                yield (shape, *others)
