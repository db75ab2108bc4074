"""Running totals along an axis, differences, and the areas between points."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar

import numpy as np

from adverify.engine import Function, Variable, variable
from adverify.ops.axes import integer, one_axis
from adverify.ops.broadcasting import unbroadcast
from adverify.ops.wide_range import Wide, recurrence


class Scan(Function, ABC):
    """An output for each beginning of the input along an axis; `run` and `pull` see that axis first.

    Parameters
    ----------
    axis : int or None
        None runs over the flattened array.
    """

    arguments: ClassVar = {"axis": (0, -1, None)}

    def __init__(self, axis: int | None = None) -> None:
        self.axis = one_axis(axis)

    @abstractmethod
    def run(self, x: np.ndarray) -> np.ndarray: ...

    @abstractmethod
    def pull(self, x: np.ndarray, grad: np.ndarray) -> np.ndarray:
        """The vector-Jacobian product."""

    def forward(self, x: Variable) -> Variable:
        a = self._array(x.data)
        return variable(np.moveaxis(self.run(self._first(a)), 0, self.axis or 0))

    def backward(self, x: Variable, grad: Any) -> None:
        share = self.pull(self._first(self._array(x.data)), self._first(np.asarray(grad)))
        x.grad += np.moveaxis(share, 0, self.axis or 0).reshape(x.data.shape)

    def _array(self, x: np.ndarray) -> np.ndarray:
        return x.reshape(-1) if self.axis is None else np.atleast_1d(x)

    def _first(self, a: np.ndarray) -> np.ndarray:
        return np.moveaxis(a, self.axis or 0, 0)


class Cumsum(Scan):
    """Running sums."""

    def run(self, x: np.ndarray) -> np.ndarray:
        return np.cumsum(x, axis=0)

    def pull(self, x: np.ndarray, grad: np.ndarray) -> np.ndarray:
        return np.cumsum(grad[::-1], axis=0)[::-1]


class Cumprod(Scan):
    """Running products.

    With any number of zeros, and where products leave the range of floats that the gradient does not: the gradient of
    x[i] is (x[0] ... x[i-1]) s[i] with s[i] = grad[i] + x[i+1] s[i+1], so nothing is divided.
    """

    def run(self, x: np.ndarray) -> np.ndarray:
        return np.cumprod(x, axis=0)

    def pull(self, x: np.ndarray, grad: np.ndarray) -> np.ndarray:
        zero, one = np.zeros_like(x[:1]), np.zeros_like(x)
        one[:1] = 1
        before = recurrence(Wide(np.concatenate([zero, x[:-1]])), Wide(one))
        after = recurrence(Wide(np.concatenate([zero, x[:0:-1]])), Wide(grad[::-1]))
        return (before * after[::-1]).to_float()


class Logcumsumexp(Scan):
    """log(cumsum(exp(x))) without overflow."""

    def run(self, x: np.ndarray) -> np.ndarray:
        top, total = self._parts(x)
        return top + np.log(total)

    def pull(self, x: np.ndarray, grad: np.ndarray) -> np.ndarray:
        top, total = self._parts(x)
        with np.errstate(over="ignore", under="ignore"):
            # s[i] = grad[i] + exp(y[i] - y[i+1]) s[i+1]; exp(y) itself, or a difference of y, would lose digits.
            shrink = np.exp(top[:-1] - top[1:]) * (total[:-1] / total[1:])
            factors = np.concatenate([np.zeros_like(x[:1]), shrink[::-1]])
            after = recurrence(factors, np.array(grad[::-1]))[::-1]
            return np.exp(x - top) / total * after

    @staticmethod
    def _parts(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The largest so far, and the sum of exponentials relative to its."""
        top = np.maximum.accumulate(x, axis=0)
        with np.errstate(over="ignore", under="ignore"):
            shrink = np.exp(top[:-1] - top[1:])
            total = recurrence(np.concatenate([np.zeros_like(x[:1]), shrink]), np.exp(x - top))
        return top, total


class Diff(Function):
    """The differences of neighbours along an axis.

    Parameters
    ----------
    n : int
        How many times to take them.
    axis : int
    """

    arguments: ClassVar = {"n": (1, 2, 0), "axis": (0, -1)}

    def __init__(self, n: int = 1, axis: int = -1) -> None:
        self.n, self.axis = integer(n, "n"), integer(axis, "axis")
        if self.n < 0:
            raise ValueError(f"n must not be negative; got {n}")

    def forward(self, x: Variable) -> Variable:
        return variable(np.diff(x.data, self.n, self.axis))

    def backward(self, x: Variable, grad: Any) -> None:
        if self.n == 0:
            x.grad += grad
        elif grad.size:
            # The transpose of a difference is the negative difference of what has zeros around.
            g = np.moveaxis(grad, self.axis, -1)
            padded = np.pad(g, [(0, 0)] * (g.ndim - 1) + [(self.n, self.n)])
            x.grad += np.moveaxis((-1) ** self.n * np.diff(padded, self.n), -1, self.axis)


class Trapezoid(Function):
    """The integral along an axis by the trapezoidal rule.

    Inputs: y, and optionally x, the places of y: one for each along the axis, or an array that broadcasts with y.

    Parameters
    ----------
    dx : float
        The distance of places, if x is not given.
    axis : int
    """

    arguments: ClassVar = {"dx": (1.0, 0.5), "axis": (-1, 0)}

    def __init__(self, dx: float = 1.0, axis: int = -1) -> None:
        self.dx, self.axis = float(dx), integer(axis, "axis")

    def forward(self, y: Variable, x: Variable | None = None) -> Variable:
        return variable(np.trapezoid(y.data, None if x is None else x.data, self.dx, self.axis))

    def backward(self, y: Variable, *x_and_grad: Any) -> None:
        *places, grad = x_and_grad
        first, last = self._ends(y.data.ndim, self.axis)
        middle = 0.5 * y.data[first] + 0.5 * y.data[last]
        steps = self._steps(places[0].data, y.data.ndim) if places else np.full_like(middle, self.dx)
        areas = np.broadcast_to(np.expand_dims(grad, self.axis), np.broadcast_shapes(middle.shape, steps.shape))
        share = 0.5 * unbroadcast(areas * steps, middle.shape)
        y.grad[first] += share
        y.grad[last] += share
        for x in places:
            first, last = self._ends(x.data.ndim, self.axis if x.data.ndim > 1 else 0)
            share = unbroadcast(areas * middle, steps.shape).reshape(x.data[first].shape)
            x.grad[first] -= share
            x.grad[last] += share

    def _steps(self, x: np.ndarray, ndim: int) -> np.ndarray:
        if x.ndim > 1:
            return np.diff(x, axis=self.axis)
        shape = [1] * ndim
        shape[self.axis] = -1
        return np.diff(x).reshape(shape)

    @staticmethod
    def _ends(ndim: int, axis: int) -> tuple[tuple[slice, ...], tuple[slice, ...]]:
        """Index all but the last, and all but the first, along an axis."""
        first, last = [slice(None)] * ndim, [slice(None)] * ndim
        first[axis], last[axis] = slice(None, -1), slice(1, None)
        return tuple(first), tuple(last)
