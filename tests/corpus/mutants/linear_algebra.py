"""Products, decompositions and solvers."""

import numpy as np

from adverify import Function, variable


class _Square(Function):
    def checked(self, a):
        if a.data.ndim != 2 or a.data.shape[0] != a.data.shape[1]:
            raise ValueError("expected a square matrix")
        return a.data


class DeterminantWithInverse(_Square):
    """det(A) A^-1, without the transposition."""

    violates = "gradient"
    witness = ([[2.0, 1.0], [0.0, 3.0]],)

    def forward(self, a):
        return variable(np.linalg.det(self.checked(a)))

    def backward(self, a, grad):
        a.grad += grad * np.linalg.det(a.data) * np.linalg.inv(a.data)


class LogDeterminantTwice(_Square):
    """The factor 2 of a log of squares, of which forward has none."""

    violates = "gradient"
    witness = ([[2.0, 1.0], [0.0, 3.0]],)

    def forward(self, a):
        return variable(np.linalg.slogdet(self.checked(a))[1])

    def backward(self, a, grad):
        a.grad += 2 * grad * np.linalg.inv(a.data).T


class SolveWithoutTransposition(Function):
    """Solves with A where A^T is due: right for symmetric matrices."""

    violates = "gradient"
    witness = ([[2.0, 1.0], [0.0, 3.0]], [1.0, 2.0])

    def forward(self, a, b):
        if a.data.ndim != 2 or b.data.ndim != 1:
            raise ValueError("expected a matrix and a vector")
        return variable(np.linalg.solve(a.data, b.data))

    def backward(self, a, b, grad):
        z = np.linalg.solve(a.data, grad)
        b.grad += z
        a.grad -= np.outer(z, np.linalg.solve(a.data, b.data))


class CubeCommutes(_Square):
    """3 (A^2)^T: matrices do not commute with the cotangent."""

    violates = "gradient"
    witness = ([[1.0, 2.0], [0.0, 1.0]],)

    def forward(self, a):
        m = self.checked(a)
        return variable(m @ m @ m)

    def backward(self, a, grad):
        a.grad += 3 * grad @ (a.data @ a.data).T


class GramOnce(Function):
    """x^T x, counting one of its two factors."""

    violates = "gradient"
    witness = ([[1.0, 2.0], [3.0, 4.0]],)

    def forward(self, x):
        if x.data.ndim != 2:
            raise ValueError("expected a matrix")
        return variable(x.data.T @ x.data)

    def backward(self, x, grad):
        x.grad += x.data @ grad


class GramAsIfSymmetric(Function):
    """2 x G holds for symmetric cotangents only."""

    violates = "gradient"
    witness = ([[1.0, 2.0], [3.0, 4.0]],)

    def forward(self, x):
        if x.data.ndim != 2:
            raise ValueError("expected a matrix")
        return variable(x.data.T @ x.data)

    def backward(self, x, grad):
        x.grad += 2 * x.data @ grad


class ProductFactorsSwapped(Function):
    """Each factor's gradient is formed on the wrong side; shapes only fit square matrices, where it is not noticed."""

    violates = "gradient"
    witness = ([[1.0, 2.0], [3.0, 4.0]], [[0.0, 1.0], [2.0, 5.0]])

    def forward(self, a, b):
        if a.data.ndim != 2 or a.data.shape != b.data.shape or a.data.shape[0] != a.data.shape[1]:
            raise ValueError("expected two square matrices")
        return variable(a.data @ b.data)

    def backward(self, a, b, grad):
        a.grad += b.data.T @ grad
        b.grad += grad @ a.data.T


class BatchedProductSumsTheBatch(Function):
    """A batch of left factors, one right factor: its gradient is of the last of the batch."""

    violates = "gradient"
    witness = (np.arange(8.0).reshape(2, 2, 2), np.ones((2, 2)))

    def forward(self, a, b):
        if a.data.ndim != 3 or b.data.ndim != 2 or not len(a.data):
            raise ValueError("expected a batch of matrices and a matrix")
        return variable(a.data @ b.data)

    def backward(self, a, b, grad):
        a.grad += grad @ b.data.T
        b.grad += a.data[-1].T @ grad[-1]


