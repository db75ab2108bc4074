"""Reductions over axes: sums, products, extremes."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import Any, ClassVar

import numpy as np

from adverify.engine import Function, Variable, variable
from adverify.ops.axes import Axis, any_axes, merged, unmerged
from adverify.ops.wide_range import Wide


class OverAxes(Function, ABC):
    """What has an axis or several to work over, and may keep them.

    Parameters
    ----------
    axis : int, tuple of int or None
        What to reduce over; None for everything.
    keepdims : bool
        Whether reduced axes stay, with length one.
    """

    arguments: ClassVar[dict[str, Any]] = {"axis": (None, 0, -1, (0, -1)), "keepdims": (False, True)}

    def __init__(self, axis: Axis = None, keepdims: bool = False) -> None:
        self.axis, self.keepdims = any_axes(axis), bool(keepdims)

    def axes(self, x: np.ndarray) -> tuple[int, ...]:
        """The axes that are reduced, all counted from the front."""
        if self.axis is None or (x.ndim == 0 and self.axis in (0, -1)):  # as NumPy's own reductions take 0-d arrays
            return tuple(range(x.ndim))
        return np.lib.array_utils.normalize_axis_tuple(self.axis, x.ndim)

    def count(self, x: np.ndarray) -> int:
        """How many elements go into one output."""
        return math.prod(x.shape[i] for i in self.axes(x))

    def shaped(self, y: np.ndarray, x: np.ndarray) -> Variable:
        """Make the output of a result that has kept its axes."""
        return variable(y if self.keepdims else np.squeeze(y, self.axes(x)))

    def kept(self, grad: Any, x: np.ndarray) -> Any:
        """Give a cotangent the axes that the output lost."""
        return grad if self.keepdims else np.expand_dims(grad, self.axes(x))


class Reduction(OverAxes, ABC):
    """One output element for all input elements along some axes: a value, and its partial derivatives."""

    @abstractmethod
    def value(self, x: np.ndarray) -> Any:
        """Reduce with keepdims."""

    @abstractmethod
    def slope(self, x: np.ndarray) -> Any:
        """The derivative of an element's own reduction by that element, broadcastable to x."""

    def forward(self, x: Variable) -> Variable:
        return self.shaped(self.value(x.data), x.data)

    def backward(self, x: Variable, grad: Any) -> None:
        grad = self.kept(grad, x.data)
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            # An infinite slope times a cotangent of zero is zero: an output that nothing uses has no say.
            x.accumulate(np.where(grad == 0, 0, grad * self.slope(x.data)))


def shared(x: np.ndarray, chosen: Any, axis: Axis) -> np.ndarray:
    """Divide one among the elements along `axis` that equal `chosen`."""
    tied = (x == chosen).astype(x.dtype)
    return tied / tied.sum(axis=axis, keepdims=True)


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
    """The product of elements.

    The gradient of an element is the product of the others: with any number of zeros among them, and where some of
    their partial products leave the range of floats.
    """

    def value(self, x: np.ndarray) -> Any:
        return x.prod(axis=self.axis, keepdims=True)

    def slope(self, x: np.ndarray) -> Any:
        axes = self.axes(x)
        rows = np.moveaxis(merged(x, axes), -1, 0)
        zero = rows == 0
        zeros = zero.sum(axis=0)
        factors = Wide(np.where(zero, 1, rows))
        others = (factors.product() / factors).to_float() if x.size else rows
        # With one zero only its own gradient is not zero, with more none is.
        others = np.where((zeros == 0) | ((zeros == 1) & zero), others, 0)
        return unmerged(np.moveaxis(others, 0, -1), x.shape, axes)


class Max(Reduction):
    """The largest element; ties share equally."""

    def value(self, x: np.ndarray) -> Any:
        return x.max(axis=self.axis, keepdims=True)

    def slope(self, x: np.ndarray) -> Any:
        return shared(x, self.value(x), self.axis)


class Min(Max):
    """The smallest element; ties share equally."""

    def value(self, x: np.ndarray) -> Any:
        return x.min(axis=self.axis, keepdims=True)


class Ptp(Reduction):
    """The largest element less the smallest; ties share equally."""

    def value(self, x: np.ndarray) -> Any:
        return np.ptp(x, axis=self.axis, keepdims=True)

    def slope(self, x: np.ndarray) -> Any:
        return shared(x, x.max(axis=self.axis, keepdims=True), self.axis) - shared(
            x, x.min(axis=self.axis, keepdims=True), self.axis
        )


class Logsumexp(Reduction):
    """log(sum(exp(x))) without overflow."""

    def value(self, x: np.ndarray) -> Any:
        top, largest, rest = self._parts(x)
        return top + np.log(largest) + np.log1p(rest / largest)

    def slope(self, x: np.ndarray) -> Any:
        # Not exp(x - value): beside 1e20 the logarithm of how many tie is lost.
        top, largest, rest = self._parts(x)
        return np.exp(x - top) / (largest + rest)

    def _parts(self, x: np.ndarray) -> tuple[Any, Any, Any]:
        """The largest element, how often it occurs, and the sum of the other exponentials relative to its."""
        top = x.max(axis=self.axis, keepdims=True)
        largest = x == top
        with np.errstate(over="ignore", under="ignore"):
            rest = np.where(largest, 0, np.exp(x - np.where(np.isinf(top), 0, top)))
        return top, largest.sum(axis=self.axis, keepdims=True, dtype=x.dtype), rest.sum(axis=self.axis, keepdims=True)
