"""Factorisations of matrices, batched as NumPy batches them.

Factors that are defined up to signs are made unique, so that they are functions with a derivative: R of `QR` has no
negative diagonal, and of each vector of `Eigh` and `SVD` the leading component is positive, which is the first whose
magnitude is at least nine tenths of the largest (of the largest itself, rounding decides too often which it is).

Where factors are not differentiable, what would be infinite counts as nothing: the share of two vectors whose
eigenvalues or singular values coincide, and that of a singular value or a diagonal element of R that is zero.
"""

from __future__ import annotations

from typing import Any, ClassVar, Literal

import numpy as np

from adverify.domains import positive_definite, symmetric
from adverify.engine import Function, Variable, variable
from adverify.ops.solving import substitute


class Cholesky(Function):
    """The triangular factor L of symmetric positive definite matrices L L^T.

    The gradient is the symmetric one: it is right along symmetric changes, which are all that the domain allows.

    Parameters
    ----------
    upper : bool
        Whether to give the transpose of L, and to read the upper triangle.
    """

    domain = positive_definite
    signature = "(n,n)->(n,n)"
    arguments: ClassVar = {"upper": (False, True)}

    def __init__(self, upper: bool = False) -> None:
        self.upper = upper

    def forward(self, a: Variable) -> Variable:
        return variable(np.linalg.cholesky(a.data, upper=self.upper))

    def backward(self, a: Variable, grad: Any) -> None:
        factor = np.linalg.cholesky(a.data, upper=self.upper)
        transposed, g = (factor, np.asarray(grad).mT) if self.upper else (factor.mT, grad)
        inner = np.tril(transposed @ g)
        inner -= 0.5 * inner * np.eye(inner.shape[-1], dtype=inner.dtype)
        share = substitute(transposed, substitute(transposed, inner, lower=False).mT, lower=False)
        a.grad += 0.5 * (share + share.mT)


