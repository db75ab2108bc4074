"""Right ops that strain floating point: sizes, noise, steepness, cancellation, conditioning."""

import numpy as np
from scipy import special

from adverify import Function, variable


class _Elementwise(Function):
    def forward(self, x):
        return variable(self.value(x.data))

    def backward(self, x, grad):
        x.grad += grad * self.slope(x.data)


class HugeCosh(_Elementwise):
    """Outputs of 1e15."""

    def value(self, x):
        return 1e15 * np.cosh(x / 10)

    def slope(self, x):
        return 1e14 * np.sinh(x / 10)


class MinuteArctan(_Elementwise):
    """Outputs of 1e-30."""

    def value(self, x):
        return 1e-30 * np.arctan(x)

    def slope(self, x):
        return 1e-30 / (1 + x * x)


class OffsetCosine(_Elementwise):
    """Digits lost to an offset of 1e9."""

    def value(self, x):
        return 1e9 + np.cos(x)

    def slope(self, x):
        return -np.sin(x)


class ShiftedAndBack(_Elementwise):
    """Forward adds 1e6 and takes it away again, so its rounding is not seen in its output."""

    def value(self, x):
        return ((np.arctan(x) + 1e6) - 1e6) * 2

    def slope(self, x):
        return 2 / (1 + x * x)


class NaiveOneMinusCosine(_Elementwise):
    """1 - cos(x) cancels near 0."""

    def value(self, x):
        return 1 - np.cos(x)

    def slope(self, x):
        return np.sin(x)


class NaiveSoftplus(_Elementwise):
    """log(1 + exp(x)) without log1p: forward is 0 where the slope is tiny."""

    def value(self, x):
        return np.where(x > 30, x, np.log(1 + np.exp(np.minimum(x, 30))))

    def slope(self, x):
        return special.expit(x)


class SinglePrecisionSine(_Elementwise):
    """Forward computes in single precision, backward in double."""

    def value(self, x):
        return np.sin(x.astype(np.float32)).astype(x.dtype)

    def slope(self, x):
        return np.cos(x)


class SinglePrecisionMatrixProduct(Function):
    """Forward in single precision, as a GPU would."""

    def forward(self, x, y):
        if x.data.ndim != 2 or y.data.ndim != 2:
            raise ValueError("two matrices")
        return variable((x.data.astype("f4") @ y.data.astype("f4")).astype(x.data.dtype))

    def backward(self, x, y, grad):
        x.grad += grad @ y.data.T
        y.grad += x.data.T @ grad


class BabylonianRoot(_Elementwise):
    """An iterative forward: Newton's iteration until it stands still."""

    def value(self, x):
        x = np.where(x > 0, x, np.nan)
        y = np.maximum(x, 1.0)
        for _ in range(600):
            new = 0.5 * (y + x / y)
            if np.isnan(x).any() or (np.abs(new - y) <= 1e-12 * new).all():
                break
            y = new
        return new

    def slope(self, x):
        return 0.5 / np.sqrt(x)


class KeplerAnomaly(_Elementwise):
    """A fixed point: E = x + 0.3 sin(E), iterated to 1e-10; the gradient by the implicit function theorem."""

    def _solve(self, x):
        e = x.copy()
        for _ in range(200):
            new = x + 0.3 * np.sin(e)
            if new.size == 0 or np.abs(new - e).max() < 1e-10:
                return new
            e = new
        return e

    def value(self, x):
        return self._solve(np.asarray(x))

    def slope(self, x):
        return 1 / (1 - 0.3 * np.cos(self._solve(np.asarray(x))))


class BisectedCubicRoot(_Elementwise):
    """A root found by bisection: y**3 + y = x."""

    def value(self, x):
        if (np.abs(x) > 1e6).any():
            raise OverflowError("too far out for so many halvings")
        low, high = -2 - np.abs(x), 2 + np.abs(x)
        for _ in range(110):
            middle = 0.5 * (low + high)
            above = middle**3 + middle > x
            low, high = np.where(above, low, middle), np.where(above, middle, high)
        return 0.5 * (low + high)

    def slope(self, x):
        return 1 / (3 * self.value(x) ** 2 + 1)


class SteepTanh(_Elementwise):
    """Changes within 1/50."""

    def value(self, x):
        return np.tanh(50 * x)

    def slope(self, x):
        e = np.exp(-100 * np.abs(x))
        return 200 * e / (1 + e) ** 2


