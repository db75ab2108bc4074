from __future__ import annotations

from adverify.case import Case
from adverify.properties.base import Property, differing, grads, output_names
from adverify.verdict import HOLDS, Verdict, violated


class Determinism(Property):
    """A gradient of a function that changes between calls cannot be verified, nor trained with."""

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
