"""Parameters kept as rows and columns, outputs that mix elements at some inputs only, and forwards left unfinished."""

import numpy as np

from adverify import Function, variable


class RowShift(Function):
    """x + b for a row b, which has an axis of length 1 in every shape."""

    def forward(self, x, b):
        if x.data.ndim != 2 or b.data.shape != (1, x.data.shape[1]):
            raise ValueError("a matrix and a row")
        return variable(x.data + b.data)

    def backward(self, x, b, grad):
        x.grad += grad
        b.grad += grad.sum(axis=0, keepdims=True)


class ChannelGains(Function):
    """One gain for each channel of images, whose other axes are all of length 1."""

    def forward(self, x, gain):
        if x.data.ndim != 4 or gain.data.shape != (1, x.data.shape[1], 1, 1):
            raise ValueError("images and one gain for each channel")
        return variable(x.data * gain.data)

    def backward(self, x, gain, grad):
        x.grad += grad * gain.data
        gain.grad += (grad * x.data).sum(axis=(0, 2, 3), keepdims=True)


class RunningMaximum(Function):
    """Of equal elements the first takes all."""

    def forward(self, x):
        if x.data.ndim != 1:
            raise ValueError("vectors only")
        return variable(np.maximum.accumulate(x.data))

    def backward(self, x, grad):
        best = 0
        for i, g in enumerate(grad):
            best = i if x.data[i] > x.data[best] else best
            x.grad[best] += g


class LimitedByTheLast(Function):
    """min(x, 5 + |x[-1]|): at most inputs each output depends on its own element only."""

    def forward(self, x):
        if x.data.ndim != 1 or x.data.size < 2:
            raise ValueError("vectors of two and more only")
        return variable(np.minimum(x.data, 5 + np.abs(x.data[-1])))

    def backward(self, x, grad):
        inside = x.data <= 5 + np.abs(x.data[-1])
        x.grad += grad * inside
        x.grad[-1] += grad[~inside].sum() * np.sign(x.data[-1])


class MiddleOfThree(Function):
    """The median of rows of three; of equal elements the one that a stable sort puts in the middle takes all."""

    def forward(self, x):
        if x.data.ndim != 2 or x.data.shape[1] != 3:
            raise ValueError("rows of three only")
        return variable(np.median(x.data, axis=1))

    def backward(self, x, grad):
        middle = np.argsort(x.data, axis=1, kind="stable")[:, 1:2]
        np.put_along_axis(x.grad, middle, np.take_along_axis(x.grad, middle, 1) + grad[:, None], 1)


class UnfinishedFixedPoint(Function):
    """y = sin(y) / 3 + x, iterated until no element changes by 1e-7; the gradient is that of the limit."""

    def forward(self, x):
        y = np.zeros_like(x.data)
        for _ in range(60):
            y, before = np.sin(y) / 3 + x.data, y
            if np.abs(y - before).max(initial=0.0) < 1e-7:
                break
        return variable(y)

    def backward(self, x, grad):
        x.grad += grad / (1 - np.cos(self.forward(x).data) / 3)


class DampedLeastSquares(Function):
    """Solves a system as large as an axis, so that points joined along it take very long."""

    def forward(self, x):
        if x.data.ndim != 2:
            raise ValueError("matrices only")
        n = x.data.shape[1]
        return variable(np.linalg.solve(x.data.T @ x.data + 2 * np.eye(n), np.arange(1.0, n + 1)))

    def backward(self, x, grad):
        n = x.data.shape[1]
        inverse = np.linalg.inv(x.data.T @ x.data + 2 * np.eye(n))
        u, v = inverse @ grad, inverse @ np.arange(1.0, n + 1)
        x.grad -= x.data @ (np.outer(u, v) + np.outer(v, u))


class InterpolationBetweenKnots(Function):
    """Values at x between those at knots that increase; beyond the ends, those at the ends."""

    def forward(self, x, knots, values):
        if knots.data.ndim != 1 or knots.data.shape != values.data.shape or knots.data.size < 2:
            raise ValueError("expected as many values as knots, two or more")
        if not (np.diff(knots.data) > 0).all():
            raise ValueError("knots must increase")
        return variable(np.interp(x.data, knots.data, values.data))

    def backward(self, x, knots, values, grad):
        k = np.clip(np.searchsorted(knots.data, x.data, side="right") - 1, 0, knots.data.size - 2)
        width = np.diff(knots.data)[k]
        slope = np.diff(values.data)[k] / width
        t = (x.data - knots.data[k]) / width
        inner = grad * ((t >= 0) & (t <= 1))
        t = np.clip(t, 0, 1)
        x.grad += inner * slope
        np.add.at(values.grad, k, grad * (1 - t))
        np.add.at(values.grad, k + 1, grad * t)
        np.add.at(knots.grad, k, -inner * slope * (1 - t))
        np.add.at(knots.grad, k + 1, -inner * slope * t)


class LogSpacings(Function):
    """The logarithms of the steps between times that increase."""

    def forward(self, times):
        if times.data.ndim < 1 or times.data.shape[-1] < 2 or not (np.diff(times.data) > 0).all():
            raise ValueError("times must increase")
        return variable(np.log(np.diff(times.data)))

    def backward(self, times, grad):
        share = grad / np.diff(times.data)
        times.grad[..., 1:] += share
        times.grad[..., :-1] -= share