class FastOscillation(_Elementwise):
    """A period that divides the usual steps."""

    def value(self, x):
        return np.sin(2 * np.pi * 8 * x)

    def slope(self, x):
        return 2 * np.pi * 8 * np.cos(2 * np.pi * 8 * x)


class Chirp(_Elementwise):
    """Oscillates faster the further out."""

    def value(self, x):
        return np.cos(x**2)

    def slope(self, x):
        return -2 * x * np.sin(x**2)


class FiftiethPower(_Elementwise):
    """Spans fifty orders of magnitude."""

    def value(self, x):
        return x**50

    def slope(self, x):
        return 50 * x**49


class SteepExponential(_Elementwise):
    """exp(5x)."""

    def value(self, x):
        return np.exp(5 * x)

    def slope(self, x):
        return 5 * np.exp(5 * x)


class InverseSquare(_Elementwise):
    """A pole of second order."""

    def value(self, x):
        return 1 / x**2

    def slope(self, x):
        return -2 / x / x / x


class Cotangent(_Elementwise):
    """Poles at every multiple of pi."""

    def value(self, x):
        return 1 / np.tan(x)

    def slope(self, x):
        return -1 / np.sin(x) / np.sin(x)


class Digamma(_Elementwise):
    """Poles at 0 and the negative integers."""

    def value(self, x):
        return special.psi(x)

    def slope(self, x):
        return special.polygamma(1, x) if (x > 0).all() else special.zeta(2, x) if (x > 0).all() else _trigamma(x)


def _trigamma(x):
    """By reflection: trigamma(1 - x) + trigamma(x) = pi**2 / sin(pi x)**2."""
    reflected = np.where(x > 0, x, 1 - x)
    value = special.polygamma(1, reflected)
    with np.errstate(all="ignore"):
        return np.where(x > 0, value, (np.pi / np.sin(np.pi * x)) ** 2 - value)


class SqrtOfOneMinusSquare(_Elementwise):
    """Infinite slopes at both ends of [-1, 1]."""

    def value(self, x):
        return np.sqrt((1 - x) * (1 + x))

    def slope(self, x):
        return -x / np.sqrt((1 - x) * (1 + x))


class FractionalPower(_Elementwise):
    """x**0.3: infinite slope at 0."""

    def value(self, x):
        return x**0.3

    def slope(self, x):
        return 0.3 * x**-0.7


class ThreeHalvesPower(_Elementwise):
    """x**1.5: the derivative at the end of the domain is 0."""

    def value(self, x):
        return x**1.5

    def slope(self, x):
        return 1.5 * np.sqrt(x)


class CubeRootOfSquare(_Elementwise):
    """A cusp at 0; the convention there is 0."""

    def value(self, x):
        return np.cbrt(x) ** 2

    def slope(self, x):
        return np.where(x == 0, 0, 2 / (3 * np.cbrt(np.where(x == 0, 1, x))))


class LogOfThreeMore(_Elementwise):
    """Defined above 3."""

    def value(self, x):
        return np.log(x - 3)

    def slope(self, x):
        return 1 / (x - 3)


class LogBelowFive(_Elementwise):
    """Defined below 5."""

    def value(self, x):
        return np.log(5 - x)

    def slope(self, x):
        return -1 / (5 - x)


class BetweenTwoAndSeven(_Elementwise):
    """Defined between 2 and 7."""

    def value(self, x):
        return np.log(x - 2) * np.log(7 - x)

    def slope(self, x):
        return np.log(7 - x) / (x - 2) - np.log(x - 2) / (7 - x)


class RaisesOutside(_Elementwise):
    """Raises instead of returning NaN."""

    def value(self, x):
        if np.any(x <= 0):
            raise ValueError("positive numbers only")
        return x * np.log(x)

    def slope(self, x):
        return np.log(x) + 1


class Logit(_Elementwise):
    """Defined between 0 and 1."""

    def value(self, x):
        return special.logit(x)

    def slope(self, x):
        return 1 / (x * (1 - x))


class Hilbertlike(Function):
    """Solves with a badly conditioned matrix that it adds itself."""

    def _matrix(self, n):
        i = np.arange(n)
        return 1.0 / (i[:, None] + i + 1) + 1e-7 * np.eye(n)

    def forward(self, b):
        if b.data.ndim != 1 or not 1 <= b.data.size <= 8:
            raise ValueError("a vector of one to eight")
        return variable(np.linalg.solve(self._matrix(b.data.size), b.data))

    def backward(self, b, grad):
        b.grad += np.linalg.solve(self._matrix(b.data.size).T, grad)


