"""Systems of linear equations, inverses and pseudo-inverses, batched as NumPy batches them.

The formulas are those of Giles, "Collected matrix derivative results for forward and reverse mode algorithmic
differentiation" (2008), and for pseudo-inverses of Golub and Pereyra, "The differentiation of pseudo-inverses and
nonlinear least squares problems whose variables separate" (1973).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar

import numpy as np

from adverify.engine import Function, Variable, variable
from adverify.ops.broadcasting import unbroadcast


class Inv(Function):
    """The inverse of square matrices."""

    signature = "(n,n)->(n,n)"

    def forward(self, a: Variable) -> Variable:
        return variable(np.linalg.inv(a.data))

    def backward(self, a: Variable, grad: Any) -> None:
        inverse = np.linalg.inv(a.data).mT
        a.grad -= inverse @ grad @ inverse


class System(Function, ABC):
    """The solution x of a x = b. As in NumPy, b is a vector if it has one axis, and else a stack of matrices."""

    @abstractmethod
    def solution(self, a: np.ndarray, b: np.ndarray) -> Any:
        """Solve for the columns of b."""

    @abstractmethod
    def adjoint(self, a: np.ndarray, g: np.ndarray) -> Any:
        """Solve with the transposed matrix."""

    @abstractmethod
    def share(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """The gradient of <y, a x> by a."""

    def forward(self, a: Variable, b: Variable) -> Variable:
        return variable(_like(b, self.solution(a.data, _columns(b.data, b))))

    def backward(self, a: Variable, b: Variable, grad: Any) -> None:
        x = self.solution(a.data, _columns(b.data, b))
        y = self.adjoint(a.data, _columns(grad, b))
        a.grad -= unbroadcast(self.share(x, y), a.data.shape)
        b.grad += _like(b, unbroadcast(y, _columns(b.data, b).shape))


def _columns(array: Any, b: Variable) -> np.ndarray:
    return np.asarray(array)[..., None] if b.data.ndim == 1 else np.asarray(array)


def _like(b: Variable, columns: np.ndarray) -> np.ndarray:
    return columns[..., 0] if b.data.ndim == 1 else columns


class Solve(System):
    """The solution x of a x = b for square matrices a. As in NumPy, b of one axis is a vector, else matrices."""

    def solution(self, a: np.ndarray, b: np.ndarray) -> Any:
        return np.linalg.solve(a, b)

    def adjoint(self, a: np.ndarray, g: np.ndarray) -> Any:
        # Not by factorising a.mT: rounding may find that singular where a is not.
        return np.linalg.inv(a).mT @ g

    def share(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        return y @ x.mT


class SolveTriangular(System):
    """The solution x of a x = b, of which only one triangle of a is read; b as for `Solve`.

    Parameters
    ----------
    trans : {0, 1, 2, 'N', 'T', 'C'}
        Whether a is transposed first: 0 and 'N' are no, all others yes.
    lower : bool
        Which triangle of a is read.
    unit_diagonal : bool
        Whether the diagonal of a is not read but taken to be one.
    """

    arguments: ClassVar = {"trans": (0, "T"), "lower": (False, True), "unit_diagonal": (False, True)}

    def __init__(self, trans: int | str = 0, lower: bool = False, unit_diagonal: bool = False) -> None:
        if trans not in (0, 1, 2, "N", "T", "C"):
            raise ValueError(f"trans must be 0, 1, 2, 'N', 'T' or 'C'; got {trans!r}")
        self.transposed, self.lower, self.unit_diagonal = trans not in (0, "N"), lower, unit_diagonal

    def solution(self, a: np.ndarray, b: np.ndarray) -> Any:
        return self._solve(a, b, self.transposed)

    def adjoint(self, a: np.ndarray, g: np.ndarray) -> Any:
        return self._solve(a, g, not self.transposed)

    def share(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        return self._triangle(x @ y.mT if self.transposed else y @ x.mT)

    def _solve(self, a: np.ndarray, b: np.ndarray, transposed: bool) -> Any:
        if a.ndim < 2 or a.shape[-1] != a.shape[-2]:
            raise ValueError(f"solve_triangular takes square matrices; got shape {a.shape}")
        a = self._triangle(a) + np.eye(a.shape[-1], dtype=a.dtype) * self.unit_diagonal
        return substitute(a.mT if transposed else a, b, lower=self.lower != transposed)

    def _triangle(self, a: np.ndarray) -> np.ndarray:
        offset = int(self.unit_diagonal)
        return np.tril(a, -offset) if self.lower else np.triu(a, offset)


def substitute(a: np.ndarray, b: np.ndarray, lower: bool) -> Any:
    """Solve a x = b for columns b and triangular a.

    An upper triangle is its own LU factorisation, so LAPACK's general solver substitutes; with rows and columns in
    reverse, a lower triangle is an upper one.
    """
    if lower:
        return np.linalg.solve(a[..., ::-1, ::-1], b[..., ::-1, :])[..., ::-1, :]
    return np.linalg.solve(a, b)


class Pinv(Function):
    """The pseudo-inverse of Moore and Penrose.

    It jumps where the rank changes; the gradient is that along changes that keep the rank.

    Parameters
    ----------
    rcond : float or None
        Singular values below it times the largest count as zero; None is NumPy's 1e-15.
    """

    signature = "(m,n)->(n,m)"

    def __init__(self, rcond: float | None = None) -> None:
        self.rcond = rcond

    def forward(self, a: Variable) -> Variable:
        return variable(np.linalg.pinv(a.data, self.rcond))

    def backward(self, a: Variable, grad: Any) -> None:
        p = np.linalg.pinv(a.data, self.rcond)
        m, n = a.data.shape[-2:]
        off_range = np.eye(m, dtype=p.dtype) - a.data @ p
        off_rows = np.eye(n, dtype=p.dtype) - p @ a.data
        g = np.asarray(grad)
        a.grad -= p.mT @ g @ p.mT
        a.grad += off_range @ g.mT @ p @ p.mT
        a.grad += p.mT @ (p @ (g.mT @ off_rows))


class Lstsq(Function):
    """The least-squares solution x of a x = b, that of least norm where there are many; NumPy's first output.

    It jumps where the rank of a changes; the gradient is that along changes that keep the rank.

    Parameters
    ----------
    rcond : float or None
        Singular values below it times the largest count as zero; None is the machine precision times max(a.shape).
    """

    def __init__(self, rcond: float | None = None) -> None:
        self.rcond = rcond

    def forward(self, a: Variable, b: Variable) -> Variable:
        return variable(np.linalg.lstsq(a.data, b.data, self.rcond)[0])

    def backward(self, a: Variable, b: Variable, grad: Any) -> None:
        x, _, rank, _ = np.linalg.lstsq(a.data, b.data, self.rcond)
        smallest = np.finfo(a.data.dtype).eps * max(a.data.shape)
        p = np.linalg.pinv(a.data, smallest if self.rcond is None else self.rcond)
        x, right, g = (_columns(v, b) for v in (x, b.data, grad))
        y = p.T @ g
        a.grad -= y @ x.T
        if rank < a.data.shape[0]:
            size = np.abs(p).max(initial=0) or 1  # p @ y may leave the range of floats where this product does not
            a.grad += (right - a.data @ x) @ (p / size @ y).T * size
        if rank < a.data.shape[1]:
            a.grad += (p.T @ x) @ (g - p @ (a.data @ g)).T
        b.grad += _like(b, y)
