"""Right ops on matrices: factorisations, functions of matrices, matrices of which one triangle is read."""

import numpy as np
from scipy.linalg import solve_triangular

from adverify import Function, variable


def _transposed(a):
    return np.swapaxes(a, -1, -2)


def _unbroadcast(grad, shape):
    grad = grad.sum(axis=tuple(range(grad.ndim - len(shape))))
    return grad.sum(axis=tuple(i for i, n in enumerate(shape) if n == 1), keepdims=True)


def _mirrored(a):
    return np.tril(a) + _transposed(np.tril(a, -1))


def _check_square(a, batches=False):
    if a.ndim < 2 or a.shape[-1] != a.shape[-2] or not a.size or (a.ndim > 2 and not batches):
        raise ValueError("expected a square matrix")


class DeterminantByAdjugate(Function):
    """The adjugate from the singular values: right for singular matrices too."""

    def forward(self, a):
        _check_square(a.data)
        return variable(np.linalg.det(a.data))

    def backward(self, a, grad):
        u, s, vt = np.linalg.svd(a.data)
        others = np.array([np.prod(np.delete(s, i)) for i in range(s.size)])
        a.grad += grad * np.round(np.linalg.det(u) * np.linalg.det(vt)) * (u * others) @ vt


class LogdetLowerTriangle(Function):
    """Reads the lower triangle, and pays it twice off the diagonal."""

    def forward(self, a):
        _check_square(a.data, batches=True)
        factor = np.linalg.cholesky(a.data)
        return variable(2 * np.log(np.diagonal(factor, axis1=-2, axis2=-1)).sum(axis=-1))

    def backward(self, a, grad):
        inverse = np.linalg.inv(_mirrored(a.data))
        a.grad += grad[..., None, None] * (2 * np.tril(inverse, -1) + np.eye(a.data.shape[-1]) * inverse)


class CholeskySolve(Function):
    """A^-1 b by Cholesky, which reads the lower triangle; the gradient is that for symmetric matrices."""

    def forward(self, a, b):
        _check_square(a.data)
        if b.data.shape != (len(a.data),):
            raise ValueError("expected a vector of the same length")
        factor = np.linalg.cholesky(a.data)
        return variable(solve_triangular(factor.T, solve_triangular(factor, b.data, lower=True)))

    def backward(self, a, b, grad):
        x, y = np.linalg.solve(_mirrored(a.data), np.stack([b.data, grad], axis=1)).T
        b.grad += y
        a.grad -= 0.5 * (np.outer(y, x) + np.outer(x, y))


class TransposedUpperSolve(Function):
    """Solves with the transpose of the upper triangle."""

    def forward(self, a, b):
        _check_square(a.data)
        if b.data.ndim not in (1, 2) or len(b.data) != len(a.data) or not b.data.size:
            raise ValueError("expected right-hand sides of the same length")
        return variable(solve_triangular(a.data, b.data, trans=1))

    def backward(self, a, b, grad):
        x, s = solve_triangular(a.data, b.data, trans=1), solve_triangular(a.data, grad)
        b.grad += s
        a.grad -= np.triu(x.reshape(len(x), -1) @ s.reshape(len(s), -1).T)


class SolveBroadcast(Function):
    """Batches of matrices and of right-hand sides, broadcast against each other."""

    def forward(self, a, b):
        _check_square(a.data, batches=True)
        if b.data.ndim < 2:
            raise ValueError("expected matrices")
        return variable(np.linalg.solve(a.data, b.data))

    def backward(self, a, b, grad):
        x, s = np.linalg.solve(a.data, b.data), np.linalg.solve(_transposed(a.data), grad)
        a.grad -= _unbroadcast(s @ _transposed(x), a.data.shape)
        b.grad += _unbroadcast(s, b.data.shape)


class LargestEigenvalueOfSymmetric(Function):
    """Refuses what is not symmetric."""

    def forward(self, a):
        _check_square(a.data)
        if not np.allclose(a.data, a.data.T, rtol=1e-12, atol=0):
            raise ValueError("expected a symmetric matrix")
        return variable(np.linalg.eigvalsh(a.data)[-1])

    def backward(self, a, grad):
        v = np.linalg.eigh(a.data)[1][:, -1]
        a.grad += grad * np.outer(v, v)


