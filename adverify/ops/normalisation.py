"""Normalisation: inputs less their mean, in units of their spread, over various axes.

y = (x - mean) / sqrt(variance + eps) * weight + bias, as PyTorch defines it, with the variance of the population. It
neither overflows nor vanishes for inputs of any size, and neither does its gradient. Where eps
and the variance are both 0, y without weight and bias is 0, and the gradient is finite but means nothing.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from adverify.engine import Function, Variable, variable
from adverify.ops.projections import components, exponents_of

Axes = tuple[int, ...]


@dataclass(frozen=True)
class Standardised:
    """x less its mean, if `centred`, in units of sqrt(variance + eps) = 2**exponent * spread.

    Attributes
    ----------
    y : ndarray
    spread, floor, exponent : ndarray
        The units, and the square root of eps alone, both over 2**exponent.
    axes : tuple of int
    centred : bool
    """

    y: np.ndarray
    spread: np.ndarray
    floor: np.ndarray
    exponent: np.ndarray
    axes: Axes
    centred: bool

    @classmethod
    def of(cls, x: np.ndarray, axes: Axes, eps: float, centred: bool) -> Standardised:
        exponent = exponents_of(x, axes)
        x = np.ldexp(x, -exponent)
        for _ in range(2 if centred else 0):  # where hardly anything is left, so is the rounding of the mean
            x = x - x.mean(axis=axes, keepdims=True)
        floor = np.ldexp(x.dtype.type(math.sqrt(eps)), -exponent)
        spread = np.hypot(np.sqrt((x * x).mean(axis=axes, keepdims=True)), floor)
        spread = np.where(spread == 0, 1, spread).astype(x.dtype)
        return cls(x / spread, spread, floor, exponent, axes, centred)

    def pull_back(self, grad: np.ndarray) -> np.ndarray:
        """Take a cotangent of y to x: across y it is divided by the units, along y also damped by eps's share."""
        across, along, direction = components(grad, self.y, self.axes, self.centred)
        damped = (self.floor / self.spread) ** 2 * along * direction
        return np.asarray(np.ldexp((across + damped) / self.spread, -self.exponent))


class Normalisation(Function, ABC):
    """What normalisations have in common: each says over which axes, and which axes weight and bias have.

    Parameters
    ----------
    eps : float
    """

    centred: ClassVar[bool] = True

    def __init__(self, eps: float = 1e-5) -> None:
        if not eps >= 0:
            raise ValueError(f"{type(self).__name__} needs eps >= 0; got eps={eps}")
        self.eps = eps

    @abstractmethod
    def grouped(self, x: np.ndarray) -> tuple[np.ndarray, Axes]:
        """Give x, arranged so that it is normalised over some axes, and these axes."""

    @abstractmethod
    def own_axes(self, x: np.ndarray) -> Axes:
        """The axes of x that weight and bias have."""

    def standardised(self, x: np.ndarray) -> Standardised:
        arranged, axes = self.grouped(x)
        return Standardised.of(arranged, axes, self.eps, self.centred)

    def forward(self, x: Variable, weight: Variable | None = None, bias: Variable | None = None) -> Variable:
        y = self.standardised(x.data).y.reshape(x.data.shape)
        if weight is not None:
            y = y * self._aligned(weight, x.data)
        return variable(y if bias is None else y + self._aligned(bias, x.data))

    def backward(self, x: Variable, *parameters_and_grad: Any) -> None:
        *parameters, grad = parameters_and_grad
        weight, bias = (*parameters, None, None)[:2]
        found = self.standardised(x.data)
        others = tuple(set(range(grad.ndim)) - set(self.own_axes(x.data)))
        inner = grad if weight is None else grad * self._aligned(weight, x.data)
        x.grad += found.pull_back(inner.reshape(found.y.shape)).reshape(grad.shape)
        if weight is not None:
            weight.grad += (grad * found.y.reshape(grad.shape)).sum(axis=others)
        if bias is not None:
            bias.grad += grad.sum(axis=others)

    def _aligned(self, parameter: Variable, x: np.ndarray) -> np.ndarray:
        own = self.own_axes(x)
        expected = tuple(x.shape[i] for i in own)
        if parameter.data.shape != expected:
            raise ValueError(f"{type(self).__name__} takes weight and bias of shape {expected} for x of shape "
                             f"{x.shape}; got {parameter.data.shape}")  # fmt: skip
        return parameter.data.reshape([n if i in own else 1 for i, n in enumerate(x.shape)])