class QuadraticFormAsIfSymmetric(Function):
    """2 A x, where (A + A^T) x is due."""

    violates = "gradient"
    witness = ([[1.0, 2.0], [0.0, 1.0]], [1.0, 3.0])

    def forward(self, a, x):
        if a.data.ndim != 2 or x.data.ndim != 1:
            raise ValueError("expected a matrix and a vector")
        return variable(x.data @ (a.data @ x.data))

    def backward(self, a, x, grad):
        a.grad += grad * np.outer(x.data, x.data)
        x.grad += 2 * grad * (a.data @ x.data)


class KroneckerOrder(Function):
    """Contracts the gradient with the factors in the other order."""

    violates = "gradient"
    witness = ([1.0, 2.0], [3.0, 5.0])

    def forward(self, a, b):
        if a.data.ndim != 1 or b.data.ndim != 1:
            raise ValueError("expected vectors")
        return variable(np.kron(a.data, b.data))

    def backward(self, a, b, grad):
        g = grad.reshape(b.data.size, a.data.size)
        a.grad += b.data @ g
        b.grad += g @ a.data


class CrossProductSign(Function):
    """a x b is antisymmetric; the second partial forgets it."""

    violates = "gradient"
    witness = ([1.0, 2.0, 3.0], [0.0, 1.0, 1.0])

    def forward(self, a, b):
        if a.data.shape != (3,) or b.data.shape != (3,):
            raise ValueError("expected vectors of three")
        return variable(np.cross(a.data, b.data))

    def backward(self, a, b, grad):
        a.grad += np.cross(b.data, grad)
        b.grad += np.cross(a.data, grad)


class FrobeniusSquared(Function):
    """2 A is the gradient of the squared norm."""

    violates = "gradient"
    witness = ([[1.0, 2.0], [3.0, 4.0]],)

    def forward(self, a):
        if a.data.ndim != 2:
            raise ValueError("expected a matrix")
        return variable(np.sqrt((a.data**2).sum()))

    def backward(self, a, grad):
        a.grad += 2 * grad * a.data


class ProjectionWithoutTheNorm(Function):
    """x x^T v / x^T x, whose denominator is held constant."""

    violates = "gradient"
    witness = ([1.0, 2.0], [3.0, 1.0])

    def forward(self, x, v):
        if x.data.ndim != 1 or x.data.shape != v.data.shape or not (x.data**2).sum():
            raise ValueError("expected two vectors of a length, the first not zero")
        return variable(x.data * (x.data @ v.data) / (x.data @ x.data))

    def backward(self, x, v, grad):
        n = x.data @ x.data
        v.grad += x.data * (x.data @ grad) / n
        x.grad += (grad * (x.data @ v.data) + v.data * (x.data @ grad)) / n


class EinsumLetterOrder(Function):
    """ij,jk->ki, whose backward reads the output as ik."""

    violates = "gradient"
    witness = ([[1.0, 2.0], [3.0, 4.0]], [[0.0, 1.0], [2.0, 5.0]])

    def forward(self, a, b):
        if a.data.ndim != 2 or b.data.ndim != 2:
            raise ValueError("expected matrices")
        return variable(np.einsum("ij,jk->ki", a.data, b.data))

    def backward(self, a, b, grad):
        g = grad.reshape(a.data.shape[0], b.data.shape[1])
        a.grad += g @ b.data.T
        b.grad += a.data.T @ g


class PinvOfTallOnly(Function):
    """(A^T A)^-1 A^T b, with the residual's term left out: right when the system is consistent."""

    violates = "gradient"
    witness = ([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]], [1.0, 2.0, 5.0])

    def forward(self, a, b):
        if a.data.ndim != 2 or b.data.ndim != 1 or a.data.shape[0] < a.data.shape[1]:
            raise ValueError("expected a tall matrix and a vector")
        return variable(np.linalg.solve(a.data.T @ a.data, a.data.T @ b.data))

    def backward(self, a, b, grad):
        x = np.linalg.solve(a.data.T @ a.data, a.data.T @ b.data)
        z = np.linalg.solve(a.data.T @ a.data, grad)
        b.grad += a.data @ z
        a.grad -= np.outer(a.data @ z, x)
