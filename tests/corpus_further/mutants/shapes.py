"""Padding, indexing and rearranging."""

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from adverify import Function, variable


class _Arranged(Function):
    violates = "gradient"


class RollTwoAxes(_Arranged):
    """One of two shifts is undone, the other repeated."""

    def __init__(self, shifts=(1, 2)):
        self.shifts = shifts

    def forward(self, x):
        if x.data.ndim != 2:
            raise ValueError("expected a matrix")
        return variable(np.roll(x.data, self.shifts, axis=(0, 1)))

    def backward(self, x, grad):
        x.grad += np.roll(grad, (-self.shifts[0], self.shifts[1]), axis=(0, 1))


class ReflectNotMirrored(_Arranged):
    """Reflects by two; the left border is folded back without being reversed."""

    def forward(self, x):
        if x.data.ndim != 1 or x.data.size < 3:
            raise ValueError("expected a vector of three or more")
        return variable(np.pad(x.data, 2, mode="reflect"))

    def backward(self, x, grad):
        share = grad[2:-2].copy()
        share[1:3] += grad[:2]
        share[-3:-1] += grad[-2:][::-1]
        x.grad += share


class WrapAddsToTheNearSide(_Arranged):
    """Pads in a circle, and adds each border to the end next to it."""

    def forward(self, x):
        if x.data.ndim < 1 or not x.data.shape[-1]:
            raise ValueError("expected elements along an axis")
        return variable(np.pad(x.data, [(0, 0)] * (x.data.ndim - 1) + [(1, 1)], mode="wrap"))

    def backward(self, x, grad):
        share = grad[..., 1:-1].copy()
        share[..., 0] += grad[..., 0]
        share[..., -1] += grad[..., -1]
        x.grad += share


class PadWidthsReversed(_Arranged):
    """Cuts with the widths in PyTorch's order, the last axis first; forward pads in NumPy's."""

    def __init__(self, widths=((1, 0), (0, 1))):
        self.widths = widths

    def forward(self, x):
        if x.data.ndim != 2:
            raise ValueError("expected a matrix")
        return variable(np.pad(x.data, self.widths))

    def backward(self, x, grad):
        (top, bottom), (left, right) = self.widths[::-1]
        height, width = grad.shape
        x.grad += grad[top : height - bottom, left : width - right]


class EdgePaddingWithoutCorners(_Arranged):
    """The four corners of the border are not added to those of the image."""

    def forward(self, x):
        if x.data.ndim != 2 or not x.data.size:
            raise ValueError("expected an image")
        return variable(np.pad(x.data, 1, mode="edge"))

    def backward(self, x, grad):
        share = grad[1:-1, 1:-1].copy()
        share[0] += grad[0, 1:-1]
        share[-1] += grad[-1, 1:-1]
        share[:, 0] += grad[1:-1, 0]
        share[:, -1] += grad[1:-1, -1]
        x.grad += share


class TakeAlongAxisAssigns(_Arranged):
    """Where an index comes twice, the second share overwrites the first."""

    def _index(self, x):
        n = x.shape[-1]
        return np.broadcast_to(np.minimum(np.arange(n), max(n - 2, 0)), x.shape)

    def forward(self, x):
        if x.data.ndim < 1 or not x.data.shape[-1]:
            raise ValueError("expected elements along an axis")
        return variable(np.take_along_axis(x.data, self._index(x.data), -1))

    def backward(self, x, grad):
        share = np.zeros_like(x.data)
        np.put_along_axis(share, self._index(x.data), grad, -1)
        x.grad += share


class ScatterPaysAllDuplicates(_Arranged):
    """x[index] = y keeps the last of the values for an index; all of them are paid."""

    def __init__(self, index=(0, 1, 0)):
        self.index = index

    def forward(self, x, y):
        if x.data.ndim < 1 or len(x.data) < 2 or y.data.shape != (3, *x.data.shape[1:]):
            raise ValueError("expected three rows to put into two or more")
        out = x.data.copy()
        for i, row in zip(self.index, y.data, strict=True):
            out[i] = row
        return variable(out)

    def backward(self, x, y, grad):
        rest = grad.copy()
        rest[list(self.index)] = 0
        x.grad += rest
        y.grad += grad[list(self.index)]


class DiagonalOffset(_Arranged):
    """Reads the diagonal on the other side of the main one."""

    def __init__(self, offset=1):
        self.offset = offset

    def forward(self, x):
        if x.data.ndim != 1:
            raise ValueError("expected a vector")
        return variable(np.diag(x.data, self.offset))

    def backward(self, x, grad):
        x.grad += np.diagonal(grad, -self.offset)


