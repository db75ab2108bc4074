"""Ops that are right on paper, and wrong in floating point or at the points that examples leave out."""

import numpy as np

from adverify import Function, variable


class _Elementwise(Function):
    def forward(self, x):
        return variable(self.value(x.data))

    def backward(self, x, grad):
        x.grad += grad * self.slope(x.data)


class SoftplusSlopeOverflows(_Elementwise):
    """exp(x) / (1 + exp(x)) is inf / inf from 710 on."""

    violates = "extremes"
    witness = ([800.0, 1.0],)

    def value(self, x):
        return np.logaddexp(0, x)

    def slope(self, x):
        with np.errstate(all="ignore"):
            return np.exp(x) / (1 + np.exp(x))


class TanhByExponentials(_Elementwise):
    """4 / (e^x + e^-x)^2 is right at infinity; through e^2x it is not."""

    violates = "extremes"
    witness = ([400.0, 1.0],)

    def value(self, x):
        return np.tanh(x)

    def slope(self, x):
        with np.errstate(all="ignore"):
            e = np.exp(2 * x)
            return 4 * e / (e + 1) ** 2


class LogsumexpUnshifted(Function):
    """Forward subtracts the maximum, backward does not."""

    violates = "extremes"
    witness = ([800.0, 1.0],)

    def forward(self, x):
        if x.data.ndim != 1 or not x.data.size:
            raise ValueError("expected a vector")
        top = x.data.max()
        return variable(top + np.log(np.exp(x.data - top).sum()))

    def backward(self, x, grad):
        with np.errstate(all="ignore"):
            e = np.exp(x.data)
            x.grad += grad * e / e.sum()


class HypotBySquares(Function):
    """Forward is scaled against overflow, backward squares."""

    violates = "extremes"
    witness = ([1e200], [1e200])

    def forward(self, x, y):
        return variable(np.hypot(x.data, y.data))

    def backward(self, x, y, grad):
        with np.errstate(all="ignore"):
            r = np.sqrt(x.data**2 + y.data**2)
            for v in (x, y):
                v.grad += _summed(grad * np.where(r == 0, 0.0, v.data / np.where(r == 0, 1.0, r)), v.data.shape)


class ReciprocalOfTheSquare(_Elementwise):
    """1 / x^2 underflows to 1 / 0 where x itself is far from it."""

    violates = "extremes"
    witness = ([1e-170, 1.0],)

    def value(self, x):
        return np.log(np.abs(x))

    def slope(self, x):
        with np.errstate(all="ignore"):
            return x / (x * x)


class SincAtZero(_Elementwise):
    """0 / 0 at the origin, where the slope is 0."""

    violates = "special values"
    witness = ([0.0, 1.0],)

    def value(self, x):
        return np.sinc(x / np.pi)

    def slope(self, x):
        with np.errstate(all="ignore"):
            return (x * np.cos(x) - np.sin(x)) / (x * x)


class XlogxAtZero(Function):
    """x log y at x = 0: the limit 0 times log 0 becomes NaN for y as well."""

    violates = "special values"
    witness = ([0.0, 1.0], [2.0, 3.0])

    def forward(self, x, y):
        if (y.data <= 0).any():
            raise ValueError("y must be positive")
        return variable(np.where(x.data == 0, 0.0, x.data * np.log(y.data)))

    def backward(self, x, y, grad):
        with np.errstate(all="ignore"):
            x.grad += _summed(grad * np.log(y.data) * x.data / x.data, x.data.shape)
        y.grad += _summed(grad * x.data / y.data, y.data.shape)


class PowerOfZero(Function):
    """x^3 through exp(3 log |x|), whose slope at zero is 0 times infinity."""

    violates = "special values"
    witness = ([0.0, 2.0],)

    def forward(self, x):
        return variable(x.data**3)

    def backward(self, x, grad):
        with np.errstate(all="ignore"):
            x.grad += grad * x.data**3 * 3 / x.data


class AbsoluteByDivision(_Elementwise):
    """x / |x| is NaN at the kink."""

    violates = "special values"
    witness = ([0.0, 2.0],)

    def value(self, x):
        return np.abs(x)

    def slope(self, x):
        with np.errstate(all="ignore"):
            return x / np.abs(x)


