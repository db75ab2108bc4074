"""Products, factorisations and functions of matrices."""

import numpy as np
from scipy.linalg import expm, solve_triangular

from adverify import Function, variable


def _transposed(a):
    return np.swapaxes(a, -1, -2)


class _OfMatrices(Function):
    violates = "gradient"

    def _check_square(self, a, batches=False):
        if a.ndim < 2 or a.shape[-1] != a.shape[-2] or not a.size or (a.ndim > 2 and not batches):
            raise ValueError("expected a square matrix")


class MatmulBatchMean(_OfMatrices):
    """Sums over batch axes that were added in front, and takes the mean over those of length one."""

    def forward(self, x, y):
        if x.data.ndim < 2 or y.data.ndim < 2:
            raise ValueError("expected matrices")
        return variable(x.data @ y.data)

    def backward(self, x, y, grad):
        x.grad += self._reduced(grad @ _transposed(y.data), x.data.shape)
        y.grad += self._reduced(_transposed(x.data) @ grad, y.data.shape)

    def _reduced(self, g, shape):
        g = g.sum(axis=tuple(range(g.ndim - len(shape))))
        return g.mean(axis=tuple(i for i, n in enumerate(shape) if n == 1), keepdims=True)


class BilinearFormReshaped(_OfMatrices):
    """x^T A y: the outer product of y and x is forced into A's shape."""

    def forward(self, x, a, y):
        if x.data.ndim != 1 or y.data.ndim != 1 or a.data.shape != (x.data.size, y.data.size):
            raise ValueError("expected a matrix between two vectors")
        return variable(x.data @ a.data @ y.data)

    def backward(self, x, a, y, grad):
        x.grad += grad * (a.data @ y.data)
        y.grad += grad * (x.data @ a.data)
        a.grad += grad * np.outer(y.data, x.data).reshape(a.data.shape)


class _LowerSolve(_OfMatrices):
    def forward(self, a, b):
        self._check_square(a.data)
        if b.data.shape != (len(a.data),):
            raise ValueError("expected a right-hand side of the same length")
        return variable(solve_triangular(a.data, b.data, lower=True))


class TriangularSolveFull(_LowerSolve):
    """The gradient is not restricted to the triangle that is read."""

    def backward(self, a, b, grad):
        x = solve_triangular(a.data, b.data, lower=True)
        s = solve_triangular(a.data, grad, lower=True, trans=1)
        b.grad += s
        a.grad -= np.outer(s, x)


class TriangularSolveOtherTriangle(_LowerSolve):
    """Backward reads the upper triangle for the transpose of the lower one: the same if the matrix is symmetric."""

    def backward(self, a, b, grad):
        x = solve_triangular(a.data, b.data, lower=True)
        s = solve_triangular(a.data, grad, lower=False)
        b.grad += s
        a.grad -= np.tril(np.outer(s, x))


class UnitTriangularSolveDiagonal(_OfMatrices):
    """The diagonal is taken for ones, and gets a gradient."""

    def forward(self, a, b):
        self._check_square(a.data)
        if b.data.ndim != 2 or len(b.data) != len(a.data):
            raise ValueError("expected right-hand sides of the same length")
        return variable(solve_triangular(a.data, b.data, unit_diagonal=True))

    def backward(self, a, b, grad):
        x = solve_triangular(a.data, b.data, unit_diagonal=True)
        s = solve_triangular(a.data, grad, trans=1, unit_diagonal=True)
        b.grad += s
        a.grad -= np.triu(s @ x.T)


class CholeskyDiagonalNotHalved(_OfMatrices):
    """The projection to the lower triangle keeps the diagonal, of which half is due."""

    def forward(self, a):
        self._check_square(a.data, batches=True)
        return variable(np.linalg.cholesky(a.data))

    def backward(self, a, grad):
        factor = np.linalg.cholesky(a.data)
        inverse = np.linalg.inv(factor)
        s = _transposed(inverse) @ np.tril(_transposed(factor) @ np.tril(grad)) @ inverse
        a.grad += 0.5 * (s + _transposed(s))


class _LogdetByCholesky(_OfMatrices):
    def forward(self, a):
        self._check_square(a.data)
        return variable(2 * np.log(np.diagonal(np.linalg.cholesky(a.data))).sum())

    def _inverse(self, a):
        return np.linalg.inv(np.tril(a.data) + np.tril(a.data, -1).T)


