"""What the engine recorded, read as data."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from adverify.absent_inputs import without
from adverify.engine import Function, Node, Variable
from adverify.expression import Apply, Leaf, Use
from adverify.subject import Subject, subject_of


class Reader:
    """Turns the engine's graph into nodes, iteratively: graphs may be deep."""

    def __init__(self) -> None:
        self.nodes: list[Leaf | Apply] = []
        self._known: dict[Any, Use] = {}
        self._subjects: dict[Any, Subject] = {}

    @property
    def places(self) -> dict[Variable, Use]:
        """Where each Variable is among the nodes."""
        return {v: u for v, u in self._known.items() if isinstance(v, Variable)}

    def read(self, root: Variable) -> Use:
        stack = [root]
        while stack:
            v = stack[-1]
            if v in self._known:
                stack.pop()
                continue
            missing = [x for x in _inputs_below(v) if x not in self._known]
            if missing:
                stack += missing
                continue
            self._add(stack.pop())
        return self._known[root]

    def _add(self, v: Variable) -> None:
        node, output = _recorded(v)
        if node is None:
            self._known[v] = Use(len(self.nodes))
            self.nodes.append(Leaf(np.array(v.data), v.requires_grad))
        elif node in self._known:
            self._known[v] = Use(self._known[node].node, output)
        else:
            self._known[node] = Use(len(self.nodes))
            self._known[v] = Use(len(self.nodes), output)
            inputs = tuple(self._known[x] for x in node.inputs if x is not None)
            absent = tuple(place for place, x in enumerate(node.inputs) if x is None)
            self.nodes.append(Apply(self._subject(node.function, absent), inputs, v.requires_grad))

    def _subject(self, function: Function, absent: tuple[int, ...]) -> Subject:
        key = id(function), absent
        if key not in self._subjects:
            found = as_written(subject_of(without(function, absent), {}), function)
            name = found.name
            alike = [s for s in self._subjects.values() if s.kind is found.kind]
            same = sum(s.name.partition("#")[0] == name for s in alike)
            # Two instances that are written alike may differ in what they hold.
            name = f"{name}#{same + 1}" if same else name
            self._subjects[key] = replace(found, name=name)
        return self._subjects[key]


def as_written(subject: Subject, function: Function) -> Subject:
    """Name an op that was given as an instance by what its constructor was called with, as far as it shows."""
    arguments = _arguments_of(function)
    written = ", ".join(f"{k}={v!r}" for k, v in arguments.items())
    return replace(subject, name=f"{subject.name}({written})", arguments=arguments) if written else subject


def _arguments_of(function: Function) -> dict[str, Any]:
    """The constructor arguments, where an instance keeps them under their names, or these with `_` before them."""
    found = {}
    for name, parameter in inspect.signature(type(function)).parameters.items():
        value = getattr(function, name, getattr(function, f"_{name}", parameter.default))
        value = value.tolist() if isinstance(value, np.ndarray) else value
        if repr(value) != repr(parameter.default):
            found[name] = value
    return found


def _recorded(v: Variable) -> tuple[Node | None, int]:
    """The use of a Function that gave a Variable, and which of its outputs it is; None where no Function did."""
    if isinstance(v.back, Node):
        return v.back, 0
    back: Any = v.back
    node = getattr(getattr(back, "inputs", (None,))[0], "back", None)
    return (node, back.index) if isinstance(node, Node) and hasattr(back, "index") else (None, 0)


def _inputs_below(v: Variable) -> Iterator[Variable]:
    node, _ = _recorded(v)
    return (x for x in (node.inputs if node is not None else ()) if x is not None)


def is_recorded(*outputs: Variable) -> bool:
    """Whether every Variable that some outputs depend on is a leaf or was given by a Function."""
    return all(v.back is None or _recorded(v)[0] is not None for v in variables_below(*outputs))


def leaves_below(*outputs: Variable) -> list[Variable]:
    """The Variables that some outputs depend on, and that no op gave."""
    return [v for v in variables_below(*outputs) if v.back is None]


def variables_below(*outputs: Variable) -> list[Variable]:
    """Some outputs and the Variables that they depend on."""
    found, stack = dict.fromkeys(outputs), list(outputs)
    while stack:
        for x in _inputs_below(stack.pop()):
            if x not in found:
                found[x] = None
                stack.append(x)
    return list(found)
