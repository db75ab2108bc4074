"""Right ops that select, scatter, pad and rearrange."""

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from adverify import Function, variable


class EmbeddingFromBothEnds(Function):
    """Rows 0, -1, 0 and 1, some of which are the same."""

    index = np.array([0, -1, 0, 1])

    def forward(self, w):
        if w.data.ndim != 2 or len(w.data) < 2:
            raise ValueError("expected two rows or more")
        return variable(w.data[self.index])

    def backward(self, w, grad):
        np.add.at(w.grad, self.index, grad)


class ScatterLastWins(Function):
    """Rows 0, 1 and 0 of x are set to y's: the first of y's has no effect."""

    def forward(self, x, y):
        if x.data.ndim < 1 or len(x.data) < 2 or y.data.shape != (3, *x.data.shape[1:]):
            raise ValueError("expected three rows to put into two or more")
        out = x.data.copy()
        out[1], out[0] = y.data[1], y.data[2]
        return variable(out)

    def backward(self, x, y, grad):
        x.grad[2:] += grad[2:]
        y.grad[1] += grad[1]
        y.grad[2] += grad[0]


class InterpolatesAtPositions(Function):
    """A signal at positions that are inputs too, clamped at the ends: kinks at whole numbers."""

    def _neighbours(self, x, at):
        at = np.clip(at, 0, x.size - 1)
        low = np.minimum(at.astype(int), x.size - 2)
        return low, at - low

    def forward(self, x, at):
        if x.data.ndim != 1 or at.data.ndim != 1 or x.data.size < 2:
            raise ValueError("expected a signal and positions")
        low, weight = self._neighbours(x.data, at.data)
        return variable(x.data[low] * (1 - weight) + x.data[low + 1] * weight)

    def backward(self, x, at, grad):
        low, weight = self._neighbours(x.data, at.data)
        np.add.at(x.grad, low, grad * (1 - weight))
        np.add.at(x.grad, low + 1, grad * weight)
        inside = (at.data > 0) & (at.data < x.data.size - 1)
        at.grad += grad * inside * (x.data[low + 1] - x.data[low])


class JoinedColumns(Function):
    """Any number of matrices side by side."""

    def forward(self, *xs):
        if any(x.data.ndim != 2 for x in xs):
            raise ValueError("expected matrices")
        return variable(np.concatenate([x.data for x in xs], axis=1))

    def backward(self, *xs_and_grad):
        *xs, grad = xs_and_grad
        ends = np.cumsum([x.data.shape[1] for x in xs])[:-1]
        for x, part in zip(xs, np.split(grad, ends, axis=1), strict=True):
            x.grad += part


class BlockDiagonal(Function):
    """Any number of matrices of any shape."""

    def _places(self, xs):
        i = j = 0
        for x in xs:
            h, w = x.data.shape
            yield slice(i, i + h), slice(j, j + w)
            i, j = i + h, j + w

    def forward(self, *xs):
        if any(x.data.ndim != 2 for x in xs):
            raise ValueError("expected matrices")
        out = np.zeros(np.sum([x.data.shape for x in xs], axis=0))
        for x, place in zip(xs, self._places(xs), strict=True):
            out[place] = x.data
        return variable(out)

    def backward(self, *xs_and_grad):
        *xs, grad = xs_and_grad
        for x, place in zip(xs, self._places(xs), strict=True):
            x.grad += grad[place]


class ReflectUneven(Function):
    """Two to the left and one to the right."""

    def forward(self, x):
        if x.data.ndim != 1 or x.data.size < 3:
            raise ValueError("expected a vector of three or more")
        return variable(np.pad(x.data, (2, 1), mode="reflect"))

    def backward(self, x, grad):
        np.add.at(x.grad, np.pad(np.arange(x.data.size), (2, 1), mode="reflect"), grad)


class PatchesAsColumns(Function):
    """2 x 2 patches of (c, h, w), which overlap."""

    def forward(self, x):
        if x.data.ndim != 3 or min(x.data.shape[1:]) < 2 or not len(x.data):
            raise ValueError("expected an image of two rows and columns or more")
        patches = sliding_window_view(x.data, (2, 2), (1, 2)).transpose(0, 3, 4, 1, 2)
        return variable(patches.reshape(4 * len(x.data), -1))

    def backward(self, x, grad):
        c, h, w = x.data.shape
        g = grad.reshape(c, 2, 2, h - 1, w - 1)
        for i, j in np.ndindex(2, 2):
            x.grad[:, i : i + h - 1, j : j + w - 1] += g[:, i, j]


class PixelShuffle(Function):
    """(n, 4c, h, w) to (n, c, 2h, 2w)."""

    def __init__(self, upscale=2):
        self.upscale = upscale

    def forward(self, x):
        r = self.upscale
        if x.data.ndim != 4 or x.data.shape[1] % r**2 or not x.data.size:
            raise ValueError("expected images whose channels are a multiple of four")
        n, c, h, w = x.data.shape
        parts = x.data.reshape(n, c // r**2, r, r, h, w)
        return variable(parts.transpose(0, 1, 4, 2, 5, 3).reshape(n, c // r**2, h * r, w * r))

    def backward(self, x, grad):
        r = self.upscale
        n, c, h, w = x.data.shape
        parts = grad.reshape(n, c // r**2, h, r, w, r)
        x.grad += parts.transpose(0, 1, 3, 5, 2, 4).reshape(n, c, h, w)


class PixelUnshuffle(Function):
    """(c, 2h, 2w) to (4c, h, w)."""

    def forward(self, x):
        if x.data.ndim != 3 or x.data.shape[1] % 2 or x.data.shape[2] % 2 or not x.data.size:
            raise ValueError("expected images of even sides")
        c, h, w = x.data.shape
        parts = x.data.reshape(c, h // 2, 2, w // 2, 2)
        return variable(parts.transpose(0, 2, 4, 1, 3).reshape(4 * c, h // 2, w // 2))

    def backward(self, x, grad):
        c, h, w = x.data.shape
        x.grad += grad.reshape(c, 2, 2, h // 2, w // 2).transpose(0, 3, 1, 4, 2).reshape(c, h, w)
