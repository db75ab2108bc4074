from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from adverify.case import Case
from adverify.engine import Function, Variable, variable
from adverify.properties.base import Property, differing, grads
from adverify.subject import BackwardRaised, Rejected, is_of_the_op
from adverify.verdict import HOLDS, Verdict, violated

LEAF, INNER, CONSTANT = "leaf", "inner", "constant"
"""Places of an input in a graph: it requires a gradient, another op has made it, or it requires none."""


class _Scale(Function):
    """By a power of two, so that not a bit is lost."""

    def __init__(self, factor: float) -> None:
        self.factor = factor

    def forward(self, x: Variable) -> Variable:
        return variable(self.factor * x.data)

    def backward(self, x: Variable, grad: Any) -> None:
        x.grad += self.factor * grad


class Composition(Property):
    """The chain rule through the engine: shared inputs, an output used twice, one instance in two places.

    An op may be right when it is called by itself and wrong in a graph, because there its inputs are the outputs of
    other ops and its cotangent comes from them, or because of its inputs some are parameters and some constants.

    Examples
    --------
    >>> from adverify import Function, check_case, variable
    >>> class OnlyOnLeaves(Function):
    ...     def forward(self, x):
    ...         return variable(x.data**2)
    ...     def backward(self, x, grad):
    ...         x.grad += (2 if x.back is None else 1) * grad * x.data
    >>> check_case(OnlyOnLeaves, [[1.0, 2.0]], property="composition")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
        ...
    adverify.report.VerificationError: OnlyOnLeaves: breaks 'composition': in a graph that uses its output...
    ...
    """

    name = "composition"
    rule = "inside a graph the gradient is what the chain rule makes of the op's own"
    needs = ("gradient", "linearity", "reentrancy")

    def check(self, case: Case) -> Verdict:
        if not all(np.isfinite(v).all() for v in case.vjp):
            return HOLDS
        for verdict in (ask(case) for ask in (self._shared, self._in_each_place, self._chained)):
            if verdict is not HOLDS:
                return verdict
        return HOLDS

    def _shared(self, case: Case) -> Verdict:
        op = case.subject.make()
        leaves = [variable(0.5 * a, requires_grad=True) for a in case.arrays]
        inner = [_Scale(2.0)(leaf) for leaf in leaves]
        first, second = (_all_outputs(op(*inner)) for _ in range(2))
        for y, z, g in zip(first, second, case.cotangents, strict=True):
            _backward(_Sum()(_Scale(4.0)(y), _Scale(-2.0)(y), z), g)
        evidence = differing(
            grads(case), [6.0 * np.asarray(v) for v in case.vjp], [x.grad for x in leaves], case.terms, slack=1e4
        )
        return violated("in a graph that uses its output twice and the op twice, the leaves' gradient is wrong",
                        *evidence) if evidence else HOLDS  # fmt: skip

    def _in_each_place(self, case: Case) -> Verdict:
        """Ask for the gradients of parameters, of inputs that come from other ops, and beside constants."""
        for places, where in _placings(case.names):
            leaves = [variable(np.array(a), requires_grad=place != CONSTANT)
                      for a, place in zip(case.arrays, places, strict=True)]  # fmt: skip
            inputs = [_Scale(1.0)(x) if place == INNER else x for x, place in zip(leaves, places, strict=True)]
            try:
                for y, g in zip(_all_outputs(case.subject.make()(*inputs)), case.cotangents, strict=True):
                    _backward(y, g)
            except BackwardRaised as raised:
                return violated(f"{where}, {raised}", exception=raised.cause)
            evidence = [found for i, place in enumerate(places) if place != CONSTANT for found in differing(
                [grads(case)[i]], [case.vjp[i]], [leaves[i].grad], [case.terms[i]], slack=1e4
            )]  # fmt: skip
            if evidence:
                return violated(f"{where}, the gradient is another", *evidence)
        return HOLDS

    def _chained(self, case: Case) -> Verdict:
        if len(case.arrays) != 1 or len(case.outputs) != 1 or case.outputs[0].shape != case.arrays[0].shape:
            return HOLDS
        if not case.sampling.domains[0].holds(case.outputs[0]).all():
            return HOLDS
        try:
            outer = case.at(case.outputs)
            middle = case.subject.vjp(case.outputs, outer.cotangents)
        except Rejected:
            return HOLDS
        expected = case.subject.vjp(case.arrays, tuple(np.asarray(m) for m in middle))
        if not all(np.isfinite(e).all() for e in expected):
            return HOLDS
        op, leaf = case.subject.make(), variable(np.array(case.arrays[0]), requires_grad=True)
        (middle_variable,) = _all_outputs(op(leaf))
        (outermost,) = _all_outputs(op(middle_variable))
        _backward(outermost, outer.cotangents[0])
        evidence = differing(grads(case), expected, [leaf.grad], case.terms, slack=1e4)
        return violated("applied to its own output, the op gives the leaf a wrong gradient", *evidence) \
            if evidence else HOLDS  # fmt: skip


def _placings(names: Sequence[str]) -> Iterator[tuple[tuple[str, ...], str]]:
    """Give the places that the inputs take in a graph, and say so: alike, and one of them unlike the others."""
    if len(names) == 1:
        return
    yield (LEAF,) * len(names), "where all inputs require a gradient"
    for i, name in enumerate(names):
        for own, others, where in (
            (LEAF, CONSTANT, f"where only {name} requires a gradient, and the other inputs are constants"),
            (INNER, LEAF, f"where {name} comes from another op, and the other inputs require a gradient"),
        ):
            yield (*(others,) * i, own, *(others,) * (len(names) - 1 - i)), where


class _Sum(Function):
    def forward(self, *terms: Variable) -> Variable:
        return variable(sum(t.data for t in terms))

    def backward(self, *terms_and_grad: Any) -> None:
        *terms, grad = terms_and_grad
        for t in terms:
            t.grad += grad


def _backward(y: Variable, cotangent: np.ndarray) -> None:
    try:
        y.backward(cotangent)
    except BaseException as error:  # only the op's own backward can raise here
        if not is_of_the_op(error):
            raise
        raise BackwardRaised(error) from error


def _all_outputs(result: Any) -> tuple[Variable, ...]:
    return result if isinstance(result, tuple) else (result,)
