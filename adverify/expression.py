"""Programs as data: a graph of ops on leaves, that can be run, differentiated, printed, counted and compared."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from adverify.absent_inputs import with_absent
from adverify.engine import Function, Variable, variable
from adverify.subject import Arrays, Rejected, Subject, state_key


class Use(NamedTuple):
    """One output of a node, where it is used."""

    node: int
    output: int = 0


@dataclass(frozen=True, eq=False)
class Leaf:
    """An input of a program, or a constant if it requires no gradient.

    Attributes
    ----------
    array : ndarray
    requires_grad : bool
    """

    array: np.ndarray
    requires_grad: bool = True

    inputs: tuple[Use, ...] = field(default=(), init=False)

    @property
    def key(self) -> Any:
        return self.array.dtype.str, self.array.shape, self.array.tobytes(), self.requires_grad


@dataclass(frozen=True, eq=False)
class Apply:
    """An op on outputs of earlier nodes.

    Attributes
    ----------
    subject : Subject
    inputs : tuple of Use
    kept : bool
        Whether what comes out requires its gradient, as a leaf does.
    """

    subject: Subject
    inputs: tuple[Use, ...]
    kept: bool = False

    @property
    def key(self) -> Any:
        return self.subject.kind, self.subject.name, self.inputs, self.kept, state_key(self.subject.make())

    @property
    def written(self) -> list[Use | None]:
        """The inputs as the op is called with them: None is no input, but has its place."""
        return with_absent(self.inputs, getattr(self.subject.kind, "absent", ()))


def requires_grad(n: Leaf | Apply) -> bool:
    """Whether the gradient of a node is kept at the end of a pass."""
    return n.requires_grad if isinstance(n, Leaf) else n.kept


class Total(Function):
    """The sum of <weight, y> over several outputs y: with it one pass differentiates them all."""

    def __init__(self, *weights: Any) -> None:
        self.weights = weights

    def forward(self, *outputs: Variable) -> Variable:
        return variable(sum(float(np.sum(w * y.data)) for w, y in zip(self.weights, outputs, strict=True)))

    def backward(self, *outputs_and_grad: Any) -> None:
        *outputs, grad = outputs_and_grad
        for w, y in zip(self.weights, outputs, strict=True):
            y.grad = y.grad + w * grad


class Plus(Function):
    """The sum of its inputs, broadcast: the simplest op there is, put for others where they do not matter."""

    def forward(self, *inputs: Variable) -> Variable:
        return variable(sum(x.data for x in inputs))

    def backward(self, *inputs_and_grad: Any) -> None:
        *inputs, grad = inputs_and_grad
        for x in inputs:
            extra = grad.ndim - x.data.ndim
            stretched = [extra + k for k, n in enumerate(x.data.shape) if n == 1]
            x.grad = x.grad + grad.sum((*range(extra), *stretched), keepdims=True).reshape(x.data.shape)


@dataclass(frozen=True, eq=False)
class Expression:
    """A directed acyclic graph of ops, with the values of its leaves and a cotangent for each output.

    Nodes that apply the same op with the same constructor arguments share one instance of it, as they do where an op
    is bound to an operator.

    Attributes
    ----------
    nodes : tuple of Leaf or Apply
        Each after those that it uses.
    outputs : tuple of Use
        What is differentiated; several are added up, each times its cotangent.
    cotangents : tuple of ndarray
        One for each output.

    Examples
    --------
    >>> from adverify.ops import Multiply, Sin
    >>> x = variable([0.0, 1.0], requires_grad=True)
    >>> expression = Expression.trace(Multiply()(x, Sin()(x)))
    >>> expression.ops
    Counter({'Sin': 1, 'Multiply': 1})
    >>> expression.shared
    1
    >>> expression.gradients()[0].round(3)
    array([0.   , 1.382])
    """

    nodes: tuple[Leaf | Apply, ...]
    outputs: tuple[Use, ...]
    cotangents: Arrays

    @classmethod
    def trace(
        cls, *outputs: Variable, inputs: Sequence[Variable] = (), cotangents: Sequence[Any] | None = None
    ) -> Expression:
        """Read the graph that the engine recorded below some outputs.

        Parameters
        ----------
        *outputs : Variable
        inputs : sequence of Variable
            These become the first leaves, used or not.
        cotangents : sequence of array_like, optional
            One for each output. Default: ones.

        Raises
        ------
        TypeError, ValueError
            If no output is given, what is given is no Variable, or the cotangents do not fit the outputs.
        """
        from adverify.tracing import Reader

        if not outputs:
            raise ValueError("expected the outputs of a graph; got none. Give at least one: Expression.trace(y)")
        for v in (*outputs, *inputs):
            if not isinstance(v, Variable):
                raise TypeError(f"expected Variables that a graph was recorded for; got {v!r}, a {type(v).__name__}")
        reader = Reader()
        for x in inputs:
            reader.read(x)
        uses = tuple(reader.read(y) for y in outputs)
        return cls(tuple(reader.nodes), uses, _cotangents(outputs, cotangents))

    @cached_property
    def leaves(self) -> tuple[int, ...]:
        """The numbers of the nodes that are leaves."""
        return tuple(i for i, n in enumerate(self.nodes) if isinstance(n, Leaf))

    @cached_property
    def values(self) -> tuple[Arrays, ...]:
        """The outputs of each node, by a fresh instance of each op; raises Rejected if an op refuses."""
        values: list[Arrays] = []
        for n in self.nodes:
            if isinstance(n, Leaf):
                values.append((n.array,))
            else:
                values.append(n.subject.forward([values[u.node][u.output] for u in n.inputs]))
        return tuple(values)

    def operands(self, i: int) -> Arrays:
        """The values that node `i` is applied to."""
        return tuple(self.values[u.node][u.output] for u in self.nodes[i].inputs)

    def evaluate(self, *arrays: Any) -> Arrays:
        """Compute the outputs on other values of the leaves.

        Parameters
        ----------
        *arrays : array_like
            One for each leaf; none for the leaves' own.

        Raises
        ------
        Rejected
            If an op refuses what it gets.
        """
        values = (self.at(*arrays) if arrays else self).values
        return tuple(values[u.node][u.output] for u in self.outputs)

    def at(self, *arrays: Any) -> Expression:
        """The same graph with other values of its leaves, in their dtypes; of other shapes, too, if the ops take them.

        The cotangents of outputs that get another shape become ones.
        """
        if len(arrays) != len(self.leaves):
            raise ValueError(f"the expression has {len(self.leaves)} leaves; got {len(arrays)} arrays")
        nodes, is_as_before = list(self.nodes), True
        for i, array in zip(self.leaves, arrays, strict=True):
            n = nodes[i]
            assert isinstance(n, Leaf)
            nodes[i] = replace(n, array=variable(array).data.astype(n.array.dtype))
            is_as_before &= np.shape(array) == n.array.shape
        moved = replace(self, nodes=tuple(nodes))
        return moved if is_as_before else moved.refitted()

    def refitted(self) -> Expression:
        """The same graph with cotangents of ones where an output has another shape or dtype than its cotangent."""
        try:
            outputs = self.evaluate()
        except Rejected:
            return self
        pairs = zip(self.cotangents, outputs, strict=True)
        fitting = (g if (g.shape, g.dtype) == (y.shape, y.dtype) else np.ones(y.shape, y.dtype) for g, y in pairs)
        return replace(self, cotangents=tuple(fitting))

    def below(self, outputs: Sequence[Use], cotangents: Arrays, keep: Sequence[int] = ()) -> Expression:
        """The part of the graph that some outputs need, and the nodes of the numbers in `keep`."""
        needed = {u.node for u in outputs} | set(keep)
        for i in range(len(self.nodes) - 1, -1, -1):
            if i in needed:
                needed |= {u.node for u in self.nodes[i].inputs}
        number = {old: new for new, old in enumerate(sorted(needed))}
        nodes = tuple(_renumbered(self.nodes[i], number) for i in sorted(needed))
        return Expression(nodes, tuple(Use(number[u.node], u.output) for u in outputs), cotangents)

    def gradients(self) -> Arrays:
        """Differentiate with the engine: the gradient of each leaf, zero for those that require none."""
        run = Run(self)
        run.backward()
        return tuple(run.variables[i][0].grad for i in self.leaves)

    def __call__(self, *variables: Any) -> Any:
        """Apply the graph to Variables, one for each leaf; give its output, or the tuple of its outputs."""
        if len(variables) != len(self.leaves):
            raise ValueError(f"the expression has {len(self.leaves)} leaves; got {len(variables)} Variables")
        run = Run(self, dict(zip(self.leaves, variables, strict=True)))
        return run.outputs[0] if len(run.outputs) == 1 else tuple(run.outputs)

    @cached_property
    def consumers(self) -> dict[int, list[tuple[int, int]]]:
        """For each node the (node, position) of each of its uses."""
        found: dict[int, list[tuple[int, int]]] = {i: [] for i in range(len(self.nodes))}
        for k, n in enumerate(self.nodes):
            for position, u in enumerate(n.inputs):
                found[u.node].append((k, position))
        return found

    @property
    def ops(self) -> Counter[str]:
        """How often each op is applied."""
        return Counter(n.subject.kind.__name__ for n in self.nodes if isinstance(n, Apply))

    @property
    def pairs(self) -> Counter[tuple[str, str]]:
        """How often an op is applied to what another gives: (parent, child)."""
        names = [n.subject.kind.__name__ if isinstance(n, Apply) else "" for n in self.nodes]
        return Counter((names[i], names[u.node]) for i, n in enumerate(self.nodes) for u in n.inputs if names[u.node])

    @property
    def depth(self) -> int:
        """The number of ops on the longest way from a leaf to an output."""
        depths: list[int] = []
        for n in self.nodes:
            depths.append(max((depths[u.node] + 1 for u in n.inputs), default=0))
        return max((depths[u.node] for u in self.outputs), default=0)

    @property
    def shared(self) -> int:
        """How many nodes are used more than once."""
        return sum(len(uses) > 1 for uses in self.consumers.values())

    @property
    def repeated(self) -> int:
        """How many nodes have one Variable in several places."""
        return sum(len(set(n.inputs)) < len(n.inputs) for n in self.nodes)

    @property
    def size(self) -> int:
        """How many nodes there are, leaves included."""
        return len(self.nodes)

    def name(self, i: int) -> str:
        """Call a node in reports: ``"node 3, `Max(axis=0)`"``."""
        n = self.nodes[i]
        return f"leaf {i}" if isinstance(n, Leaf) else f"node {i}, `{n.subject.name}`"

    def mention(self, i: int) -> str:
        """Call a node where another one is spoken of: ``"node 3 (Max)"``."""
        n = self.nodes[i]
        return f"leaf {i}" if isinstance(n, Leaf) else f"node {i} ({n.subject.kind.__name__})"

    @property
    def key(self) -> Any:
        """What two expressions have in common that are equal."""
        return tuple(n.key for n in self.nodes), self.outputs, tuple((g.shape, g.tobytes()) for g in self.cotangents)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Expression) and self.key == other.key

    def __hash__(self) -> int:
        return hash(self.key)

    def python(self) -> str:
        """Python that runs, and builds and differentiates the graph; `str` gives it too."""
        from adverify.expression_source import python

        return python(self)

    __str__ = python

    def traced(self) -> str:
        """Python that reads the graph again, after that of `python`."""
        from adverify.expression_source import traced

        return traced(self)

    def __repr__(self) -> str:
        terms = [
            f"{i} = {n.subject.name}({', '.join('None' if u is None else str(u.node) for u in n.written)})"
            for i, n in enumerate(self.nodes)
            if isinstance(n, Apply)
        ]
        return f"<Expression of {len(self.leaves)} leaves: {'; '.join(terms) or 'no ops'}>"

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        printer.text(repr(self) if cycle else f"Expression that is written\n{self}\n")

    def dot(self) -> str:
        """The graph in Graphviz's language."""
        from adverify.diagram import dot

        return dot(self)

    def mermaid(self) -> str:
        """The graph in Mermaid's language."""
        from adverify.diagram import mermaid

        return mermaid(self)

    def svg(self) -> str:
        """The graph as a drawing that needs no other program."""
        from adverify.diagram import svg

        return svg(self)

    def _repr_html_(self) -> str:
        return self.svg()


