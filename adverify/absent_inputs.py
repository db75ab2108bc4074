"""An op that is given None for some of its inputs, as an op of the others: a graph has edges to Variables only."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from functools import cache
from typing import Any, ClassVar

from adverify.calling import call_backward
from adverify.domains import Domain
from adverify.engine import Function


class Without(Function):
    """An op of the inputs that it is given; there is a subclass for each op and each choice of them.

    Attributes
    ----------
    op : Function
        The op itself.
    kind : type
        Its class.
    absent : tuple of int
        The positions of the inputs that are None.
    """

    kind: ClassVar[type[Function]]
    absent: ClassVar[tuple[int, ...]]

    def __init__(self, op: Function) -> None:
        self.op = op

    def forward(self, *inputs: Any) -> Any:
        return self.op.forward(*with_absent(inputs, self.absent))

    def backward(self, *inputs_and_grad: Any) -> None:
        *inputs, grad = inputs_and_grad
        call_backward(self.op, with_absent(inputs, self.absent), grad)

    @property
    def domain(self) -> Any:
        declared = getattr(self.op, "domain", None)
        if declared is None or isinstance(declared, Domain):
            return declared
        return tuple(d for i, d in enumerate(declared) if i not in self.absent)

    def __reduce__(self) -> Any:  # its class cannot be imported
        return without, (self.op, self.absent)


def without(op: Function, absent: tuple[int, ...]) -> Function:
    """Make the op that gives None to `op` in some places.

    Examples
    --------
    >>> from adverify import tensor
    >>> from adverify.ops import Linear
    >>> unbiased = without(Linear(), (2,))
    >>> unbiased(tensor([1.0, 2.0]), tensor([[3.0, 4.0]]))
    variable([11.])
    >>> type(unbiased).__name__
    'Linear'
    """
    kind: Any = type(op)
    return _kind_without(kind, absent)(op) if absent else op


def original(kind: type[Function]) -> type[Function]:
    """The class that the author of an op wrote."""
    return kind.kind if issubclass(kind, Without) else kind


def with_absent(inputs: Sequence[Any], absent: Sequence[int]) -> list[Any]:
    """Put None in its places among the inputs."""
    whole = list(inputs)
    for place in absent:
        whole.insert(place, None)
    return whole


@cache
def _kind_without(kind: type[Function], absent: tuple[int, ...]) -> type[Without]:
    own, *taken = inspect.signature(kind.forward).parameters.values()

    def forward(self: Without, *inputs: Any) -> Any:
        return Without.forward(self, *inputs)

    given = [own, *(p for i, p in enumerate(taken) if i not in absent or p.kind is p.VAR_POSITIONAL)]
    forward.__signature__ = inspect.Signature(given)  # type: ignore[attr-defined]
    named = {"__module__": kind.__module__, "__qualname__": kind.__qualname__, "__doc__": kind.__doc__}
    return type(kind.__name__, (Without,), {**named, "kind": kind, "absent": absent, "forward": forward})
