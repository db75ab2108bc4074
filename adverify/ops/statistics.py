"""Statistics: averages, spreads, quantiles."""

from __future__ import annotations

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


def _weight_at(x: np.ndarray, axes: tuple[int, ...], position: float) -> np.ndarray:
    """The derivative of what lies at `position`, whole or between, in sorted order; ties share equally."""
    rows = merged(x, axes)
    below = int(position)
    above = min(below + 1, rows.shape[-1] - 1)
    ordered = np.partition(rows, (below, above), axis=-1)
    low, high = (shared(rows, ordered[..., i, None], -1) for i in (below, above))
    between = x.dtype.type(position - below)
    return unmerged((1 - between) * low + between * high, x.shape, axes)


class Median(Reduction):
    """The middle element in sorted order, or the mean of the two in the middle; ties share equally."""

    def value(self, x: np.ndarray) -> Any:
        return np.median(x, axis=self.axis, keepdims=True)

    def slope(self, x: np.ndarray) -> Any:
        return _weight_at(x, self.axes(x), (self.count(x) - 1) / 2)


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

    METHODS = ("linear", "lower", "higher", "midpoint", "nearest", "inverted_cdf", "averaged_inverted_cdf",
               "closest_observation", "interpolated_inverted_cdf", "hazen", "weibull", "median_unbiased",
               "normal_unbiased")  # fmt: skip
    arguments: ClassVar = {"q": (0.3, (0.0, 0.5, 0.85)), "axis": (None, -1), "method": ("linear", "hazen")}

    def __init__(self, q: Any = 0.5, axis: Axis = None, keepdims: bool = False, method: str = "linear") -> None:
        super().__init__(axis, keepdims)
        # A float takes on the dtype of the data, an array does not.
        self.q = float(q) if np.ndim(q) == 0 else np.array(q, float)
        if not np.all((np.asarray(q) >= 0) & (np.asarray(q) <= 1)):
            raise ValueError(f"q must lie between 0 and 1; got {q!r}")
        if method not in self.METHODS:
            raise ValueError(f"method must be one of {', '.join(self.METHODS)}; got {method!r}")
        self.method = method

    def forward(self, x: Variable) -> Variable:
        value = np.quantile(x.data, self.q, axis=self.axis, keepdims=self.keepdims, method=self.method)  # type: ignore
        return variable(value)

    def backward(self, x: Variable, grad: Any) -> None:
        axes = self.axes(x.data)
        # Every method puts a quantile somewhere between neighbours in sorted order: where, the integers tell.
        order = np.arange(self.count(x.data), dtype=x.data.dtype)
        positions = np.quantile(order, self.q, method=self.method)  # type: ignore[call-overload]
        grads = np.reshape(grad, (np.size(self.q), *np.shape(grad)[np.ndim(self.q) :]))
        for position, g in zip(np.ravel(positions), grads, strict=True):
            x.grad += self.kept(g, x.data) * _weight_at(x.data, axes, float(position))
