"""Matrices that have to be triangular; of the zeros beyond the diagonal nothing is known, so any slope is right."""

import numpy as np
from scipy.linalg import solve_triangular

from adverify import Function, variable


def _triangles(a, triangle):
    if a.ndim < 2 or a.shape[-1] != a.shape[-2] or not np.array_equal(a, triangle(a)):
        raise ValueError("triangular matrices are expected")
    return a


class BackSubstitution(Function):
    """Solves R X = B for one upper triangular R and some right-hand sides."""

    def forward(self, factor, b):
        up = _triangles(factor.data, np.triu)
        if up.ndim != 2 or not np.diag(up).all() or b.data.ndim != 2 or len(b.data) != len(up):
            raise ValueError("a matrix that can be inverted and right-hand sides are expected")
        return variable(solve_triangular(up, b.data))

    def backward(self, factor, b, grad):
        x, at_b = solve_triangular(factor.data, b.data), solve_triangular(factor.data, grad, trans=1)
        factor.grad -= np.triu(at_b @ x.T)
        b.grad += at_b


class FactorTimesItself(Function):
    """L L^T; the gradient is given for the zeros as well, as if they could move."""

    def forward(self, factor):
        a = _triangles(factor.data, np.tril)
        return variable(a @ np.swapaxes(a, -1, -2))

    def backward(self, factor, grad):
        factor.grad += (grad + np.swapaxes(grad, -1, -2)) @ factor.data


class Whitened(Function):
    """Squared lengths of L^-1 x of vectors x, as a normal distribution has them, for one factor L."""

    def forward(self, x, factor):
        low = _triangles(factor.data, np.tril)
        if low.ndim != 2 or x.data.ndim != 2 or x.data.shape[1] != len(low) or not np.diag(low).all():
            raise ValueError("vectors and one factor that can be inverted are expected")
        return variable((solve_triangular(low, x.data.T, lower=True) ** 2).sum(axis=0))

    def backward(self, x, factor, grad):
        low = factor.data
        white = solve_triangular(low, x.data.T, lower=True)
        share = solve_triangular(low, 2 * grad * white, lower=True, trans=1)
        x.grad += share.T
        factor.grad -= np.tril(share @ white.T)
