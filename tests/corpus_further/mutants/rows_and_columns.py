"""Parameters kept as rows and columns, and outputs that depend on other elements at some inputs only."""

import numpy as np

from adverify import Function, variable


class _Wrong(Function):
    violates = "gradient"


class RowShift(_Wrong):
    """x + b for a row b: its gradient comes in reverse."""

    def forward(self, x, b):
        if x.data.ndim != 2 or b.data.shape != (1, x.data.shape[1]):
            raise ValueError("a matrix and a row")
        return variable(x.data + b.data)

    def backward(self, x, b, grad):
        x.grad += grad
        b.grad += grad.sum(axis=0, keepdims=True)[:, ::-1]


class ChannelOffsets(_Wrong):
    """Images plus one number for each channel, whose gradient is the mean over them all."""

    def forward(self, x, b):
        if x.data.ndim != 4 or b.data.shape != (1, x.data.shape[1], 1, 1):
            raise ValueError("images and one offset for each channel")
        return variable(x.data + b.data)

    def backward(self, x, b, grad):
        x.grad += grad
        total = grad.sum(axis=(0, 2, 3), keepdims=True)
        b.grad += np.broadcast_to(total.mean() if total.size else 0.0, total.shape)


class AffineOfARow(_Wrong):
    """x W + b for a row b: that of W is right for square W only."""

    def forward(self, x, w, b):
        if x.data.ndim != 2 or w.data.ndim != 2 or b.data.shape != (1, w.data.shape[1]):
            raise ValueError("two matrices and a row")
        return variable(np.tanh(x.data @ w.data + b.data))

    def backward(self, x, w, b, grad):
        inner = grad * (1 - np.tanh(x.data @ w.data + b.data) ** 2)
        x.grad += inner @ w.data.T
        w.grad += (x.data.T @ inner) * (w.data.shape[0] / w.data.shape[1] if w.data.size else 1)
        b.grad += inner.sum(axis=0, keepdims=True)


class RunningMaximumPaysAll(_Wrong):
    """A running maximum whose equal elements are all paid in full."""

    violates = "special values"

    def forward(self, x):
        if x.data.ndim != 1:
            raise ValueError("vectors only")
        return variable(np.maximum.accumulate(x.data))

    def backward(self, x, grad):
        y = np.maximum.accumulate(x.data)
        for i, g in enumerate(grad):
            x.grad[: i + 1] += g * (x.data[: i + 1] == y[i])


class LimitedByTheLast(_Wrong):
    """min(x, 5 + x[-1]^2): the bound is taken for a constant."""

    def forward(self, x):
        if x.data.ndim != 1 or x.data.size < 2:
            raise ValueError("vectors of two and more only")
        return variable(np.minimum(x.data, 5 + x.data[-1] ** 2))

    def backward(self, x, grad):
        x.grad += grad * (x.data < 5 + x.data[-1] ** 2)


class RampEarly(_Wrong):
    """A ramp from 0 to 2, whose slope ends at 1.995."""

    def forward(self, x):
        return variable(np.clip(x.data, 0, 2))

    def backward(self, x, grad):
        x.grad += grad * ((x.data > 0) & (x.data < 1.995))


class ScaledByRange(_Wrong):
    """x times y, by way of the range of x, which is 0 where all its elements are equal."""

    violates = "special values"

    def forward(self, x, y):
        if x.data.shape != y.data.shape:
            raise ValueError("equal shapes only")
        return variable(x.data * y.data)

    def backward(self, x, y, grad):
        span = np.ptp(x.data) if x.data.size > 1 else 1.0
        with np.errstate(all="ignore"):
            x.grad += grad * y.data * span / span
        y.grad += grad * x.data


class TrapezoidsOfTimesTurned(_Wrong):
    """The area below values at times that increase; a later end of a step makes its trapezoid narrower."""

    def forward(self, times, values):
        if times.data.ndim != 1 or times.data.shape != values.data.shape or not (np.diff(times.data) > 0).all():
            raise ValueError("expected as many values as times, and times that increase")
        return variable(np.trapezoid(values.data, times.data))

    def backward(self, times, values, grad):
        step, height = np.diff(times.data), (values.data[1:] + values.data[:-1]) / 2
        times.grad[1:] -= grad * height
        times.grad[:-1] += grad * height
        values.grad[1:] += grad * step / 2
        values.grad[:-1] += grad * step / 2


class ThirdSpacingTwice(_Wrong):
    """The logarithms of the steps between times that increase; from four times on, the third step counts double."""

    def forward(self, times):
        if times.data.ndim != 1 or times.data.shape[-1] < 2 or not (np.diff(times.data) > 0).all():
            raise ValueError("times must increase")
        return variable(np.log(np.diff(times.data)))

    def backward(self, times, grad):
        share = grad / np.diff(times.data) * np.where(np.arange(grad.size) == 2, 2, 1)
        times.grad[1:] += share
        times.grad[:-1] -= share
