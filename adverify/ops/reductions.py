"""Reductions over axes."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import Any, ClassVar

import numpy as np
from scipy import special

from adverify.engine import Function, Variable, variable

Axis = int | tuple[int, ...] | None


class Reduction(Function, ABC):
    """One output element for all input elements along some axes.

    Parameters
    ----------
    axis : int, tuple of int or None
        What to reduce over; None for everything.
    keepdims : bool
        Whether reduced axes stay, with length one.
    """

    arguments: ClassVar = {"axis": (None, 0, -1, (0, -1)), "keepdims": (False, True)}

    def __init__(self, axis: Axis = None, keepdims: bool = False) -> None:
        self.axis, self.keepdims = axis, keepdims

    @abstractmethod
    def value(self, x: np.ndarray) -> Any:
        """Reduce with keepdims."""

    @abstractmethod
    def slope(self, x: np.ndarray) -> Any:
        """The derivative of an element's own reduction by that element, broadcastable to x."""

    def forward(self, x: Variable) -> Variable:
        y = self.value(x.data)
        return variable(y if self.keepdims else np.squeeze(y, self.axes(x.data)))

    def backward(self, x: Variable, grad: Any) -> None:
        grad = grad if self.keepdims else np.expand_dims(grad, self.axes(x.data))
        x.grad += grad * self.slope(x.data)

    def axes(self, x: np.ndarray) -> tuple[int, ...]:
        """The axes that are reduced, all counted from the front."""
        if self.axis is None:
            return tuple(range(x.ndim))
        axes = (self.axis,) if isinstance(self.axis, int) else self.axis
        return np.lib.array_utils.normalize_axis_tuple(axes, x.ndim)

    def count(self, x: np.ndarray) -> int:
        """How many elements go into one output."""
        return math.prod(x.shape[i] for i in self.axes(x))


class Sum(Reduction):
    """The sum of elements."""

    def value(self, x: np.ndarray) -> Any:
        return x.sum(axis=self.axis, keepdims=True)

    def slope(self, x: np.ndarray) -> Any:
        return np.ones_like(x)


class Mean(Reduction):
    """The arithmetic mean."""

    def value(self, x: np.ndarray) -> Any:
        return x.mean(axis=self.axis, keepdims=True)

    def slope(self, x: np.ndarray) -> Any:
        return np.full_like(x, 1 / max(1, self.count(x)))


class Prod(Reduction):
    """The product of elements; right with any number of zeros among them."""

    def value(self, x: np.ndarray) -> Any:
        return x.prod(axis=self.axis, keepdims=True)

    def slope(self, x: np.ndarray) -> Any:
        zero = x == 0
        zeros = zero.sum(axis=self.axis, keepdims=True)
        rest = np.where(zero, 1, x).prod(axis=self.axis, keepdims=True)
        # The others' product: without a zero all by this one; with one zero, only that one's is not 0.
        return np.where(zeros == 0, rest / np.where(zero, 1, x), np.where((zeros == 1) & zero, rest, 0))


class Max(Reduction):
    """The largest element; ties share equally."""

    def value(self, x: np.ndarray) -> Any:
        return x.max(axis=self.axis, keepdims=True)

    def slope(self, x: np.ndarray) -> Any:
        chosen = (x == self.value(x)).astype(x.dtype)
        return chosen / chosen.sum(axis=self.axis, keepdims=True)


class Min(Max):
    """The smallest element; ties share equally."""

    def value(self, x: np.ndarray) -> Any:
        return x.min(axis=self.axis, keepdims=True)


class Logsumexp(Reduction):
    """log(sum(exp(x))) without overflow."""

    def value(self, x: np.ndarray) -> Any:
        return np.asarray(special.logsumexp(x, axis=self.axis, keepdims=True)).reshape(
            [1 if i in self.axes(x) else n for i, n in enumerate(x.shape)]
        )  # SciPy gives a 0-d array an axis

    def slope(self, x: np.ndarray) -> Any:
        return np.exp(x - self.value(x))


class Var(Reduction):
    """The variance.

    Parameters
    ----------
    axis, keepdims
        As for every reduction.
    ddof : int
        Divides by the number of elements less this.
    """

    arguments: ClassVar = {"axis": (None, 0, -1, (0, -1)), "ddof": (0, 1)}

    def __init__(self, axis: Axis = None, ddof: int = 0, keepdims: bool = False) -> None:
        super().__init__(axis, keepdims)
        self.ddof = ddof

    def value(self, x: np.ndarray) -> Any:
        return x.var(axis=self.axis, ddof=self.ddof, keepdims=True)

    def slope(self, x: np.ndarray) -> Any:
        return 2 / max(1, self.count(x) - self.ddof) * (x - x.mean(axis=self.axis, keepdims=True))


class Std(Var):
    """The standard deviation; the subgradient where all are alike is 0."""

    def value(self, x: np.ndarray) -> Any:
        return x.std(axis=self.axis, ddof=self.ddof, keepdims=True)

    def slope(self, x: np.ndarray) -> Any:
        std = self.value(x)
        return super().slope(x) / (2 * np.where(std == 0, 1, std))
