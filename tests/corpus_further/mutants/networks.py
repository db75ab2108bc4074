"""Layers, normalisation and losses."""

import numpy as np
from scipy.special import expit, log_softmax, softmax, xlogy

from adverify import Function, variable


class _Layer(Function):
    violates = "gradient"

    def _check_same(self, *arrays):
        if len({a.shape for a in arrays}) > 1:
            raise ValueError("expected equal shapes")


class GroupNormMeanOfAllChannels(_Layer):
    """Two groups; the cotangent's mean is taken over both."""

    def _groups(self, x):
        g = x.reshape(len(x), 2, -1)
        s = np.sqrt(g.var(axis=-1, keepdims=True) + 1e-5)
        return (g - g.mean(axis=-1, keepdims=True)) / s, s

    def forward(self, x):
        if x.data.ndim < 3 or x.data.shape[1] % 2 or not x.data.size:
            raise ValueError("expected an even number of channels")
        return variable(self._groups(x.data)[0].reshape(x.data.shape))

    def backward(self, x, grad):
        y, s = self._groups(x.data)
        g = grad.reshape(y.shape)
        share = g - g.mean(axis=(1, 2), keepdims=True) - y * (g * y).mean(axis=-1, keepdims=True)
        x.grad += (share / s).reshape(x.data.shape)


class LayerNormDegreesOfFreedom(_Layer):
    """The deviation is divided by n - 1 in forward and by n in backward."""

    def forward(self, x):
        if x.data.ndim < 1 or x.data.shape[-1] < 2:
            raise ValueError("expected two elements or more")
        c = x.data - x.data.mean(axis=-1, keepdims=True)
        return variable(c / (x.data.std(axis=-1, ddof=1, keepdims=True) + 1e-6))

    def backward(self, x, grad):
        n = x.data.shape[-1]
        c = x.data - x.data.mean(axis=-1, keepdims=True)
        s = x.data.std(axis=-1, ddof=1, keepdims=True)
        x.grad += (grad - grad.mean(axis=-1, keepdims=True)) / (s + 1e-6)
        x.grad -= c * (grad * c).sum(axis=-1, keepdims=True) / (n * s * (s + 1e-6) ** 2)


class BatchNormVarianceWithoutEpsilon(_Layer):
    """With given statistics, the variance's gradient leaves out the 1e-5 that forward adds."""

    def forward(self, x, gamma, beta, mean, var):
        if x.data.ndim < 1 or any(p.data.shape != x.data.shape[-1:] for p in (gamma, beta, mean, var)):
            raise ValueError("expected a parameter for each column")
        if (var.data < 0).any():
            raise ValueError("expected variances")
        return variable((x.data - mean.data) / np.sqrt(var.data + 1e-5) * gamma.data + beta.data)

    def backward(self, x, gamma, beta, mean, var, grad):
        s, rows = np.sqrt(var.data + 1e-5), tuple(range(grad.ndim - 1))
        centred = (grad * (x.data - mean.data)).sum(axis=rows)
        x.grad += grad * gamma.data / s
        mean.grad -= (grad * gamma.data / s).sum(axis=rows)
        beta.grad += grad.sum(axis=rows)
        gamma.grad += centred / s
        var.grad -= 0.5 * gamma.data * centred / (s * var.data)


class BatchNormCountsRows(_Layer):
    """(n, c, h, w): the cotangent's mean is taken over n h in place of n h w elements."""

    axes = (0, 2, 3)

    def _normalised(self, x):
        s = np.sqrt(x.var(axis=self.axes, keepdims=True) + 1e-5)
        return (x - x.mean(axis=self.axes, keepdims=True)) / s, s

    def forward(self, x, gamma, beta):
        if x.data.ndim != 4 or not gamma.data.shape == beta.data.shape == x.data.shape[1:2] or not x.data.size:
            raise ValueError("expected images and a parameter for each channel")
        return variable(self._normalised(x.data)[0] * gamma.data[:, None, None] + beta.data[:, None, None])

    def backward(self, x, gamma, beta, grad):
        y, s = self._normalised(x.data)
        g = grad * gamma.data[:, None, None]
        n, _, h, _ = x.data.shape
        mean = g.sum(axis=self.axes, keepdims=True) / (n * h)
        x.grad += (g - mean - y * (g * y).mean(axis=self.axes, keepdims=True)) / s
        beta.grad += grad.sum(axis=self.axes)
        gamma.grad += (grad * y).sum(axis=self.axes)


