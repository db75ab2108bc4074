"""Convolution and pooling."""

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from adverify import Function, variable


class _Windowed(Function):
    violates = "gradient"

    def _check(self, x, w, spatial):
        """Ask for x (n, c, ...) and w (o, c, ...) with a kernel that is no larger than the image."""
        fits = x.ndim == w.ndim == spatial + 2 and x.shape[1] == w.shape[1] and w.size and x.size
        if not fits or any(a < b for a, b in zip(x.shape[2:], w.shape[2:], strict=True)):
            raise ValueError("expected images and kernels of the same channels")


class StrideTwoTail(_Windowed):
    """Stride 2: where an element at the end is not read, the input's gradient is shifted by one."""

    def forward(self, x, w):
        self._check(x.data, w.data, 1)
        return variable(np.einsum("nclk,ock->nol", self._windows(x, w), w.data))

    def _windows(self, x, w):
        return sliding_window_view(x.data, w.data.shape[2], 2)[:, :, ::2]

    def backward(self, x, w, grad):
        k = w.data.shape[2]
        w.grad += np.einsum("nclk,nol->ock", self._windows(x, w), grad)
        tail = (x.data.shape[2] - k) % 2
        for i in range(grad.shape[2]):
            at = 2 * i + tail
            x.grad[:, :, at : at + k] += np.einsum("no,ock->nck", grad[:, :, i], w.data)


