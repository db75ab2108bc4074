"""Layers and losses of neural networks."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import numpy as np
from scipy import special

from adverify.engine import Function, Variable, variable


class Linear(Function):
    """x @ weight.T + bias, over the last axis of x.

    Inputs: x (..., k), weight (m, k), and optionally bias (m,).
    """

    def forward(self, x: Variable, weight: Variable, bias: Variable | None = None) -> Variable:
        if x.data.ndim < 1 or weight.data.ndim != 2 or (bias is not None and bias.data.shape != weight.data.shape[:1]):
            raise ValueError("linear takes x (..., k), weight (m, k) and bias (m,)")
        y = x.data @ weight.data.T
        return variable(y if bias is None else y + bias.data)

    def backward(self, x: Variable, weight: Variable, *bias_and_grad: Any) -> None:
        *bias, grad = bias_and_grad
        n, (m, k) = math.prod(x.data.shape[:-1]), weight.data.shape
        rows, flat = grad.reshape(n, m), x.data.reshape(n, k)
        x.grad += grad @ weight.data
        weight.grad += rows.T @ flat
        for b in bias:
            b.grad += rows.sum(axis=0)


class LayerNorm(Function):
    """(x - mean) / sqrt(variance + eps) over the last axis.

    Parameters
    ----------
    eps : float
    """

    def __init__(self, eps: float = 1e-5) -> None:
        self.eps = eps

    def _normalised(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        centred = x - x.mean(axis=-1, keepdims=True)
        sigma = np.sqrt((centred**2).mean(axis=-1, keepdims=True) + self.eps)
        return centred / sigma, sigma

    def forward(self, x: Variable) -> Variable:
        return variable(self._normalised(x.data)[0])

    def backward(self, x: Variable, grad: Any) -> None:
        y, sigma = self._normalised(x.data)
        x.grad += (grad - grad.mean(axis=-1, keepdims=True) - y * (grad * y).mean(axis=-1, keepdims=True)) / sigma


class CrossEntropy(Function):
    """The mean over rows of -log softmax(x)[target].

    Input: x (n, classes).

    Parameters
    ----------
    target : array_like of int
        The class of each row.
    """

    arguments: ClassVar = {"target": ([0, 1], [2, 0, 0], [1])}

    def __init__(self, target: Any) -> None:
        self.target = np.asarray(target, dtype=int)

    def forward(self, x: Variable) -> Variable:
        if x.data.ndim != 2 or len(x.data) != len(self.target):
            raise ValueError(f"cross_entropy takes x ({len(self.target)}, classes); got {x.data.shape}")
        return variable(-special.log_softmax(x.data, axis=-1)[np.arange(len(self.target)), self.target].mean())

    def backward(self, x: Variable, grad: Any) -> None:
        share = special.softmax(x.data, axis=-1)
        share[np.arange(len(self.target)), self.target] -= 1
        x.grad += grad * share / len(self.target)


class Conv2d(Function):
    """The cross-correlation of images with kernels.

    Inputs: x (n, c, h, w), weight (o, c, kh, kw).

    Parameters
    ----------
    stride, padding : int
        The same for height and width.
    """

    name = "conv2d"
    arguments: ClassVar = {"stride": (1, 2), "padding": (0, 1)}

    def __init__(self, stride: int = 1, padding: int = 0) -> None:
        if stride < 1 or padding < 0:
            raise ValueError(f"conv2d needs stride >= 1 and padding >= 0; got stride={stride}, padding={padding}")
        self.stride, self.padding = stride, padding

    def _windows(self, x: np.ndarray, weight: np.ndarray, writeable: bool = False) -> np.ndarray:
        """A view (n, c, out_h, out_w, kh, kw) on padded images."""
        windows = np.lib.stride_tricks.sliding_window_view(x, weight.shape[2:], axis=(2, 3), writeable=writeable)
        return windows[:, :, :: self.stride, :: self.stride]

    def _padded(self, x: np.ndarray) -> np.ndarray:
        p = self.padding
        return np.pad(x, ((0, 0), (0, 0), (p, p), (p, p)))

    def forward(self, x: Variable, weight: Variable) -> Variable:
        if x.data.ndim != 4 or weight.data.ndim != 4 or x.data.shape[1] != weight.data.shape[1]:
            raise ValueError(f"conv2d takes x (n, c, h, w) and weight (o, c, kh, kw); got {x.data.shape} and "
                             f"{weight.data.shape}")  # fmt: skip
        windows = self._windows(self._padded(x.data), weight.data)
        return variable(np.einsum("nchwij,ocij->nohw", windows, weight.data))

    def backward(self, x: Variable, weight: Variable, grad: Any) -> None:
        padded = self._padded(x.data)
        weight.grad += np.einsum("nchwij,nohw->ocij", self._windows(padded, weight.data), grad)
        share = np.zeros_like(padded)
        for i, j in np.ndindex(*weight.data.shape[2:]):
            rows = slice(i, i + self.stride * grad.shape[2], self.stride)
            columns = slice(j, j + self.stride * grad.shape[3], self.stride)
            share[:, :, rows, columns] += np.einsum("nohw,oc->nchw", grad, weight.data[:, :, i, j])
        p = self.padding
        x.grad += share[:, :, p : p + x.data.shape[2], p : p + x.data.shape[3]]