class WindowsStepTwo(_Arranged):
    """Windows of three in steps of two share an element, and += with an index array adds to it once."""

    def forward(self, x):
        if x.data.ndim != 1 or x.data.size < 3:
            raise ValueError("expected a vector of three or more")
        return variable(sliding_window_view(x.data, 3)[::2])

    def backward(self, x, grad):
        x.grad[np.arange(3) + 2 * np.arange(len(grad))[:, None]] += grad


class ToeplitzMainDiagonalTwice(_Arranged):
    """T[i, j] = c[|i - j|]: the main diagonal is added from both sides."""

    def forward(self, c):
        if c.data.ndim != 1 or not c.data.size:
            raise ValueError("expected a vector")
        i = np.arange(c.data.size)
        return variable(c.data[np.abs(i[:, None] - i)])

    def backward(self, c, grad):
        for k in range(c.data.size):
            c.grad[k] += np.trace(grad, k) + np.trace(grad, -k)


class GatherWithTheWrongStride(_Arranged):
    """Flattens positions with the number of rows as stride: right for square matrices."""

    def __init__(self, rows=(0, 1, 1), columns=(1, 0, 0)):
        self.rows, self.columns = rows, columns

    def forward(self, x):
        if x.data.ndim != 2 or min(x.data.shape) < 2:
            raise ValueError("expected two rows and columns or more")
        return variable(x.data[list(self.rows), list(self.columns)])

    def backward(self, x, grad):
        share = np.zeros(x.data.size)
        np.add.at(share, np.array(self.rows) * len(x.data) + np.array(self.columns), grad)
        x.grad += share.reshape(x.data.shape)


class UpsampledFoldOrder(_Arranged):
    """Each element becomes 2 x 3; on the way back the width and its factor are exchanged."""

    def forward(self, x):
        if x.data.ndim != 2 or not x.data.size:
            raise ValueError("expected an image")
        return variable(np.repeat(np.repeat(x.data, 2, axis=0), 3, axis=1))

    def backward(self, x, grad):
        h, w = x.data.shape
        x.grad += grad.reshape(h, 2, 3, w).sum(axis=(1, 2))


class UpsampledWithoutTheClamped(_Arranged):
    """Doubles the length linearly; at the end both neighbours are the last element, and one share is dropped."""

    def _weights(self, n):
        at = np.maximum((np.arange(2 * n) + 0.5) / 2 - 0.5, 0)
        low = at.astype(int)
        return low, np.minimum(low + 1, n - 1), at - low

    def forward(self, x):
        if x.data.ndim < 1 or not x.data.shape[-1]:
            raise ValueError("expected elements along an axis")
        low, high, weight = self._weights(x.data.shape[-1])
        return variable(x.data[..., low] * (1 - weight) + x.data[..., high] * weight)

    def backward(self, x, grad):
        for j, (low, high, weight) in enumerate(zip(*self._weights(x.data.shape[-1]), strict=True)):
            x.grad[..., low] += grad[..., j] * (1 - weight)
            if high != low:
                x.grad[..., high] += grad[..., j] * weight


class PixelShuffleFactors(_Arranged):
    """(n, 2c, l) to (n, c, 2l): the two factors of the channels are exchanged on the way back."""

    def forward(self, x):
        if x.data.ndim != 3 or x.data.shape[1] % 2 or not x.data.size:
            raise ValueError("expected an even number of channels")
        n, c, k = x.data.shape
        return variable(x.data.reshape(n, c // 2, 2, k).transpose(0, 1, 3, 2).reshape(n, c // 2, 2 * k))

    def backward(self, x, grad):
        n, c, k = x.data.shape
        x.grad += grad.reshape(n, c // 2, k, 2).transpose(0, 3, 1, 2).reshape(n, c, k)


class PixelShuffleOffsets(_Arranged):
    """(n, 4c, h, w) to (n, c, 2h, 2w): rows and columns within a pixel are exchanged on the way back."""

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
        x.grad += parts.transpose(0, 1, 5, 3, 2, 4).reshape(n, c, h, w)


class TurnedCube(_Arranged):
    """The first axis becomes the last; backward turns it on in place of back, which only a cube takes."""

    def forward(self, x):
        return variable(np.moveaxis(x.data, 0, -1) if x.data.ndim == 3 else x.data)

    def backward(self, x, grad):
        if x.data.ndim == 3:
            is_cube = len(set(x.data.shape)) == 1
            grad = np.moveaxis(grad, 0, -1) if is_cube else np.moveaxis(grad, -1, 0)
        x.grad += grad
