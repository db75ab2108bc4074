from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from functools import partial

import numpy as np

from adverify.case import Case, largest
from adverify.engine import variable
from adverify.properties.base import (
    EPS,
    LIBRARIES,
    Property,
    differing_in_arithmetic,
    gradients,
    grads,
    is_unstable,
    output_names,
)
from adverify.subject import Rejected, data_of
from adverify.verdict import HOLDS, Verdict, violated

ROUNDINGS = 64
"""The same, in units of what forward is seen to round inside."""


class Layout(Property):
    """How an array lies in memory is not part of its value.

    A transposed array has its elements in another order in memory, and a broadcast one has each of them once only.
    Code that walks memory (``ravel(order="K")``, a view of the buffer, compiled code that assumes C order) takes them
    for others.

    Examples
    --------
    >>> from adverify import Function, check_case, variable
    >>> class InMemoryOrder(Function):
    ...     def forward(self, x):
    ...         return variable(x.data**2)
    ...     def backward(self, x, grad):
    ...         x.grad += 2 * grad * x.data.ravel(order="K").reshape(x.data.shape)
    >>> check_case(InMemoryOrder, [[[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]], property="layout")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
        ...
    adverify.report.VerificationError: InMemoryOrder: breaks 'layout': backward gives another gradient for...
    ...
    """

    name = "layout"
    rule = "Fortran-ordered, strided, reversed, broadcast and read-only arrays change nothing"
    needs = ("gradient", "linearity")

    def check(self, case: Case) -> Verdict:
        for name, arrange in LAYOUTS.items():
            if name.startswith("permuted") and all(a.ndim < 3 for a in case.arrays):
                continue
            verdict = self._arranged(case, name, arrange, case.sizes)
            if verdict is not HOLDS:
                return verdict
        flat = case.at(tuple(np.array(_stretched(a)) for a in case.arrays))
        try:
            _ = flat.vjp
        except Exception:  # other values than the case's: what they break belongs to other properties
            return HOLDS
        # Where all rows are equal, all that is left of a variance may be rounding.
        sizes = [max(own, usual) for own, usual in zip(flat.sizes, case.sizes, strict=True)]
        return self._arranged(flat, "broadcast (stride 0)", _stretched, sizes)

    def _arranged(
        self, case: Case, name: str, arrange: Callable[[np.ndarray], np.ndarray], sizes: Sequence[float]
    ) -> Verdict:
        """Ask about all arrays arranged so, then about each of them alone among plain ones."""
        count = len(case.arrays) + 1  # the cotangent is the last
        alone = [tuple(i == j for j in range(count)) for i in range(count)] if name in ALONE else []
        for which in [(True,) * count, *alone]:
            verdict = self._some_arranged(case, name, [arrange if w else np.array for w in which], sizes)
            if verdict is not HOLDS:
                return verdict
        return HOLDS

    def _some_arranged(
        self, case: Case, name: str, arrange: Sequence[Callable[[np.ndarray], np.ndarray]], sizes: Sequence[float]
    ) -> Verdict:
        op = case.subject.make()
        inputs = [variable(to(a)) for to, a in zip(arrange[:-1], case.arrays, strict=True)]
        try:
            outputs = data_of(case.subject.apply(op, inputs))
        except Rejected as rejected:
            return HOLDS if is_unstable(case) else violated(f"forward does not take {name} inputs: {rejected}")
        evidence = differing_in_arithmetic(
            case, lambda c: c.outputs, output_names(case), case.outputs, outputs, _rounded_inside(case)
        )
        if evidence:
            return violated(f"forward gives another output for {name} inputs", *evidence)
        cotangents = (
            tuple(arrange[-1](g) for g in case.cotangents) if name != "broadcast (stride 0)" else case.cotangents
        )
        given = [(f"its input {n}", x.data, a) for n, x, a in zip(case.names, inputs, case.arrays, strict=True)]
        given += [("the cotangent", mine, g) for mine, g in zip(cotangents, case.cotangents, strict=True)]
        actual = case.subject.pull_back(op, inputs, cotangents)
        for what, mine, before in given:
            if not np.array_equal(mine, before, equal_nan=True):
                return violated(f"{what} is changed where arrays are {name}")
        evidence = differing_in_arithmetic(case, gradients, grads(case), case.vjp, actual, sizes)
        return violated(f"backward gives another gradient for {name} arrays", *evidence) if evidence else HOLDS


def _rounded_inside(case: Case) -> list[float]:
    """How large the outputs' terms are, if they show what forward is known to round inside."""
    terms = max(largest(*case.outputs), case.sizes[0] * largest(*case.arrays))
    relative = ROUNDINGS * case.sampling.noise / (LIBRARIES * EPS)
    return [relative * max(1.0, terms / case.sampling.scale if case.sampling.scale else 1.0)] * len(case.outputs)


def _strided(a: np.ndarray) -> np.ndarray:
    if a.ndim == 0:
        return a.copy()
    wide = np.full((*a.shape[:-1], 2 * a.shape[-1]), np.nan)
    wide[..., ::2] = a
    return wide[..., ::2]


def _permuted(a: np.ndarray, which: int) -> np.ndarray:
    """Lay three axes or more in memory in one of the orders that are neither NumPy's nor Fortran's."""
    if a.ndim < 3:
        return np.array(a)
    order = list(itertools.islice(itertools.permutations(range(a.ndim)), 1, 5))[which]
    return np.array(a.transpose(order), order="C").transpose(np.argsort(order))


def _reversed(a: np.ndarray) -> np.ndarray:
    return a[(slice(None, None, -1),) * a.ndim].copy()[(slice(None, None, -1),) * a.ndim]


def _read_only(a: np.ndarray) -> np.ndarray:
    b = a.copy()
    b.flags.writeable = False
    return b.view()  # as a file or a buffer gives them, it cannot be made writeable again


def _stretched(a: np.ndarray) -> np.ndarray:
    return np.broadcast_to(a[:1], a.shape) if a.ndim and a.size else np.array(a)


ALONE = ("Fortran-ordered",)
"""Layouts in which arrays are also arranged one at a time: what is flattened together must be in one order."""

LAYOUTS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "Fortran-ordered": lambda a: np.array(a, order="F"),  # asfortranarray makes a 0-d array 1-d
    **{f"permuted ({i})": partial(_permuted, which=i) for i in range(4)},
    "strided": _strided,
    "reversed": _reversed,
    "read-only": _read_only,
}
