"""A callable of Variables as an op: its forward builds the graph, its backward is a pass of the engine."""

from __future__ import annotations

import functools
import inspect
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from types import MappingProxyType
from typing import Any, ClassVar

import numpy as np

from adverify.case import Case, literal
from adverify.engine import Function, Variable, variable
from adverify.expression import Total
from adverify.subject import MalformedOp
from adverify.tracing import leaves_below, variables_below

MOST_ELEMENTS = 200
"""Of a larger parameter, so many elements are verified."""
MOST_LOOKED_AT = 10_000
"""Objects among which parameters are looked for by name."""


class Parameter:
    """A leaf that a program holds itself, or, of a large one, some of its elements.

    Attributes
    ----------
    leaf : Variable
    chosen : ndarray of int or None
        Which elements, by their flat index; None for all.
    """

    def __init__(self, leaf: Variable) -> None:
        self.leaf = leaf
        size = leaf.data.size
        few = np.random.default_rng(0).choice(size, MOST_ELEMENTS, replace=False) if size > MOST_ELEMENTS else None
        self.chosen = None if few is None else np.sort(few)

    @property
    def values(self) -> np.ndarray:
        return np.array(self.leaf.data) if self.chosen is None else self.leaf.data.ravel()[self.chosen]

    @property
    def gradient(self) -> np.ndarray:
        return np.array(self.leaf.grad) if self.chosen is None else self.leaf.grad.ravel()[self.chosen]

    def among(self, values: np.ndarray) -> np.ndarray:
        """Put other values in their places among those that it has."""
        whole = np.array(self.leaf.data)
        whole.flat[slice(None) if self.chosen is None else self.chosen] = values
        return whole

    @contextmanager
    def set_to(self, values: np.ndarray) -> Iterator[None]:
        """Have other values, and no gradient, for a while."""
        data, grad = self.leaf.data, self.leaf.grad
        self.leaf.data, self.leaf.grad = self.among(values), None
        try:
            yield
        finally:
            self.leaf.data, self.leaf.grad = data, grad


class Program(Function):
    """What `check_expression` verifies; subclasses are made by `program_of`.

    Attributes
    ----------
    written : callable
        Takes Variables, returns one or a tuple of them.
    parameters : tuple of Parameter
        What it holds itself; their values are the last inputs.
    asked_by : str
        The function that verifies it.
    is_complete : bool
        Whether an example of it needs no import.
    """

    asked_by: ClassVar[str] = "check_expression"
    is_complete: ClassVar[bool] = False
    written: ClassVar[Callable[..., Any]]
    parameters: ClassVar[tuple[Parameter, ...]] = ()

    def __init__(self) -> None:
        # With the inputs themselves, so that no other Variable gets the identity of one.
        self._graphs: dict[tuple[int, ...], tuple[Sequence[Variable], Graph]] = {}

    def forward(self, *inputs: Variable) -> Any:
        graph = Graph(type(self), inputs)
        self._graphs[tuple(map(id, inputs))] = inputs, graph
        result = graph.result
        others = [y for y in graph.outputs if not isinstance(y, Variable)]
        if others or not graph.outputs:
            kinds = ["None" if y is None else f"a {type(y).__name__}" for y in others] or ["an empty tuple"]
            raise MalformedOp(f"{type(self).__name__} returned {kinds[0]}; a program returns the Variable that its ops "
                              "give, or a tuple of such")  # fmt: skip
        return tuple(variable(y.data) for y in result) if isinstance(result, tuple) else variable(result.data)

    def __deepcopy__(self, memo: Any) -> Program:
        return type(self)()

    def backward(self, *inputs_and_grad: Any) -> None:
        *inputs, grad = inputs_and_grad
        _, graph = self._graphs.get(tuple(map(id, inputs))) or (inputs, Graph(type(self), inputs))
        for x, gradient in graph.gradients(grad):
            x.grad = x.grad + gradient

    @classmethod
    def example(cls, case: Case) -> str:
        """Write a case as it is written with the program itself."""
        names = case.names[: len(case.names) - len(cls.parameters)]
        lines = [f"{n} = variable({literal(a)}, requires_grad=True)" for n, a in zip(names, case.arrays, strict=False)]
        held = zip(case.names[len(names) :], case.arrays[len(names) :], strict=True)
        lines += [f"{n} = {literal(a)}  # held by {cls.__name__}" for n, a in held]
        call = f"{cls.__name__}({', '.join(names)})"
        grads = ", ".join(literal(g) for g in case.cotangents)
        if len(case.cotangents) == 1:
            return "\n".join([*lines, f"{call}.backward({grads})"])
        return "\n".join([*lines, f"Total({grads})(*{call}).backward()  # from adverify.expression import Total"])

    @classmethod
    def again(cls, case: Case) -> str:
        """Write the call that asks about a case again."""
        given = case.arrays[: len(case.arrays) - len(cls.parameters)]
        return f"{cls.asked_by}({cls.__name__}, inputs=[{', '.join(map(literal, given))}])"