class Run:
    """An Expression built with the engine's Variables; `backward` passes over the one graph as often as it is called.

    Attributes
    ----------
    variables : list of list of Variable
        The outputs of each node.
    outputs : list of Variable
    """

    def __init__(
        self, expression: Expression, leaves: Mapping[int, Any] | None = None,
        instances: Callable[[int, Apply], Function] | None = None,
    ) -> None:  # fmt: skip
        self.variables: list[list[Variable]] = []
        instance_of = instances or Instances()
        for i, n in enumerate(expression.nodes):
            if isinstance(n, Leaf):
                given = leaves[i] if leaves else variable(np.array(n.array), n.requires_grad)
                self.variables.append([given])
                continue
            result = instance_of(i, n)(*(self.variables[u.node][u.output] for u in n.inputs))
            outputs = list(result) if isinstance(result, tuple) else [result]
            for y in outputs:
                y.requires_grad = n.kept
            self.variables.append(outputs)
        self.outputs = [self.variables[u.node][u.output] for u in expression.outputs]
        self._cotangents = expression.cotangents

    @cached_property
    def root(self) -> Variable:
        """What is differentiated; one for all passes, so that what an engine keeps on it is found."""
        return self.outputs[0] if len(self.outputs) == 1 else Total(*self._cotangents)(*self.outputs)

    def backward(self, factor: float = 1.0) -> None:
        """Differentiate all outputs in one pass of the engine, with `factor` times their cotangents."""
        self.root.backward(factor * self._cotangents[0] if len(self.outputs) == 1 else factor)


