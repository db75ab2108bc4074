"""Pooling, as PyTorch defines it: one number for each window of an image."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import numpy as np

from adverify.engine import Function, Variable, variable
from adverify.ops.windows import Ints, Windows, per_axis


class MaxPool2d(Function):
    """The largest element of each window; of several that tie the first, by rows, gets the gradient.

    Input: x (..., h, w).

    Parameters
    ----------
    kernel_size : int or pair of int
    stride : int, pair of int or None
        From one window to the next; None for the size of the kernel.
    padding, dilation : int or pair of int
        What is added on either side, at most half the kernel; from one element of a window to the next.
    """

    name = "max_pool2d"
    arguments: ClassVar = {"kernel_size": (2, (3, 2)), "stride": (None, 1), "padding": (0, 1)}

    def __init__(self, kernel_size: Ints, stride: Ints | None = None, padding: Ints = 0, dilation: Ints = 1) -> None:
        self.kernel_size = per_axis("kernel_size", kernel_size, 2, 1)
        self.windows = Windows.of(2, self.kernel_size if stride is None else stride, padding, dilation)
        _check_padding(self.windows.padding, self.kernel_size)

    def forward(self, x: Variable) -> Variable:
        return variable(self._cut(x.data).max(axis=-1, initial=-np.inf))

    def backward(self, x: Variable, grad: Any) -> None:
        cut = self._cut(x.data)
        chosen = np.zeros_like(cut)
        if cut.size:
            np.put_along_axis(chosen, cut.argmax(axis=-1)[..., None], grad[..., None], axis=-1)
        x.grad += self.windows.paste(chosen.reshape(*grad.shape, *self.kernel_size), x.data.shape)

    def _cut(self, x: np.ndarray) -> np.ndarray:
        cut = _windows_of(x, self.windows, self.kernel_size, fill=-np.inf)
        return cut.reshape(*cut.shape[:-2], math.prod(self.kernel_size))


class AvgPool2d(Function):
    """The mean of each window.

    Input: x (..., h, w).

    Parameters
    ----------
    kernel_size : int or pair of int
    stride : int, pair of int or None
        From one window to the next; None for the size of the kernel.
    padding : int or pair of int
        Zeros on either side, at most half the kernel.
    count_include_pad : bool
        Whether these zeros count.
    """

    name = "avg_pool2d"
    arguments: ClassVar = {"kernel_size": (2, (3, 2)), "stride": (None, 1), "padding": (1,),
                           "count_include_pad": (True, False)}  # fmt: skip

    def __init__(
        self, kernel_size: Ints, stride: Ints | None = None, padding: Ints = 0, count_include_pad: bool = True
    ) -> None:
        self.kernel_size = per_axis("kernel_size", kernel_size, 2, 1)
        self.windows = Windows.of(2, self.kernel_size if stride is None else stride, padding, 1)
        _check_padding(self.windows.padding, self.kernel_size)
        self.count_include_pad = count_include_pad

    def forward(self, x: Variable) -> Variable:
        cut = _windows_of(x.data, self.windows, self.kernel_size)
        return variable(cut.sum(axis=(-2, -1)) / self._counts(x.data))

    def backward(self, x: Variable, grad: Any) -> None:
        share = (grad / self._counts(x.data))[..., None, None]
        x.grad += self.windows.paste(np.broadcast_to(share, (*grad.shape, *self.kernel_size)), x.data.shape)

    def _counts(self, x: np.ndarray) -> Any:
        if not self.count_include_pad:
            return _windows_of(np.ones(x.shape[-2:], x.dtype), self.windows, self.kernel_size).sum(axis=(-2, -1))
        return math.prod(self.kernel_size)


def _windows_of(x: np.ndarray, windows: Windows, size: tuple[int, ...], fill: float = 0.0) -> np.ndarray:
    if x.ndim < 2 or 0 in x.shape[-2:]:
        raise ValueError(f"pooling takes x (..., h, w) with h and w at least 1; got shape {x.shape}")
    return windows.cut(x, size, fill)


def _check_padding(padding: tuple[int, ...], size: tuple[int, ...]) -> None:
    if any(2 * p > k for p, k in zip(padding, size, strict=True)):
        raise ValueError(f"padding must be at most half of kernel_size {size}; got {padding}")
