"""Traces and determinants of matrices, batched as NumPy batches them."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from adverify.engine import Function, Variable, variable

MOST_LOST = 1e4
"""By how much an inverse may be less exact than its matrix, for cofactors to be taken from it."""


class Trace(Function):
    """The sum of a diagonal; as for `numpy.linalg.trace`, of the last two axes.

    Parameters
    ----------
    offset : int
        Which diagonal: above the main one if positive, below it if negative.
    axis1, axis2 : int
        The axes of the matrices.
    """

    arguments: ClassVar = {"offset": (0, 1, -1), "axis1": (-2, 0), "axis2": (-1,)}

    def __init__(self, offset: int = 0, axis1: int = -2, axis2: int = -1) -> None:
        self.offset, self.axis1, self.axis2 = offset, axis1, axis2

    def forward(self, a: Variable) -> Variable:
        return variable(np.trace(a.data, self.offset, self.axis1, self.axis2))

    def backward(self, a: Variable, grad: Any) -> None:
        rows, columns = a.data.shape[self.axis1], a.data.shape[self.axis2]
        share = np.asarray(grad)[..., None, None] * np.eye(rows, columns, self.offset, dtype=a.data.dtype)
        a.grad += np.moveaxis(share, (-2, -1), (self.axis1, self.axis2))


class Det(Function):
    """The determinant; by its cofactors, so that singular matrices have their gradient too."""

    signature = "(n,n)->()"

    def forward(self, a: Variable) -> Variable:
        return variable(np.linalg.det(a.data))

    def backward(self, a: Variable, grad: Any) -> None:
        a.grad += np.asarray(grad)[..., None, None] * _cofactors(a.data)


class Slogdet(Function):
    """The sign of the determinant, and the logarithm of its magnitude, which are the two outputs.

    The sign is constant where it is not zero, so that its gradient is zero. A singular matrix, whose logarithm is
    minus infinity, gets the gradient zero.
    """

    signature = "(n,n)->(),()"

    def forward(self, a: Variable) -> tuple[Variable, Variable]:
        sign, logarithm = np.linalg.slogdet(a.data)
        return variable(sign), variable(logarithm)

    def backward(self, a: Variable, grads: Any) -> None:
        regular = np.linalg.slogdet(a.data).sign[..., None, None] != 0
        one = np.eye(a.data.shape[-1], dtype=a.data.dtype)
        inverse = np.linalg.inv(np.where(regular, a.data, one)).mT
        a.grad += np.where(regular, np.asarray(grads[1])[..., None, None] * inverse, 0)


def _cofactors(a: np.ndarray) -> np.ndarray:
    """The matrix of cofactors: det(A) times the inverse's transpose, or what needs no inverse if A is near singular."""
    sign, logarithm = (part[..., None, None] for part in np.linalg.slogdet(a))
    inverse = np.linalg.inv(np.where(sign != 0, a, np.eye(a.shape[-1], dtype=a.dtype)))
    with np.errstate(all="ignore"):
        # The diagonal of |A^-1| |A|: unlike a condition number, no scaling of rows or columns changes it.
        lost = (np.abs(inverse) * np.abs(a).mT).sum(axis=-1, keepdims=True).max(axis=-2, keepdims=True, initial=0)
        regular = (sign != 0) & (lost < MOST_LOST)
        cofactors = sign * np.sign(inverse.mT) * np.exp(logarithm + np.log(np.abs(inverse.mT)))
    return cofactors if regular.all() else np.where(regular, cofactors, _cofactors_by_svd(a))


def _cofactors_by_svd(a: np.ndarray) -> np.ndarray:
    """The matrix of cofactors, exact relative to the largest.

    cof(U S V) = det(U) det(V) U cof(S) V, and cof(S) holds the products of all other singular values. Rows are scaled
    by powers of two first, so that those products do not overflow where the cofactors do not.
    """
    _, exponents = np.frexp(np.abs(a).max(axis=-1, initial=0))
    u, s, v = np.linalg.svd(np.ldexp(a, -exponents[..., None]))
    n = s.shape[-1]
    others = np.where(np.eye(n, dtype=bool), 1, s[..., None, :]).prod(axis=-1)
    sign = np.linalg.det(u) * np.linalg.det(v)
    scaled = sign[..., None, None] * (u * others[..., None, :]) @ v
    rest = exponents.sum(axis=-1, keepdims=True) - exponents
    return np.asarray(np.ldexp(scaled, rest[..., None]), dtype=a.dtype)