class Graph:
    """One call of a program.

    Attributes
    ----------
    inputs : list of Variable
        The leaves that stand for the inputs; one that is given twice is one leaf.
    outputs : tuple of Variable
    result : Variable or tuple of Variable
        As the program returned it.
    """

    def __init__(self, program: type[Program], inputs: Sequence[Variable]) -> None:
        count = len(inputs) - len(program.parameters)
        self._parameters = tuple(zip(program.parameters, inputs[count:], strict=True))
        self._of = {x: variable(x.data, requires_grad=True) for x in inputs[:count]}
        self.inputs = [self._of[x] for x in inputs[:count]]
        self._own = set(self.inputs)
        with self._parameters_set():
            result = program.written(*self.inputs)
        self.result = tuple(result) if isinstance(result, list | tuple) else result
        self.outputs: tuple[Variable, ...] = self.result if isinstance(self.result, tuple) else (self.result,)

    def gradients(self, grad: Any) -> Iterator[tuple[Variable, Any]]:
        """Run the engine; give each input with its gradient. Whatever else the graph reaches keeps its own."""
        with self._gradients_kept(), self._parameters_set():
            for leaf in self._of.values():
                leaf.grad = None
            if len(self.outputs) == 1:
                self.outputs[0].backward(grad)
            else:
                Total(*grad)(*self.outputs).backward()
            found = [(x, leaf.grad) for x, leaf in self._of.items()]
            found += [(x, p.gradient) for p, x in self._parameters]
        return iter(found)

    @contextmanager
    def _gradients_kept(self) -> Iterator[None]:
        kept = [(v, v._grad) for v in variables_below(*self.outputs) if v.requires_grad and v not in self._own]
        for v, _ in kept:
            v._grad = None  # the engine adds to an array that is there in place
        try:
            yield
        finally:
            for v, grad in kept:
                v._grad = grad

    @contextmanager
    def _parameters_set(self) -> Iterator[None]:
        with ExitStack() as stack:
            for p, x in self._parameters:
                stack.enter_context(p.set_to(x.data))
            yield


def program_of(
    f: Callable[..., Any], inputs: Sequence[str] = (), parameters: Mapping[str, Parameter] = MappingProxyType({})
) -> type[Program]:
    """Make the op that applies a callable, and is named as it is.

    Parameters
    ----------
    f : callable
    inputs : sequence of str
        What to call its inputs, where it has parameters as well.
    parameters : mapping of str to Parameter

    Raises
    ------
    TypeError
        If `f` cannot be called, is a class, or Python does not know what it takes.
    """
    if isinstance(f, type):
        raise TypeError(f"expected a callable of Variables, or an Expression; got the class {f.__name__}. Give an "
                        f"instance of it, such as {f.__name__}()")  # fmt: skip
    if not callable(f):
        raise TypeError(f"expected a callable of Variables, or an Expression; got {f!r}, a {type(f).__name__}")
    positional = inspect.Parameter.POSITIONAL_ONLY
    if parameters:
        taken = [inspect.Parameter(name, positional) for name in (*inputs, *parameters)]
    else:
        own = [p for p in _signature(f).parameters.values() if p.kind not in (p.KEYWORD_ONLY, p.VAR_KEYWORD)]
        taken = [p if p.kind is p.VAR_POSITIONAL else p.replace(kind=positional) for p in own]

    def forward(self: Program, *inputs: Variable) -> Any:
        return Program.forward(self, *inputs)

    signature = inspect.Signature([inspect.Parameter("self", positional), *taken])
    forward.__signature__ = signature  # type: ignore[attr-defined]
    written = inner(f)
    named = written if hasattr(written, "__qualname__") else type(written)
    namespace = {"written": staticmethod(f), "parameters": tuple(parameters.values()), "forward": forward,
                 "__module__": named.__module__, "__qualname__": named.__qualname__}  # fmt: skip
    return type(named.__name__ if named.__name__.isidentifier() else "f", (Program,), namespace)


