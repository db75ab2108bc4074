from __future__ import annotations

import itertools

import numpy as np

from adverify.case import Case
from adverify.engine import variable
from adverify.properties.base import Property, differing, grads
from adverify.verdict import HOLDS, Verdict, violated


class Aliasing(Property):
    """``x * x``: one Variable in two places of one call.

    Both names then mean the same `.grad`, so a backward that reads one input's gradient before it writes the other's
    counts a share twice, or loses it.

    Examples
    --------
    >>> from adverify import Function, check_case, variable
    >>> class ReadsBeforeItWrites(Function):
    ...     def forward(self, x, y):
    ...         return variable(x.data * y.data)
    ...     def backward(self, x, y, grad):
    ...         before = x.grad.copy()
    ...         y.grad += grad * x.data
    ...         x.grad = before + grad * y.data  # drops what y got, if y is x
    >>> check_case(ReadsBeforeItWrites, [[1.0], [1.0]], property="aliasing")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
        ...
    adverify.report.VerificationError: ReadsBeforeItWrites: breaks 'aliasing': one Variable as both x and y...
    ...
    """

    name = "aliasing"
    rule = "the same Variable passed twice gets the sum of both partials"
    everywhere = True
    needs = ("accumulation",)

    def check(self, case: Case) -> Verdict:
        shapes = [a.shape for a in case.arrays]
        for i, j in itertools.combinations(range(len(shapes)), 2):
            if shapes[i] == shapes[j]:
                verdict = self._together(case, i, j)
                verdict = self._over_one_array(case, i, j) if verdict is HOLDS else verdict
                if verdict is not HOLDS:
                    return verdict
        return HOLDS

    def _over_one_array(self, case: Case, i: int, j: int) -> Verdict:
        """Two Variables that hold the same array are still two."""
        apart = case.at(tuple(case.arrays[i] if k == j else a for k, a in enumerate(case.arrays)))
        inputs = [variable(np.array(a)) for a in apart.arrays]
        inputs[j] = variable(inputs[i].data)
        op = case.subject.make()
        case.subject.apply(op, inputs)
        actual = case.subject.pull_back(op, inputs, apart.cotangents)
        evidence = differing(grads(apart), apart.vjp, actual, apart.terms, slack=256)
        return violated("two Variables over one array are taken for the same Variable", *evidence) \
            if evidence else HOLDS  # fmt: skip

    def _together(self, case: Case, i: int, j: int) -> Verdict:
        same = tuple(case.arrays[i] if k == j else a for k, a in enumerate(case.arrays))
        apart = case.at(same)
        expected = np.asarray(apart.vjp[i]) + np.asarray(apart.vjp[j])
        if not np.isfinite(expected).all():
            return HOLDS
        inputs = [variable(np.array(a)) for a in same]
        inputs[j] = inputs[i]
        op = case.subject.make()
        case.subject.apply(op, inputs)
        actual = case.subject.pull_back(op, inputs, apart.cotangents)[i]
        a, b = case.names[i], case.names[j]
        evidence = differing([f"{a}.grad"], [expected], [actual], [max(apart.terms[i], apart.terms[j])], slack=256)
        return violated(f"one Variable as both {a} and {b} does not get the sum of both partials", *evidence) \
            if evidence else HOLDS  # fmt: skip
