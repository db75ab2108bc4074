"""Jacobians that lack a part: a chain term, all but their diagonal, repeated reads."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from adverify.diagnosis.base import Mistake
from adverify.diagnosis.witness import Witness

MOST = 16
"""Outputs of which a whole Jacobian is measured."""


class Mean(Mistake):
    """A mean, or a projection, that forward subtracts is taken for a constant.

    Examples
    --------
    ::

        class Op(Function):
            def forward(self, x):
                return variable(x.data - x.data.mean())

            def backward(self, x, grad):
                x.grad += grad
    """

    kind = "mean"
    complexity = 4

    def explain(self, witnesses: Sequence[Witness], i: int) -> str:
        if any(w.is_mirrored(i) for w in witnesses) or all(w.vanishes(i) for w in witnesses):
            return ""
        for axis in (None, -1, 0, -2):
            where = "" if axis is None else f" along axis {axis}"
            if all(w.fits(i, _centred(w.actual[i], axis)) for w in witnesses):
                return f"would be right less its mean{where}, as when a mean that forward subtracts is held constant"
            for name, project in _PROJECTIONS.items():
                if all(w.fits(i, _projected(w, i, axis, project)) for w in witnesses):
                    return (
                        f"would be right less its {name} the output{where}, as when a norm that forward divides by "
                        "is held constant"
                    )
        return ""


_PROJECTIONS: dict[str, Callable[..., np.ndarray]] = {"mean product with": np.mean, "scalar product with": np.sum}


def _projected(w: Witness, i: int, axis: int | None, project: Callable[..., np.ndarray]) -> np.ndarray | None:
    """Take out of what backward gives its component along the output."""
    a = w.actual[i]
    if _centred(a, axis) is None or len(w.case.outputs) != 1 or w.case.outputs[0].shape != a.shape:
        return None
    y = w.case.outputs[0]
    return np.asarray(a - y * project(y * a, axis=axis, keepdims=True))


def _centred(a: np.ndarray, axis: int | None) -> np.ndarray | None:
    if axis is not None and a.ndim < abs(axis + (axis >= 0)):
        return None
    return np.asarray(a - a.mean(axis, keepdims=True))


class Diagonal(Mistake):
    """Each output is taken to depend on its own element of the input only.

    Examples
    --------
    ::

        class Op(Function):
            def forward(self, x):
                return variable(np.exp(x.data) / np.exp(x.data).sum())

            def backward(self, x, grad):
                s = np.exp(x.data) / np.exp(x.data).sum()
                x.grad += grad * s * (1 - s)
    """

    kind = "diagonal"
    complexity = 7

    def explain(self, witnesses: Sequence[Witness], i: int) -> str:
        chosen = _few(witnesses, i)
        if not chosen or not all(w.cotangents[0].shape == w.arrays[i].shape for w in chosen):
            return ""
        if not all(_is_of_diagonal(w, i) for w in chosen):
            return ""
        return (
            "takes each output to depend on its own element of the input only: the other terms of the sum are missing"
        )


def _few(witnesses: Sequence[Witness], i: int) -> list[Witness]:
    """Choose small witnesses: some at which the gradient is wrong, and one at which it is right; none if too few."""
    small = [w for w in witnesses if w.cotangent is not None and max(w.arrays[i].size, w.cotangents[0].size) <= MOST]
    wrong = [w for w in small if w.wrong(i).any()][:3]
    return [*wrong, *[w for w in small if not w.wrong(i).any()][:1]] if len(wrong) > 1 else []


def _is_of_diagonal(w: Witness, i: int) -> bool:
    """Whether backward multiplies by the diagonal of the Jacobian, which has other elements where that is wrong."""
    jacobian = _jacobian(w, i)
    if jacobian is None:
        return False
    diagonal = w.cotangents[0] * np.diagonal(jacobian).reshape(w.arrays[i].shape)
    return _alike(diagonal, w.actual[i]) and (w.fits(i, w.actual[i]) or not w.fits(i, diagonal))


def _jacobian(w: Witness, i: int) -> np.ndarray | None:
    """Measure the Jacobian of an op's one output, a row for each of its elements."""
    (g,) = w.cotangents
    rows = []
    for k in range(g.size):
        unit = np.zeros(g.size)
        unit[k] = 1.0
        truth = w.truth(cotangents=(unit.reshape(g.shape),))
        if truth is None:
            return None
        rows.append(np.ravel(truth.expected[i]))
    return np.array(rows)


def _alike(a: np.ndarray, b: np.ndarray) -> bool:
    return bool(np.allclose(a, b, rtol=1e-6, atol=1e-7 * float(np.nanmax(np.abs(b), initial=0.0))))


class Duplicates(Mistake):
    """An element that forward reads several times gets its gradient once.

    Examples
    --------
    ::

        class Op(Function):
            def forward(self, x):
                return variable(x.data[[0, 0]])

            def backward(self, x, grad):
                x.grad[[0, 0]] += grad
    """

    kind = "duplicates"
    complexity = 5

    def explain(self, witnesses: Sequence[Witness], i: int) -> str:
        chosen = _few(witnesses, i)
        for which in (-1, 0):
            if chosen and all(_counts_once(w, i, which) for w in chosen):
                only = "last" if which else "first"
                return f"has, of the outputs that read an element, the {only} one's share only"
        return ""


def _counts_once(w: Witness, i: int, which: int) -> bool:
    """Whether, of the outputs that hold a copy of an element, only the last or the first sends its gradient back."""
    jacobian = _jacobian(w, i)
    if jacobian is None or not np.isfinite(jacobian).all():
        return False
    copies = np.abs(jacobian - np.round(jacobian)) < 1e-6
    jacobian = np.round(jacobian)
    if not copies.all() or (jacobian.sum(axis=1) > 1).any() or (jacobian < 0).any():
        return False
    g, gradient = np.ravel(w.cotangents[0]), np.zeros(w.arrays[i].size)
    for column in range(gradient.size):
        readers = np.flatnonzero(jacobian[:, column])
        if readers.size:
            gradient[column] = g[readers[which]]
    return _alike(gradient.reshape(w.arrays[i].shape), w.actual[i])


class InputForOutput(Mistake):
    """A formula in terms of the output is given the input, or the reverse.

    Examples
    --------
    ::

        class Op(Function):
            def forward(self, x):
                return variable(1 / (1 + np.exp(-x.data)))

            def backward(self, x, grad):
                x.grad += grad * x.data * (1 - x.data)
    """

    kind = "input-for-output"
    complexity = 8

    def explain(self, witnesses: Sequence[Witness], i: int) -> str:
        if not all(len(w.arrays) == 1 and w.cotangent is not None and w.case.outputs[0].shape == w.arrays[0].shape
                   for w in witnesses):  # fmt: skip
            return ""
        at_outputs = [w.backward(arrays=w.case.outputs) for w in witnesses]
        usable = [(w, v) for w, v in zip(witnesses, at_outputs, strict=True) if v is not None]
        if len(usable) > 1 and all(w.fits(0, v[0]) for w, v in usable):
            return "applies a formula of the output to the input"
        truths = [(w, w.truth(arrays=w.case.outputs)) for w in witnesses]
        known = [(w, t) for w, t in truths if t is not None]
        if len(known) > 1 and all(t.fits(0, w.actual[0]) for w, t in known):
            return "applies a formula of the input to the output"
        return ""
