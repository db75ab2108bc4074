"""Arithmetic, powers and roots, element by element with broadcasting."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from adverify.domains import nonnegative, nonzero, real
from adverify.engine import Variable
from adverify.ops.broadcasting import unbroadcast
from adverify.ops.elementwise import Binary, Pairwise, Unary


class Add(Pairwise):
    """x + y."""

    value = np.add

    def backward(self, x: Variable, y: Variable, grad: Any) -> None:
        for v in (x, y):
            v.accumulate(+unbroadcast(grad, v.data.shape))  # a copy for each, since neither owns the cotangent


class Subtract(Pairwise):
    """x - y."""

    value = np.subtract

    def backward(self, x: Variable, y: Variable, grad: Any) -> None:
        x.accumulate(+unbroadcast(grad, x.data.shape))
        y.accumulate(-unbroadcast(grad, y.data.shape))


class Multiply(Binary):
    """x * y."""

    value = np.multiply

    def slopes(self, x: np.ndarray, y: np.ndarray) -> tuple[Any, Any]:
        return y, x


class Divide(Binary):
    """x / y, for y != 0."""

    domain = (real, nonzero)
    value = np.divide

    def slopes(self, x: np.ndarray, y: np.ndarray) -> tuple[Any, Any]:
        return 1 / y, -(x / y) / y


class FloorDivide(Binary):
    """The floor of x / y, for y != 0; its derivative is 0, at the jumps too."""

    domain = (real, nonzero)
    value = np.floor_divide

    def slopes(self, x: np.ndarray, y: np.ndarray) -> tuple[Any, Any]:
        return 0, 0


class Remainder(Binary):
    """x - floor(x / y) * y, of the sign of y, for y != 0.

    It jumps at the multiples of y, where its partials are those of the side on which it is 0.
    """

    aliases: ClassVar = ("mod",)
    domain = (real, nonzero)
    value = np.remainder

    def slopes(self, x: np.ndarray, y: np.ndarray) -> tuple[Any, Any]:
        return 1, -np.floor_divide(x, y)


class Fmod(Binary):
    """x - trunc(x / y) * y, of the sign of x, for y != 0.

    It jumps at the multiples of y, where its partials are those of the side on which it is 0.
    """

    domain = (real, nonzero)
    value = np.fmod

    def slopes(self, x: np.ndarray, y: np.ndarray) -> tuple[Any, Any]:
        # The quotient itself may round up to the next integer.
        return 1, -np.rint((x - np.fmod(x, y)) / y)


class Power(Binary):
    """x ** y: of any y for x >= 0, of integral y for x < 0.

    A negative x has powers at isolated y only: the partial of the exponent does not exist, and is set to 0. At x = 0 it
    is set to 0 too, its limit for positive y; the partial of the base is infinite there for 0 < y < 1.
    """

    aliases: ClassVar = ("pow",)
    domain = (nonnegative, real)  # that both may be taken from freely

    def value(self, x: np.ndarray, y: np.ndarray) -> Any:
        return np.power(x, y)

    def slopes(self, x: np.ndarray, y: np.ndarray) -> tuple[Any, Any]:
        base = y * np.power(x, np.where(y == 0, 1, y - 1))  # at y = 0 the constant 1, and no 0 * infinity
        exponent = np.where(x > 0, np.power(x, y) * np.log(np.where(x > 0, x, 1)), 0)
        return base, exponent


class FloatPower(Power):
    """x ** y in double precision, whatever that of x and y is; otherwise as `Power`, where it has no derivative too."""

    def value(self, x: np.ndarray, y: np.ndarray) -> Any:
        return np.float_power(x, y)


class Negative(Unary):
    """-x."""

    value = np.negative

    def slope(self, x: np.ndarray) -> Any:
        return -1


class Reciprocal(Unary):
    """1 / x, for x != 0."""

    domain = nonzero
    value = np.reciprocal

    def slope(self, x: np.ndarray) -> Any:
        return -(1 / x) / x


class Square(Unary):
    """x**2."""

    value = np.square

    def slope(self, x: np.ndarray) -> Any:
        return 2 * x


class Sqrt(Unary):
    """The square root, for x >= 0; its slope at 0 is infinite."""

    domain = nonnegative
    value = np.sqrt

    def slope(self, x: np.ndarray) -> Any:
        return 0.5 / np.sqrt(x)


class Cbrt(Unary):
    """The cube root; its slope at 0 is infinite."""

    value = np.cbrt

    def slope(self, x: np.ndarray) -> Any:
        root = np.cbrt(x)
        return 1 / (3 * root) / root


class Hypot(Binary):
    """sqrt(x**2 + y**2) without overflow; the subgradient at the origin is 0."""

    value = np.hypot

    def slopes(self, x: np.ndarray, y: np.ndarray) -> tuple[Any, Any]:
        cosine, sine, _ = polar(x, y)
        return cosine, sine


def polar(x: np.ndarray, y: np.ndarray) -> tuple[Any, Any, Any]:
    """The cosine, sine and radius of the points (x, y); 0, 0 and 1 at the origin.

    Scaled by the larger coordinate, so that nothing is lost among the largest and the smallest floats.
    """
    scale = np.maximum(np.abs(x), np.abs(y))
    scale = np.where(scale == 0, 1, scale)
    x, y = x / scale, y / scale
    radius = np.hypot(x, y)
    radius = np.where(radius == 0, 1, radius)
    return x / radius, y / radius, radius * scale
