"""Right ops that look wrong: kinks, jumps, conventions, and honest ways to write a backward."""

import numpy as np
from scipy import special

from adverify import Function, variable


def unbroadcast(grad, shape):
    grad = grad.sum(axis=tuple(range(grad.ndim - len(shape))))
    return grad.sum(axis=tuple(i for i, n in enumerate(shape) if n == 1), keepdims=True)


class _Elementwise(Function):
    def forward(self, x):
        return variable(self.value(x.data))

    def backward(self, x, grad):
        x.grad += grad * self.slope(x.data)


class AbsoluteUpAtZero(_Elementwise):
    """The subgradient at 0 is 1."""

    def value(self, x):
        return np.abs(x)

    def slope(self, x):
        return np.where(x >= 0, 1.0, -1.0)


class ReluHalf(_Elementwise):
    """The subgradient at 0 is one half."""

    def value(self, x):
        return np.maximum(x, 0)

    def slope(self, x):
        return np.heaviside(x, 0.5)


class HardTanh(_Elementwise):
    """Kinks at -1 and 1, closed."""

    def value(self, x):
        return np.clip(x, -1, 1)

    def slope(self, x):
        return (np.abs(x) <= 1).astype(x.dtype)


class SoftShrink(_Elementwise):
    """Flat between -0.5 and 0.5."""

    def value(self, x):
        return np.sign(x) * np.maximum(np.abs(x) - 0.5, 0)

    def slope(self, x):
        return (np.abs(x) > 0.5).astype(x.dtype)


class Huber(_Elementwise):
    """Once differentiable at 1."""

    def value(self, x):
        return np.where(np.abs(x) <= 1, 0.5 * x**2, np.abs(x) - 0.5)

    def slope(self, x):
        return np.clip(x, -1, 1)


class Smoothstep(_Elementwise):
    """A cubic between 0 and 1."""

    def value(self, x):
        t = np.clip(x, 0, 1)
        return t * t * (3 - 2 * t)

    def slope(self, x):
        t = np.clip(x, 0, 1)
        return 6 * t * (1 - t)


class SignedSquare(_Elementwise):
    """x * |x|."""

    def value(self, x):
        return x * np.abs(x)

    def slope(self, x):
        return 2 * np.abs(x)


class Sinc(_Elementwise):
    """A removable singularity at 0."""

    def value(self, x):
        return np.sinc(x)

    def slope(self, x):
        small = np.abs(x) < 1e-3
        t = np.pi * np.where(small, 1, x)
        series = -(np.pi**2) * x / 3 + np.pi**4 * x**3 / 30
        return np.where(small, series, np.pi * (np.cos(t) / t - np.sin(t) / t / t))


class XLogX(_Elementwise):
    """0 at 0, with an infinite slope."""

    def value(self, x):
        return special.xlogy(x, x)

    def slope(self, x):
        return np.log(x) + 1


class Heaviside(_Elementwise):
    """A jump at 0."""

    def value(self, x):
        return np.heaviside(x, 0.5)

    def slope(self, x):
        return np.zeros_like(x)


class Round(_Elementwise):
    """Jumps at halves."""

    def value(self, x):
        return np.rint(x)

    def slope(self, x):
        return np.zeros_like(x)


class Sawtooth(_Elementwise):
    """x - floor(x): slope 1, with jumps at integers."""

    def value(self, x):
        return x - np.floor(x)

    def slope(self, x):
        return np.ones_like(x)


class Remainder(Function):
    """x mod y: jumps where x is a multiple of y."""

    def forward(self, x, y):
        return variable(np.remainder(x.data, y.data))

    def backward(self, x, y, grad):
        ones = np.ones(np.broadcast_shapes(x.data.shape, y.data.shape), grad.dtype)
        x.grad += unbroadcast(grad * ones, x.data.shape)
        y.grad -= unbroadcast(grad * np.floor(x.data / y.data), y.data.shape)


