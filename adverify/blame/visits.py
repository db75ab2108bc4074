"""What an op does in a graph that is looked at: each call of its backward, with what it got and what it left."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from adverify.blame.rounding import is_same_array
from adverify.calling import call_backward
from adverify.engine import Function, Variable
from adverify.expression import Apply
from adverify.subject import Arrays


class Visit(NamedTuple):
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


class Observed(Function):
    """An op in a graph that is looked at."""

    def __init__(self, node: int, op: Function, log: list[Visit]) -> None:
        self.node, self.op, self.log = node, op, log

    def forward(self, *inputs: Variable) -> Any:
        return self.op.forward(*inputs)

    def backward(self, *inputs_and_grad: Any) -> None:
        *inputs, grad = inputs_and_grad
        cotangents = grad if isinstance(grad, tuple) else (grad,)
        given, values = (tuple(map(np.array, some)) for some in (cotangents, [x.data for x in inputs]))
        buffers = [x._grad for x in inputs]  # reading `grad` would allocate what is not there
        held = [np.zeros_like(x.data) if b is None else np.array(b) for x, b in zip(inputs, buffers, strict=True)]
        call_backward(self.op, inputs, grad)
        offence = ""
        if not all(map(is_same_array, cotangents, given)):
            offence = "changes the cotangent that it is given"
        elif not all(map(is_same_array, [x.data for x in inputs], values)):
            offence = "changes its input's values"
        elif is_shared(inputs, buffers, cotangents):
            offence = "leaves one array in two places, which a later sum in place changes in both"
        for x in inputs:
            left = np.asarray(x.grad)
            if np.result_type(left, x.data) != left.dtype:
                offence = offence or f"leaves a gradient of dtype {left.dtype} on an input of dtype {x.data.dtype}"
        self.log.append(Visit(self.node, held, [np.array(x.grad) for x in inputs], given, offence))


def is_shared(inputs: list[Variable], before: list[Any], cotangents: tuple[Any, ...]) -> bool:
    """Whether backward left an input the memory of its cotangent, or of another input's gradient."""
    places = dict(zip(inputs, before, strict=True))
    held = [x._grad for x in places if x._grad is not None]
    left = [x._grad for x, b in places.items() if x._grad is not None and x._grad is not b]
    is_one = len(set(map(id, held))) < len(held)
    return is_one or any(np.shares_memory(a, b) for a in left for b in (*held, *cotangents) if a is not b)


class Observers:
    """Makes the instances of a graph: an observer for each node, and one op for all that are alike, or one for each."""

    def __init__(self, log: list[Visit], apart: bool = False) -> None:
        self.log, self.apart = log, apart
        self.made: dict[Any, Function] = {}

    def __call__(self, i: int, n: Apply) -> Function:
        key = i if self.apart else (n.subject.kind, n.subject.name)
        if key not in self.made:
            self.made[key] = n.subject.make()
        return Observed(i, self.made[key], self.log)
