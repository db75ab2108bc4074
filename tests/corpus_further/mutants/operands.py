"""Elementwise functions of two and three inputs, with broadcasting."""

import numpy as np
from scipy import special

from adverify import Function, variable


def _unbroadcast(grad, shape):
    grad = grad.sum(axis=tuple(range(grad.ndim - len(shape))))
    return grad.sum(axis=tuple(i for i, n in enumerate(shape) if n == 1), keepdims=True)


class _Operands(Function):
    violates = "gradient"

    def _add(self, variables, shares):
        for v, share in zip(variables, shares, strict=True):
            v.grad += _unbroadcast(np.asarray(share), v.data.shape)


class _Two(_Operands):
    def forward(self, x, y):
        return variable(self.value(x.data, y.data))

    def backward(self, x, y, grad):
        self._add((x, y), [grad * slope for slope in self.slopes(x.data, y.data)])


class _Three(_Operands):
    def forward(self, x, y, z):
        return variable(self.value(x.data, y.data, z.data))

    def backward(self, x, y, z, grad):
        self._add((x, y, z), [grad * slope for slope in self.slopes(x.data, y.data, z.data)])


class RootOfDifferenceOfSquares(_Two):
    """sqrt(x^2 - y^2): x's partial has the sign of x, and backward takes |x|."""

    def value(self, x, y):
        return np.sqrt(x * x - y * y)

    def slopes(self, x, y):
        r = np.sqrt(x * x - y * y)
        return np.abs(x) / r, -y / r


class LogRatioUnsigned(_Two):
    """log|x / y|: the partial by y is -1 / y, not -1 / |y|."""

    def value(self, x, y):
        return np.log(np.abs(x / y))

    def slopes(self, x, y):
        return 1 / x, -1 / np.abs(y)


class LogaddexpUnshifted(_Two):
    """exp(x) / (exp(x) + exp(y)) overflows and underflows where forward does not."""

    violates = "extremes"

    def value(self, x, y):
        return np.logaddexp(x, y)

    def slopes(self, x, y):
        total = np.exp(x) + np.exp(y)
        return np.exp(x) / total, np.exp(y) / total


class HypotAtTheOrigin(_Two):
    """0 / 0 where both are zero."""

    violates = "special values"

    def value(self, x, y):
        return np.hypot(x, y)

    def slopes(self, x, y):
        r = np.hypot(x, y)
        return x / r, y / r


class SoftThresholdSign(_Two):
    """sign(x) max(|x| - t, 0): the threshold's partial is -1 for x of either sign."""

    def value(self, x, t):
        return np.sign(x) * np.maximum(np.abs(x) - t, 0)

    def slopes(self, x, t):
        on = np.abs(x) > t
        return on * 1.0, -1.0 * on


class BiasGradientInSingle(_Two):
    """The gradient of what is added is summed in single precision; the other's is not."""

    violates = "precision"

    def value(self, x, bias):
        return x**3 + bias

    def backward(self, x, bias, grad):
        self._add((x, bias), (3 * grad * x.data**2, grad.astype(np.float32)))


class ClipBoundsCrossed(_Three):
    """min(max(x, low), high): where low exceeds high, it is paid for an output that it does not reach."""

    def value(self, x, low, high):
        return np.minimum(np.maximum(x, low), high)

    def slopes(self, x, low, high):
        m = np.maximum(x, low)
        return (x > low) & (m < high), x <= low, m >= high


class LerpWeightInSingle(_Three):
    """The weight's partial, a difference, is rounded to single precision."""

    violates = "precision"

    def value(self, a, b, w):
        return a + w * (b - a)

    def slopes(self, a, b, w):
        return 1 - w, w, (b - a).astype(np.float32)


class MinimumOfThreeTies(_Three):
    """At a tie every one of the smallest is paid in full."""

    violates = "special values"

    def value(self, a, b, c):
        return np.minimum(np.minimum(a, b), c)

    def slopes(self, a, b, c):
        m = self.value(a, b, c)
        return a == m, b == m, c == m


class MedianOfThreeTies(_Three):
    """At a tie both of those in the middle are paid in full."""

    violates = "special values"

    def value(self, a, b, c):
        return np.maximum(np.minimum(a, b), np.minimum(np.maximum(a, b), c))

    def slopes(self, a, b, c):
        m = self.value(a, b, c)
        return a == m, b == m, c == m


class GaussianScaleUnsigned(_Three):
    """-((x - m) / s)^2 / 2 - log|s|: the last term's slope is 1 / s, not 1 / |s|."""

    def value(self, x, m, s):
        return -0.5 * ((x - m) / s) ** 2 - np.log(np.abs(s))

    def slopes(self, x, m, s):
        z = (x - m) / s
        return -z / s, z / s, z * z / s - 1 / np.abs(s)


class GruResetGate(Function):
    """(1 - u) tanh(a + r b) + u h: what r lets through of b is paid to b in full."""

    violates = "gradient"

    def forward(self, h, u, r, a, b):
        if not h.data.shape == u.data.shape == r.data.shape == a.data.shape == b.data.shape:
            raise ValueError("expected equal shapes")
        n, s = np.tanh(a.data + special.expit(r.data) * b.data), special.expit(u.data)
        return variable((1 - s) * n + s * h.data)

    def backward(self, h, u, r, a, b, grad):
        q, s = special.expit(r.data), special.expit(u.data)
        n = np.tanh(a.data + q * b.data)
        inner = grad * (1 - s) * (1 - n * n)
        h.grad += grad * s
        u.grad += grad * (h.data - n) * s * (1 - s)
        a.grad += inner
        b.grad += inner
        r.grad += inner * b.data * q * (1 - q)


