"""Right layers, of many inputs and many axes: convolution, normalisation, recurrence, attention, losses."""

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from scipy.special import expit, log_softmax, logsumexp, softmax, xlogy

from adverify import Function, variable


def _normalised(x, axes, eps=1e-5):
    c = x - x.mean(axis=axes, keepdims=True)
    s = np.sqrt((c * c).mean(axis=axes, keepdims=True) + eps)
    return c / s, s


def _through_normalised(y, s, g, axes):
    """Take a cotangent of y through the normalisation that gave it."""
    return (g - g.mean(axis=axes, keepdims=True) - y * (g * y).mean(axis=axes, keepdims=True)) / s


class LayerNormOfTinyEpsilon(Function):
    """1e-12: where a row is constant, slopes are a million."""

    def forward(self, x):
        if x.data.ndim < 1 or not x.data.shape[-1]:
            raise ValueError("expected elements along an axis")
        return variable(_normalised(x.data, -1, 1e-12)[0])

    def backward(self, x, grad):
        x.grad += _through_normalised(*_normalised(x.data, -1, 1e-12), grad, -1)


class LayerNormWithParameters(Function):
    """Gain and bias for each column, of any number of axes."""

    def forward(self, x, gamma, beta):
        if x.data.ndim < 1 or not x.data.shape[-1] or not gamma.data.shape == beta.data.shape == x.data.shape[-1:]:
            raise ValueError("expected a gain and a bias for each column")
        return variable(_normalised(x.data, -1)[0] * gamma.data + beta.data)

    def backward(self, x, gamma, beta, grad):
        y, s = _normalised(x.data, -1)
        rows = tuple(range(grad.ndim - 1))
        x.grad += _through_normalised(y, s, grad * gamma.data, -1)
        gamma.grad += (grad * y).sum(axis=rows)
        beta.grad += grad.sum(axis=rows)


class BatchNormOfImages(Function):
    """(n, c, h, w), with gain and bias for each channel."""

    axes = (0, 2, 3)

    def forward(self, x, gamma, beta):
        if x.data.ndim != 4 or not gamma.data.shape == beta.data.shape == x.data.shape[1:2] or not x.data.size:
            raise ValueError("expected images and a parameter for each channel")
        return variable(_normalised(x.data, self.axes)[0] * gamma.data[:, None, None] + beta.data[:, None, None])

    def backward(self, x, gamma, beta, grad):
        y, s = _normalised(x.data, self.axes)
        x.grad += _through_normalised(y, s, grad * gamma.data[:, None, None], self.axes)
        beta.grad += grad.sum(axis=self.axes)
        gamma.grad += (grad * y).sum(axis=self.axes)


class BatchNormOfGivenStatistics(Function):
    """Mean and variance are inputs: five of them."""

    def forward(self, x, gamma, beta, mean, var):
        if x.data.ndim != 2 or any(p.data.shape != x.data.shape[-1:] for p in (gamma, beta, mean, var)):
            raise ValueError("expected a matrix and a parameter for each column")
        if (var.data < 0).any():
            raise ValueError("expected variances")
        return variable((x.data - mean.data) / np.sqrt(var.data + 1e-5) * gamma.data + beta.data)

    def backward(self, x, gamma, beta, mean, var, grad):
        s = np.sqrt(var.data + 1e-5)
        normalised = (grad * ((x.data - mean.data) / s)).sum(axis=0)
        x.grad += grad * gamma.data / s
        mean.grad -= (grad * gamma.data / s).sum(axis=0)
        beta.grad += grad.sum(axis=0)
        gamma.grad += normalised
        var.grad -= 0.5 * normalised * (gamma.data / s / s)


