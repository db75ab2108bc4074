"""Reductions, scans and order statistics."""

import numpy as np
from scipy import special

from adverify import Function, variable


class _OfVectors(Function):
    violates = "gradient"
    least = 0

    def forward(self, x):
        if x.data.ndim != 1 or x.data.size < self.least:
            raise ValueError(f"expected a vector of {self.least} or more")
        return variable(self.value(x.data))


class LogsumexpClipped(Function):
    """Clips at -700 and 700 in place of subtracting the maximum: wrong where all are below, or several are above."""

    violates = "gradient"

    def forward(self, x):
        return variable(special.logsumexp(x.data))

    def backward(self, x, grad):
        e = np.exp(np.clip(x.data, -700, 700))
        x.grad += grad * e / e.sum()


class StdOfEqualValues(_OfVectors):
    """0 / 0 where all are alike."""

    violates = "special values"
    least = 2

    def value(self, x):
        return x.std()

    def backward(self, x, grad):
        x.grad += grad * (x.data - x.data.mean()) / (x.data.size * x.data.std())


class ProductOfTwoZeros(Function):
    """Knows of one zero; of two, each is paid the product of the elements that are not zero."""

    violates = "special values"

    def forward(self, x):
        if x.data.ndim < 1:
            raise ValueError("expected an axis")
        return variable(x.data.prod(axis=-1))

    def backward(self, x, grad):
        zero = x.data == 0
        product = np.where(zero, 1, x.data).prod(axis=-1, keepdims=True)
        others = np.where(zero, product, np.where(zero.any(axis=-1, keepdims=True), 0, product))
        x.grad += grad[..., None] * others / np.where(zero, 1, x.data)


class CumprodAfterZero(_OfVectors):
    """Divides by the element; to a zero itself it gives nothing."""

    violates = "special values"

    def value(self, x):
        return np.cumprod(x)

    def backward(self, x, grad):
        after = np.cumsum((grad * np.cumprod(x.data))[::-1])[::-1]
        x.grad += np.where(x.data == 0, 0, after / np.where(x.data == 0, 1, x.data))


class RowMaximaTies(Function):
    """At a tie in a row, every one of the largest is paid in full."""

    violates = "special values"

    def forward(self, x):
        if x.data.ndim != 2 or not x.data.shape[1]:
            raise ValueError("expected a matrix with columns")
        return variable(x.data.max(axis=1))

    def backward(self, x, grad):
        x.grad += grad[:, None] * (x.data == x.data.max(axis=1, keepdims=True))


class MinimumTies(Function):
    """At a tie, every one of the smallest of the whole array is paid in full."""

    violates = "special values"

    def forward(self, x):
        if not x.data.size:
            raise ValueError("expected elements")
        return variable(x.data.min())

    def backward(self, x, grad):
        x.grad += grad * (x.data == x.data.min())


class RunningMaximumTies(_OfVectors):
    """Every element that equals the maximum so far is paid in full."""

    violates = "special values"

    def value(self, x):
        return np.maximum.accumulate(x)

    def backward(self, x, grad):
        for i, m in enumerate(np.maximum.accumulate(x.data)):
            x.grad[: i + 1] += grad[i] * (x.data[: i + 1] == m)


class ChebyshevDistanceTies(Function):
    """max|x - y|: every pair at the maximum is paid in full."""

    violates = "special values"

    def forward(self, x, y):
        if x.data.ndim != 1 or x.data.shape != y.data.shape or not x.data.size:
            raise ValueError("expected two vectors of one length")
        return variable(np.abs(x.data - y.data).max())

    def backward(self, x, y, grad):
        d = x.data - y.data
        share = grad * np.sign(d) * (np.abs(d) == np.abs(d).max())
        x.grad += share
        y.grad -= share


class TopTwoTies(_OfVectors):
    """The sum of the two largest: all that equal the second are paid in full."""

    violates = "special values"
    least = 2

    def value(self, x):
        return np.sort(x)[-2:].sum()

    def backward(self, x, grad):
        x.grad += grad * (x.data >= np.sort(x.data)[-2])