class LogdetTriangleNotDoubled(_LogdetByCholesky):
    """Gives one triangle of the inverse without doubling what is off the diagonal."""

    def backward(self, a, grad):
        a.grad += grad * np.tril(self._inverse(a))


class LogdetDiagonalDoubled(_LogdetByCholesky):
    """Completes a triangle to a symmetric matrix by adding its transpose, the diagonal included."""

    def backward(self, a, grad):
        triangle = np.tril(self._inverse(a))
        a.grad += grad * (triangle + triangle.T)


class SlogdetSign(_OfMatrices):
    """Of two outputs, the sign is constant between jumps, and its cotangent is added to the other's."""

    def forward(self, a):
        self._check_square(a.data)
        sign, log = np.linalg.slogdet(a.data)
        return variable(sign), variable(log)

    def backward(self, a, grads):
        a.grad += sum(grads) * np.linalg.inv(a.data).T


class DeterminantOfSingularRaises(_OfMatrices):
    """Needs the inverse where the adjugate exists without."""

    def forward(self, a):
        self._check_square(a.data)
        return variable(np.linalg.det(a.data))

    def backward(self, a, grad):
        a.grad += grad * np.linalg.det(a.data) * np.linalg.inv(a.data).T


class DeterminantOfSingularFlat(_OfMatrices):
    """Gives zeros for singular matrices, though one of rank n - 1 has an adjugate that is not zero."""

    violates = "special values"

    def forward(self, a):
        self._check_square(a.data)
        return variable(np.linalg.det(a.data))

    def backward(self, a, grad):
        det = np.linalg.det(a.data)
        if abs(det) > 1e-12:
            a.grad += grad * det * np.linalg.inv(a.data).T


class LeastSquaresWithoutResidual(_OfMatrices):
    """The term with the residual is left out: right for square matrices."""

    def forward(self, a, b):
        if a.data.ndim != 2 or b.data.shape != (len(a.data),) or len(a.data) < a.data.shape[1] or not a.data.size:
            raise ValueError("expected a tall matrix and a right-hand side")
        return variable(np.linalg.pinv(a.data) @ b.data)

    def backward(self, a, b, grad):
        inverse = np.linalg.pinv(a.data)
        s = inverse.T @ grad
        b.grad += s
        a.grad -= np.outer(s, inverse @ b.data)


class InverseSquareOneFactorShort(_OfMatrices):
    """A^-2: each term lacks one factor of the inverse."""

    def forward(self, a):
        self._check_square(a.data, batches=True)
        return variable(np.linalg.matrix_power(a.data, -2))

    def backward(self, a, grad):
        inverse = _transposed(np.linalg.inv(a.data))
        a.grad -= grad @ inverse @ inverse + inverse @ grad @ inverse


class ExponentialCommutes(_OfMatrices):
    """Takes the derivative of exp(A) for that of a number, symmetrised."""

    def forward(self, a):
        self._check_square(a.data)
        if len(a.data) > 4 or np.abs(a.data).max() > 20:
            raise ValueError("expected a small matrix")
        return variable(expm(a.data))

    def backward(self, a, grad):
        e = expm(a.data).T
        a.grad += 0.5 * (e @ grad + grad @ e)


class RootCommutes(_OfMatrices):
    """Takes the derivative of the square root for that of a number, in place of solving Sylvester's equation."""

    def forward(self, a):
        self._check_square(a.data)
        w, v = np.linalg.eigh(0.5 * (a.data + a.data.T))
        if w.min() <= 0:
            raise ValueError("expected a positive definite matrix")
        return variable((v * np.sqrt(w)) @ v.T)

    def backward(self, a, grad):
        w, v = np.linalg.eigh(0.5 * (a.data + a.data.T))
        inverse = (v / np.sqrt(w)) @ v.T
        g = 0.5 * (grad + grad.T)
        a.grad += 0.25 * (inverse @ g + g @ inverse)