class SamePaddingFromTheHeight(_Windowed):
    """Cuts the padding by half the kernel's height on all sides: wrong where the kernel is not square."""

    def forward(self, x, w):
        if x.data.ndim != 4 or w.data.ndim != 4 or x.data.shape[1] != w.data.shape[1] or not w.data.size:
            raise ValueError("expected images and kernels of the same channels")
        if w.data.shape[2] % 2 == 0 or w.data.shape[3] % 2 == 0 or not x.data.size:
            raise ValueError("expected kernels of odd sides")
        return variable(np.einsum("nchwij,ocij->nohw", self._windows(x, w), w.data))

    def _windows(self, x, w):
        h, v = (k // 2 for k in w.data.shape[2:])
        return sliding_window_view(np.pad(x.data, ((0, 0), (0, 0), (h, h), (v, v))), w.data.shape[2:], (2, 3))

    def backward(self, x, w, grad):
        w.grad += np.einsum("nchwij,nohw->ocij", self._windows(x, w), grad)
        kh, kw = w.data.shape[2:]
        padded = np.pad(grad, ((0, 0), (0, 0), (kh - 1, kh - 1), (kw - 1, kw - 1)))
        full = np.einsum("nohwij,ocij->nchw", sliding_window_view(padded, (kh, kw), (2, 3)), w.data[:, :, ::-1, ::-1])
        h, v = x.data.shape[2:]
        x.grad += full[:, :, kh // 2 : kh // 2 + h, kh // 2 : kh // 2 + v]


class SquareImagesOnly(_Windowed):
    """Walks over as many columns of the output as it has rows."""

    def forward(self, x, w):
        self._check(x.data, w.data, 2)
        windows = sliding_window_view(x.data, w.data.shape[2:], (2, 3))
        return variable(np.einsum("nchwij,ocij->nohw", windows, w.data))

    def backward(self, x, w, grad):
        kh, kw = w.data.shape[2:]
        w.grad += np.einsum("nchwij,nohw->ocij", sliding_window_view(x.data, (kh, kw), (2, 3)), grad)
        n = grad.shape[2]
        for i in range(n):
            for j in range(min(n, grad.shape[3])):
                share = np.einsum("no,ocij->ncij", grad[:, :, i, j], w.data)
                x.grad[:, :, i : i + kh, j : j + kw] += share


class RowsOfTheKernelFlipped(_Windowed):
    """One image (c, h, w) with kernels (o, c, kh, kw), whose rows are reversed for the image's gradient."""

    def forward(self, x, w):
        self._check(x.data[None], w.data, 2)
        windows = sliding_window_view(x.data, w.data.shape[2:], (1, 2))
        return variable(np.einsum("chwij,ocij->ohw", windows, w.data))

    def backward(self, x, w, grad):
        kh, kw = w.data.shape[2:]
        w.grad += np.einsum("chwij,ohw->ocij", sliding_window_view(x.data, (kh, kw), (1, 2)), grad)
        for i, j in np.ndindex(*grad.shape[1:]):
            x.grad[:, i : i + kh, j : j + kw] += np.einsum("o,ocij->cij", grad[:, i, j], w.data[:, :, ::-1])


class TransposedConvolutionFlipped(_Windowed):
    """x (n, c, l) spread by w (c, o, k) in steps of two; the kernel's gradient is reversed."""

    def forward(self, x, w):
        if x.data.ndim != 3 or w.data.ndim != 3 or x.data.shape[1] != len(w.data) or not w.data.size * x.data.size:
            raise ValueError("expected signals and kernels of the same channels")
        (n, _, length), (_, o, k) = x.data.shape, w.data.shape
        out = np.zeros((n, o, 2 * (length - 1) + k))
        for i in range(length):
            out[:, :, 2 * i : 2 * i + k] += np.einsum("nc,cok->nok", x.data[:, :, i], w.data)
        return variable(out)

    def backward(self, x, w, grad):
        k = w.data.shape[2]
        for i in range(x.data.shape[2]):
            window = grad[:, :, 2 * i : 2 * i + k]
            x.grad[:, :, i] += np.einsum("nok,cok->nc", window, w.data)
            w.grad += np.einsum("nok,nc->cok", window[:, :, ::-1], x.data[:, :, i])


class DilationForgotten(_Windowed):
    """The taps are two apart in forward, and next to each other in the kernel's gradient."""

    def forward(self, x, w):
        if x.data.ndim != 1 or w.data.ndim != 1 or not w.data.size or x.data.size < 2 * w.data.size - 1:
            raise ValueError("expected a signal longer than the kernel")
        return variable(sliding_window_view(x.data, 2 * w.data.size - 1)[:, ::2] @ w.data)

    def backward(self, x, w, grad):
        for k in range(w.data.size):
            x.grad[2 * k : 2 * k + grad.size] += grad * w.data[k]
            w.grad[k] += grad @ x.data[k : k + grad.size]


class DepthwiseFirstKernel(_Windowed):
    """x (c, l) with a kernel for each channel, w (c, 1, k): the input's gradient takes the first kernel for all."""

    def forward(self, x, w):
        if x.data.ndim != 2 or w.data.ndim != 3 or w.data.shape[:2] != (len(x.data), 1) or not w.data.size:
            raise ValueError("expected a kernel for each channel")
        windows = sliding_window_view(x.data, w.data.shape[2], 1)
        return variable(np.einsum("clk,ck->cl", windows, w.data[:, 0]))

    def backward(self, x, w, grad):
        k = w.data.shape[2]
        w.grad[:, 0] += np.einsum("clk,cl->ck", sliding_window_view(x.data, k, 1), grad)
        for i in range(grad.shape[1]):
            x.grad[:, i : i + k] += grad[:, i, None] * w.data[0, 0]


class GroupsExchanged(_Windowed):
    """Two groups, x (n, 2a, l) with w (o, a, k): each group's kernels get the gradient for the other's channels."""

    def forward(self, x, w):
        if x.data.ndim != 3 or w.data.ndim != 3 or x.data.shape[1] != 2 * w.data.shape[1] or len(w.data) % 2:
            raise ValueError("expected channels and kernels in two groups")
        if not w.data.size or x.data.shape[2] < w.data.shape[2]:
            raise ValueError("expected a signal longer than the kernel")
        parts = [
            np.einsum("nclk,ock->nol", *group) for group in zip(self._windows(x, w), self._kernels(w), strict=True)
        ]
        return variable(np.concatenate(parts, axis=1))

    def _windows(self, x, w):
        return np.split(sliding_window_view(x.data, w.data.shape[2], 2), 2, axis=1)

    def _kernels(self, w):
        return np.split(w.data, 2)

    def backward(self, x, w, grad):
        a, o, k = w.data.shape[1], len(w.data) // 2, w.data.shape[2]
        windows, kernels = self._windows(x, w), self._kernels(w)
        for group, g in enumerate(np.split(grad, 2, axis=1)):
            w.grad[group * o : (group + 1) * o] += np.einsum("nclk,nol->ock", windows[1 - group], g)
            for i in range(g.shape[2]):
                share = np.einsum("no,ock->nck", g[:, :, i], kernels[group])
                x.grad[:, group * a : (group + 1) * a, i : i + k] += share


class AverageExcludesThePadding(_Windowed):
    """Forward divides by how much of the window is inside, backward always by three: wrong at the edges."""

    def forward(self, x):
        if x.data.ndim < 1 or x.data.shape[-1] < 2:
            raise ValueError("expected two elements or more")
        return variable(self._sums(x.data) / self._sums(np.ones_like(x.data)))

    def _sums(self, x):
        return sliding_window_view(np.pad(x, [(0, 0)] * (x.ndim - 1) + [(1, 1)]), 3, -1).sum(axis=-1)

    def backward(self, x, grad):
        x.grad += self._sums(grad) / 3


class AdaptivePoolingEqualWindows(_Windowed):
    """Three outputs; where the length is no multiple of three, windows overlap and are longer than n // 3."""

    def _windows(self, n):
        return [(i * n // 3, -(-(i + 1) * n // 3)) for i in range(3)]

    def forward(self, x):
        if x.data.ndim < 1 or x.data.shape[-1] < 3:
            raise ValueError("expected three elements or more")
        return variable(np.stack([x.data[..., a:b].mean(axis=-1) for a, b in self._windows(x.data.shape[-1])], axis=-1))

    def backward(self, x, grad):
        n = x.data.shape[-1]
        for i, (a, b) in enumerate(self._windows(n)):
            x.grad[..., a:b] += grad[..., i, None] / (n // 3)


class MaxPoolPairsTies(_Windowed):
    """Of a tied pair, both are paid in full."""

    violates = "special values"

    def forward(self, x):
        if x.data.ndim != 2 or x.data.shape[1] < 2 or x.data.shape[1] % 2:
            raise ValueError("expected an even number of columns")
        return variable(x.data.reshape(len(x.data), -1, 2).max(axis=-1))

    def backward(self, x, grad):
        pairs = x.data.reshape(len(x.data), -1, 2)
        x.grad += ((pairs == pairs.max(axis=-1, keepdims=True)) * grad[..., None]).reshape(x.data.shape)
