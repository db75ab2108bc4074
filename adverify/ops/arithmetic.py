"""Arithmetic, element by element with broadcasting."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from adverify.domains import nonnegative, nonzero, real
from adverify.engine import Function, Variable, variable
from adverify.ops.broadcasting import unbroadcast
from adverify.ops.elementwise import Binary, Unary


class Add(Binary):
    """x + y."""

    def value(self, x: np.ndarray, y: np.ndarray) -> Any:
        return x + y

    def slopes(self, x: np.ndarray, y: np.ndarray) -> tuple[Any, Any]:
        return 1, 1


class Subtract(Binary):
    """x - y."""

    def value(self, x: np.ndarray, y: np.ndarray) -> Any:
        return x - y

    def slopes(self, x: np.ndarray, y: np.ndarray) -> tuple[Any, Any]:
        return 1, -1


class Multiply(Binary):
    """x * y."""

    def value(self, x: np.ndarray, y: np.ndarray) -> Any:
        return x * y

    def slopes(self, x: np.ndarray, y: np.ndarray) -> tuple[Any, Any]:
        return y, x


class Divide(Binary):
    """x / y, for y != 0."""

    domain = (real, nonzero)

    def value(self, x: np.ndarray, y: np.ndarray) -> Any:
        return x / y

    def slopes(self, x: np.ndarray, y: np.ndarray) -> tuple[Any, Any]:
        return 1 / y, -(x / y) / y


class Power(Binary):
    """x ** y, for x >= 0.

    At x = 0 the partial of the exponent is 0, its limit for positive y.
    """

    domain = (nonnegative, real)

    def value(self, x: np.ndarray, y: np.ndarray) -> Any:
        return np.power(x, y)

    def slopes(self, x: np.ndarray, y: np.ndarray) -> tuple[Any, Any]:
        base = np.where(y == 0, 0, y * np.power(x, np.where(y == 0, 1, y - 1)))
        return base, np.where(x == 0, 0, np.power(x, y) * np.log(np.where(x == 0, 1, x)))


class Arctan2(Binary):
    """The angle of a point whose ordinate is x and whose abscissa is y.

    The derivative does not exist at the origin, where it is set to 0, nor on the cut along the negative axis.
    """

    def value(self, x: np.ndarray, y: np.ndarray) -> Any:
        return np.arctan2(x, y)

    def slopes(self, x: np.ndarray, y: np.ndarray) -> tuple[Any, Any]:
        radius = np.hypot(x, y)  # dividing by it twice does not overflow where its square would
        radius = np.where(radius == 0, 1, radius)
        return y / radius / radius, -(x / radius / radius)


class Hypot(Binary):
    """sqrt(x**2 + y**2) without overflow; the subgradient at the origin is 0."""

    def value(self, x: np.ndarray, y: np.ndarray) -> Any:
        return np.hypot(x, y)

    def slopes(self, x: np.ndarray, y: np.ndarray) -> tuple[Any, Any]:
        radius = np.hypot(x, y)
        safe = np.where(radius == 0, 1, radius)
        return x / safe, y / safe


class Maximum(Binary):
    """The larger of x and y; a tie is shared half and half."""

    def value(self, x: np.ndarray, y: np.ndarray) -> Any:
        return np.maximum(x, y)

    def slopes(self, x: np.ndarray, y: np.ndarray) -> tuple[Any, Any]:
        share = ((x > y) + 0.5 * (x == y)).astype(np.result_type(x, y))
        return share, 1 - share


class Minimum(Binary):
    """The smaller of x and y; a tie is shared half and half."""

    def value(self, x: np.ndarray, y: np.ndarray) -> Any:
        return np.minimum(x, y)

    def slopes(self, x: np.ndarray, y: np.ndarray) -> tuple[Any, Any]:
        share = ((x < y) + 0.5 * (x == y)).astype(np.result_type(x, y))
        return share, 1 - share


class Negative(Unary):
    """-x."""

    def value(self, x: np.ndarray) -> Any:
        return -x

    def slope(self, x: np.ndarray) -> Any:
        return -1


class Absolute(Unary):
    """abs(x); the subgradient at 0 is 0."""

    def value(self, x: np.ndarray) -> Any:
        return np.abs(x)

    def slope(self, x: np.ndarray) -> Any:
        return np.sign(x)


class Square(Unary):
    """x**2."""

    def value(self, x: np.ndarray) -> Any:
        return x * x

    def slope(self, x: np.ndarray) -> Any:
        return 2 * x


class Sqrt(Unary):
    """The square root, for x >= 0; its slope at 0 is infinite."""

    domain = nonnegative

    def value(self, x: np.ndarray) -> Any:
        return np.sqrt(x)

    def slope(self, x: np.ndarray) -> Any:
        return 0.5 / np.sqrt(x)


class Cbrt(Unary):
    """The cube root; its slope at 0 is infinite."""

    def value(self, x: np.ndarray) -> Any:
        return np.cbrt(x)

    def slope(self, x: np.ndarray) -> Any:
        root = np.cbrt(x)
        return 1 / (3 * root) / root


class Reciprocal(Unary):
    """1 / x, for x != 0."""

    domain = nonzero

    def value(self, x: np.ndarray) -> Any:
        return 1 / x

    def slope(self, x: np.ndarray) -> Any:
        return -(1 / x) / x


class Floor(Unary):
    """The largest integer not above x; the derivative is 0 wherever it exists."""

    def value(self, x: np.ndarray) -> Any:
        return np.floor(x)

    def slope(self, x: np.ndarray) -> Any:
        return np.zeros_like(x)


class Clip(Function):
    """x between two bounds; the subgradient at a bound is 1.

    Parameters
    ----------
    a_min, a_max : float or None
        The bounds; None for none.
    """

    arguments: ClassVar = {"a_min": (-1.0, None), "a_max": (2.0,)}

    def __init__(self, a_min: float | None = -1.0, a_max: float | None = 1.0) -> None:
        if a_min is not None and a_max is not None and a_min > a_max:
            raise ValueError(f"clip needs a_min <= a_max; got a_min={a_min}, a_max={a_max}")
        self.a_min, self.a_max = a_min, a_max

    def forward(self, x: Variable) -> Variable:
        return variable(x.data if self.a_min is self.a_max is None else np.clip(x.data, self.a_min, self.a_max))

    def backward(self, x: Variable, grad: Any) -> None:
        low = -np.inf if self.a_min is None else self.a_min
        high = np.inf if self.a_max is None else self.a_max
        x.grad += grad * ((x.data >= low) & (x.data <= high))


class Where(Function):
    """x where a condition holds, y elsewhere.

    Parameters
    ----------
    condition : array_like of bool
        Broadcasts with x and y.
    """

    arguments: ClassVar = {"condition": (True, [True, False, True], [[True], [False]])}

    def __init__(self, condition: Any = True) -> None:
        self.condition = np.asarray(condition, dtype=bool)

    def forward(self, x: Variable, y: Variable) -> Variable:
        return variable(np.where(self.condition, x.data, y.data))

    def backward(self, x: Variable, y: Variable, grad: Any) -> None:
        x.grad += unbroadcast(np.where(self.condition, grad, 0), x.data.shape)
        y.grad += unbroadcast(np.where(self.condition, 0, grad), y.data.shape)