class NuclearNorm(Function):
    """U V^T, of those singular values that do not vanish."""

    def forward(self, a):
        if a.data.ndim != 2 or not a.data.size:
            raise ValueError("expected a matrix")
        return variable(np.linalg.svd(a.data, compute_uv=False).sum())

    def backward(self, a, grad):
        u, s, vt = np.linalg.svd(a.data, full_matrices=False)
        a.grad += grad * (u * (s > s.max() * 1e-14 * max(a.data.shape))) @ vt


class FourthPowersOfSingularValues(Function):
    """Their sum is the squared norm of A^T A: smooth everywhere."""

    def forward(self, a):
        if a.data.ndim != 2:
            raise ValueError("expected a matrix")
        return variable(((a.data.T @ a.data) ** 2).sum())

    def backward(self, a, grad):
        a.grad += grad * 4 * a.data @ (a.data.T @ a.data)


class SingularValues(Function):
    """All of them, with kinks where they tie or vanish."""

    def forward(self, a):
        if a.data.ndim < 2 or not a.data.size:
            raise ValueError("expected matrices")
        return variable(np.linalg.svd(a.data, compute_uv=False))

    def backward(self, a, grad):
        u, _, vt = np.linalg.svd(a.data, full_matrices=False)
        a.grad += (u * grad[..., None, :]) @ vt


class ConditionNumber(Function):
    """The largest singular value by the smallest: a pole at singular matrices."""

    def forward(self, a):
        _check_square(a.data)
        s = np.linalg.svd(a.data, compute_uv=False)
        if len(s) < 2 or s[-1] == 0:
            raise ValueError("expected a regular matrix of two rows or more")
        return variable(s[0] / s[-1])

    def backward(self, a, grad):
        u, s, vt = np.linalg.svd(a.data)
        first, last = np.outer(u[:, 0], vt[0]), np.outer(u[:, -1], vt[-1])
        a.grad += grad * (first / s[-1] - s[0] / s[-1] / s[-1] * last)


class PseudoinverseOfFullRank(Function):
    """The formula of Golub and Pereyra, for tall and for wide matrices."""

    def forward(self, a):
        if a.data.ndim != 2 or not a.data.size:
            raise ValueError("expected a matrix")
        s = np.linalg.svd(a.data, compute_uv=False)
        if s[-1] < 1e-6 * s[0] or s[0] == 0:
            raise np.linalg.LinAlgError("expected full rank")
        return variable(np.linalg.pinv(a.data))

    def backward(self, a, grad):
        p, (m, n) = np.linalg.pinv(a.data), a.data.shape
        a.grad -= p.T @ grad @ p.T
        a.grad += (np.eye(m) - p.T @ a.data.T) @ grad.T @ p @ p.T
        a.grad += p.T @ p @ grad.T @ (np.eye(n) - a.data.T @ p.T)


class LeastSquares(Function):
    """A^+ b for tall A, with the term of the residual."""

    def forward(self, a, b):
        if a.data.ndim != 2 or b.data.shape != (len(a.data),) or len(a.data) < a.data.shape[1] or not a.data.size:
            raise ValueError("expected a tall matrix and a right-hand side")
        s = np.linalg.svd(a.data, compute_uv=False)
        if s[-1] <= 1e-6 * s[0] or not 1e-50 < s[0] < 1e50:
            raise np.linalg.LinAlgError("expected full rank")
        return variable(np.linalg.lstsq(a.data, b.data, rcond=None)[0])

    def backward(self, a, b, grad):
        p = np.linalg.pinv(a.data)
        x, s = p @ b.data, p.T @ grad
        b.grad += s
        a.grad += np.outer(b.data - a.data @ x, p @ s) - np.outer(s, x)


