"""Products, inverses and factorisations of matrices, batched as NumPy batches them.

The formulas are those of Giles, "Collected matrix derivative results for forward and reverse mode algorithmic
differentiation" (2008).
"""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from adverify.domains import positive_definite
from adverify.engine import Function, Variable, variable
from adverify.ops.broadcasting import unbroadcast


def _t(a: Any) -> Any:
    return np.swapaxes(a, -1, -2)


class Matmul(Function):
    """x @ y in all of NumPy's forms: vectors, matrices, and batches that broadcast."""

    def forward(self, x: Variable, y: Variable) -> Variable:
        return variable(x.data @ y.data)

    def backward(self, x: Variable, y: Variable, grad: Any) -> None:
        a = x.data[None, :] if x.data.ndim == 1 else x.data
        b = y.data[:, None] if y.data.ndim == 1 else y.data
        g = np.asarray(grad)
        g = g[..., None, :] if x.data.ndim == 1 and y.data.ndim > 1 else g
        g = g[..., None] if y.data.ndim == 1 else g
        g = g[..., None, :] if x.data.ndim == 1 == y.data.ndim else g
        x.grad += unbroadcast(g @ _t(b), a.shape).reshape(x.data.shape)
        y.grad += unbroadcast(_t(a) @ g, b.shape).reshape(y.data.shape)


class Outer(Function):
    """The products of all elements of x with all of y; both are flattened."""

    def forward(self, x: Variable, y: Variable) -> Variable:
        return variable(np.outer(x.data, y.data))

    def backward(self, x: Variable, y: Variable, grad: Any) -> None:
        x.grad += (grad @ y.data.ravel()).reshape(x.data.shape)
        y.grad += (x.data.ravel() @ grad).reshape(y.data.shape)


class Trace(Function):
    """The sum of the diagonal of the last two axes."""

    def forward(self, a: Variable) -> Variable:
        return variable(np.trace(a.data, axis1=-2, axis2=-1))

    def backward(self, a: Variable, grad: Any) -> None:
        a.grad += np.asarray(grad)[..., None, None] * np.eye(*a.data.shape[-2:], dtype=a.data.dtype)


class Inv(Function):
    """The inverse of square matrices."""

    signature = "(n,n)->(n,n)"

    def forward(self, a: Variable) -> Variable:
        return variable(np.linalg.inv(a.data))

    def backward(self, a: Variable, grad: Any) -> None:
        inverse = _t(np.linalg.inv(a.data))
        a.grad -= inverse @ grad @ inverse


class Solve(Function):
    """The solution of a x = b for matrices b."""

    signature = "(n,n),(n,k)->(n,k)"

    def forward(self, a: Variable, b: Variable) -> Variable:
        if b.data.ndim < 2:
            raise ValueError(f"solve takes b of shape (..., n, k); got {b.data.shape}")
        return variable(np.linalg.solve(a.data, b.data))

    def backward(self, a: Variable, b: Variable, grad: Any) -> None:
        share = np.linalg.solve(_t(a.data), grad)
        a.grad -= unbroadcast(share @ _t(np.linalg.solve(a.data, b.data)), a.data.shape)
        b.grad += unbroadcast(share, b.data.shape)


class Det(Function):
    """The determinant; by its cofactors, so that singular matrices have their gradient too."""

    signature = "(n,n)->()"

    def forward(self, a: Variable) -> Variable:
        return variable(np.linalg.det(a.data))

    def backward(self, a: Variable, grad: Any) -> None:
        a.grad += np.asarray(grad)[..., None, None] * _cofactors(a.data)


def _cofactors(a: np.ndarray) -> np.ndarray:
    """The matrix of cofactors, from the singular value decomposition: it needs no inverse.

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


class Cholesky(Function):
    """The lower factor of symmetric positive definite matrices.

    The gradient is the symmetric one: it is right along symmetric changes, which are all that the domain allows.
    """

    domain = positive_definite
    signature = "(n,n)->(n,n)"

    def forward(self, a: Variable) -> Variable:
        return variable(np.linalg.cholesky(a.data))

    def backward(self, a: Variable, grad: Any) -> None:
        factor = np.linalg.cholesky(a.data)
        inner = np.tril(_t(factor) @ grad)
        inner -= 0.5 * inner * np.eye(inner.shape[-1], dtype=inner.dtype)
        inverse = np.linalg.inv(factor)
        share = _t(inverse) @ inner @ inverse
        a.grad += 0.5 * (share + _t(share))


class Einsum(Function):
    """Einstein's summation over any number of operands.

    Parameters
    ----------
    subscripts : str
        As for `numpy.einsum`, without an ellipsis; an index may repeat within an operand.
    """

    arguments: ClassVar = {"subscripts": ("ij,jk->ik", "ij->ji", "ii->i", "ii", "bij,bjk->bik", "i,j->", "ij,jk,k->i")}

    def __init__(self, subscripts: str) -> None:
        left, arrow, right = subscripts.replace(" ", "").partition("->")
        if "." in left:
            raise ValueError(f"einsum takes subscripts without an ellipsis; got {subscripts!r}")
        once = sorted(c for c in set(left) - {","} if left.count(c) == 1)
        self.operands, self.output = tuple(left.split(",")), right if arrow else "".join(once)

    def forward(self, *operands: Variable) -> Variable:
        return variable(np.einsum(f"{','.join(self.operands)}->{self.output}", *(o.data for o in operands)))

    def backward(self, *operands_and_grad: Any) -> None:
        *operands, grad = operands_and_grad
        sizes: dict[str, int] = {}
        for names, o in zip(self.operands, operands, strict=True):
            for c, n in zip(names, o.data.shape, strict=True):
                sizes[c] = n if sizes.get(c, 1) == 1 else sizes[c]  # NumPy broadcasts lengths of one here too
        for i, (names, x) in enumerate(zip(self.operands, operands, strict=True)):
            others = [(s, o.data) for j, (s, o) in enumerate(zip(self.operands, operands, strict=True)) if j != i]
            unique = "".join(dict.fromkeys(names))
            # An index that only this operand has was summed over: its gradient is the same for each value.
            alone = [(c, np.ones(sizes[c], x.data.dtype)) for c in unique if c not in self.output
                     and not any(c in s for s, _ in others)]  # fmt: skip
            terms = [(self.output, grad), *others, *alone]
            share = np.einsum(f"{','.join(s for s, _ in terms)}->{unique}", *(a for _, a in terms))
            diagonal = np.einsum(f"{names}->{unique}", x.grad)  # a writable view, where indices repeat
            diagonal += unbroadcast(share, diagonal.shape)