class _OfThree(Function):
    """x y + z, of matrices that are broadcast; one input, where it is so in one way, is summed up in another."""

    violates = "gradient"

    def forward(self, x, y, z):
        return variable(x.data * y.data + z.data)

    def backward(self, x, y, z, grad):
        shares = grad * y.data, grad * x.data, grad
        for v, share in zip((x, y, z), shares, strict=True):
            v.grad += self.summed(_unbroadcast(np.broadcast_to(share, grad.shape), v.data.shape), v.data, grad)


class OneByOneOfThree(_OfThree):
    """A matrix of one element gets the mean of its shares instead of their sum."""

    def summed(self, total, v, grad):
        return total / grad.size if v.shape == (1, 1) and grad.size else total


class RowOfThree(_OfThree):
    """A row gets half, where there are two or more of them to add up."""

    def summed(self, total, v, grad):
        return total / 2 if v.ndim == 2 == grad.ndim and len(v) == 1 < v.shape[1] and len(grad) > 1 else total


class PlaneOfAProduct(Function):
    """x y, where one is of length 1 along the first axis and the last of three: summed up along the first only."""

    violates = "gradient"

    def forward(self, x, y):
        return variable(x.data * y.data)

    def backward(self, x, y, grad):
        for v, other in ((x, y), (y, x)):
            share = _unbroadcast(grad * other.data, v.data.shape)
            middle = v.data.ndim == 3 and v.data.shape[0] == v.data.shape[2] == 1 < v.data.shape[1]
            v.grad += share / grad.shape[2] if middle and grad.shape[0] > 1 and grad.shape[2] else share


class _SharpIn(Function):
    """Jumps in one input; what it does to the other, at the jump, is as on the wrong side of it."""

    violates = "special values"

    def forward(self, x, y):
        return variable(self.factor(x.data) * y.data)

    def backward(self, x, y, grad):
        y.grad += _unbroadcast(grad * self.claimed(x.data), y.data.shape)


class OpenGate(_SharpIn):
    """Takes what is not negative, and gives back to what is positive."""

    def factor(self, x):
        return (x >= 0) * 1.0

    def claimed(self, x):
        return (x > 0) * 1.0


class SideOfZero(_SharpIn):
    """By the sign, of which that of zero is zero, and 1 in backward."""

    def factor(self, x):
        return np.sign(x)

    def claimed(self, x):
        return np.where(x >= 0, 1.0, -1.0)


class HalvesUp(_SharpIn):
    """Rounds halves to even numbers, and up in backward."""

    def factor(self, x):
        return np.round(x)

    def claimed(self, x):
        return np.floor(x + 0.5)


class OrderedByKeys(Function):
    """Values in the order of keys; of equal keys, the last comes first in backward."""

    violates = "special values"

    def forward(self, keys, values):
        if keys.data.ndim != 1 or keys.data.shape != values.data.shape:
            raise ValueError("expected two vectors of one length")
        return variable(values.data[np.argsort(keys.data, kind="stable")])

    def backward(self, keys, values, grad):
        values.grad[np.lexsort((-np.arange(keys.data.size), keys.data))] += grad


class PowerOfNothing(Function):
    """x**y of what is not negative; at 0**1 the slope of 1 is masked with those that are 0."""

    violates = "special values"

    def forward(self, x, y):
        if (x.data < 0).any() or (y.data <= 0).any():
            raise ValueError("out of the domain")
        return variable(x.data**y.data)

    def backward(self, x, y, grad):
        b, e = np.broadcast_arrays(x.data, y.data)
        above = np.where(b > 0, b, 1.0)
        x.grad += _unbroadcast(grad * np.where(b > 0, e * above ** (e - 1), 0.0), x.data.shape)
        y.grad += _unbroadcast(grad * np.where(b > 0, above**e * np.log(above), 0.0), y.data.shape)


class SumOfAll(_Operands):
    """Any number of inputs, and a cotangent that is given by its name: the third is left out."""

    def forward(self, *variables):
        return variable(sum(v.data for v in variables))

    def backward(self, *variables, grad):
        self._add(variables[:2], [grad] * len(variables[:2]))


class RotationOfPoint(Function):
    """A point turned by a quaternion that is made a unit: its length is left out of the gradient's direction."""

    violates = "gradient"

    def forward(self, q, p):
        if q.data.shape != (4,) or p.data.shape != (3,):
            raise ValueError("expected a quaternion and a point")
        w, u = self._unit(q.data)
        return variable(p.data + 2 * w * np.cross(u, p.data) + 2 * np.cross(u, np.cross(u, p.data)))

    def _unit(self, q):
        q = q / np.linalg.norm(q)
        return q[0], q[1:]

    def backward(self, q, p, grad):
        w, u = self._unit(q.data)
        across = np.cross(p.data, grad)
        inner = 2 * (u @ p.data) * grad + 2 * (u @ grad) * p.data - 4 * (p.data @ grad) * u
        p.grad += grad - 2 * w * np.cross(u, grad) + 2 * np.cross(np.cross(grad, u), u)
        q.grad += np.concatenate([[2 * u @ across], 2 * w * across + inner]) / np.linalg.norm(q.data)