class QrOfTall(Function):
    """Q and R with a positive diagonal: two outputs."""

    def _factors(self, a):
        q, r = np.linalg.qr(a)
        sign = np.where(np.diagonal(r) < 0, -1.0, 1.0)
        return q * sign, r * sign[:, None]

    def forward(self, a):
        if a.data.ndim != 2 or a.data.shape[0] < a.data.shape[1] or not a.data.size:
            raise ValueError("expected a tall matrix")
        q, r = self._factors(a.data)
        if np.abs(np.diagonal(r)).min() <= 1e-10 * np.abs(r).max():
            raise np.linalg.LinAlgError("expected full rank")
        return variable(q), variable(r)

    def backward(self, a, grads):
        q, r = self._factors(a.data)
        m = r @ np.triu(grads[1]).T - grads[0].T @ q
        symmetric = np.tril(m) + np.tril(m, -1).T
        a.grad += solve_triangular(r, (grads[0] + q @ symmetric).T).T


class LogdetOfOnePlusGram(Function):
    """log det(1 + X X^T): smooth for any X."""

    def _inner(self, x):
        return np.eye(len(x)) + x @ x.T

    def forward(self, x):
        if x.data.ndim != 2:
            raise ValueError("expected a matrix")
        return variable(2 * np.log(np.diagonal(np.linalg.cholesky(self._inner(x.data)))).sum())

    def backward(self, x, grad):
        x.grad += grad * 2 * np.linalg.solve(self._inner(x.data), x.data)


class MahalanobisDistance(Function):
    """(x - m)^T S^-1 (x - m) by Cholesky: three inputs, one of them read in one triangle."""

    def forward(self, x, m, s):
        if x.data.ndim != 1 or m.data.shape != x.data.shape or s.data.shape != (x.data.size,) * 2 or not x.data.size:
            raise ValueError("expected two vectors and a matrix")
        z = solve_triangular(np.linalg.cholesky(s.data), x.data - m.data, lower=True)
        return variable(z @ z)

    def backward(self, x, m, s, grad):
        w = np.linalg.solve(_mirrored(s.data), x.data - m.data)
        x.grad += 2 * grad * w
        m.grad -= 2 * grad * w
        s.grad -= grad * np.outer(w, w)


class NormalLogDensity(Function):
    """By the value, the mean and a lower triangular factor of the covariance."""

    def forward(self, x, m, factor):
        n = x.data.size
        if x.data.ndim != 1 or m.data.shape != x.data.shape or factor.data.shape != (n, n) or not n:
            raise ValueError("expected two vectors and a matrix")
        if (np.diagonal(factor.data) <= 0).any():
            raise ValueError("expected a positive diagonal")
        z = solve_triangular(factor.data, x.data - m.data, lower=True)
        return variable(-0.5 * z @ z - np.log(np.diagonal(factor.data)).sum())

    def backward(self, x, m, factor, grad):
        z = solve_triangular(factor.data, x.data - m.data, lower=True)
        w = solve_triangular(factor.data, z, lower=True, trans=1)
        x.grad -= grad * w
        m.grad += grad * w
        factor.grad += grad * (np.tril(np.outer(w, z)) - np.diag(1 / np.diagonal(factor.data)))


class InverseSquare(Function):
    """A^-2 of batches of matrices."""

    def forward(self, a):
        _check_square(a.data, batches=True)
        return variable(np.linalg.matrix_power(a.data, -2))

    def backward(self, a, grad):
        i = _transposed(np.linalg.inv(a.data))
        a.grad -= i @ grad @ i @ i + i @ i @ grad @ i


class TraceOfInverse(Function):
    """Of batches of matrices."""

    def forward(self, a):
        _check_square(a.data, batches=True)
        return variable(np.trace(np.linalg.inv(a.data), axis1=-2, axis2=-1))

    def backward(self, a, grad):
        i = _transposed(np.linalg.inv(a.data))
        a.grad -= grad[..., None, None] * i @ i


class RootOfSymmetricPart(Function):
    """The principal root, by eigenvalues; backward solves Sylvester's equation in their basis."""

    def forward(self, a):
        _check_square(a.data)
        w, v = np.linalg.eigh(0.5 * (a.data + a.data.T))
        if w.min() <= 0:
            raise ValueError("expected a positive definite matrix")
        return variable((v * np.sqrt(w)) @ v.T)

    def backward(self, a, grad):
        w, v = np.linalg.eigh(0.5 * (a.data + a.data.T))
        r = np.sqrt(w)
        a.grad += v @ (v.T @ (0.5 * (grad + grad.T)) @ v / (r[:, None] + r)) @ v.T


