"""Statistics: averages, spreads, quantiles."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, ClassVar

import numpy as np

from adverify.engine import Variable, variable
from adverify.ops.axes import Axis, merged, unmerged
from adverify.ops.broadcasting import unbroadcast
from adverify.ops.reductions import OverAxes, Reduction, shared


class Average(OverAxes):
    """The weighted average, sum(weights * x) / sum(weights); without weights the mean.

    Inputs: x, and optionally weights, of the shape of x or of its axes that are averaged over.

    Parameters
    ----------
    axis, keepdims
        As for every reduction.
    """

    arguments: ClassVar = {"axis": (None, 0, -1, (0, -1), (1, 0))}

    def forward(self, x: Variable, weights: Variable | None = None) -> Variable:
        value, _, _, total, _ = self._parts(x.data, weights)
        if not total.all():
            raise ZeroDivisionError("average got weights whose sum is zero")
        return self.shaped(value, x.data)

    def backward(self, x: Variable, *weights_and_grad: Any) -> None:
        *weights, grad = weights_and_grad
        _, deviation, w, total, exponent = self._parts(x.data, *weights)
        share = self.kept(grad, x.data) / total
        x.grad += share * w
        for v in weights:
            aligned = unbroadcast(np.ldexp(share * deviation, -exponent), w.shape)
            v.grad += self._alike(aligned, x.data, v.data)

    def _parts(self, x: np.ndarray, weights: Variable | None = None) -> tuple[np.ndarray, ...]:
        """The average, x less it, the weights scaled to about one, their sum, and the binary exponent of the scale."""
        axes = self.axes(x)
        w = np.ones_like(x) if weights is None else self._aligned(x, weights.data)
        _, exponent = np.frexp(np.abs(w).max(axis=axes, keepdims=True, initial=0))
        w = np.ldexp(w, -exponent)  # exact; the products with x neither overflow nor vanish
        total = w.sum(axis=axes, keepdims=True)
        with np.errstate(divide="ignore", invalid="ignore"):
            value = (x * w).sum(axis=axes, keepdims=True) / total
            deviation = x - value
            # The average's own rounding shows in the deviations of elements that are nearly alike.
            return value, deviation - (deviation * w).sum(axis=axes, keepdims=True) / total, w, total, exponent

    def _aligned(self, x: np.ndarray, weights: np.ndarray) -> np.ndarray:
        """Put the axes of weights where those of x are."""
        if weights.shape == x.shape:
            return weights
        axes = self.axes(x)
        if self.axis is None or weights.shape != tuple(x.shape[i] for i in axes):
            raise ValueError(f"average takes weights of the shape of x or of its axes that are averaged over; got "
                             f"{weights.shape} for x {x.shape} and axis={self.axis}")  # fmt: skip
        shape = [n if i in axes else 1 for i, n in enumerate(x.shape)]
        return weights.transpose(np.argsort(axes)).reshape(shape)

    def _alike(self, aligned: np.ndarray, x: np.ndarray, weights: np.ndarray) -> np.ndarray:
        """Undo `_aligned`."""
        if weights.shape == x.shape:
            return aligned
        axes = self.axes(x)
        return aligned.reshape([x.shape[i] for i in sorted(axes)]).transpose(np.argsort(np.argsort(axes)))


class Var(Reduction):
    """The variance.

    Parameters
    ----------
    axis, keepdims
        As for every reduction.
    ddof : float
        Divides by the number of elements less this.
    """

    arguments: ClassVar = {"axis": (None, 0, -1, (0, -1)), "ddof": (0, 1)}

    def __init__(self, axis: Axis = None, ddof: float = 0, keepdims: bool = False) -> None:
        super().__init__(axis, keepdims)
        self.ddof = float(ddof)

    def value(self, x: np.ndarray) -> Any:
        return x.var(axis=self.axis, ddof=self.ddof, keepdims=True)

    def slope(self, x: np.ndarray) -> Any:
        return 2 * self.deviation(x) / self.freedom(x)

    def deviation(self, x: np.ndarray) -> np.ndarray:
        """x less its mean, twice: the first mean's rounding shows in elements that are nearly alike."""
        centred = x - x.mean(axis=self.axis, keepdims=True)
        return centred - centred.mean(axis=self.axis, keepdims=True)

    def freedom(self, x: np.ndarray) -> float:
        """The divisor; NaN where NumPy divides by zero."""
        freedom = self.count(x) - self.ddof
        return freedom if freedom > 0 else np.nan


