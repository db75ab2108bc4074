from __future__ import annotations

from adverify.case import Case
from adverify.properties.base import Property, differing, grads, output_names
from adverify.verdict import HOLDS, Verdict, violated


class Determinism(Property):
    """A gradient of a function that changes between calls cannot be verified, nor trained with.

    Randomness belongs into an input or a constructor argument, from where forward and backward both take it.

    Examples
    --------
    >>> import numpy as np
    >>> from adverify import Function, check_case, variable
    >>> class Dropout(Function):
    ...     def forward(self, x):
    ...         return variable(x.data * np.random.choice([0.0, 2.0], x.data.shape))
    ...     def backward(self, x, grad):
    ...         x.grad += grad * np.random.choice([0.0, 2.0], x.data.shape)
    >>> check_case(Dropout, [np.ones(100)], property="determinism")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
        ...
    adverify.report.VerificationError: Dropout: breaks 'determinism': forward gives another output for the...
    ...
    """

    name = "determinism"
    rule = "the same inputs give the same output and the same gradient each time"

    def check(self, case: Case) -> Verdict:
        # A few ulps are not randomness: memory alignment decides the order in which NumPy and BLAS add.
        for _ in range(2):
            evidence = differing(output_names(case), case.outputs, case.subject.forward(case.arrays), slack=4)
            if evidence:
                return violated("forward gives another output for the same input", *evidence)
            evidence = differing(
                grads(case), case.vjp, case.subject.vjp(case.arrays, case.cotangents), case.sizes, slack=4
            )
            if evidence:
                return violated("backward gives another gradient for the same input", *evidence)
        return HOLDS