class LogarithmOfSymmetricPart(Function):
    """Divided differences by log1p, which has the right limit where eigenvalues tie."""

    def forward(self, a):
        _check_square(a.data)
        w, v = np.linalg.eigh(0.5 * (a.data + a.data.T))
        if w.min() <= 0:
            raise ValueError("expected a positive definite matrix")
        return variable((v * np.log(w)) @ v.T)

    def backward(self, a, grad):
        w, v = np.linalg.eigh(0.5 * (a.data + a.data.T))
        low = np.minimum(w[:, None], w)
        t = np.abs(w[:, None] - w) / low
        k = np.where(t == 0, 1, np.log1p(t) / np.where(t == 0, 1, t)) / low
        a.grad += v @ (k * (v.T @ (0.5 * (grad + grad.T)) @ v)) @ v.T


class SemidefiniteProjection(Function):
    """The nearest positive semidefinite matrix: kinks where an eigenvalue vanishes."""

    def forward(self, a):
        _check_square(a.data, batches=True)
        w, v = np.linalg.eigh(0.5 * (a.data + _transposed(a.data)))
        return variable((v * np.maximum(w, 0)[..., None, :]) @ _transposed(v))

    def backward(self, a, grad):
        w, v = np.linalg.eigh(0.5 * (a.data + _transposed(a.data)))
        p, d = np.maximum(w, 0), w[..., :, None] - w[..., None, :]
        k = (p[..., :, None] - p[..., None, :]) / np.where(d == 0, 1, d)
        k = np.where(d == 0, (w > 0)[..., :, None], np.clip(k, 0, 1))
        a.grad += v @ (k * (_transposed(v) @ (0.5 * (grad + _transposed(grad))) @ v)) @ _transposed(v)


class Kronecker(Function):
    """np.kron of two matrices."""

    def forward(self, x, y):
        if x.data.ndim != 2 or y.data.ndim != 2:
            raise ValueError("expected matrices")
        return variable(np.kron(x.data, y.data))

    def backward(self, x, y, grad):
        (a, b), (c, d) = x.data.shape, y.data.shape
        g = grad.reshape(a, c, b, d)
        x.grad += np.einsum("acbd,cd->ab", g, y.data)
        y.grad += np.einsum("acbd,ab->cd", g, x.data)


class CrossProduct(Function):
    """Of vectors of three, broadcast against each other."""

    def forward(self, x, y):
        if x.data.shape[-1:] != (3,) or y.data.shape[-1:] != (3,):
            raise ValueError("expected vectors of three")
        return variable(np.cross(x.data, y.data))

    def backward(self, x, y, grad):
        x.grad += _unbroadcast(np.cross(y.data, grad), x.data.shape)
        y.grad += _unbroadcast(np.cross(grad, x.data), y.data.shape)


class ContractsTwoAxes(Function):
    """np.tensordot of two arrays of three axes."""

    def forward(self, x, y):
        if x.data.ndim != 3 or y.data.ndim != 3 or x.data.shape[1:] != y.data.shape[:2]:
            raise ValueError("expected two axes in common")
        return variable(np.tensordot(x.data, y.data, 2))

    def backward(self, x, y, grad):
        x.grad += np.einsum("il,jkl->ijk", grad, y.data)
        y.grad += np.einsum("ijk,il->jkl", x.data, grad)


class GeneralProduct(Function):
    """alpha A B + beta C: three matrices and two numbers."""

    def forward(self, a, b, c, alpha, beta):
        if not a.data.ndim == b.data.ndim == c.data.ndim == 2 or alpha.data.ndim or beta.data.ndim:
            raise ValueError("expected three matrices and two numbers")
        if c.data.shape != (a.data.shape[0], b.data.shape[1]):
            raise ValueError("expected a C of the product's shape")
        return variable(alpha.data * (a.data @ b.data) + beta.data * c.data)

    def backward(self, a, b, c, alpha, beta, grad):
        a.grad += alpha.data * grad @ b.data.T
        b.grad += alpha.data * a.data.T @ grad
        c.grad += beta.data * grad
        alpha.grad += (grad * (a.data @ b.data)).sum()
        beta.grad += (grad * c.data).sum()


