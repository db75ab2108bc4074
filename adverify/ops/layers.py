"""Layers with weights, lookups and dropout."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import numpy as np

from adverify.engine import Function, Variable, variable


class Linear(Function):
    """x @ weight.T + bias, over the last axis of x.

    Inputs: x (..., k), weight (m, k), and optionally bias (m,).
    """

    def forward(self, x: Variable, weight: Variable, bias: Variable | None = None) -> Variable:
        fits = x.data.ndim >= 1 and weight.data.ndim == 2 and x.data.shape[-1] == weight.data.shape[1]
        if not fits or (bias is not None and bias.data.shape != weight.data.shape[:1]):
            raise ValueError(f"linear takes x (..., k), weight (m, k) and bias (m,); got {_shapes(x, weight, bias)}")
        y = x.data @ weight.data.T
        return variable(y if bias is None else y + bias.data)

    def backward(self, x: Variable, weight: Variable, *bias_and_grad: Any) -> None:
        *bias, grad = bias_and_grad
        n, (m, k) = math.prod(x.data.shape[:-1]), weight.data.shape
        rows, flat = grad.reshape(n, m), x.data.reshape(n, k)
        if x.needs_grad:
            x.accumulate(grad @ weight.data)
        if weight.needs_grad:
            weight.accumulate(rows.T @ flat)
        for b in bias:
            if b is not None:
                b.accumulate(rows.sum(axis=0))


class Bilinear(Function):
    """y[o] = x1 @ weight[o] @ x2 + bias[o], over the last axes of x1 and x2.

    Inputs: x1 (..., i), x2 (..., j), weight (o, i, j), and optionally bias (o,).
    """

    signature = "(n,i),(n,j),(o,i,j),(o)->(n,o)"

    def forward(self, x1: Variable, x2: Variable, weight: Variable, bias: Variable | None = None) -> Variable:
        a, b, w = x1.data, x2.data, weight.data
        fits = a.ndim >= 1 and a.shape[:-1] == b.shape[:-1] and w.ndim == 3
        if (
            not fits
            or w.shape[1:] != (a.shape[-1], b.shape[-1])
            or (bias is not None and bias.data.shape != w.shape[:1])
        ):
            raise ValueError("bilinear takes x1 (..., i), x2 (..., j), weight (o, i, j) and bias (o,); got "
                             f"{_shapes(x1, x2, weight, bias)}")  # fmt: skip
        y = _pairs(a, b) @ w.reshape(len(w), math.prod(w.shape[1:])).T
        y = y.reshape(*a.shape[:-1], len(w))
        return variable(y if bias is None else y + bias.data)

    def backward(self, x1: Variable, x2: Variable, weight: Variable, *bias_and_grad: Any) -> None:
        *bias, grad = bias_and_grad
        a, b, w = x1.data, x2.data, weight.data
        rows = grad.reshape(math.prod(a.shape[:-1]), len(w))
        pairs = (rows @ w.reshape(len(w), math.prod(w.shape[1:]))).reshape(*a.shape, b.shape[-1])
        x1.grad += (pairs * b[..., None, :]).sum(axis=-1)
        x2.grad += (pairs * a[..., :, None]).sum(axis=-2)
        weight.grad += (rows.T @ _pairs(a, b)).reshape(w.shape)
        for parameter in bias:
            if parameter is not None:
                parameter.grad += rows.sum(axis=0)


def _pairs(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """The products of every element of an item of a with every one of b, an item a row."""
    products = a[..., :, None] * b[..., None, :]
    return products.reshape(math.prod(a.shape[:-1]), a.shape[-1] * b.shape[-1])


class Embedding(Function):
    """The rows of a table that indices name; a row named twice gets the sum of both gradients.

    Input: weight (rows, width). Output: (*indices.shape, width).

    Parameters
    ----------
    indices : array_like of int
        Each at least 0.
    """

    arguments: ClassVar = {"indices": ([0, 1, 0], 1, [[1, 0], [1, 1]])}

    def __init__(self, indices: Any) -> None:
        self.indices = np.asarray(indices)
        if self.indices.size and (self.indices.dtype.kind not in "iu" or self.indices.min() < 0):
            raise ValueError(f"embedding needs indices of whole numbers, each at least 0; got {indices!r}")
        self.indices = self.indices.astype(int)

    def forward(self, weight: Variable) -> Variable:
        rows = int(self.indices.max(initial=-1)) + 1
        if weight.data.ndim != 2 or len(weight.data) < rows:
            raise ValueError(f"embedding takes a weight (rows, width) of at least {rows} rows; "
                             f"got shape {weight.data.shape}")  # fmt: skip
        return variable(weight.data[self.indices])

    def backward(self, weight: Variable, grad: Any) -> None:
        np.add.at(weight.grad, self.indices, grad)


class Dropout(Function):
    """x where it is kept, divided by the probability of being kept, and 0 elsewhere.

    One instance drops the same elements whenever it is used on a shape, so that backward knows them; make another for
    others.

    Parameters
    ----------
    p : float
        The probability that an element is dropped.
    mask : array_like of bool, optional
        What is kept; broadcasts to x. Drawn if not given.
    seed : int, optional
        What it is drawn from; itself drawn if not given.
    """

    arguments: ClassVar = {"p": (0.5, 0.2, 1.0), "mask": (None, [True, False, True]), "seed": (0,)}

    def __init__(self, p: float = 0.5, mask: Any = None, seed: int | None = None) -> None:
        if not 0 <= p <= 1:
            raise ValueError(f"dropout needs p in [0, 1]; got p={p}")
        self.p, self.mask = p, None if mask is None else np.asarray(mask, dtype=bool)
        self.seed = int(np.random.default_rng().integers(2**62)) if seed is None else seed

    def forward(self, x: Variable) -> Variable:
        return variable(self._kept(x.data, x.data.shape))

    def backward(self, x: Variable, grad: Any) -> None:
        x.grad += self._kept(grad, x.data.shape)

    def _kept(self, values: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
        if self.mask is None:
            mask = np.random.default_rng(self.seed).random(shape) >= self.p
        elif np.broadcast_shapes(self.mask.shape, shape) == shape:
            mask = self.mask
        else:
            raise ValueError(f"dropout takes x to whose shape its mask of {self.mask.shape} broadcasts; got {shape}")
        return np.where(mask, values / (1 - self.p) if self.p < 1 else 0, 0).astype(values.dtype)


def _shapes(*variables: Variable | None) -> str:
    return ", ".join(str(v.data.shape) for v in variables if v is not None)
