"""Right elementwise functions of two and three inputs, with broadcasting."""

import numpy as np
from scipy import special

from adverify import Function, variable


def _unbroadcast(grad, shape):
    grad = grad.sum(axis=tuple(range(grad.ndim - len(shape))))
    return grad.sum(axis=tuple(i for i, n in enumerate(shape) if n == 1), keepdims=True)


class _Two(Function):
    def forward(self, x, y):
        return variable(self.value(x.data, y.data))

    def backward(self, x, y, grad):
        for v, slope in zip((x, y), self.slopes(x.data, y.data), strict=True):
            v.grad += _unbroadcast(grad * slope, v.data.shape)


class _Three(Function):
    def forward(self, x, y, z):
        return variable(self.value(x.data, y.data, z.data))

    def backward(self, x, y, z, grad):
        for v, slope in zip((x, y, z), self.slopes(x.data, y.data, z.data), strict=True):
            v.grad += _unbroadcast(grad * slope, v.data.shape)


class LogDifference(_Two):
    """Exists where x < y."""

    def value(self, x, y):
        return np.log(y - x)

    def slopes(self, x, y):
        return -1 / (y - x), 1 / (y - x)


class RootOfDifferenceOfSquares(_Two):
    """Exists where |x| > |y|."""

    def value(self, x, y):
        return np.sqrt((x - y) * (x + y))

    def slopes(self, x, y):
        r = self.value(x, y)
        return x / r, -y / r


class Arctan2(_Two):
    """Scaled so that the squares stay in range; a jump behind, and 0 at the origin."""

    def value(self, y, x):
        return np.arctan2(y, x)

    def slopes(self, y, x):
        m = np.maximum(np.abs(x), np.abs(y))
        m = np.where(m == 0, 1, m)
        a, b = x / m, y / m
        r = np.where(a * a + b * b == 0, 1, a * a + b * b)
        return a / r / m, -b / r / m


class Copysign(_Two):
    """Jumps where y changes sign; the slope by x minds the sign of zeros."""

    def value(self, x, y):
        return np.copysign(x, y)

    def slopes(self, x, y):
        return np.where(np.signbit(x) == np.signbit(y), 1.0, -1.0), 0.0


class SoftThreshold(_Two):
    """Kinks along |x| = |t|, and at t = 0."""

    def value(self, x, t):
        return np.sign(x) * np.maximum(np.abs(x) - np.abs(t), 0)

    def slopes(self, x, t):
        on = np.abs(x) > np.abs(t)
        return on * 1.0, -np.sign(x) * np.sign(t) * on


class SechOfProduct(_Two):
    """1 / cosh(x y), by exponentials that cannot overflow."""

    def value(self, x, y):
        e = np.exp(-np.abs(x * y))
        return 2 * e / (1 + e * e)

    def slopes(self, x, y):
        p = x * y
        e = np.exp(-np.abs(p))
        d = np.sign(p) * np.expm1(-2 * np.abs(p)) / (1 + e * e) * 2 * e / (1 + e * e)
        return np.where(d == 0, 0, d * y), np.where(d == 0, 0, d * x)


class CosineOfProduct(_Two):
    """Oscillates faster in one input the larger the other is."""

    def value(self, x, y):
        return np.cos(x * y)

    def slopes(self, x, y):
        return -y * np.sin(x * y), -x * np.sin(x * y)


class GaussianOfLogWidth(_Two):
    """exp(-(x exp(s))^2): flat wherever the exponent is large."""

    def value(self, x, s):
        return np.exp(-((x * np.exp(s)) ** 2))

    def slopes(self, x, s):
        w = np.exp(s)
        r, e = x * w, self.value(x, s)
        return np.where(e > 0, -2 * r * w * e, 0), np.where(e > 0, -2 * r * r * e, 0)


class SteepLogistic(_Two):
    """A sigmoid of 1e5 (x - y)."""

    def value(self, x, y):
        return 0.5 * (1 + np.tanh(5e4 * (x - y)))

    def slopes(self, x, y):
        e = np.exp(-np.abs(1e5 * (x - y)))
        d = 1e5 * e / (1 + e) ** 2
        return d, -d


class LogBeta(_Two):
    """Of absolute values, kept off the pole."""

    def value(self, a, b):
        return special.betaln(np.abs(a) + 0.1, np.abs(b) + 0.1)

    def slopes(self, a, b):
        p, q = np.abs(a) + 0.1, np.abs(b) + 0.1
        total = special.digamma(p + q)
        return np.sign(a) * (special.digamma(p) - total), np.sign(b) * (special.digamma(q) - total)


class HingeOneAtTheKink(_Two):
    """max(0, 1 - x y) with the slope of the active side at the kink."""

    def value(self, x, y):
        return np.maximum(0, 1 - x * y)

    def slopes(self, x, y):
        on = 1 - x * y >= 0
        return -1.0 * on * y, -1.0 * on * x


class ClipByInputs(_Three):
    """min(max(x, low), high), where low may exceed high; each tie has one winner."""

    def value(self, x, low, high):
        return np.minimum(np.maximum(x, low), high)

    def slopes(self, x, low, high):
        m = np.maximum(x, low)
        return (x > low) & (m < high), (x <= low) & (m < high), m >= high