class GroupNormOfTwo(Function):
    """(n, c, l) in two groups, with gain and bias for each channel."""

    def _groups(self, x):
        return _normalised(x.reshape(len(x), 2, -1), -1)

    def forward(self, x, gamma, beta):
        if x.data.ndim != 3 or x.data.shape[1] % 2 or not x.data.size:
            raise ValueError("expected an even number of channels")
        if not gamma.data.shape == beta.data.shape == x.data.shape[1:2]:
            raise ValueError("expected a parameter for each channel")
        return variable(self._groups(x.data)[0].reshape(x.data.shape) * gamma.data[:, None] + beta.data[:, None])

    def backward(self, x, gamma, beta, grad):
        y, s = self._groups(x.data)
        g = (grad * gamma.data[:, None]).reshape(y.shape)
        x.grad += _through_normalised(y, s, g, -1).reshape(x.data.shape)
        gamma.grad += (grad * y.reshape(grad.shape)).sum(axis=(0, 2))
        beta.grad += grad.sum(axis=(0, 2))


class ConvolutionOfOneImage(Function):
    """(c, h, w) with (o, c, kh, kw): seven axes."""

    def forward(self, x, w):
        if x.data.ndim != 3 or w.data.ndim != 4 or x.data.shape[0] != w.data.shape[1] or not w.data.size:
            raise ValueError("expected an image and kernels of the same channels")
        windows = sliding_window_view(x.data, w.data.shape[2:], (1, 2))
        return variable(np.einsum("chwij,ocij->ohw", windows, w.data))

    def backward(self, x, w, grad):
        kh, kw = w.data.shape[2:]
        w.grad += np.einsum("chwij,ohw->ocij", sliding_window_view(x.data, (kh, kw), (1, 2)), grad)
        for i, j in np.ndindex(*grad.shape[1:]):
            x.grad[:, i : i + kh, j : j + kw] += np.einsum("o,ocij->cij", grad[:, i, j], w.data)


class StridedConvolution(Function):
    """(n, c, h, w) with (o, c, kh, kw), stride 2, padding 1, and a bias or none."""

    def __init__(self, stride=2, padding=1):
        self.stride, self.padding = stride, padding

    def _windows(self, x, w):
        p, s = self.padding, self.stride
        padded = np.pad(x.data, ((0, 0), (0, 0), (p, p), (p, p)))
        return sliding_window_view(padded, w.data.shape[2:], (2, 3))[:, :, ::s, ::s]

    def forward(self, x, w, bias=None):
        fits = x.data.ndim == w.data.ndim == 4 and x.data.shape[1] == w.data.shape[1] and w.data.size and x.data.size
        if not fits or (bias is not None and bias.data.shape != (len(w.data),)):
            raise ValueError("expected images and kernels of the same channels")
        y = np.einsum("nchwij,ocij->nohw", self._windows(x, w), w.data)
        return variable(y if bias is None else y + bias.data[:, None, None])

    def backward(self, x, w, *bias_and_grad):
        *bias, grad = bias_and_grad
        (kh, kw), p, s = w.data.shape[2:], self.padding, self.stride
        w.grad += np.einsum("nchwij,nohw->ocij", self._windows(x, w), grad)
        n, c, height, width = x.data.shape
        padded = np.zeros((n, c, height + 2 * p, width + 2 * p))
        for i, j in np.ndindex(*grad.shape[2:]):
            share = np.einsum("no,ocij->ncij", grad[:, :, i, j], w.data)
            padded[:, :, i * s : i * s + kh, j * s : j * s + kw] += share
        x.grad += padded[:, :, p : p + height, p : p + width]
        for b in bias:
            if b is not None:
                b.grad += grad.sum(axis=(0, 2, 3))


class DepthwiseConvolution(Function):
    """(n, c, l) with a kernel for each channel, (c, 1, k)."""

    def forward(self, x, w):
        if x.data.ndim != 3 or w.data.ndim != 3 or w.data.shape[:2] != (x.data.shape[1], 1) or not w.data.size:
            raise ValueError("expected a kernel for each channel")
        windows = sliding_window_view(x.data, w.data.shape[2], 2)
        return variable(np.einsum("nclk,ck->ncl", windows, w.data[:, 0]))

    def backward(self, x, w, grad):
        k = w.data.shape[2]
        w.grad[:, 0] += np.einsum("nclk,ncl->ck", sliding_window_view(x.data, k, 2), grad)
        for i in range(grad.shape[2]):
            x.grad[:, :, i : i + k] += grad[:, :, i, None] * w.data[:, 0]