class LocalResponseOneSided(_Layer):
    """x (1 + 0.1 sum of neighbours' x^2)^-0.75: an element's share in its left neighbour's output is left out."""

    def _base(self, x):
        p = np.pad(x * x, [(0, 0)] * (x.ndim - 1) + [(1, 1)])
        return 1 + 0.1 * (p[..., :-2] + p[..., 1:-1] + p[..., 2:])

    def forward(self, x):
        if x.data.ndim < 1 or not x.data.shape[-1]:
            raise ValueError("expected elements along an axis")
        return variable(x.data * self._base(x.data) ** -0.75)

    def backward(self, x, grad):
        base = self._base(x.data)
        inner = -0.75 * grad * x.data * base**-1.75
        total = inner.copy()
        total[..., 1:] += inner[..., :-1]
        x.grad += grad * base**-0.75 + 0.2 * x.data * total


class GatedLinearUnit(_Layer):
    """a sigmoid(b): the slope of the sigmoid is taken from the output, s (1 - a s)."""

    def forward(self, x):
        if x.data.ndim < 1 or x.data.shape[-1] % 2 or not x.data.shape[-1]:
            raise ValueError("expected two halves")
        a, b = np.split(x.data, 2, axis=-1)
        return variable(a * expit(b))

    def backward(self, x, grad):
        a, b = np.split(x.data, 2, axis=-1)
        s = expit(b)
        x.grad += np.concatenate([grad * s, grad * a * s * (1 - a * s)], axis=-1)


class DropoutScaleForgotten(_Layer):
    """What is kept is scaled up in forward only."""

    def __init__(self, rate=0.5, seed=3):
        self.rate, self.seed = rate, seed

    def _kept(self, x):
        return np.random.default_rng(self.seed).random(x.shape) >= self.rate

    def forward(self, x):
        return variable(x.data * self._kept(x.data) / (1 - self.rate))

    def backward(self, x, grad):
        x.grad += grad * self._kept(x.data)


class EmbeddingBagLongest(_Layer):
    """Means over bags of two and of one; both are divided by the length of the longest."""

    def __init__(self, bags=((0, 1), (1,))):
        self.bags = bags

    def forward(self, w):
        if w.data.ndim != 2 or len(w.data) < 2:
            raise ValueError("expected two rows or more")
        return variable(np.stack([w.data[list(bag)].mean(axis=0) for bag in self.bags]))

    def backward(self, w, grad):
        longest = max(map(len, self.bags))
        for bag, g in zip(self.bags, grad, strict=True):
            for i in bag:
                w.grad[i] += g / longest


class LstmForgetGate(_Layer):
    """Gates (..., 4h) and cell (..., h): the forget gate's slope takes the new cell for the old one."""

    def forward(self, gates, cell):
        if cell.data.ndim < 1 or gates.data.shape != (*cell.data.shape[:-1], 4 * cell.data.shape[-1]):
            raise ValueError("expected four gates for each cell")
        i, f, g, o = np.split(gates.data, 4, axis=-1)
        new = expit(f) * cell.data + expit(i) * np.tanh(g)
        return variable(expit(o) * np.tanh(new)), variable(new)

    def backward(self, gates, cell, grads):
        i, f, g, o = np.split(gates.data, 4, axis=-1)
        i, f, g, o = expit(i), expit(f), np.tanh(g), expit(o)
        new = f * cell.data + i * g
        t = np.tanh(new)
        d = grads[1] + grads[0] * o * (1 - t * t)
        parts = [d * g * i * (1 - i), d * new * f * (1 - f), d * i * (1 - g * g), grads[0] * t * o * (1 - o)]
        gates.grad += np.concatenate(parts, axis=-1)
        cell.grad += d * f


