"""Activation functions of neural networks."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from scipy import special

from adverify.engine import Function, Variable, variable
from adverify.ops.elementwise import Unary


class Relu(Unary):
    """max(x, 0); the subgradient at 0 is 0."""

    def value(self, x: np.ndarray) -> Any:
        return np.maximum(x, 0)

    def slope(self, x: np.ndarray) -> Any:
        return x > 0


class LeakyRelu(Unary):
    """x where positive, negative_slope * x elsewhere; the subgradient at 0 is negative_slope.

    Parameters
    ----------
    negative_slope : float
    """

    arguments: ClassVar = {"negative_slope": (0.01, 0.5)}

    def __init__(self, negative_slope: float = 0.01) -> None:
        self.negative_slope = negative_slope

    def value(self, x: np.ndarray) -> Any:
        return np.where(x > 0, x, self.negative_slope * x)

    def slope(self, x: np.ndarray) -> Any:
        return np.where(x > 0, 1, self.negative_slope).astype(x.dtype)


class Elu(Unary):
    """x where positive, alpha * (exp(x) - 1) elsewhere.

    Parameters
    ----------
    alpha : float
    """

    arguments: ClassVar = {"alpha": (1.0, 1.5)}

    def __init__(self, alpha: float = 1.0) -> None:
        self.alpha = alpha

    def value(self, x: np.ndarray) -> Any:
        return np.where(x > 0, x, self.alpha * np.expm1(np.minimum(x, 0)))

    def slope(self, x: np.ndarray) -> Any:
        return np.where(x > 0, 1, self.alpha * np.exp(np.minimum(x, 0)))


class Softplus(Unary):
    """log(1 + exp(x)) without overflow."""

    def value(self, x: np.ndarray) -> Any:
        return np.logaddexp(x, np.zeros_like(x))

    def slope(self, x: np.ndarray) -> Any:
        return special.expit(x)


class Silu(Unary):
    """x * sigmoid(x)."""

    def value(self, x: np.ndarray) -> Any:
        return x * special.expit(x)

    def slope(self, x: np.ndarray) -> Any:
        return special.expit(x) * (1 + x * special.expit(-x))


class Gelu(Unary):
    """x times the normal distribution function of x."""

    def value(self, x: np.ndarray) -> Any:
        return x * special.ndtr(x)

    def slope(self, x: np.ndarray) -> Any:
        return special.ndtr(x) + x * np.exp(-0.5 * x * x) / float(np.sqrt(2 * np.pi))


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
        return variable(special.softmax(x.data, axis=self.axis))

    def backward(self, x: Variable, grad: Any) -> None:
        s = special.softmax(x.data, axis=self.axis)
        x.grad += s * (grad - (grad * s).sum(axis=self.axis, keepdims=True))


class LogSoftmax(Softmax):
    """log(softmax(x)) along an axis, without overflow."""

    def forward(self, x: Variable) -> Variable:
        return variable(special.log_softmax(x.data, axis=self.axis))

    def backward(self, x: Variable, grad: Any) -> None:
        x.grad += grad - special.softmax(x.data, axis=self.axis) * grad.sum(axis=self.axis, keepdims=True)