class MinimumFirst(Function):
    """The first input takes all of a tie."""

    def forward(self, x, y):
        return variable(np.minimum(x.data, y.data))

    def backward(self, x, y, grad):
        first = x.data <= y.data
        x.grad += unbroadcast(grad * first, x.data.shape)
        y.grad += unbroadcast(grad * ~first, y.data.shape)


class MaxFirst(Function):
    """Of tied elements the first takes all."""

    def forward(self, x):
        if x.data.ndim < 1:
            raise ValueError("at least a vector")
        return variable(x.data.max(axis=-1))

    def backward(self, x, grad):
        index = np.expand_dims(x.data.argmax(axis=-1), -1)
        share = np.zeros_like(x.data)
        np.put_along_axis(share, index, np.expand_dims(grad, -1), axis=-1)
        x.grad += share


class MinLast(Function):
    """Of tied elements the last takes all."""

    def forward(self, x):
        if x.data.ndim < 1:
            raise ValueError("at least a vector")
        return variable(x.data.min(axis=-1))

    def backward(self, x, grad):
        n = x.data.shape[-1]
        index = np.expand_dims(n - 1 - x.data[..., ::-1].argmin(axis=-1), -1)
        share = np.zeros_like(x.data)
        np.put_along_axis(share, index, np.expand_dims(grad, -1), axis=-1)
        x.grad += share