class SolveGeneral(Function):
    """Near singular matrices are badly conditioned."""

    def forward(self, a, b):
        if a.data.ndim != 2 or b.data.ndim != 1:
            raise ValueError("a matrix and a vector")
        return variable(np.linalg.solve(a.data, b.data))

    def backward(self, a, b, grad):
        x = np.linalg.solve(a.data, b.data)
        share = np.linalg.solve(a.data.T, grad)
        a.grad -= np.outer(share, x)
        b.grad += share


class LogAbsDet(Function):
    """log |det A|."""

    def forward(self, a):
        _sign, value = np.linalg.slogdet(a.data)
        return variable(value)

    def backward(self, a, grad):
        a.grad += np.asarray(grad)[..., None, None] * np.swapaxes(np.linalg.inv(a.data), -1, -2)


class EigenvaluesLower(Function):
    """eigvalsh reads the lower triangle; the gradient is the symmetric one of the literature."""

    def forward(self, a):
        return variable(np.linalg.eigvalsh(a.data))

    def backward(self, a, grad):
        _, v = np.linalg.eigh(a.data)
        a.grad += (v * grad[..., None, :]) @ np.swapaxes(v, -1, -2)


class EigenvaluesOfSymmetricPart(Function):
    """Degenerate eigenvalues are kinks."""

    def forward(self, a):
        if a.data.ndim < 2 or a.data.shape[-1] != a.data.shape[-2]:
            raise ValueError("square matrices")
        return variable(np.linalg.eigvalsh(0.5 * (a.data + np.swapaxes(a.data, -1, -2))))

    def backward(self, a, grad):
        _, v = np.linalg.eigh(0.5 * (a.data + np.swapaxes(a.data, -1, -2)))
        a.grad += (v * grad[..., None, :]) @ np.swapaxes(v, -1, -2)


class SpectralNorm(Function):
    """The largest singular value; a kink where two are alike."""

    def forward(self, a):
        if a.data.ndim != 2 or 0 in a.data.shape:
            raise ValueError("one matrix")
        return variable(np.linalg.norm(a.data, 2))

    def backward(self, a, grad):
        u, _s, v = np.linalg.svd(a.data, full_matrices=False)
        a.grad += grad * np.outer(u[:, 0], v[0])


class CholeskySymmetric(Function):
    """The symmetric convention."""

    def forward(self, a):
        return variable(np.linalg.cholesky(a.data))

    def backward(self, a, grad):
        factor = np.linalg.cholesky(a.data)
        t = np.swapaxes(factor, -1, -2)
        inner = np.tril(t @ grad) * (1 - 0.5 * np.eye(factor.shape[-1]))
        inverse = np.linalg.inv(factor)
        share = np.swapaxes(inverse, -1, -2) @ inner @ inverse
        a.grad += 0.5 * (share + np.swapaxes(share, -1, -2))


class CholeskyLower(CholeskySymmetric):
    """The lower-triangular convention."""

    def backward(self, a, grad):
        share = np.zeros_like(a.data)
        whole = variable(a.data)
        super().backward(whole, grad)
        share += np.tril(2 * whole.grad) - whole.grad * np.eye(a.data.shape[-1])
        a.grad += share


class MatrixExponential(Function):
    """By the block triangle of Van Loan."""

    def forward(self, a):
        from scipy.linalg import expm

        if a.data.ndim != 2 or a.data.shape[0] != a.data.shape[1] or not 1 <= len(a.data) <= 4:
            raise ValueError("a small square matrix")
        if np.abs(a.data).max() > 30:
            raise OverflowError("too large")
        return variable(expm(a.data))

    def backward(self, a, grad):
        from scipy.linalg import expm_frechet

        a.grad += expm_frechet(a.data.T, np.asarray(grad, a.data.dtype), compute_expm=False)


class RationalBump(_Elementwise):
    """1 / (1 + 25 x**2), whose poles are near the real line."""

    def value(self, x):
        return 1 / (1 + 25 * x * x)

    def slope(self, x):
        return -50 * x / (1 + 25 * x * x) / (1 + 25 * x * x)


class GaussianTail(_Elementwise):
    """log_ndtr, whose slope grows without bound to the left."""

    def value(self, x):
        return special.log_ndtr(x)

    def slope(self, x):
        return np.sqrt(2 / np.pi) / special.erfcx(-x / np.sqrt(2))