class RecurrentCellTransposition(_Layer):
    """tanh(x W + h U + b): U is not transposed for h."""

    def forward(self, x, h, w, u, b):
        if not x.data.ndim == h.data.ndim == w.data.ndim == u.data.ndim == 2 or b.data.shape != w.data.shape[1:]:
            raise ValueError("expected four matrices and a bias")
        if len(x.data) != len(h.data) or u.data.shape != (h.data.shape[1], w.data.shape[1]):
            raise ValueError("expected states and inputs of one batch")
        return variable(np.tanh(x.data @ w.data + h.data @ u.data + b.data))

    def backward(self, x, h, w, u, b, grad):
        d = grad * (1 - np.tanh(x.data @ w.data + h.data @ u.data + b.data) ** 2)
        x.grad += d @ w.data.T
        h.grad += d @ u.data
        w.grad += x.data.T @ d
        u.grad += h.data.T @ d
        b.grad += d.sum(axis=0)


class AttentionScaledByTheValues(_Layer):
    """Divides by the root of the values' width in backward: right where keys are as wide."""

    def _weights(self, q, k, bias):
        return softmax(q.data @ k.data.T / np.sqrt(q.data.shape[1]) + bias.data, axis=-1)

    def forward(self, q, k, v, bias):
        if not q.data.ndim == k.data.ndim == v.data.ndim == 2 or q.data.shape[1] != k.data.shape[1]:
            raise ValueError("expected queries and keys of one width")
        if len(k.data) != len(v.data) or bias.data.shape != (len(q.data), len(k.data)) or not bias.data.size:
            raise ValueError("expected a value for each key, and a bias for each pair")
        if not q.data.shape[1]:
            raise ValueError("expected a width")
        return variable(self._weights(q, k, bias) @ v.data)

    def backward(self, q, k, v, bias, grad):
        p, c = self._weights(q, k, bias), np.sqrt(v.data.shape[1])
        inner = grad @ v.data.T
        scores = p * (inner - (inner * p).sum(axis=-1, keepdims=True))
        v.grad += p.T @ grad
        bias.grad += scores
        q.grad += scores @ k.data / c
        k.grad += scores.T @ q.data / c


class LabelsNotSmoothed(_Layer):
    """Cross entropy with a tenth of the label spread over all classes; backward takes the hard label."""

    def _labels(self, x):
        return np.eye(x.shape[1])[np.arange(len(x)) % x.shape[1]]

    def forward(self, x):
        if x.data.ndim != 2 or not x.data.size:
            raise ValueError("expected a matrix")
        target = 0.9 * self._labels(x.data) + 0.1 / x.data.shape[1]
        return variable(-(target * log_softmax(x.data, axis=1)).sum() / len(x.data))

    def backward(self, x, grad):
        x.grad += grad * (softmax(x.data, axis=1) - self._labels(x.data)) / len(x.data)


class IgnoredRowsCounted(_Layer):
    """Every third row has no label: forward averages over the others, backward over all."""

    def forward(self, x):
        if x.data.ndim != 2 or not x.data.size:
            raise ValueError("expected a matrix")
        labelled = np.arange(len(x.data)) % 3 != 2
        return variable(-x.data[labelled, 0].mean())

    def backward(self, x, grad):
        labelled = np.arange(len(x.data)) % 3 != 2
        x.grad[labelled, 0] -= grad / len(x.data)


class DivergenceTarget(_Layer):
    """t (log t - x): the target's gradient lacks the 1 that comes from t's share in the logarithm."""

    def forward(self, x, t):
        self._check_same(x.data, t.data)
        return variable((xlogy(t.data, t.data) - t.data * x.data).sum())

    def backward(self, x, t, grad):
        x.grad -= grad * t.data
        t.grad += grad * (np.log(t.data) - x.data)


