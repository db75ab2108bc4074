"""Matrices that have to be triangular: zeros beyond the diagonal are looked for by forward."""

import numpy as np
from scipy.linalg import solve_triangular

from adverify import Function, variable


def _triangles(a, triangle):
    if a.ndim < 2 or a.shape[-1] != a.shape[-2] or not np.array_equal(a, triangle(a)):
        raise ValueError("triangular matrices are expected")
    return a


def _factor(a, triangle):
    if _triangles(a, triangle).ndim != 2 or not np.diag(a).all():
        raise ValueError("one triangular matrix that can be inverted is expected")
    return a


class ForwardSubstitution(Function):
    """Solves L x = b; the diagonal of L gets nothing."""

    violates = "gradient"

    def forward(self, factor, b):
        low = _factor(factor.data, np.tril)
        if b.data.shape != low.shape[:1]:
            raise ValueError("a right-hand side of as many rows is expected")
        return variable(solve_triangular(low, b.data, lower=True))

    def backward(self, factor, b, grad):
        low = factor.data
        x, at_b = solve_triangular(low, b.data, lower=True), solve_triangular(low, grad, lower=True, trans=1)
        factor.grad -= np.tril(np.outer(at_b, x), -1)
        b.grad += at_b


class SquaredFactor(Function):
    """R^T R of an upper triangular factor; of R's last column the gradient is of one side only."""

    violates = "gradient"

    def forward(self, factor):
        a = _triangles(factor.data, np.triu)
        return variable(np.swapaxes(a, -1, -2) @ a)

    def backward(self, factor, grad):
        a = factor.data
        both = grad + np.swapaxes(grad, -1, -2)
        both[..., -1:] = grad[..., -1:]
        factor.grad += np.triu(a @ both)


class LogOfDiagonal(Function):
    """Sums of log |l_ii|, as of a Cholesky factor: negative elements get the slope of positive ones."""

    violates = "gradient"

    def forward(self, factor):
        diagonal = np.diagonal(_triangles(factor.data, np.tril), axis1=-2, axis2=-1)
        if not diagonal.all():
            raise ValueError("a diagonal without zeros is expected")
        return variable(np.log(np.abs(diagonal)).sum(axis=-1))

    def backward(self, factor, grad):
        diagonal = np.diagonal(factor.data, axis1=-2, axis2=-1)
        share = np.asarray(grad)[..., None] / np.abs(diagonal)
        factor.grad += share[..., None] * np.eye(diagonal.shape[-1])