class RowNormAtZero(Function):
    """x / |x| for rows, one of which is zero."""

    violates = "special values"
    witness = ([[0.0, 0.0], [3.0, 4.0]],)
    reference = "https://github.com/pytorch/pytorch/issues/2421"

    def forward(self, x):
        if x.data.ndim != 2:
            raise ValueError("expected a matrix")
        return variable(np.sqrt((x.data**2).sum(axis=1)))

    def backward(self, x, grad):
        with np.errstate(all="ignore"):
            x.grad += (grad / np.sqrt((x.data**2).sum(axis=1)))[:, None] * x.data


class ReluMaskFromOutputSign(_Elementwise):
    """A leaky slope's sign is read off the output rounded to 0: wrong at zero by more than a convention."""

    violates = "special values"
    witness = ([0.0, 2.0],)

    def value(self, x):
        return np.where(x > 0, x, 0.1 * x)

    def slope(self, x):
        return np.where(x > 0, 1.0, np.where(x < 0, 0.1, 2.0))


class StepOfOnesAtTies(Function):
    """min(x, y) gives nothing to either where they tie."""

    violates = "special values"
    witness = ([1.0, 2.0], [1.0, 0.0])

    def forward(self, x, y):
        return variable(np.minimum(x.data, y.data))

    def backward(self, x, y, grad):
        x.grad += _summed(grad * (x.data < y.data), x.data.shape)
        y.grad += _summed(grad * (y.data < x.data), y.data.shape)


class SingleInTheMiddle(Function):
    """A helper computes in float32, and the result is double again."""

    violates = "precision"
    witness = ([1.0, 2.0],)

    def forward(self, x):
        return variable(np.sin(x.data))

    def backward(self, x, grad):
        x.grad += grad * np.cos(x.data.astype(np.float32)).astype(np.float64)


class RoundedCotangent(Function):
    """The cotangent passes through float32 on its way."""

    violates = "precision"
    witness = ([1.0, 2.0],)

    def forward(self, x):
        return variable(np.exp(-np.abs(x.data)) * x.data)

    def backward(self, x, grad):
        g = np.asarray(grad, np.float32)
        x.grad += g * np.exp(-np.abs(x.data)) * (1 - np.abs(x.data))


class HalfPrecisionTable(Function):
    """Weights are stored as float16."""

    violates = "gradient"
    witness = ([1.0, 2.0, 3.0],)

    def forward(self, x):
        return variable(x.data * 0.1)

    def backward(self, x, grad):
        x.grad += grad * np.float16(0.1)


class DifferenceQuotient(Function):
    """A forward difference with a step of 1e-5 in place of the slope."""

    violates = "gradient"
    witness = ([1.0, 2.0],)

    def forward(self, x):
        return variable(np.exp(x.data))

    def backward(self, x, grad):
        with np.errstate(all="ignore"):
            x.grad += grad * (np.exp(x.data + 1e-5) - np.exp(x.data)) / 1e-5


class EpsilonInTheSlope(_Elementwise):
    """1 / (x + 1e-5) where forward has no such guard."""

    violates = "gradient"
    witness = ([0.5, 2.0],)

    def value(self, x):
        return np.log(x)

    def slope(self, x):
        return 1 / (x + 1e-5)


class StartsAtOneElement(Function):
    """n - 1 in a denominator: a single element divides zero by zero."""

    violates = "degenerate"
    witness = ([2.0],)

    def forward(self, x):
        if not x.data.size:
            raise ValueError("expected elements")
        return variable(((x.data - x.data.mean()) ** 2).sum())

    def backward(self, x, grad):
        n = x.data.size
        with np.errstate(all="ignore"):
            x.grad += grad * 2 * (x.data - x.data.mean()) * (np.float64(n - 1) / (n - 1))


class EmptyBatchReshape(Function):
    """reshape(-1, columns) cannot guess the rows of nothing."""

    violates = "degenerate"
    witness = (np.zeros((2, 0)),)

    def forward(self, x):
        if x.data.ndim != 2:
            raise ValueError("expected a matrix")
        return variable(x.data[:, ::-1] * 2.0)

    def backward(self, x, grad):
        x.grad += 2.0 * grad.reshape(-1, x.data.shape[1])[:, ::-1]


class ScalarIndexed(Function):
    """Loops over the first axis, which a 0-d input does not have."""

    violates = "degenerate"
    witness = (np.array(2.0),)

    def forward(self, x):
        return variable(np.sin(x.data))

    def backward(self, x, grad):
        for i in range(len(x.data)):
            x.grad[i] += grad[i] * np.cos(x.data[i])


def _summed(grad, shape):
    grad = grad.sum(axis=tuple(range(grad.ndim - len(shape))))
    return grad.sum(axis=tuple(i for i, n in enumerate(shape) if n == 1), keepdims=True)