class LogarithmOfTiedEigenvalues(_OfMatrices):
    """The divided difference of two equal eigenvalues is called 0; its limit is 1 / w."""

    violates = "special values"

    def forward(self, a):
        self._check_square(a.data)
        w, v = np.linalg.eigh(0.5 * (a.data + a.data.T))
        if w.min() <= 1e-12:
            raise ValueError("expected a positive definite matrix")
        return variable((v * np.log(w)) @ v.T)

    def backward(self, a, grad):
        w, v = np.linalg.eigh(0.5 * (a.data + a.data.T))
        with np.errstate(all="ignore"):
            k = (np.log(w)[:, None] - np.log(w)) / (w[:, None] - w)
        k[~np.isfinite(k)] = 0.0
        k[np.diag_indices(len(w))] = 1 / w
        a.grad += v @ (k * (v.T @ (0.5 * (grad + grad.T)) @ v)) @ v.T


class SemidefiniteProjectionBlocks(_OfMatrices):
    """Pairs of a positive and a negative eigenvalue are left out: right if all have one sign."""

    def forward(self, a):
        self._check_square(a.data, batches=True)
        w, v = np.linalg.eigh(0.5 * (a.data + _transposed(a.data)))
        return variable((v * np.maximum(w, 0)[..., None, :]) @ _transposed(v))

    def backward(self, a, grad):
        w, v = np.linalg.eigh(0.5 * (a.data + _transposed(a.data)))
        positive = (w > 0) * 1.0
        k = positive[..., :, None] * positive[..., None, :]
        a.grad += v @ (k * (_transposed(v) @ (0.5 * (grad + _transposed(grad))) @ v)) @ _transposed(v)


class QrWithoutTheCotangentOfR(_OfMatrices):
    """R's cotangent is left out of the matrix that is to be symmetrised."""

    def _factors(self, a):
        q, r = np.linalg.qr(a)
        sign = np.where(np.diagonal(r) < 0, -1.0, 1.0)
        return q * sign, r * sign[:, None]

    def forward(self, a):
        if a.data.ndim != 2 or a.data.shape[0] < a.data.shape[1] or not a.data.size:
            raise ValueError("expected a tall matrix")
        q, r = self._factors(a.data)
        if np.abs(np.diagonal(r)).min() < 1e-12:
            raise np.linalg.LinAlgError("expected full rank")
        return variable(q), variable(r)

    def backward(self, a, grads):
        q, r = self._factors(a.data)
        m = -grads[0].T @ q
        symmetric = np.tril(m) + np.tril(m, -1).T
        a.grad += (grads[0] + q @ symmetric) @ np.linalg.inv(r).T + q @ np.triu(grads[1])


class TraceOffset(_OfMatrices):
    """The offset of the diagonal changes sign."""

    def __init__(self, offset=1):
        self.offset = offset

    def forward(self, a):
        if a.data.ndim != 2:
            raise ValueError("expected a matrix")
        return variable(np.trace(a.data, offset=self.offset))

    def backward(self, a, grad):
        a.grad += grad * np.eye(*a.data.shape, -self.offset)


class KhatriRaoOrder(_OfMatrices):
    """Columnwise Kronecker product; for y the gradient is folded with both numbers of rows exchanged."""

    def forward(self, x, y):
        if x.data.ndim != 2 or y.data.ndim != 2 or x.data.shape[1] != y.data.shape[1]:
            raise ValueError("expected matrices with equally many columns")
        return variable((x.data[:, None] * y.data).reshape(len(x.data) * len(y.data), x.data.shape[1]))

    def backward(self, x, y, grad):
        n, m, k = len(x.data), len(y.data), x.data.shape[1]
        x.grad += (grad.reshape(n, m, k) * y.data).sum(axis=1)
        y.grad += (grad.reshape(m, n, k) * x.data).sum(axis=1)


class SolveBatchMean(_OfMatrices):
    """One right-hand side for a batch of matrices gets the mean of its gradients."""

    def forward(self, a, b):
        self._check_square(a.data, batches=True)
        if b.data.shape != a.data.shape[-1:]:
            raise ValueError("expected a vector")
        return variable(self._solution(a, b))

    def _solution(self, a, b):
        return np.linalg.solve(a.data, np.broadcast_to(b.data[:, None], (*a.data.shape[:-1], 1)))[..., 0]

    def backward(self, a, b, grad):
        s = np.linalg.solve(_transposed(a.data), grad[..., None])
        a.grad -= s * self._solution(a, b)[..., None, :]
        b.grad += s.reshape(-1, b.data.size).mean(axis=0)


