"""Layers and losses."""

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from adverify import Function, variable


class LogSoftmaxSumOfAll(Function):
    """Sums the cotangent over every axis, not over the classes."""

    violates = "gradient"
    witness = ([[1.0, 2.0], [0.0, 1.0]],)

    def forward(self, x):
        if x.data.ndim == 0:
            raise ValueError("expected an axis of classes")
        return variable(_log_softmax(x.data))

    def backward(self, x, grad):
        x.grad += grad - np.exp(_log_softmax(x.data)) * grad.sum()


class CrossEntropyNotAveraged(Function):
    """Forward takes the mean of the losses, backward their sum."""

    violates = "gradient"
    witness = ([[1.0, 2.0], [0.0, 1.0]],)

    def forward(self, x):
        if x.data.ndim != 2 or not x.data.size:
            raise ValueError("expected logits of a batch")
        return variable(-_log_softmax(x.data)[:, 0].mean())

    def backward(self, x, grad):
        soft = np.exp(_log_softmax(x.data))
        soft[:, 0] -= 1
        x.grad += grad * soft


class RmsNormWithoutProjection(Function):
    """The scale is held constant."""

    violates = "gradient"
    witness = ([[1.0, 2.0, 3.0]],)

    def forward(self, x):
        if x.data.ndim == 0 or not x.data.shape[-1]:
            raise ValueError("expected features")
        return variable(x.data / self.scale(x.data))

    def scale(self, x):
        return np.sqrt((x**2).mean(axis=-1, keepdims=True) + 1e-5)

    def backward(self, x, grad):
        x.grad += grad / self.scale(x.data)


class BatchNormFixedVariance(Function):
    """Differentiates through the mean, but not through the variance."""

    violates = "gradient"
    witness = ([[1.0, 2.0], [3.0, 5.0], [0.0, 1.0]],)

    def forward(self, x):
        if x.data.ndim != 2 or len(x.data) < 2:
            raise ValueError("expected a batch of two or more")
        return variable((x.data - x.data.mean(axis=0)) / np.sqrt(x.data.var(axis=0) + 1e-5))

    def backward(self, x, grad):
        x.grad += (grad - grad.mean(axis=0)) / np.sqrt(x.data.var(axis=0) + 1e-5)


class GammaFromTheWrongAxis(Function):
    """The scale's gradient is summed over the features, which fits square batches."""

    violates = "gradient"
    witness = ([[1.0, 2.0], [3.0, 5.0]], [1.0, 2.0])

    def forward(self, x, gamma):
        if x.data.ndim != 2 or gamma.data.ndim != 1:
            raise ValueError("expected a batch and a scale")
        return variable(x.data * gamma.data)

    def backward(self, x, gamma, grad):
        x.grad += grad * gamma.data
        wrong = (grad * x.data).sum(axis=1)
        gamma.grad[: wrong.size] += wrong[: gamma.grad.size]


class CorrelateWithoutLastWindow(Function):
    """The last window does not reach the input."""

    violates = "gradient"
    witness = ([1.0, 2.0, 3.0, 4.0], [1.0, -2.0])

    def forward(self, x, w):
        _check_vectors(x, w)
        return variable(np.correlate(x.data, w.data, "valid"))

    def backward(self, x, w, grad):
        for i in range(grad.size):
            w.grad += grad[i] * x.data[i : i + w.data.size]
        for i in range(grad.size - 1):
            x.grad[i : i + w.data.size] += grad[i] * w.data


class FullConvolutionEdges(Function):
    """The kernel's gradient leaves out the windows that hang over the edge."""

    violates = "gradient"
    witness = ([1.0, 2.0, 3.0], [1.0, -2.0])

    def forward(self, x, w):
        _check_vectors(x, w)
        return variable(np.convolve(x.data, w.data, "full"))

    def backward(self, x, w, grad):
        x.grad += np.correlate(grad, w.data, "valid")
        inner = grad.copy()
        inner[0] = inner[-1] = 0.0
        w.grad += np.correlate(inner, x.data, "valid")


class MaxPoolOverlap(Function):
    """Overlapping windows: an element that wins twice is paid once."""

    violates = "gradient"
    witness = ([1.0, 3.0, 2.0],)

    def forward(self, x):
        if x.data.ndim != 1 or x.data.size < 3:
            raise ValueError("expected a signal of three or more")
        return variable(sliding_window_view(x.data, 2).max(axis=1))

    def backward(self, x, grad):
        winners = sliding_window_view(x.data, 2).argmax(axis=1) + np.arange(grad.size)
        x.grad[winners] += grad


class AveragePoolRemainder(Function):
    """Pairs are averaged; an odd length leaves one element, whose own pair backward halves too."""

    violates = "gradient"
    witness = ([1.0, 3.0, 2.0],)

    def forward(self, x):
        if x.data.ndim != 1 or x.data.size < 2:
            raise ValueError("expected a signal of two or more")
        n = x.data.size // 2 * 2
        pairs = x.data[:n].reshape(-1, 2).mean(axis=1)
        return variable(np.concatenate([pairs, x.data[n:]]))

    def backward(self, x, grad):
        x.grad += np.repeat(grad, 2)[: x.data.size] / 2