class MedianOfThree(_Three):
    """At a tie the first of them takes all."""

    def value(self, a, b, c):
        return np.maximum(np.minimum(a, b), np.minimum(np.maximum(a, b), c))

    def slopes(self, a, b, c):
        m = self.value(a, b, c)
        first = a == m
        second = (b == m) & ~first
        return first, second, ~first & ~second


class MinimumShared(_Three):
    """At a tie the smallest share equally."""

    def value(self, a, b, c):
        return np.minimum(np.minimum(a, b), c)

    def slopes(self, a, b, c):
        smallest = [v == self.value(a, b, c) for v in (a, b, c)]
        count = sum(s * 1.0 for s in smallest)
        return [s / count for s in smallest]


class GaussianLogDensity(_Three):
    """By the value, the mean and a scale of either sign."""

    def value(self, x, m, s):
        return -0.5 * ((x - m) / s) ** 2 - np.log(np.abs(s))

    def slopes(self, x, m, s):
        z = (x - m) / s
        return -z / s, z / s, (z * z - 1) / s


class TanhOfProductAndSum(_Three):
    """tanh(a b + c): saturated for most large inputs."""

    def value(self, a, b, c):
        return np.tanh(a * b + c)

    def slopes(self, a, b, c):
        e = np.exp(-2 * np.abs(a * b + c))
        d = 4 * e / (1 + e) ** 2
        return np.where(d == 0, 0, d * b), np.where(d == 0, 0, d * a), d


class GruBlend(Function):
    """(1 - u) tanh(a + r b) + u h: five inputs of one shape."""

    def forward(self, h, u, r, a, b):
        if not h.data.shape == u.data.shape == r.data.shape == a.data.shape == b.data.shape:
            raise ValueError("expected equal shapes")
        n = np.tanh(a.data + special.expit(r.data) * b.data)
        return variable(special.expit(-u.data) * n + special.expit(u.data) * h.data)

    def backward(self, h, u, r, a, b, grad):
        q, s, rest = special.expit(r.data), special.expit(u.data), special.expit(-u.data)
        inside = a.data + q * b.data
        e = np.exp(-2 * np.abs(inside))
        inner = grad * rest * 4 * e / (1 + e) ** 2
        h.grad += grad * s
        u.grad += grad * (h.data - np.tanh(inside)) * s * rest
        a.grad += inner
        b.grad += inner * q
        r.grad += inner * b.data * q * special.expit(-r.data)


class WeightedCrossEntropy(Function):
    """Of logits, with the weight of positive examples as a third input."""

    def forward(self, x, y, w):
        if not x.data.shape == y.data.shape == w.data.shape:
            raise ValueError("expected equal shapes")
        weight = 1 + (w.data - 1) * y.data
        return variable((1 - y.data) * x.data + weight * np.logaddexp(0, -x.data))

    def backward(self, x, y, w, grad):
        weight, softplus = 1 + (w.data - 1) * y.data, np.logaddexp(0, -x.data)
        x.grad += grad * (1 - y.data - weight * special.expit(-x.data))
        y.grad += grad * ((w.data - 1) * softplus - x.data)
        w.grad += grad * y.data * softplus


class Gate(Function):
    """What is not negative lets y pass: a jump in x, at which y's share is that of forward."""

    def forward(self, x, y):
        return variable((x.data >= 0) * y.data)

    def backward(self, x, y, grad):
        y.grad += _unbroadcast(grad * (x.data >= 0), y.data.shape)


class OrderByKeys(Function):
    """Values in the order of keys, those of equal keys as they come."""

    def forward(self, keys, values):
        if keys.data.ndim != 1 or keys.data.shape != values.data.shape:
            raise ValueError("expected two vectors of one length")
        return variable(values.data[np.argsort(keys.data, kind="stable")])

    def backward(self, keys, values, grad):
        values.grad[np.argsort(keys.data, kind="stable")] += grad


class LargestKey(Function):
    """The value whose key is largest, the first of several; and the key itself, which has a kink there."""

    def forward(self, keys, values):
        if keys.data.ndim != 1 or keys.data.shape != values.data.shape or not keys.data.size:
            raise ValueError("expected two vectors of one length")
        first = np.argmax(keys.data)
        return variable(values.data[first] * keys.data[first])

    def backward(self, keys, values, grad):
        first = np.argmax(keys.data)
        keys.grad[first] += grad * values.data[first]
        values.grad[first] += grad * keys.data[first]


class LargestOfAll(Function):
    """Any number of inputs, and a cotangent that is given by its name."""

    def forward(self, *variables):
        return variable(np.stack(np.broadcast_arrays(*[v.data for v in variables])).max(axis=0))

    def backward(self, *variables, grad):
        values = np.stack(np.broadcast_arrays(*[v.data for v in variables]))
        largest = values == values.max(axis=0)
        for v, share in zip(variables, largest / largest.sum(axis=0), strict=True):
            v.grad += _unbroadcast(grad * share, v.data.shape)


class LengthInSpace(Function):
    """Any number of inputs as far as forward says, three as its backward does."""

    def forward(self, *coordinates):
        if len(coordinates) != 3 or len({c.data.shape for c in coordinates}) > 1:
            raise ValueError("expected three coordinates of one shape")
        return variable(np.sqrt(1 + sum(c.data**2 for c in coordinates)))

    def backward(self, x, y, z, *, grad):
        share = grad / np.sqrt(1 + x.data**2 + y.data**2 + z.data**2)
        for c in (x, y, z):
            c.grad += share * c.data