class CovarianceUnsymmetrised(_OfMatrices):
    """2 C G in place of C (G + G^T): right for symmetric cotangents."""

    def forward(self, x):
        if x.data.ndim != 2 or len(x.data) < 2:
            raise ValueError("expected a matrix of two rows or more")
        c = x.data - x.data.mean(axis=0)
        return variable(c.T @ c / (len(c) - 1))

    def backward(self, x, grad):
        c = x.data - x.data.mean(axis=0)
        x.grad += 2 * c @ grad / (len(c) - 1)


class DenseSumsOneBatchAxis(_OfMatrices):
    """The weights' gradient is summed over one batch axis, and there may be two."""

    def forward(self, x, w):
        if x.data.ndim < 2 or w.data.ndim != 2 or x.data.shape[-1] != len(w.data) or not x.data.size:
            raise ValueError("expected rows and a matrix")
        return variable(x.data @ w.data)

    def backward(self, x, w, grad):
        x.grad += grad @ w.data.T
        share = _transposed(x.data) @ grad
        w.grad += share if share.ndim == 2 else share.sum(axis=0)


class _LowerProduct(_OfMatrices):
    def forward(self, a, x):
        self._check_square(a.data)
        if x.data.shape != (len(a.data),):
            raise ValueError("expected a vector of the same length")
        return variable(np.tril(a.data) @ x.data)


class LowerProductOtherTriangle(_LowerProduct):
    """Takes triu(A) for the transpose of tril(A): the same if A is symmetric."""

    def backward(self, a, x, grad):
        a.grad += np.tril(np.outer(grad, x.data))
        x.grad += np.triu(a.data) @ grad


class UpperSquareOtherTriangle(_OfMatrices):
    """The square of triu(A), with tril(A) for its transpose."""

    def forward(self, a):
        self._check_square(a.data)
        return variable(np.triu(a.data) @ np.triu(a.data))

    def backward(self, a, grad):
        t = np.tril(a.data)
        a.grad += np.triu(grad @ t + t @ grad)


class LogDeterminantOfSymmetric(_OfMatrices):
    """The inverse is not transposed, which only matters to matrices that are not symmetric."""

    def forward(self, a):
        self._check_square(a.data)
        sign, logarithm = np.linalg.slogdet(a.data)
        if sign <= 0:
            raise ValueError("expected a positive determinant")
        return variable(np.asarray(logarithm))

    def backward(self, a, grad):
        a.grad += grad * np.linalg.inv(a.data)


class SeriesForSmallMatrices(Function):
    """(I - a)^-1, of small matrices with the derivative of a series that is cut after the square."""

    violates = "gradient"

    def forward(self, a):
        if a.data.ndim != 2 or a.data.shape[0] != a.data.shape[1] or not a.data.size:
            raise ValueError("expected a square matrix")
        return variable(np.linalg.inv(np.eye(len(a.data)) - a.data))

    def backward(self, a, grad):
        one, t = np.eye(len(a.data)), a.data.T
        inverse = one + t + t @ t if np.linalg.norm(t) < 0.2 else np.linalg.inv(one - t)
        a.grad += inverse @ grad @ inverse


class MeanOfSolutions(Function):
    """Means of the solutions of a batch of systems, whose gradient is divided by the number of systems."""

    violates = "gradient"

    def forward(self, a, b):
        if a.data.ndim != 3 or a.data.shape[1] != a.data.shape[2] or b.data.shape != a.data.shape[:2]:
            raise ValueError("a batch of square matrices and of vectors is expected")
        if not b.data.size:
            raise ValueError("systems are expected")
        return variable(np.linalg.solve(a.data, b.data[..., None])[..., 0].mean(axis=1))

    def backward(self, a, b, grad):
        solutions = np.linalg.solve(a.data, b.data[..., None])
        each = np.repeat(grad[:, None, None] / len(a.data), a.data.shape[1], axis=1)
        at_b = np.linalg.solve(np.swapaxes(a.data, 1, 2), each)
        a.grad -= at_b * np.swapaxes(solutions, 1, 2)
        b.grad += at_b[..., 0]
