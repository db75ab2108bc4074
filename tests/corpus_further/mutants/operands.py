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
