"""Right reductions, scans and order statistics."""

import numpy as np
from scipy import special

from adverify import Function, variable


class _OfVectors(Function):
    least = 0

    def forward(self, x):
        if x.data.ndim != 1 or x.data.size < self.least:
            raise ValueError(f"expected a vector of {self.least} or more")
        return variable(self.value(x.data))


class _OfRows(Function):
    least = 1

    def forward(self, x):
        if x.data.ndim < 1 or x.data.shape[-1] < self.least:
            raise ValueError(f"expected rows of {self.least} or more")
        return variable(self.value(x.data))


class LogMeanExp(_OfRows):
    """Of the last axis."""

    def value(self, x):
        return special.logsumexp(x, axis=-1) - np.log(x.shape[-1])

    def backward(self, x, grad):
        x.grad += grad[..., None] * special.softmax(x.data, axis=-1)


class LogsumexpAboveTheMaximum(_OfRows):
    """What log-sum-exp has beyond the maximum: nearly flat where one element dominates."""

    def value(self, x):
        return np.log(np.exp(x - x.max(axis=-1, keepdims=True)).sum(axis=-1))

    def backward(self, x, grad):
        largest = x.data.argmax(axis=-1)[..., None] == np.arange(x.data.shape[-1])
        x.grad += grad[..., None] * (special.softmax(x.data, axis=-1) - largest)


class UnbiasedDeviation(_OfVectors):
    """0 where all are alike."""

    least = 2

    def value(self, x):
        return x.std(ddof=1)

    def backward(self, x, grad):
        s = self.value(x.data)
        if s > 0:
            x.grad += grad * ((x.data - x.data.mean()) / s) / (x.data.size - 1)


class LogCumulativeSumExp(_OfVectors):
    """Weights exp(x_i - y_j) never overflow."""

    def value(self, x):
        return np.logaddexp.accumulate(x)

    def backward(self, x, grad):
        for i, y in enumerate(self.value(x.data)):
            x.grad[: i + 1] += grad[i] * np.exp(x.data[: i + 1] - y)


class CumulativeProduct(_OfVectors):
    """By two loops and no division: right with any number of zeros."""

    def value(self, x):
        return np.cumprod(x)

    def backward(self, x, grad):
        for i in range(x.data.size):
            for j in range(i, x.data.size):
                x.grad[i] += grad[j] * np.prod(x.data[:i]) * np.prod(x.data[i + 1 : j + 1])


class TopTwoLastWins(_OfRows):
    """The two largest in order; of equal ones the last."""

    least = 2

    def value(self, x):
        return np.sort(x, axis=-1)[..., ::-1][..., :2]

    def backward(self, x, grad):
        share = np.zeros_like(x.data)
        np.put_along_axis(share, np.argsort(x.data, axis=-1, kind="stable")[..., ::-1][..., :2], grad, -1)
        x.grad += share


class QuantileBetweenNeighbours(_OfVectors):
    """Linear between two order statistics."""

    least = 1

    def __init__(self, q=0.3):
        self.q = q

    def value(self, x):
        return np.quantile(x, self.q)

    def backward(self, x, grad):
        order, at = np.argsort(x.data), self.q * (x.data.size - 1)
        low, weight = int(at), at - int(at)
        x.grad[order[low]] += grad * (1 - weight)
        x.grad[order[min(low + 1, x.data.size - 1)]] += grad * weight


class CubicNorm(_OfRows):
    """Scaled against overflow; 0 at 0."""

    def value(self, x):
        m = self._largest(x)
        return m[..., 0] * np.cbrt((np.abs(x / m) ** 3).sum(axis=-1))

    def _largest(self, x):
        m = np.abs(x).max(axis=-1, keepdims=True)
        return np.where(m == 0, 1, m)

    def backward(self, x, grad):
        r = x.data / self._largest(x.data)
        n = np.cbrt((np.abs(r) ** 3).sum(axis=-1, keepdims=True))
        x.grad += grad[..., None] * np.sign(r) * (r / np.where(n == 0, 1, n)) ** 2


class RangeOfMagnitudes(_OfVectors):
    """max|x| - min|x|; of equal ones the first."""

    least = 1

    def value(self, x):
        return np.abs(x).max() - np.abs(x).min()

    def backward(self, x, grad):
        sign = np.where(x.data < 0, -1.0, 1.0)
        high, low = np.abs(x.data).argmax(), np.abs(x.data).argmin()
        x.grad[high] += grad * sign[high]
        x.grad[low] -= grad * sign[low]


class MaximumOfHalves(_OfVectors):
    """The maximum of each half of a vector; equal ones share."""

    def value(self, x):
        if x.size < 2 or x.size % 2:
            raise ValueError("expected two halves")
        return x.reshape(2, -1).max(axis=1)

    def backward(self, x, grad):
        parts = x.data.reshape(2, -1)
        largest = parts == parts.max(axis=1, keepdims=True)
        x.grad += (largest / largest.sum(axis=1, keepdims=True) * grad[:, None]).ravel()


class Maxout(_OfRows):
    """The larger of both halves, element by element; equal ones share."""

    def value(self, x):
        if x.shape[-1] % 2:
            raise ValueError("expected two halves")
        return np.maximum(*np.split(x, 2, axis=-1))

    def backward(self, x, grad):
        a, b = np.split(x.data, 2, axis=-1)
        weight = np.where(a == b, 0.5, a > b)
        x.grad += np.concatenate([grad * weight, grad * (1 - weight)], axis=-1)


class PowerPooling(_OfRows):
    """Fourth-power mean of pairs; 0 at 0, where it has a kink."""

    def value(self, x):
        if x.shape[-1] % 2:
            raise ValueError("expected pairs")
        return self._norm(x.reshape(*x.shape[:-1], -1, 2))

    def _norm(self, pairs):
        return np.sqrt(np.hypot(pairs[..., 0] ** 2, pairs[..., 1] ** 2))

    def backward(self, x, grad):
        pairs = x.data.reshape(*x.data.shape[:-1], -1, 2)
        n = self._norm(pairs)[..., None]
        x.grad += (grad[..., None] * (pairs / np.where(n == 0, 1, n)) ** 3).reshape(x.data.shape)


class UnitVector(_OfRows):
    """x / max(|x|, 1e-12): linear below the bound."""

    def value(self, x):
        return x / np.maximum(np.linalg.norm(x, axis=-1, keepdims=True), 1e-12)

    def backward(self, x, grad):
        n = np.linalg.norm(x.data, axis=-1, keepdims=True)
        y = self.value(x.data)
        x.grad += (grad - (n > 1e-12) * y * (grad * y).sum(axis=-1, keepdims=True)) / np.maximum(n, 1e-12)