class GroupedConvolution(Function):
    """(n, 2a, l) with (o, a, k) in two groups."""

    def _windows(self, x, w):
        return np.split(sliding_window_view(x.data, w.data.shape[2], 2), 2, axis=1)

    def forward(self, x, w):
        if x.data.ndim != 3 or w.data.ndim != 3 or x.data.shape[1] != 2 * w.data.shape[1] or len(w.data) % 2:
            raise ValueError("expected channels and kernels in two groups")
        if not w.data.size:
            raise ValueError("expected kernels")
        groups = zip(self._windows(x, w), np.split(w.data, 2), strict=True)
        return variable(np.concatenate([np.einsum("nclk,ock->nol", *group) for group in groups], axis=1))

    def backward(self, x, w, grad):
        a, o, k = w.data.shape[1], len(w.data) // 2, w.data.shape[2]
        groups = zip(self._windows(x, w), np.split(w.data, 2), np.split(grad, 2, axis=1), strict=True)
        for group, (windows, kernels, g) in enumerate(groups):
            w.grad[group * o : (group + 1) * o] += np.einsum("nclk,nol->ock", windows, g)
            for i in range(g.shape[2]):
                share = np.einsum("no,ock->nck", g[:, :, i], kernels)
                x.grad[:, group * a : (group + 1) * a, i : i + k] += share


