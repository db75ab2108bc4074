"""Exponentials, logarithms, trigonometric and hyperbolic functions."""

from __future__ import annotations

from typing import Any

import numpy as np

from adverify.domains import Domain, interval, positive
from adverify.ops.elementwise import Binary, Unary


class Exp(Unary):
    """e**x."""

    def value(self, x: np.ndarray) -> Any:
        return np.exp(x)

    def slope(self, x: np.ndarray) -> Any:
        return np.exp(x)


class Expm1(Unary):
    """e**x - 1, exact near 0."""

    def value(self, x: np.ndarray) -> Any:
        return np.expm1(x)

    def slope(self, x: np.ndarray) -> Any:
        return np.exp(x)


class Log(Unary):
    """The natural logarithm, for x > 0."""

    domain = positive

    def value(self, x: np.ndarray) -> Any:
        return np.log(x)

    def slope(self, x: np.ndarray) -> Any:
        return 1 / x


class Log1p(Unary):
    """log(1 + x), exact near 0, for x > -1."""

    domain = Domain(low=-1.0)

    def value(self, x: np.ndarray) -> Any:
        return np.log1p(x)

    def slope(self, x: np.ndarray) -> Any:
        return 1 / (1 + x)


class Sin(Unary):
    """The sine."""

    def value(self, x: np.ndarray) -> Any:
        return np.sin(x)

    def slope(self, x: np.ndarray) -> Any:
        return np.cos(x)


class Cos(Unary):
    """The cosine."""

    def value(self, x: np.ndarray) -> Any:
        return np.cos(x)

    def slope(self, x: np.ndarray) -> Any:
        return -np.sin(x)


class Tan(Unary):
    """The tangent."""

    def value(self, x: np.ndarray) -> Any:
        return np.tan(x)

    def slope(self, x: np.ndarray) -> Any:
        return 1 + np.tan(x) ** 2


class Arcsin(Unary):
    """The inverse sine on [-1, 1]; its slope at the ends is infinite."""

    domain = interval(-1, 1, closed=True)

    def value(self, x: np.ndarray) -> Any:
        return np.arcsin(x)

    def slope(self, x: np.ndarray) -> Any:
        return 1 / np.sqrt((1 - x) * (1 + x))


class Arccos(Unary):
    """The inverse cosine on [-1, 1]; its slope at the ends is infinite."""

    domain = interval(-1, 1, closed=True)

    def value(self, x: np.ndarray) -> Any:
        return np.arccos(x)

    def slope(self, x: np.ndarray) -> Any:
        return -1 / np.sqrt((1 - x) * (1 + x))


class Arctan(Unary):
    """The inverse tangent."""

    def value(self, x: np.ndarray) -> Any:
        return np.arctan(x)

    def slope(self, x: np.ndarray) -> Any:
        return 1 / (1 + x * x)


class Sinh(Unary):
    """The hyperbolic sine."""

    def value(self, x: np.ndarray) -> Any:
        return np.sinh(x)

    def slope(self, x: np.ndarray) -> Any:
        return np.cosh(x)


class Cosh(Unary):
    """The hyperbolic cosine."""

    def value(self, x: np.ndarray) -> Any:
        return np.cosh(x)

    def slope(self, x: np.ndarray) -> Any:
        return np.sinh(x)


class Tanh(Unary):
    """The hyperbolic tangent; its slope does not cancel for large x."""

    def value(self, x: np.ndarray) -> Any:
        return np.tanh(x)

    def slope(self, x: np.ndarray) -> Any:
        e = np.exp(-2 * np.abs(x))
        return 4 * e / (1 + e) ** 2


class Arcsinh(Unary):
    """The inverse hyperbolic sine."""

    def value(self, x: np.ndarray) -> Any:
        return np.arcsinh(x)

    def slope(self, x: np.ndarray) -> Any:
        return 1 / np.hypot(1, x)


class Arccosh(Unary):
    """The inverse hyperbolic cosine, for x >= 1; its slope at 1 is infinite."""

    domain = Domain(low=1.0, closed_low=True)

    def value(self, x: np.ndarray) -> Any:
        return np.arccosh(x)

    def slope(self, x: np.ndarray) -> Any:
        return 1 / (np.sqrt(x - 1) * np.sqrt(x + 1))


class Arctanh(Unary):
    """The inverse hyperbolic tangent on (-1, 1)."""

    domain = interval(-1, 1)

    def value(self, x: np.ndarray) -> Any:
        return np.arctanh(x)

    def slope(self, x: np.ndarray) -> Any:
        return 1 / ((1 - x) * (1 + x))


class Logaddexp(Binary):
    """log(exp(x) + exp(y)) without overflow."""

    def value(self, x: np.ndarray, y: np.ndarray) -> Any:
        return np.logaddexp(x, y)

    def slopes(self, x: np.ndarray, y: np.ndarray) -> tuple[Any, Any]:
        return 1 / (1 + np.exp(y - x)), 1 / (1 + np.exp(x - y))