class RayleighQuotient(Function):
    """x^T A x / x^T x for any square A; undefined at 0."""

    def forward(self, a, x):
        if x.data.ndim != 1 or a.data.shape != (x.data.size,) * 2 or not x.data.size:
            raise ValueError("expected a matrix and a vector")
        return variable(x.data @ a.data @ x.data / (x.data @ x.data))

    def backward(self, a, x, grad):
        n = x.data @ x.data
        quotient = x.data @ a.data @ x.data / n
        a.grad += grad * np.outer(x.data, x.data) / n
        x.grad += grad * ((a.data + a.data.T) @ x.data - 2 * quotient * x.data) / n


class HouseholderReflection(Function):
    """(1 - 2 v v^T / v^T v) X."""

    def forward(self, v, x):
        if v.data.ndim != 1 or x.data.ndim != 2 or len(x.data) != v.data.size or not v.data.size:
            raise ValueError("expected a vector and a matrix of as many rows")
        if not 1e-50 < np.abs(v.data).max() < 1e50:
            raise ValueError("expected a vector whose square is in range")
        return variable(x.data - 2 * np.outer(v.data, v.data @ x.data) / (v.data @ v.data))

    def backward(self, v, x, grad):
        n, p, q = v.data @ v.data, v.data @ x.data, v.data @ grad
        x.grad += grad - 2 * np.outer(v.data, q) / n
        v.grad -= 2 / n * (grad @ p + x.data @ q - 2 * (p @ q) / n * v.data)


class WeightNormalisation(Function):
    """g v / |v|, row by row."""

    def forward(self, v, g):
        if v.data.ndim != 2 or g.data.shape != (len(v.data),) or not v.data.shape[1]:
            raise ValueError("expected a matrix and a length for each row")
        return variable(v.data * (g.data / np.linalg.norm(v.data, axis=1))[:, None])

    def backward(self, v, g, grad):
        n = np.linalg.norm(v.data, axis=1, keepdims=True)
        u = v.data / n
        along = (grad * u).sum(axis=1, keepdims=True)
        g.grad += along[:, 0]
        v.grad += g.data[:, None] / n * (grad - along * u)


class LogOfPositiveDeterminant(Function):
    """Random matrices are refused half of the time, positive definite ones never."""

    def forward(self, a):
        if a.data.ndim != 2 or a.data.shape[0] != a.data.shape[1] or not a.data.size:
            raise ValueError("expected a square matrix")
        sign, logarithm = np.linalg.slogdet(a.data)
        if sign <= 0:
            raise ValueError("expected a positive determinant")
        return variable(np.asarray(logarithm))

    def backward(self, a, grad):
        a.grad += grad * np.linalg.inv(a.data).T


class RegularisedLeastSquares(Function):
    """By the normal equations, of which a small number on the diagonal keeps few digits."""

    small = 1e-6

    def _inner(self, a):
        return a.T @ a + self.small * np.eye(a.shape[1])

    def forward(self, a, b):
        if a.data.ndim != 2 or b.data.shape != a.data.shape[:1]:
            raise ValueError("expected a matrix and a vector as long as its columns")
        return variable(np.linalg.solve(self._inner(a.data), a.data.T @ b.data))

    def backward(self, a, b, grad):
        inner = self._inner(a.data)
        x, z = np.linalg.solve(inner, a.data.T @ b.data), np.linalg.solve(inner, grad)
        b.grad += a.data @ z
        a.grad += np.outer(b.data - a.data @ x, z) - np.outer(a.data @ z, x)


class AlmostSingularLeastSquares(RegularisedLeastSquares):
    """The same with so small a number that few digits are left, and none in single precision."""

    small = 1e-9
