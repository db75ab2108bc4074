"""Functions of a matrix as a whole: powers and the exponential.

The derivative of f at a in the direction g is the upper right block of f([[a, g], [0, a]]) (Mathias, "A chain rule
for matrix functions and applications", 1996), and its adjoint is the derivative at the transpose of a.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np
from scipy import linalg

from adverify.engine import Function, Variable, variable


class MatrixPower(Function):
    """The n-th power of square matrices.

    Parameters
    ----------
    n : int
        Of the inverse, where it is negative; the identity, where it is zero.
    """

    signature = "(n,n)->(n,n)"
    arguments: ClassVar = {"n": (0, 1, 2, 5, -1, -3)}

    def __init__(self, n: int) -> None:
        if not isinstance(n, int | np.integer):
            raise TypeError(f"n must be an integer; got {n!r}")
        self.n = int(n)

    def forward(self, a: Variable) -> Variable:
        return variable(np.linalg.matrix_power(a.data, self.n))

    def backward(self, a: Variable, grad: Any) -> None:
        base = (np.linalg.inv(a.data) if self.n < 0 else a.data).mT
        share = _derivative(lambda m: np.linalg.matrix_power(m, abs(self.n)), base, grad)
        a.grad += -(base @ share @ base) if self.n < 0 else share


class Expm(Function):
    """The exponential of square matrices."""

    signature = "(n,n)->(n,n)"

    def forward(self, a: Variable) -> Variable:
        return variable(linalg.expm(a.data))

    def backward(self, a: Variable, grad: Any) -> None:
        size = np.abs(grad).max(axis=(-2, -1), keepdims=True, initial=0)
        size = np.where(size == 0, 1, size)  # of size one, the cotangent does not take part in the choice of scaling
        a.grad += size * _derivative(linalg.expm, a.data.mT, grad / size)


def _derivative(function: Callable[[np.ndarray], Any], a: np.ndarray, direction: Any) -> Any:
    n = a.shape[-1]
    return function(np.block([[a, np.asarray(direction)], [np.zeros_like(a), a]]))[..., :n, n:]
