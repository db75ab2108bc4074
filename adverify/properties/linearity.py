from __future__ import annotations

import numpy as np

from adverify.case import Case
from adverify.properties.base import Property, drift, gradients, grads, in_pieces
from adverify.subject import Arrays
from adverify.verdict import HOLDS, Evidence, Verdict, mismatch, violated

RELATIVE = 1e-6
"""Of the largest element. A cotangent rounded to single precision is no failure of linearity but of precision."""


class Linearity(Property):
    """Backward is a matrix times the cotangent, so scaling and adding cotangents scales and adds gradients.

    A backward that clips its cotangent, or takes only its sign, is right for cotangents of ones and wrong in a graph.

    Examples
    --------
    >>> import numpy as np
    >>> from adverify import Function, check_case, variable
    >>> class Clips(Function):
    ...     def forward(self, x):
    ...         return variable(3 * x.data)
    ...     def backward(self, x, grad):
    ...         x.grad += 3 * np.clip(grad, -1, 1)
    >>> check_case(Clips, [[1.0]], property="linearity")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
        ...
    adverify.report.VerificationError: Clips: breaks 'linearity': 1000 times the cotangent does not give...
    ...
    """

    name = "linearity"
    rule = "backward is linear in the cotangent, and a cotangent of zero gives zero"
    needs = ("gradient",)

    def check(self, case: Case) -> Verdict:
        zero = case.subject.vjp(case.arrays, tuple(np.zeros_like(g) for g in case.cotangents))
        plain = [np.asarray(v) for v in case.vjp]
        if not all(np.isfinite(v).all() for v in plain):
            return HOLDS
        if any((np.asarray(z) != 0).any() for z in zero):
            nothing = tuple(np.zeros(a.shape) for a in case.arrays)
            return violated(
                "a cotangent of zero gives a gradient that is not zero", *self._evidence(case, nothing, zero)
            )
        for factor in (-1.0, 1e3, 1e-6, 1e9, 1e-12, 2.0**100, 2.0**-100):
            scaled = case.subject.vjp(case.arrays, tuple(factor * g for g in case.cotangents))
            evidence = self._evidence(case, tuple(factor * v for v in plain), scaled, factor)
            if evidence:
                return violated(
                    f"{factor:g} times the cotangent does not give {factor:g} times the gradient", *evidence
                )
        part = tuple(np.where(case.rng().random(g.shape) < 0.5, g, 0.0) for g in case.cotangents)
        rest = tuple(g - p for g, p in zip(case.cotangents, part, strict=True))
        halves = (case.subject.vjp(case.arrays, p) for p in (part, rest))
        evidence = self._evidence(case, tuple(np.add(*both) for both in zip(*halves, strict=True)), tuple(plain))
        if evidence:
            return violated("with some elements of the cotangent zero, the others' gradients change", *evidence)
        other = tuple(case.rng().normal(size=g.shape) for g in case.cotangents)
        alone = case.subject.vjp(case.arrays, other)
        both = case.subject.vjp(case.arrays, tuple(g + h for g, h in zip(case.cotangents, other, strict=True)))
        evidence = self._evidence(case, tuple(v + w for v, w in zip(plain, alone, strict=True)), both)
        if evidence:
            return violated("the gradient of a sum of cotangents is not the sum of their gradients", *evidence)
        return HOLDS

    def _evidence(self, case: Case, expected: Arrays, actual: Arrays, factor: float = 1.0) -> tuple[Evidence, ...]:
        largest = abs(factor) * max(case.sizes, default=0.0)
        found = tuple(
            mismatch(n, e, a, RELATIVE * largest + abs(factor) * in_pieces(case) + 1e-290)
            for n, e, a in zip(grads(case), expected, actual, strict=True)
        )
        wrong = tuple(e for e in found if e.wrong.any())
        return wrong if wrong and not self._is_noisy(case) else ()

    def _is_noisy(self, case: Case) -> bool:
        """Whether backward amplifies rounding so much that a failure of linearity says nothing."""
        size = max((float(np.abs(v).max(initial=0.0)) for v in case.vjp), default=0.0)
        return max(case.scatter, *drift(case, gradients)) > 0.1 * RELATIVE * size