class SortByLookup(_OfVectors):
    """Finds each element's place by its value, so that equal ones are all paid the first one's cotangent."""

    violates = "special values"

    def value(self, x):
        return np.sort(x)

    def backward(self, x, grad):
        x.grad += grad[np.searchsorted(np.sort(x.data), x.data)]


class LogcumsumexpUnshifted(_OfVectors):
    """exp(x_i - y_j) as a product of two exponentials, one of which overflows."""

    violates = "extremes"

    def value(self, x):
        return np.logaddexp.accumulate(x)

    def backward(self, x, grad):
        y = np.logaddexp.accumulate(x.data)
        x.grad += np.exp(x.data) * np.cumsum((grad * np.exp(-y))[::-1])[::-1]


class CubicNormSign(Function):
    """The 3-norm's slope is x|x| / n^2; with x^2 in its place, negative elements get the wrong sign."""

    violates = "gradient"

    def forward(self, x):
        return variable(np.cbrt((np.abs(x.data) ** 3).sum()))

    def backward(self, x, grad):
        n = np.cbrt((np.abs(x.data) ** 3).sum())
        x.grad += grad * x.data**2 / (n * n or 1)


class GeometricMeanOfRows(Function):
    """Divides by the number of rows in place of that of elements: right for vectors."""

    violates = "gradient"

    def forward(self, x):
        if x.data.ndim < 1 or not x.data.size:
            raise ValueError("expected elements along an axis")
        return variable(np.exp(np.log(x.data).mean()))

    def backward(self, x, grad):
        x.grad += grad * np.exp(np.log(x.data).mean()) / (len(x.data) * x.data)


class MedianUpperMiddle(_OfVectors):
    """Of an even number, the upper of the two in the middle is paid for both."""

    least = 1

    def value(self, x):
        return np.median(x)

    def backward(self, x, grad):
        x.grad[np.argsort(x.data, kind="stable")[x.data.size // 2]] += grad


class QuantileWeightsSwapped(_OfVectors):
    """The neighbours between which the quantile lies get each other's weight."""

    least = 1

    def __init__(self, q=0.3):
        self.q = q

    def value(self, x):
        return np.quantile(x, self.q)

    def backward(self, x, grad):
        order, at = np.argsort(x.data), self.q * (x.data.size - 1)
        low, weight = int(at), at - int(at)
        x.grad[order[low]] += grad * weight
        x.grad[order[min(low + 1, x.data.size - 1)]] += grad * (1 - weight)


class TopTwoUnsorted(_OfVectors):
    """Gives the two largest in order, and pays them in the order of their places."""

    least = 2

    def value(self, x):
        return np.sort(x)[::-1][:2]

    def backward(self, x, grad):
        x.grad[np.sort(np.argsort(x.data)[::-1][:2])] += grad


class ExclusiveSumIncludesItself(Function):
    """The sum of all that come later; backward adds what comes earlier and the element itself."""

    violates = "gradient"

    def forward(self, x):
        if x.data.ndim < 1:
            raise ValueError("expected an axis")
        return variable(np.cumsum(x.data[..., ::-1], axis=-1)[..., ::-1] - x.data)

    def backward(self, x, grad):
        x.grad += np.cumsum(grad, axis=-1)


class RangeNormalisedThroughTheMinimum(_OfVectors):
    """(x - min) / (max - min): the gradient through the minimum is right, that through the maximum is left out."""

    least = 2

    def value(self, x):
        return (x - x.min()) / (x.max() - x.min())

    def backward(self, x, grad):
        width = x.data.max() - x.data.min()
        x.grad += grad / width
        x.grad[x.data.argmin()] -= (grad * (1 - self.value(x.data))).sum() / width


class SoftmaxOfChannels(Function):
    """Softmax over axis 1; backward sums over the last axis, which is the same for matrices."""

    violates = "gradient"

    def forward(self, x):
        if x.data.ndim < 2 or not x.data.size:
            raise ValueError("expected two axes or more")
        return variable(special.softmax(x.data, axis=1))

    def backward(self, x, grad):
        s = special.softmax(x.data, axis=1)
        x.grad += s * (grad - (grad * s).sum(axis=-1, keepdims=True))
