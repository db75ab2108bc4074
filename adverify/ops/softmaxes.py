"""Exponentials that are made to sum to one, and what shares their gradient."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from adverify.engine import Function, Variable, variable


class Softmax(Function):
    """exp(x) / sum(exp(x)) along an axis.

    Parameters
    ----------
    axis : int
    """

    arguments: ClassVar = {"axis": (-1, 0)}

    def __init__(self, axis: int = -1) -> None:
        self.axis = axis

    def forward(self, x: Variable) -> Variable:
        return variable(shares_of(x.data, self.axis))

    def backward(self, x: Variable, grad: Any) -> None:
        x.grad += pull_back_shares(shares_of(x.data, self.axis), grad, self.axis)


class LogSoftmax(Softmax):
    """log(softmax(x)) along an axis, without overflow."""

    def forward(self, x: Variable) -> Variable:
        return variable(log_shares_of(x.data, self.axis))

    def backward(self, x: Variable, grad: Any) -> None:
        s = shares_of(x.data, self.axis)
        others = grad.sum(axis=self.axis, keepdims=True) - grad
        x.grad += grad * remainders(s, self.axis) - s * others


def shares_of(x: np.ndarray, axis: int) -> np.ndarray:
    """Give the softmax; where all is -inf, zeros."""
    powers = np.exp(_below_largest(x, axis))
    total = powers.sum(axis=axis, keepdims=True)
    return powers / np.where(total == 0, 1, total)


def log_shares_of(x: np.ndarray, axis: int) -> np.ndarray:
    """Give the logarithm of the softmax."""
    below = _below_largest(x, axis)
    return below - np.log(np.exp(below).sum(axis=axis, keepdims=True))


def pull_back_shares(s: np.ndarray, grad: np.ndarray, axis: int) -> np.ndarray:
    """Apply the transposed Jacobian of softmax at shares `s`.

    Only differences of cotangents matter. Taken from that of a share near 1 they do not cancel.
    """
    grad = grad - np.where(s > 0.5, grad, 0).sum(axis=axis, keepdims=True)
    return s * (grad - (grad * s).sum(axis=axis, keepdims=True))


def remainders(s: np.ndarray, axis: int) -> np.ndarray:
    """Give 1 - s, exact for a share near 1 too: as the sum of all others."""
    return np.where(s > 0.5, np.where(s > 0.5, 0, s).sum(axis=axis, keepdims=True), 1 - s)


def _below_largest(x: np.ndarray, axis: int) -> np.ndarray:
    largest = x.max(axis=axis, keepdims=True, initial=-np.inf)
    return x - np.where(np.isfinite(largest), largest, 0).astype(x.dtype)