class Instances:
    """One instance for all nodes that apply the same."""

    def __init__(self) -> None:
        self._made: dict[Any, Function] = {}

    def __call__(self, i: int, n: Apply) -> Function:
        return self._made.setdefault((n.subject.kind, n.subject.name), n.subject.make())


def _cotangents(outputs: Sequence[Variable], given: Sequence[Any] | None) -> Arrays:
    if given is None:
        return tuple(np.ones(y.data.shape, y.data.dtype) for y in outputs)
    if not np.iterable(given):
        raise TypeError(f"cotangents is a list of one array for each output; got {given!r}, a {type(given).__name__}")
    if len(given) != len(outputs):
        raise ValueError(f"cotangents is a list of one array for each output, here {len(outputs)}; got {len(given)}")
    found = []
    for i, (g, y) in enumerate(zip(given, outputs, strict=True)):
        array = variable(g).data.astype(y.data.dtype)
        if array.shape not in ((), y.data.shape):
            raise ValueError(f"cotangents[{i}] is of shape {array.shape}; its output is of shape {y.data.shape}")
        found.append(np.array(np.broadcast_to(array, y.data.shape)))
    return tuple(found)


def _renumbered(node: Leaf | Apply, number: dict[int, int]) -> Leaf | Apply:
    if isinstance(node, Leaf):
        return node
    return replace(node, inputs=tuple(Use(number[u.node], u.output) for u in node.inputs))
