"""Ops that bring any values into a domain: put where an op of a drawn expression asks for what its operand is not."""

from __future__ import annotations

from typing import Any

import numpy as np

from adverify.engine import Function, Variable, variable


class Squash(Function):
    """Between two numbers, increasing: their mean, and 0.49 of their distance times x / sqrt(1 + x**2)."""

    def __init__(self, low: float = -3.0, high: float = 3.0) -> None:
        self.low, self.high = low, high

    def forward(self, x: Variable) -> Variable:
        share = 0.5 + 0.49 * x.data / np.hypot(1, x.data)
        return variable((self.low + (self.high - self.low) * share).astype(x.data.dtype))

    def backward(self, x: Variable, grad: Any) -> None:
        x.grad += 0.49 * (self.high - self.low) * grad / np.hypot(1, x.data) ** 3


class Symmetrise(Function):
    """The mean of a matrix and its transpose."""

    def forward(self, x: Variable) -> Variable:
        return variable((x.data + np.swapaxes(x.data, -1, -2)) / 2)

    def backward(self, x: Variable, grad: Any) -> None:
        x.grad += (grad + np.swapaxes(grad, -1, -2)) / 2


class Gram(Function):
    """The identity and x times its transpose: a positive definite matrix."""

    def forward(self, x: Variable) -> Variable:
        return variable(x.data @ np.swapaxes(x.data, -1, -2) + np.eye(x.data.shape[-2], dtype=x.data.dtype))

    def backward(self, x: Variable, grad: Any) -> None:
        x.grad += (grad + np.swapaxes(grad, -1, -2)) @ x.data