class QR(Function):
    """The factors Q, of orthonormal columns, and R, upper triangular without negative diagonal elements, of Q R.

    Of a wide matrix, R is as wide. Where a diagonal element of R is zero there is no derivative; the gradient leaves
    out what it divides.

    Parameters
    ----------
    mode : {'reduced', 'r'}
        Whether to give both factors, or R only.
    """

    signature = "(m,n)->(m,k),(k,n)"
    arguments: ClassVar = {"mode": ("reduced", "r")}

    def __init__(self, mode: Literal["reduced", "r"] = "reduced") -> None:
        if mode not in ("reduced", "r"):
            raise ValueError(f"mode must be 'reduced' or 'r'; got {mode!r}")
        self.mode = mode

    def forward(self, a: Variable) -> Any:
        q, r = self._factors(a.data)
        return variable(r) if self.mode == "r" else (variable(q), variable(r))

    def backward(self, a: Variable, grad: Any) -> None:
        q, r = self._factors(a.data)
        for_q, for_r = (np.zeros_like(q), grad) if self.mode == "r" else grad
        for_r = np.triu(for_r)
        # From q.T dq = skew(q.T da inv(r)): what r's cotangent does itself is kept apart from what is divided by r.
        inner = q.mT @ for_q - for_r @ r.mT
        inner = _off_columns(q, for_q) + q @ np.tril(inner - inner.mT, -1)
        k = q.shape[-1]
        square = r[..., :k]
        # A zero on the diagonal becomes infinite: what it divides is nothing.
        divisor = np.where((square == 0) & np.eye(k, dtype=bool), r.dtype.type(np.inf), square)
        a.grad += q @ for_r
        a.grad[..., :k] += substitute(divisor, inner.mT, lower=False).mT

    @staticmethod
    def _factors(a: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        q, r = np.linalg.qr(a)
        sign = np.where(np.diagonal(r, axis1=-2, axis2=-1) < 0, -1, 1).astype(a.dtype)
        return q * sign[..., None, :], r * sign[..., None]


class Eigvalsh(Function):
    """The eigenvalues of symmetric matrices, in ascending order.

    Where some coincide the gradient is a subgradient, from the vectors that LAPACK gives.

    Parameters
    ----------
    UPLO : {'L', 'U'}
        Which triangle is read. The gradient is symmetric either way.
    """

    domain = symmetric
    signature = "(n,n)->(n)"
    arguments: ClassVar = {"UPLO": ("L", "U")}

    def __init__(self, UPLO: Literal["L", "U"] = "L") -> None:
        if UPLO not in ("L", "U"):
            raise ValueError(f"UPLO must be 'L' or 'U'; got {UPLO!r}")
        self.UPLO = UPLO

    def forward(self, a: Variable) -> Any:
        return variable(np.linalg.eigvalsh(a.data, self.UPLO))

    def backward(self, a: Variable, grad: Any) -> None:
        v = np.linalg.eigh(a.data, self.UPLO).eigenvectors
        a.grad += (v * np.asarray(grad)[..., None, :]) @ v.mT


class Eigh(Eigvalsh):
    """The eigenvalues of symmetric matrices in ascending order, and their orthonormal vectors, in columns.

    The leading component of each vector is positive. Two vectors whose eigenvalues coincide have no share in the
    gradient.

    Parameters
    ----------
    UPLO : {'L', 'U'}
        Which triangle is read. The gradient is symmetric either way.
    """

    signature = "(n,n)->(n),(n,n)"

    def forward(self, a: Variable) -> Any:
        return tuple(map(variable, self._factors(a.data)))

    def backward(self, a: Variable, grad: Any) -> None:
        w, v = self._factors(a.data)
        for_w, for_v = grad
        inner = _quotient(_skew(v.mT @ for_v), _differences(w)) + _diagonal(for_w)
        a.grad += v @ inner @ v.mT

    def _factors(self, a: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        w, v = np.linalg.eigh(a, self.UPLO)
        return w, v * _leading_signs(v)


class Svdvals(Function):
    """The singular values, in descending order.

    Where some coincide or vanish the gradient is a subgradient, from the vectors that LAPACK gives.
    """

    signature = "(m,n)->(k)"

    def forward(self, a: Variable) -> Variable:
        return variable(np.linalg.svdvals(a.data))

    def backward(self, a: Variable, grad: Any) -> None:
        u, _, vh = np.linalg.svd(a.data, full_matrices=False)
        a.grad += (u * np.asarray(grad)[..., None, :]) @ vh


class SVD(Function):
    """The factors U, S, Vh of U diag(S) Vh, of orthonormal columns and rows; S is in descending order.

    The leading component of each column of U is positive. Two vectors whose singular values coincide have no share in
    the gradient, nor has what a singular value of zero divides.

    Parameters
    ----------
    full_matrices : False
        What NumPy adds to the factors otherwise is arbitrary, and not a function of the matrix.
    """

    signature = "(m,n)->(m,k),(k),(k,n)"
    arguments: ClassVar = {"full_matrices": (False,)}

    def __init__(self, full_matrices: bool = False) -> None:
        if full_matrices:
            raise ValueError("full_matrices must be False: the vectors it adds are no function of the matrix")

    def forward(self, a: Variable) -> tuple[Variable, ...]:
        return tuple(map(variable, self._factors(a.data)))

    def backward(self, a: Variable, grads: Any) -> None:
        u, s, vh = self._factors(a.data)
        for_u, for_s, for_vh = grads
        v, for_v = vh.mT, np.asarray(for_vh).mT
        skew_u, skew_v = _skew(u.mT @ for_u), _skew(v.mT @ for_v)
        # By sum and difference of the rotations of u and v: no squares of s, which would overflow and cancel.
        inner = _quotient(skew_u + skew_v, _differences(s)) + _quotient(skew_u - skew_v, s[..., None] + s[..., None, :])
        a.grad += u @ (inner + _diagonal(for_s)) @ vh
        a.grad += _quotient(_off_columns(u, for_u), s[..., None, :]) @ vh
        a.grad += u @ _quotient(_off_columns(v, for_v), s[..., None, :]).mT

    @staticmethod
    def _factors(a: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        u, s, vh = np.linalg.svd(a, full_matrices=False)
        signs = _leading_signs(u)
        return u * signs, s, signs.mT * vh


def _leading_signs(v: np.ndarray) -> np.ndarray:
    """The sign of the leading component of each column, as a row."""
    if not v.size:
        return np.ones((*v.shape[:-2], 1, v.shape[-1]), v.dtype)
    size = np.abs(v)
    leading = np.argmax(size >= 0.9 * size.max(axis=-2, keepdims=True), axis=-2, keepdims=True)
    return np.where(np.take_along_axis(v, leading, axis=-2) < 0, -1, 1).astype(v.dtype)


def _off_columns(q: np.ndarray, g: Any) -> Any:
    """The part of g that is orthogonal to the columns of q; of square q, exactly nothing."""
    return np.zeros_like(q) if q.shape[-2] == q.shape[-1] else g - q @ (q.mT @ g)


def _skew(a: np.ndarray) -> np.ndarray:
    return 0.5 * (a - a.mT)


def _differences(s: np.ndarray) -> np.ndarray:
    """s_j - s_i."""
    return s[..., None, :] - s[..., None]


def _diagonal(s: Any) -> np.ndarray:
    s = np.asarray(s)
    return s[..., None] * np.eye(s.shape[-1], dtype=s.dtype)


def _quotient(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """a / b, and zero where b is, or is too small for the quotient to be finite."""
    return np.divide(a, b, out=np.zeros_like(a), where=np.abs(b) >= np.finfo(b.dtype).tiny)
