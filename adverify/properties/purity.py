from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from adverify.case import Case
from adverify.engine import Variable, variable
from adverify.misuse import misuse
from adverify.properties.base import Property, output_names
from adverify.subject import Arrays, data_of
from adverify.verdict import HOLDS, Evidence, Verdict, mismatch, violated


class Purity(Property):
    """What a call changes besides its result, another part of the program sees.

    The cotangent may be shared with another op, and the input with another graph: working in place on either changes
    gradients elsewhere. Of a Variable that it is given, all that an op may change is the gradient, in backward.

    Examples
    --------
    >>> from adverify import Function, check_case, variable
    >>> class InPlace(Function):
    ...     def forward(self, x):
    ...         return variable(x.data**2)
    ...     def backward(self, x, grad):
    ...         grad *= 2 * x.data  # changes the caller's array
    ...         x.grad += grad
    >>> check_case(InPlace, [[1.0, 2.0]], property="purity")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
        ...
    adverify.report.VerificationError: InPlace: breaks 'purity': backward changes the cotangent it is given
    ...
    """

    name = "purity"
    rule = "forward and backward change no input, no cotangent and no output"
    everywhere = True
    needs = ("determinism",)

    def check(self, case: Case) -> Verdict:
        op = case.subject.make()
        inputs = [variable(np.array(a)) for a in case.arrays]
        held = [x.data for x in inputs]
        outputs = case.subject.apply(op, inputs)
        evidence = _changed(case.names, case.arrays, inputs, held)
        if evidence:
            return violated("forward changes its input", *evidence)
        cotangents = tuple(np.array(g) for g in case.cotangents)
        case.subject.pull_back(op, inputs, cotangents)
        evidence = _changed(case.names, case.arrays, inputs, held)
        if evidence:
            return violated("backward changes its input", *evidence)
        evidence = unlike(["grad"] * len(cotangents), case.cotangents, cotangents)
        if evidence:
            return violated("backward changes the cotangent it is given", *evidence)
        evidence = unlike(output_names(case), case.outputs, data_of(outputs))
        if evidence:
            return violated("backward changes the output", *evidence)
        what = misuse(case.subject, case.arrays, case.cotangents)
        return violated(what) if what else HOLDS


def _changed(
    names: Sequence[str], before: Arrays, inputs: Sequence[Variable], held: Sequence[np.ndarray]
) -> tuple[Evidence, ...]:
    return unlike(names, before, tuple(x.data for x in inputs)) or unlike(names, before, tuple(held))


def unlike(names: Sequence[str], before: Arrays, after: Arrays) -> tuple[Evidence, ...]:
    """Compare arrays bit by bit; give those that differ."""
    found = []
    for name, b, a in zip(names, before, after, strict=True):
        if np.shape(b) != np.shape(a):
            found.append(Evidence(name, np.asarray(b), np.asarray(a), np.zeros(()), np.ones((), bool)))
        elif not np.array_equal(b, a):
            found.append(mismatch(name, b, a))
    return tuple(found)