class MaxPoolLastWins(Function):
    """3 x 3 in steps of one, padded with minus infinity; of equal ones the last takes all."""

    def _windows(self, x):
        return sliding_window_view(np.pad(x, 1, constant_values=-np.inf), (3, 3)).reshape(*x.shape, 9)

    def forward(self, x):
        if x.data.ndim != 2 or not x.data.size:
            raise ValueError("expected an image")
        return variable(self._windows(x.data).max(axis=-1))

    def backward(self, x, grad):
        k = 8 - self._windows(x.data)[..., ::-1].argmax(axis=-1)
        i, j = np.indices(x.data.shape)
        np.add.at(x.grad, (i + k // 3 - 1, j + k % 3 - 1), grad)


class LstmCell(Function):
    """Gates (..., 4h) and cell (..., h): two outputs."""

    def forward(self, gates, cell):
        if cell.data.ndim < 1 or gates.data.shape != (*cell.data.shape[:-1], 4 * cell.data.shape[-1]):
            raise ValueError("expected four gates for each cell")
        i, f, g, o = np.split(gates.data, 4, axis=-1)
        new = expit(f) * cell.data + expit(i) * np.tanh(g)
        return variable(expit(o) * np.tanh(new)), variable(new)

    def backward(self, gates, cell, grads):
        i, f, g, o = np.split(gates.data, 4, axis=-1)
        i, f, g, o = expit(i), expit(f), np.tanh(g), expit(o)
        t = np.tanh(f * cell.data + i * g)
        d = grads[1] + grads[0] * o * (1 - t * t)
        parts = [d * g * i * (1 - i), d * cell.data * f * (1 - f), d * i * (1 - g * g), grads[0] * t * o * (1 - o)]
        gates.grad += np.concatenate(parts, axis=-1)
        cell.grad += d * f


class RecurrentCell(Function):
    """tanh(x W + h U + b): five inputs."""

    def _inside(self, x, h, w, u, b):
        return x.data @ w.data + h.data @ u.data + b.data

    def forward(self, x, h, w, u, b):
        if not x.data.ndim == h.data.ndim == w.data.ndim == u.data.ndim == 2 or b.data.shape != w.data.shape[1:]:
            raise ValueError("expected four matrices and a bias")
        if len(x.data) != len(h.data) or u.data.shape != (h.data.shape[1], w.data.shape[1]):
            raise ValueError("expected states and inputs of one batch")
        return variable(np.tanh(self._inside(x, h, w, u, b)))

    def backward(self, x, h, w, u, b, grad):
        e = np.exp(-2 * np.abs(self._inside(x, h, w, u, b)))
        d = grad * 4 * e / (1 + e) ** 2
        x.grad += d @ w.data.T
        h.grad += d @ u.data.T
        w.grad += x.data.T @ d
        u.grad += h.data.T @ d
        b.grad += d.sum(axis=0)


class AttentionWithBias(Function):
    """q (n, d), k (m, d), v (m, e) and a bias (n, m): four matrices."""

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
        p, c = self._weights(q, k, bias), np.sqrt(q.data.shape[1])
        inner = grad @ v.data.T
        scores = p * (inner - (inner * p).sum(axis=-1, keepdims=True))
        v.grad += p.T @ grad
        bias.grad += scores
        q.grad += scores @ k.data / c
        k.grad += scores.T @ q.data / c


class CausalAttention(Function):
    """(b, n, d) three times; no position looks ahead."""

    def _weights(self, q, k):
        scores = q.data @ np.swapaxes(k.data, -1, -2) / np.sqrt(q.data.shape[-1])
        return softmax(np.where(np.tril(np.ones(scores.shape[-2:], bool)), scores, -np.inf), axis=-1)

    def forward(self, q, k, v):
        if q.data.ndim != 3 or not q.data.shape == k.data.shape == v.data.shape or not q.data.size:
            raise ValueError("expected three batches of one shape")
        return variable(self._weights(q, k) @ v.data)

    def backward(self, q, k, v, grad):
        p, c = self._weights(q, k), np.sqrt(q.data.shape[-1])
        inner = grad @ np.swapaxes(v.data, -1, -2)
        scores = p * (inner - (inner * p).sum(axis=-1, keepdims=True))
        v.grad += np.swapaxes(p, -1, -2) @ grad
        q.grad += scores @ k.data / c
        k.grad += np.swapaxes(scores, -1, -2) @ q.data / c


class AttentionOfTwoHeads(Function):
    """(n, 2e) three times, split into two heads."""

    def _heads(self, *arrays):
        return zip(*(np.split(a, 2, axis=1) for a in arrays), strict=True)

    def _weights(self, q, k):
        return softmax(q @ k.T / np.sqrt(q.shape[1]), axis=-1)

    def forward(self, q, k, v):
        if q.data.ndim != 2 or not q.data.shape == k.data.shape == v.data.shape:
            raise ValueError("expected three matrices of one shape")
        if q.data.shape[1] % 2 or not q.data.size:
            raise ValueError("expected an even width")
        heads = self._heads(q.data, k.data, v.data)
        return variable(np.concatenate([self._weights(a, b) @ c for a, b, c in heads], axis=1))

    def backward(self, q, k, v, grad):
        gradients = []
        for a, b, c, g in self._heads(q.data, k.data, v.data, grad):
            p, scale = self._weights(a, b), np.sqrt(a.shape[1])
            inner = g @ c.T
            scores = p * (inner - (inner * p).sum(axis=1, keepdims=True))
            gradients.append((scores @ b / scale, scores.T @ a / scale, p.T @ g))
        for x, parts in zip((q, k, v), zip(*gradients, strict=True), strict=True):
            x.grad += np.concatenate(parts, axis=1)


class CosineOfBoundedNorms(Function):
    """Each norm is at least 1e-8, as in PyTorch; below that the slope along the input is kept."""

    def forward(self, x, y):
        if x.data.shape != y.data.shape or x.data.ndim < 1 or not x.data.shape[-1]:
            raise ValueError("expected two arrays of one shape")
        (u, _, _), (w, _, _) = self._unit(x.data), self._unit(y.data)
        return variable((u * w).sum(axis=-1))

    def _unit(self, x):
        n = np.linalg.norm(x, axis=-1, keepdims=True)
        bounded = np.maximum(n, 1e-8)
        return x / bounded, bounded, n > 1e-8

    def backward(self, x, y, grad):
        (u, a, free_x), (w, b, free_y) = self._unit(x.data), self._unit(y.data)
        cosine, g = (u * w).sum(axis=-1, keepdims=True), grad[..., None]
        x.grad += g * (w - cosine * u * free_x) / a
        y.grad += g * (u - cosine * w * free_y) / b


class DivergenceOfLogs(Function):
    """t (log t - x) for t not below 0, where the slope by t is infinite."""

    def forward(self, x, t):
        if x.data.shape != t.data.shape or (t.data < 0).any():
            raise ValueError("expected a target that is not negative")
        return variable((xlogy(t.data, t.data) - t.data * x.data).sum())

    def backward(self, x, t, grad):
        x.grad -= grad * t.data
        t.grad += grad * (np.log(t.data) + 1 - x.data)


class CrossEntropyOfSoftTargets(Function):
    """Mean over rows of -sum t log softmax(x), for any real targets."""

    def forward(self, x, t):
        if x.data.ndim != 2 or x.data.shape != t.data.shape or not x.data.size:
            raise ValueError("expected two matrices of one shape")
        return variable(-(t.data * log_softmax(x.data, axis=1)).sum() / len(x.data))

    def backward(self, x, t, grad):
        n = len(x.data)
        x.grad += grad / n * (t.data.sum(axis=1, keepdims=True) * softmax(x.data, axis=1) - t.data)
        t.grad -= grad / n * log_softmax(x.data, axis=1)


class ChainLikelihood(Function):
    """Scores of labels along a chain less those of the labels 0: where one path is sure, shares cancel to rounding."""

    def _forward_scores(self, u, t):
        scores = [u[0]]
        for row in u[1:]:
            scores.append(row + logsumexp(scores[-1][:, None] + t, axis=0))
        return scores

    def forward(self, u, t):
        if u.data.ndim != 2 or not u.data.size or t.data.shape != (u.data.shape[1],) * 2:
            raise ValueError("expected scores of labels, and of pairs of labels")
        of_zeros = u.data[:, 0].sum() + (len(u.data) - 1) * t.data[0, 0]
        return variable(logsumexp(self._forward_scores(u.data, t.data)[-1]) - of_zeros)

    def backward(self, u, t, grad):
        scores = self._forward_scores(u.data, t.data)
        u.grad[:, 0] -= grad
        t.grad[0, 0] -= grad * (len(scores) - 1)
        share = softmax(scores[-1])
        for step in range(len(scores) - 1, 0, -1):
            u.grad[step] += grad * share
            pairs = softmax(scores[step - 1][:, None] + t.data, axis=0) * share
            t.grad += grad * pairs
            share = pairs.sum(axis=1)
        u.grad[0] += grad * share


class GatedVectors(Function):
    """One step of a cell that keeps some of its state, for vectors: two gates in one matrix."""

    def forward(self, x, h, w, u, b):
        n = h.data.size
        if x.data.ndim != 1 or h.data.ndim != 1 or w.data.shape != (2 * n, x.data.size):
            raise ValueError("lengths differ")
        if u.data.shape != (2 * n, n) or b.data.shape != (2 * n,):
            raise ValueError("lengths differ")
        keep, new = self._gates(x.data, h.data, w.data, u.data, b.data)
        return variable(keep * h.data + (1 - keep) * new)

    def _gates(self, x, h, w, u, b):
        keep, new = np.split(w @ x + u @ h + b, 2)
        return expit(keep), np.tanh(new)

    def backward(self, x, h, w, u, b, grad):
        keep, new = self._gates(x.data, h.data, w.data, u.data, b.data)
        share = np.concatenate([grad * (h.data - new) * keep * (1 - keep), grad * (1 - keep) * (1 - new**2)])
        x.grad += w.data.T @ share
        h.grad += u.data.T @ share + grad * keep
        w.grad += np.outer(share, x.data)
        u.grad += np.outer(share, h.data)
        b.grad += share