def _signature(f: Callable[..., Any]) -> inspect.Signature:
    try:
        # A Function can be bound as a method can, which makes `inspect` take an instance for a built-in function.
        return inspect.signature(f.forward if isinstance(f, Function) else f)
    except ValueError as error:
        raise TypeError(f"Python does not know what {f!r} takes ({error}); give a function of Variables that calls it, "
                        "such as `lambda x: ...`") from error  # fmt: skip


def inner(f: Any) -> Any:
    """What a partial is a partial of."""
    while isinstance(f, functools.partial):
        f = f.func
    return f


def parameters_of(program: type[Program], arrays: Sequence[np.ndarray]) -> dict[str, Parameter]:
    """Find the leaves that a program uses and holds itself, if they require a gradient, by name."""
    graph = Graph(program, [variable(np.array(a)) for a in arrays])
    given = set(graph.inputs)  # a list would compare the Variables' values
    own = [v for v in leaves_below(*graph.outputs) if v.requires_grad and v not in given and v.data.size]
    names = {id(v): name for name, v in reversed(list(_held(inspect.unwrap(program.written))))}
    return {names.get(id(v), f"parameter_{i}"): Parameter(v) for i, v in enumerate(own)}


def _held(f: Any) -> Iterator[tuple[str, Variable]]:
    """Every Variable that a callable can reach, the nearest first: by its attributes, its closure and its globals."""
    waiting: deque[tuple[str, Any]] = deque([("", f)])
    seen: dict[int, Any] = {}  # with the objects themselves, so that no other one gets the identity of one
    while waiting and len(seen) < MOST_LOOKED_AT:
        name, holder = waiting.popleft()
        if id(holder) in seen:
            continue
        seen[id(holder)] = holder
        if isinstance(holder, Variable):
            yield name or "parameter", holder
            continue
        for key, part in _parts(holder).items():
            joined = f"{name}_{key}" if name else key
            waiting.append((joined if joined.isidentifier() else f"parameter_{joined}".replace(" ", "_"), part))


def _parts(holder: Any) -> Mapping[str, Any]:
    """What an object holds, by name."""
    if isinstance(holder, np.ndarray | str | bytes | type) or inspect.ismodule(holder):
        return {}
    if inspect.isfunction(holder):
        try:
            reached = inspect.getclosurevars(holder)
        except ValueError:  # a variable of a closure has no value yet
            return {}
        return {**reached.nonlocals, **reached.globals}
    if inspect.ismethod(holder):
        return {**_attributes(holder.__self__), **_parts(holder.__func__)}
    if isinstance(holder, functools.partial):
        named = zip(inspect.signature(holder.func).parameters, holder.args, strict=False)
        return {**dict(named), **holder.keywords, inner(holder).__class__.__name__: holder.func}
    if isinstance(holder, dict):
        return {str(k): v for k, v in holder.items()}
    if isinstance(holder, list | tuple):
        return {str(i): v for i, v in enumerate(holder)}
    call = type(holder).__call__ if callable(holder) else None
    return {**_attributes(holder), **(_parts(call) if inspect.isfunction(call) else {})}


def _attributes(instance: Any) -> dict[str, Any]:
    """The attributes of an instance: its own, in its slots, and those of its classes that are not code."""
    found: dict[str, Any] = {}
    for kind in type(instance).__mro__[-2::-1]:
        slots = [name for name, v in vars(kind).items() if inspect.ismemberdescriptor(v) and hasattr(instance, name)]
        found.update({name: getattr(instance, name) for name in slots})
        found.update({name: v for name, v in vars(kind).items() if isinstance(v, Variable | list | tuple | dict)})
    return {**found, **getattr(instance, "__dict__", {})}