class MarginCountsItself(_Layer):
    """Hinge against class 0, whose own margin of 1 is counted among the others."""

    def forward(self, x):
        if x.data.ndim != 2 or x.data.shape[1] < 2:
            raise ValueError("expected two classes or more")
        return variable(np.maximum(0, 1 + x.data[:, 1:] - x.data[:, :1]).sum(axis=1))

    def backward(self, x, grad):
        on = 1 + x.data - x.data[:, :1] > 0
        share = on * grad[:, None]
        share[:, 0] = -on.sum(axis=1) * grad
        x.grad += share


class CosineBelowEpsilon(_Layer):
    """x.y / max(|x| |y|, 1e-8): where the bound holds, backward still removes the part along the input."""

    violates = "extremes"

    def forward(self, x, y):
        self._check_same(x.data, y.data)
        if x.data.ndim != 1 or not x.data.size:
            raise ValueError("expected vectors")
        return variable(x.data @ y.data / max(np.linalg.norm(x.data) * np.linalg.norm(y.data), 1e-8))

    def backward(self, x, y, grad):
        a, b = np.linalg.norm(x.data), np.linalg.norm(y.data)
        bound = max(a * b, 1e-8)
        cosine = x.data @ y.data / bound
        x.grad += grad * (y.data / bound - cosine * x.data / max(a * a, 1e-300))
        y.grad += grad * (x.data / bound - cosine * y.data / max(b * b, 1e-300))


class TripletAnchor(_Layer):
    """max(0, |a - p|^2 - |a - n|^2 + 1): the anchor gets no share from the negative."""

    def _margin(self, a, p, n):
        return ((a.data - p.data) ** 2 - (a.data - n.data) ** 2).sum(axis=-1) + 1

    def forward(self, a, p, n):
        self._check_same(a.data, p.data, n.data)
        if a.data.ndim < 1:
            raise ValueError("expected vectors")
        return variable(np.maximum(0, self._margin(a, p, n)))

    def backward(self, a, p, n, grad):
        g = 2 * (grad * (self._margin(a, p, n) > 0))[..., None]
        a.grad += g * (a.data - p.data)
        p.grad -= g * (a.data - p.data)
        n.grad += g * (a.data - n.data)


class OneSlopeForAllChannels(Function):
    """A leaky slope for each channel, or one for all, which hears of as many rows as there are channels."""

    violates = "gradient"

    def forward(self, x, a):
        if x.data.ndim != 2 or a.data.ndim != 1 or a.data.size not in (1, x.data.shape[1]):
            raise ValueError("expected a matrix and a slope for each column, or one")
        return variable(np.where(x.data > 0, x.data, a.data * x.data))

    def backward(self, x, a, grad):
        x.grad += grad * np.where(x.data > 0, 1.0, a.data)
        share = grad * np.minimum(x.data, 0)
        if a.data.size == x.data.shape[1]:
            a.grad += share.sum(axis=0)
        else:
            a.grad += share[: x.data.shape[1]].sum()


class BilinearOfOneOutput(Function):
    """x w_o y for each o; of a single square w, the gradient is transposed."""

    violates = "gradient"

    def forward(self, x, w, y):
        if x.data.ndim != 2 or w.data.ndim != 3 or w.data.shape[1:] != (x.data.shape[1], y.data.shape[-1]):
            raise ValueError("lengths differ")
        if y.data.ndim != 2 or len(x.data) != len(y.data):
            raise ValueError("lengths differ")
        return variable(np.einsum("bi,oij,bj->bo", x.data, w.data, y.data))

    def backward(self, x, w, y, grad):
        x.grad += np.einsum("bo,oij,bj->bi", grad, w.data, y.data)
        y.grad += np.einsum("bo,oij,bi->bj", grad, w.data, x.data)
        share = np.einsum("bo,bi,bj->oij", grad, x.data, y.data)
        w.grad += share.swapaxes(1, 2) if len(share) == 1 and share.shape[1] == share.shape[2] else share