class Median(Function):
    """Of tied elements one takes all."""

    def forward(self, x):
        if x.data.ndim != 1 or x.data.size % 2 == 0:
            raise ValueError("a vector of odd length")
        return variable(np.median(x.data))

    def backward(self, x, grad):
        x.grad[np.argsort(x.data)[x.data.size // 2]] += grad


class PeakToPeak(Function):
    """max - min."""

    def forward(self, x):
        if x.data.ndim != 1 or x.data.size < 1:
            raise ValueError("a vector")
        return variable(np.ptp(x.data))

    def backward(self, x, grad):
        x.grad[x.data.argmax()] += grad
        x.grad[x.data.argmin()] -= grad


class SortDescending(Function):
    """A permutation that changes at ties."""

    def forward(self, x):
        if x.data.ndim < 1:
            raise ValueError("at least a vector")
        return variable(-np.sort(-x.data, axis=0))

    def backward(self, x, grad):
        share = np.empty_like(grad)
        np.put_along_axis(share, np.argsort(-x.data, axis=0, kind="stable"), grad, axis=0)
        x.grad += share


class CumulativeMaximum(Function):
    """The earliest of tied elements takes all."""

    def forward(self, x):
        if x.data.ndim != 1:
            raise ValueError("a vector")
        return variable(np.maximum.accumulate(x.data))

    def backward(self, x, grad):
        best = -1
        for i, value in enumerate(x.data):
            best = i if best < 0 or value > x.data[best] else best
            x.grad[best] += grad[i]


class MaxPool1d(Function):
    """Windows of two; the first of a tie takes all."""

    def forward(self, x):
        if x.data.ndim != 2 or x.data.shape[1] < 2:
            raise ValueError("rows of at least two")
        return variable(np.maximum(x.data[:, :-1], x.data[:, 1:]))

    def backward(self, x, grad):
        first = x.data[:, :-1] >= x.data[:, 1:]
        x.grad[:, :-1] += grad * first
        x.grad[:, 1:] += grad * ~first


class NormaliseGuarded(Function):
    """x / |x|, and 0 with gradient 0 at the origin, which is a jump."""

    def forward(self, x):
        if x.data.ndim != 1 or x.data.size < 2:
            raise ValueError("a vector of at least two")
        norm = np.linalg.norm(x.data)
        return variable(x.data / norm if norm > 0 else np.zeros_like(x.data))

    def backward(self, x, grad):
        norm = np.linalg.norm(x.data)
        if norm > 0:
            y = x.data / norm
            x.grad += (grad - y * (grad @ y)) / norm


class PairwiseDistance(Function):
    """0 is a subgradient where the points are the same."""

    def forward(self, x, y):
        if x.data.ndim != 2 or x.data.shape != y.data.shape:
            raise ValueError("two equal lists of points")
        return variable(np.linalg.norm(x.data - y.data, axis=1))

    def backward(self, x, y, grad):
        d = x.data - y.data
        norm = np.linalg.norm(d, axis=1, keepdims=True)
        share = grad[:, None] * d / np.where(norm > 0, norm, 1)
        x.grad += share
        y.grad -= share


class SecondInputIgnored(Function):
    """The second input does not matter, and gets nothing."""

    def forward(self, x, y):
        return variable(np.sin(x.data))

    def backward(self, x, y, grad):
        x.grad += grad * np.cos(x.data)


class ZeroTimesSecond(Function):
    """The second input does not matter, and gets zeros."""

    def forward(self, x, y):
        return variable(np.tanh(x.data) + 0 * y.data)

    def backward(self, x, y, grad):
        x.grad += unbroadcast(grad / np.cosh(np.clip(x.data, -300, 300)) ** 2, x.data.shape)
        y.grad += unbroadcast(0 * grad, y.data.shape)


class Shape(Function):
    """The output depends on the shape only."""

    def forward(self, x):
        return variable(float(x.data.size))

    def backward(self, x, grad):
        x.grad += 0


class Identity(Function):
    """Returns its input itself."""

    def forward(self, x):
        return x

    def backward(self, x, grad):
        x.grad += grad


class ViewOfInput(Function):
    """The output is a view on the input."""

    def forward(self, x):
        return variable(x.data.T[..., None])

    def backward(self, x, grad):
        x.grad += grad[..., 0].T


class AssignsSum(Function):
    """x.grad = x.grad + ..., with constants that are NumPy doubles."""

    def forward(self, x):
        return variable(np.sqrt(2) * x.data**2)

    def backward(self, x, grad):
        x.grad = x.grad + np.sqrt(2) * 2 * grad * x.data


class AddAtDiagonal(Function):
    """np.add.at on indices that repeat."""

    def forward(self, x):
        if x.data.ndim != 1 or x.data.size < 1:
            raise ValueError("a vector")
        return variable(x.data[np.arange(6) % x.data.size])

    def backward(self, x, grad):
        np.add.at(x.grad, np.arange(6) % x.data.size, grad)


class OwnCopyInPlace(Function):
    """In-place arithmetic, on copies of its own."""

    def forward(self, x):
        y = x.data.copy()
        y *= y
        y += 1
        return variable(y)

    def backward(self, x, grad):
        share = grad.copy()
        share *= 2
        share *= x.data
        x.grad += share


class RightMemory(Function):
    """A cache keyed by the values themselves."""

    def __init__(self):
        self.known = {}

    def _exp(self, x):
        key = (x.shape, x.dtype.str, x.tobytes())
        if key not in self.known:
            self.known[key] = np.exp(x)
        return self.known[key].copy()

    def forward(self, x):
        return variable(self._exp(x.data))

    def backward(self, x, grad):
        x.grad += grad * self._exp(x.data)


class RandomProjection(Function):
    """The constructor draws at random; each instance is a function all the same."""

    def __init__(self):
        self.weight = np.random.default_rng().normal(size=3)

    def forward(self, x):
        if x.data.ndim != 1:
            raise ValueError("a vector")
        return variable(np.outer(x.data, self.weight))

    def backward(self, x, grad):
        x.grad += grad @ self.weight


class PrintsAndWarns(_Elementwise):
    """Talks, and turns NumPy's errors into exceptions for others."""

    def value(self, x):
        print("computing")
        np.seterr(all="ignore")
        return np.exp(-(x**2))

    def slope(self, x):
        import warnings

        warnings.warn("slope", stacklevel=1)
        return -2 * x * np.exp(-(x**2))


class Stack(Function):
    """Any number of inputs."""

    def forward(self, *xs):
        return variable(np.stack([x.data for x in xs]))

    def backward(self, *xs_and_grad):
        *xs, grad = xs_and_grad
        for x, g in zip(xs, grad, strict=True):
            x.grad += g


class OptionalBias(Function):
    """An optional second input."""

    def forward(self, x, bias=None):
        if x.data.ndim != 2 or (bias is not None and bias.data.shape != x.data.shape[1:]):
            raise ValueError("x (n, k) and bias (k,)")
        return variable(np.tanh(x.data if bias is None else x.data + bias.data))

    def backward(self, x, *rest):
        *bias, grad = rest
        y = np.tanh(x.data if not bias else x.data + bias[0].data)
        share = grad * (1 - y) * (1 + y)
        x.grad += share
        for b in bias:
            b.grad += share.sum(axis=0)


class LinearLayer(Function):
    """x (n, k), weight (m, k), bias (m,)."""

    def forward(self, x, weight, bias):
        if x.data.ndim != 2 or weight.data.ndim != 2 or bias.data.ndim != 1:
            raise ValueError("x (n, k), weight (m, k), bias (m,)")
        if bias.data.shape != weight.data.shape[:1]:
            raise ValueError("a bias per row of the weight")
        return variable(x.data @ weight.data.T + bias.data)

    def backward(self, x, weight, bias, grad):
        x.grad += grad @ weight.data
        weight.grad += grad.T @ x.data
        bias.grad += grad.sum(axis=0)


class Attention(Function):
    """Scaled dot-product attention of one head."""

    def _weights(self, q, k):
        return special.softmax(q @ k.T / np.sqrt(q.shape[1]), axis=1)

    def forward(self, q, k, v):
        if not q.data.ndim == k.data.ndim == v.data.ndim == 2 or 0 in k.data.shape or 0 in q.data.shape:
            raise ValueError("three matrices")
        if len(k.data) != len(v.data) or q.data.shape[1] != k.data.shape[1]:
            raise ValueError("q (n, d), k (m, d), v (m, e)")
        return variable(self._weights(q.data, k.data) @ v.data)

    def backward(self, q, k, v, grad):
        w = self._weights(q.data, k.data)
        share = grad @ v.data.T
        share = w * (share - (share * w).sum(axis=1, keepdims=True)) / np.sqrt(q.data.shape[1])
        v.grad += w.T @ grad
        q.grad += share @ k.data
        k.grad += share.T @ q.data


class EvenLengthHaar(Function):
    """Vectors of even length only."""

    def forward(self, x):
        if x.data.ndim != 1 or x.data.size % 2:
            raise ValueError("a vector of even length")
        pairs = x.data.reshape(-1, 2)
        return variable(np.stack([pairs.sum(axis=1), pairs[:, 0] - pairs[:, 1]]))

    def backward(self, x, grad):
        x.grad += np.stack([grad[0] + grad[1], grad[0] - grad[1]], axis=1).reshape(-1)


class SecondDifference(Function):
    """At least three elements."""

    def forward(self, x):
        if x.data.ndim != 1 or x.data.size < 3:
            raise ValueError("a vector of at least three")
        return variable(np.diff(x.data, 2))

    def backward(self, x, grad):
        x.grad[2:] += grad
        x.grad[1:-1] -= 2 * grad
        x.grad[:-2] += grad


class EntropyOfSoftmax(Function):
    """A last-axis op, stable for large logits."""

    def forward(self, x):
        if x.data.ndim < 1 or x.data.shape[-1] < 1:
            raise ValueError("at least one logit")
        return variable(special.entr(special.softmax(x.data, axis=-1)).sum(axis=-1))

    def backward(self, x, grad):
        p, logp = special.softmax(x.data, axis=-1), special.log_softmax(x.data, axis=-1)
        entropy = special.entr(p).sum(axis=-1, keepdims=True)
        x.grad -= np.expand_dims(grad, -1) * p * (np.maximum(logp, -1e300) + entropy)


class GroupedMean(Function):
    """Several outputs: the mean, and the deviations from it."""

    def forward(self, x):
        if x.data.ndim != 1 or x.data.size < 1:
            raise ValueError("a vector")
        return variable(x.data.mean()), variable(x.data - x.data.mean())

    def backward(self, x, grad):
        mean, deviation = grad
        x.grad += mean / x.data.size + deviation - deviation.mean()