class BatchNorm(Normalisation):
    """Each channel standardised over the batch and all places, by the batch's own mean and variance.

    Inputs: x (n, c, ...), and optionally weight (c,) and bias (c,).

    Parameters
    ----------
    eps : float
    """

    def grouped(self, x: np.ndarray) -> tuple[np.ndarray, Axes]:
        if x.ndim < 2:
            raise ValueError(f"batch_norm takes x (n, c, ...); got shape {x.shape}")
        return x, (0, *range(2, x.ndim))

    def own_axes(self, x: np.ndarray) -> Axes:
        return (1,)


class GroupNorm(Normalisation):
    """Each item standardised over groups of channels and all places.

    Inputs: x (n, c, ...), and optionally weight (c,) and bias (c,).

    Parameters
    ----------
    num_groups : int
        Divides c; 1 for all channels together, c for each by itself.
    eps : float
    """

    arguments: ClassVar = {"num_groups": (1, 2, 3)}

    def __init__(self, num_groups: int, eps: float = 1e-5) -> None:
        if num_groups < 1:
            raise ValueError(f"group_norm needs num_groups >= 1; got num_groups={num_groups}")
        super().__init__(eps)
        self.num_groups = num_groups

    def grouped(self, x: np.ndarray) -> tuple[np.ndarray, Axes]:
        if x.ndim < 2 or x.shape[1] % self.num_groups:
            raise ValueError(f"group_norm takes x (n, c, ...) with c divisible by num_groups={self.num_groups}; "
                             f"got shape {x.shape}")  # fmt: skip
        n, c, *places = x.shape
        return x.reshape(n, self.num_groups, c // self.num_groups, *places), tuple(range(2, x.ndim + 1))

    def own_axes(self, x: np.ndarray) -> Axes:
        return (1,)


class LayerNorm(Normalisation):
    """Each item standardised over its last axes.

    Inputs: x (..., *normalized_shape), and optionally weight and bias of shape normalized_shape.

    Parameters
    ----------
    normalized_shape : int, sequence of int or None
        The lengths of the axes to normalise over; None for the last axis, of any length.
    eps : float
    """

    arguments: ClassVar = {"normalized_shape": (None, 4, (2, 3))}

    def __init__(self, normalized_shape: int | Sequence[int] | None = None, eps: float = 1e-5) -> None:
        super().__init__(eps)
        shape = (normalized_shape,) if isinstance(normalized_shape, int) else normalized_shape
        self.normalized_shape = None if shape is None else tuple(shape)

    def grouped(self, x: np.ndarray) -> tuple[np.ndarray, Axes]:
        expected = x.shape[-1:] if self.normalized_shape is None else self.normalized_shape
        own = self.own_axes(x)
        if x.ndim < max(1, len(expected)) or x.shape[x.ndim - len(own) :] != expected:
            raise ValueError(f"{type(self).__name__} takes x (..., {', '.join(map(str, expected)) or 'k'}); "
                             f"got shape {x.shape}")  # fmt: skip
        return x, own

    def own_axes(self, x: np.ndarray) -> Axes:
        count = 1 if self.normalized_shape is None else len(self.normalized_shape)
        return tuple(range(x.ndim - count, x.ndim))


class RmsNorm(LayerNorm):
    """Each item over the root mean square of its last axes, without centring it.

    Inputs: x (..., *normalized_shape), and optionally weight of shape normalized_shape.

    Parameters
    ----------
    normalized_shape : int, sequence of int or None
        The lengths of the axes to normalise over; None for the last axis, of any length.
    eps : float
        By default the spacing of doubles at 1, for every dtype.
    """

    centred: ClassVar[bool] = False

    def __init__(self, normalized_shape: int | Sequence[int] | None = None, eps: float = 2.0**-52) -> None:
        super().__init__(normalized_shape, eps)

    def forward(self, x: Variable, weight: Variable | None = None) -> Variable:  # type: ignore[override]
        return super().forward(x, weight)
