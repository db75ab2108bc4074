from __future__ import annotations

import numpy as np

from adverify.case import Case
from adverify.properties.base import Property, differing, grads
from adverify.verdict import HOLDS, Verdict, violated


class Batching(Property):
    """With a declared signature, a batch is so many separate calls."""

    name = "batching"
    rule = "for a declared signature, a batch's gradient is each element's gradient, stacked"
    needs = ("gradient", "linearity")

    def check(self, case: Case) -> Verdict:
        signature = case.sampling.signature
        if signature is None:
            return HOLDS
        cores = [len(names) for names in signature.inputs]
        batches = [a.shape[: a.ndim - core] for a, core in zip(case.arrays, cores, strict=True)]
        whole = np.broadcast_shapes(*batches)
        if not whole or 0 in whole:
            return HOLDS
        expected = [np.zeros(a.shape) for a in case.arrays]
        for index in np.ndindex(*whole):
            own = [_within(index, batch) for batch in batches]
            single = tuple(np.array(a[i]) for a, i in zip(case.arrays, own, strict=True))
            cotangents = tuple(np.array(g[index]) for g in case.cotangents)
            for total, i, v in zip(expected, own, case.subject.vjp(single, cotangents), strict=True):
                total[i] += v
        evidence = differing(grads(case), expected, case.vjp, case.sizes, slack=1e6)
        return violated("a batch's gradient is not that of its elements, stacked", *evidence) if evidence else HOLDS


def _within(index: tuple[int, ...], batch: tuple[int, ...]) -> tuple[int, ...]:
    """Where an element of the broadcast batch comes from in one operand's batch."""
    aligned = index[len(index) - len(batch) :]
    return tuple(0 if n == 1 else i for i, n in zip(aligned, batch, strict=True))
