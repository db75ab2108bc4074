"""Right ops that do unusual things: fixed sizes, memories that do no harm, dtypes, ways to write a gradient."""

from typing import ClassVar

import numpy as np

from adverify import Function, variable


class TwelveFeatures(Function):
    """A layer of fixed weights that takes rows of twelve only."""

    def __init__(self):
        self.weights = np.cos(np.arange(36.0)).reshape(12, 3)

    def forward(self, x):
        return variable(np.tanh(x.data @ self.weights))

    def backward(self, x, grad):
        e = np.exp(-2 * np.abs(x.data @ self.weights))
        x.grad += (grad * 4 * e / (1 + e) ** 2) @ self.weights.T


class SixteenPixels(Function):
    """Flattens whatever it gets to rows of sixteen."""

    def forward(self, x):
        return variable(x.data.reshape(-1, 16) ** 2)

    def backward(self, x, grad):
        x.grad += 2 * x.data * grad.reshape(x.data.shape)


class PoolsPairsOfImages(Function):
    """Takes three axes, the last of even length."""

    def forward(self, x):
        if x.data.ndim != 3 or x.data.shape[2] % 2:
            raise ValueError("expected three axes, the last of even length")
        return variable(0.5 * (x.data[..., ::2] + x.data[..., 1::2]))

    def backward(self, x, grad):
        x.grad[..., ::2] += 0.5 * grad
        x.grad[..., 1::2] += 0.5 * grad


class SmoothNormOverAxes(Function):
    """sqrt(1 + sum x^2) over any axes, kept or not."""

    arguments: ClassVar = {"axis": [None, 0, -1, (0, -1)], "keepdims": [False, True]}

    def __init__(self, axis=None, keepdims=False):
        self.axis, self.keepdims = axis, keepdims

    def forward(self, x):
        if x.data.ndim < 2:
            raise ValueError("expected two axes or more")
        return variable(np.sqrt(1 + (x.data**2).sum(axis=self.axis, keepdims=self.keepdims)))

    def backward(self, x, grad):
        r = np.sqrt(1 + (x.data**2).sum(axis=self.axis, keepdims=True))
        x.grad += np.reshape(grad, r.shape) * x.data / r


class FindsItsOwnCall(Function):
    """Keeps a stack of all calls, and looks for its input in it: right in any order."""

    def __init__(self):
        self.calls = []

    def forward(self, x):
        self.calls.append((x, np.array(x.data)))
        return variable(np.sin(x.data))

    def backward(self, x, grad):
        kept = next(data for v, data in reversed(self.calls) if v is x)
        x.grad += grad * np.cos(kept)


class ConstantsMadeOnce(Function):
    """Makes a matrix on first use of a size, and keeps it for all instances; it depends on the size alone."""

    tables: ClassVar = {}

    def _table(self, n):
        if n not in self.tables:
            self.tables[n] = np.vander(np.linspace(0, 1, n), n) if n else np.zeros((0, 0))
        return self.tables[n]

    def forward(self, x):
        if x.data.ndim != 1:
            raise ValueError("expected a vector")
        return variable(self._table(x.data.size) @ x.data)

    def backward(self, x, grad):
        x.grad += self._table(x.data.size).T @ grad


class WritesThroughTheGradient(Function):
    """Assigns the sum element by element into the array that is there."""

    def forward(self, x):
        return variable(x.data**2)

    def backward(self, x, grad):
        x.grad[...] = x.grad + 2 * grad * x.data


class KeepsStatistics(Function):
    """Counts its calls and remembers the last input, which nothing reads."""

    def __init__(self):
        self.calls, self.last = 0, None

    def forward(self, x):
        self.calls += 1
        self.last = x.data
        return variable(np.cos(x.data))

    def backward(self, x, grad):
        self.calls += 1
        x.grad -= grad * np.sin(x.data)


class CheckedCacheOnTheInput(Function):
    """Leaves exp(x) on the Variable, with what it was made of, and believes it only if that is still the same."""

    def forward(self, x):
        x.kept = (np.array(x.data), np.exp(x.data))
        return variable(x.kept[1].copy())

    def backward(self, x, grad):
        data, value = getattr(x, "kept", (None, None))
        x.grad += grad * (value if data is not None and np.array_equal(data, x.data) else np.exp(x.data))


class AverageOverFixedNoise(Function):
    """A Monte Carlo mean of max(x + r, 0) whose random numbers are the same in each call: 32 small kinks."""

    def _noise(self):
        return np.random.default_rng(3).normal(size=32)

    def forward(self, x):
        return variable(np.maximum(x.data[..., None] + self._noise(), 0).mean(axis=-1))

    def backward(self, x, grad):
        x.grad += grad * (x.data[..., None] + self._noise() > 0).mean(axis=-1)


class DoublesOnly(Function):
    """Refuses float32."""

    def forward(self, x):
        if x.data.dtype != np.float64:
            raise TypeError("expected float64")
        return variable(np.sin(x.data))

    def backward(self, x, grad):
        x.grad += grad * np.cos(x.data)


class SingleOutput(Function):
    """Rounds its output to float32; the gradient is computed in double."""

    def forward(self, x):
        return variable(np.sin(x.data).astype(np.float32))

    def backward(self, x, grad):
        x.grad += grad.astype(np.float64) * np.cos(x.data)