class AttentionWithoutScaleInBackward(Function):
    """Scores are divided by sqrt(d) on the way forward only."""

    violates = "gradient"
    witness = ([[1.0, 2.0]], [[0.5, 1.0], [1.0, 0.0]])

    def forward(self, q, k):
        if q.data.ndim != 2 or k.data.ndim != 2 or 0 in q.data.shape or not len(k.data):
            raise ValueError("expected queries and keys")
        return variable(self.weights(q, k))

    def weights(self, q, k):
        return np.exp(_log_softmax(q.data @ k.data.T / np.sqrt(q.data.shape[-1])))

    def backward(self, q, k, grad):
        p = self.weights(q, k)
        scores = p * (grad - (grad * p).sum(axis=-1, keepdims=True))
        q.grad += scores @ k.data
        k.grad += scores.T @ q.data


class CosineSimilarityOneNorm(Function):
    """The second vector's norm is held constant."""

    violates = "gradient"
    witness = ([1.0, 2.0], [3.0, 1.0])

    def forward(self, a, b):
        if a.data.ndim != 1 or a.data.shape != b.data.shape:
            raise ValueError("expected two vectors of a length")
        if not (a.data.any() and b.data.any()):
            raise ValueError("expected vectors that are not zero")
        return variable(a.data @ b.data / self.norm(a) / self.norm(b))

    def norm(self, v):
        return np.sqrt(v.data @ v.data)

    def backward(self, a, b, grad):
        cosine = a.data @ b.data / self.norm(a) / self.norm(b)
        a.grad += grad * (b.data / self.norm(b) - cosine * a.data / self.norm(a)) / self.norm(a)
        b.grad += grad * (a.data / self.norm(a)) / self.norm(b)


class GateOfTheLstm(Function):
    """sigmoid(a) tanh(b), with sigmoid's slope where tanh's is due."""

    violates = "gradient"
    witness = ([0.5, -1.0], [1.0, 2.0])

    def forward(self, a, b):
        return variable(self.gate(a) * np.tanh(b.data))

    def gate(self, a):
        return 0.5 * (1 + np.tanh(0.5 * a.data))

    def backward(self, a, b, grad):
        s, t = self.gate(a), np.tanh(b.data)
        a.grad += _summed(grad * s * (1 - s) * t, a.data.shape)
        b.grad += _summed(grad * s * t * (1 - t), b.data.shape)


class PaddingRowOfTheEmbedding(Function):
    """Row 0 stands for padding and gets no gradient, though forward reads it."""

    violates = "gradient"
    witness = ([[1.0, 2.0], [3.0, 4.0]],)

    def forward(self, table):
        if table.data.ndim != 2 or len(table.data) < 2:
            raise ValueError("expected a table of two rows or more")
        return variable(table.data[[1, 0, 1]])

    def backward(self, table, grad):
        np.add.at(table.grad, [1, 0, 1], grad)
        table.grad[0] -= grad[1]


class LayerNormGainSkipsTheBatch(Function):
    """The gain's gradient comes from the first of the batch."""

    violates = "gradient"
    witness = ([[1.0, 2.0], [3.0, 5.0]], [1.0, 2.0])

    def forward(self, x, gain):
        if x.data.ndim != 2 or gain.data.ndim != 1 or not x.data.size:
            raise ValueError("expected a batch and a gain")
        return variable(self.normalised(x) * gain.data)

    def normalised(self, x):
        centred = x.data - x.data.mean(axis=-1, keepdims=True)
        return centred / np.sqrt((centred**2).mean(axis=-1, keepdims=True) + 1e-5)

    def backward(self, x, gain, grad):
        y = self.normalised(x)
        scale = np.sqrt(x.data.var(axis=-1, keepdims=True) + 1e-5)
        g = grad * gain.data
        x.grad += (g - g.mean(axis=-1, keepdims=True) - y * (g * y).mean(axis=-1, keepdims=True)) / scale
        gain.grad += grad[0] * y[0]


class MseTwice(Function):
    """The factor 2 is missing on the target's side."""

    violates = "gradient"
    witness = ([1.0, 2.0], [0.0, 4.0])

    def forward(self, x, y):
        if x.data.shape != y.data.shape or not x.data.size:
            raise ValueError("expected equal shapes")
        return variable(((x.data - y.data) ** 2).mean())

    def backward(self, x, y, grad):
        x.grad += grad * 2 * (x.data - y.data) / x.data.size
        y.grad -= grad * (x.data - y.data) / x.data.size


def _check_vectors(x, w):
    if x.data.ndim != 1 or w.data.ndim != 1 or x.data.size < w.data.size or not w.data.size:
        raise ValueError("expected a signal and a shorter kernel")


def _log_softmax(x):
    shifted = x - x.max(axis=-1, keepdims=True, initial=-np.inf)
    return shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))


def _summed(grad, shape):
    grad = grad.sum(axis=tuple(range(grad.ndim - len(shape))))
    return grad.sum(axis=tuple(i for i, n in enumerate(shape) if n == 1), keepdims=True)