class Std(Var):
    """The standard deviation, without the overflow of squares; the subgradient where all are alike is 0."""

    def value(self, x: np.ndarray) -> Any:
        scaled, exponent = self._scaled(x)
        return np.ldexp(scaled.std(axis=self.axis, ddof=self.ddof, keepdims=True), exponent)

    def slope(self, x: np.ndarray) -> Any:
        deviation = self.deviation(self._scaled(x)[0])
        square = (deviation * deviation).sum(axis=self.axis, keepdims=True)
        std = np.sqrt(square / self.freedom(x))
        return deviation / np.where(std == 0, 1, std) / self.freedom(x)

    def _scaled(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """x by a power of two to about one, exactly, and its exponent."""
        _, exponent = np.frexp(np.abs(x).max(axis=self.axis, keepdims=True, initial=0))
        return np.ldexp(x, -exponent), exponent


def _neighbours(x: np.ndarray, axes: tuple[int, ...], position: Any) -> tuple[Any, Any, Any, Any]:
    """The rows of x, the elements on either side of a position in their sorted order, and how far it is between."""
    rows = merged(x, axes)
    last = rows.shape[-1] - 1
    below = int(position)
    above = min(below + 1, last)
    ordered = np.partition(rows, (below, above, last), axis=-1)
    between = position - below if above > below else position * 0
    # NaN is sorted to the end, and makes everything NaN.
    ends = np.where(np.isnan(ordered[..., last, None]), np.nan, ordered[..., [below, above]])
    return rows, ends[..., :1], ends[..., 1:], between


def _value_at(x: np.ndarray, axes: tuple[int, ...], position: Any) -> np.ndarray:
    """What lies at a position in sorted order, interpolated as NumPy does it, so that ends are met exactly."""
    _, low, high, between = _neighbours(x, axes, position)
    step = high - low
    value = low + step * between if between < 0.5 else high - step * (1 - between)
    return value.reshape([1 if i in axes else n for i, n in enumerate(x.shape)])


def _weight_at(x: np.ndarray, axes: tuple[int, ...], position: Any) -> np.ndarray:
    """The derivative of what lies at a position in sorted order; ties share equally."""
    rows, low, high, between = _neighbours(x, axes, position)
    weight = (1 - between) * shared(rows, low, -1) + between * shared(rows, high, -1)
    return unmerged(weight, x.shape, axes)


class Median(Reduction):
    """The middle element in sorted order, or the mean of the two in the middle; ties share equally."""

    def value(self, x: np.ndarray) -> Any:
        return _value_at(x, self.axes(x), (self.count(x) - 1) / 2)

    def slope(self, x: np.ndarray) -> Any:
        return _weight_at(x, self.axes(x), (self.count(x) - 1) / 2)


METHODS = ("linear", "lower", "higher", "midpoint", "nearest", "inverted_cdf", "averaged_inverted_cdf",
           "closest_observation", "interpolated_inverted_cdf", "hazen", "weibull", "median_unbiased",
           "normal_unbiased")  # fmt: skip


@lru_cache
def _positions(n: int, dtype: np.dtype[Any], q: tuple[float, ...] | float, method: Any) -> Any:
    """Where quantiles lie in the sorted order of n elements: what NumPy makes of the integers tells it."""
    return np.quantile(np.arange(n, dtype=dtype), q, method=method)


class Quantile(OverAxes):
    """The quantiles, interpolated as `numpy.quantile` does; ties share equally.

    Parameters
    ----------
    q : float or sequence of float
        Between 0 and 1; the axes of a sequence come first in the output.
    axis, keepdims
        As for every reduction.
    method : str
        One of NumPy's.
    """

    arguments: ClassVar = {"q": (0.3, (0.0, 0.5, 0.85)), "axis": (None, -1), "method": ("linear", "hazen")}

    def __init__(self, q: Any = 0.5, axis: Axis = None, keepdims: bool = False, method: str = "linear") -> None:
        super().__init__(axis, keepdims)
        values = np.asarray(q, float)
        if not values.size or not np.all((values >= 0) & (values <= 1)):
            raise ValueError(f"q must lie between 0 and 1; got {q!r}")
        if method not in METHODS:
            raise ValueError(f"method must be one of {', '.join(METHODS)}; got {method!r}")
        self.q, self.shape, self.method = tuple(values.ravel().tolist()), values.shape, method

    def forward(self, x: Variable) -> Variable:
        axes = self.axes(x.data)
        values = [self.shaped(_value_at(x.data, axes, p), x.data).data for p in self._positions(x.data)]
        return variable(np.reshape(values, self.shape + values[0].shape))

    def backward(self, x: Variable, grad: Any) -> None:
        axes = self.axes(x.data)
        grads = np.reshape(grad, (len(self.q), *np.shape(grad)[len(self.shape) :]))
        for position, g in zip(self._positions(x.data), grads, strict=True):
            x.grad += self.kept(g, x.data) * _weight_at(x.data, axes, position)

    def _positions(self, x: np.ndarray) -> Any:
        # A float takes on the dtype of the data, an array does not.
        q = self.q if self.shape else self.q[0]
        return np.ravel(_positions(self.count(x), x.dtype, q, self.method))
