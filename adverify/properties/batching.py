from __future__ import annotations

import numpy as np

from adverify.case import Case
from adverify.properties.base import Property, differing_in_arithmetic, gradients, grads
from adverify.verdict import HOLDS, Verdict, violated


class Batching(Property):
    """With a declared signature, a batch is so many separate calls.

    An op that declares ``(n)->(n)`` says that axes before the last are a batch. If its forward or backward mixes the
    elements of the batch, it computes something else than what it declares.

    Examples
    --------
    >>> from adverify import Function, check_case, variable
    >>> class Centred(Function):
    ...     signature = "(n)->(n)"
    ...     def forward(self, x):
    ...         return variable(x.data - x.data.mean())  # over the batch, too
    ...     def backward(self, x, grad):
    ...         x.grad += grad - grad.mean()
    >>> check_case(Centred, [[[1.0, 2.0], [3.0, 5.0]]], property="batching", seed=1)  # doctest: +ELLIPSIS
    Traceback (most recent call last):
        ...
    adverify.report.VerificationError: Centred: breaks 'batching': a batch's gradient is not that of its...
    ...
    """

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
        evidence = differing_in_arithmetic(case, gradients, grads(case), expected, case.vjp, case.sizes)
        return violated("a batch's gradient is not that of its elements, stacked", *evidence) if evidence else HOLDS


def _within(index: tuple[int, ...], batch: tuple[int, ...]) -> tuple[int, ...]:
    """Where an element of the broadcast batch comes from in one operand's batch."""
    aligned = index[len(index) - len(batch) :]
    return tuple(0 if n == 1 else i for i, n in zip(aligned, batch, strict=True))
