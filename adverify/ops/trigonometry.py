"""Trigonometric and hyperbolic functions and their inverses."""

from __future__ import annotations

from typing import Any

import numpy as np

from adverify.domains import Domain, interval
from adverify.ops.arithmetic import polar
from adverify.ops.elementwise import Binary, Unary


class Sin(Unary):
    """The sine."""

    value = np.sin
    slope = np.cos


class Cos(Unary):
    """The cosine."""

    value = np.cos

    def slope(self, x: np.ndarray) -> Any:
        return -np.sin(x)


class Tan(Unary):
    """The tangent."""

    value = np.tan

    def slope(self, x: np.ndarray) -> Any:
        return 1 + np.tan(x) ** 2


class Arcsin(Unary):
    """The inverse sine on [-1, 1]; its slope at the ends is infinite."""

    domain = interval(-1, 1, closed=True)
    value = np.arcsin

    def slope(self, x: np.ndarray) -> Any:
        return 1 / np.sqrt((1 - x) * (1 + x))


class Arccos(Unary):
    """The inverse cosine on [-1, 1]; its slope at the ends is infinite."""

    domain = interval(-1, 1, closed=True)
    value = np.arccos

    def slope(self, x: np.ndarray) -> Any:
        return -1 / np.sqrt((1 - x) * (1 + x))


class Arctan(Unary):
    """The inverse tangent."""

    value = np.arctan

    def slope(self, x: np.ndarray) -> Any:
        radius = np.hypot(1, x)  # dividing by it twice does not overflow where its square would
        return 1 / radius / radius


class Arctan2(Binary):
    """The angle of a point whose ordinate is x and whose abscissa is y.

    The derivative does not exist at the origin, where it is set to 0, nor on the cut along the negative axis, where
    it is that of either side.
    """

    value = np.arctan2

    def slopes(self, x: np.ndarray, y: np.ndarray) -> tuple[Any, Any]:
        cosine, sine, radius = polar(y, x)
        return cosine / radius, -sine / radius


class Sinh(Unary):
    """The hyperbolic sine."""

    value = np.sinh
    slope = np.cosh


class Cosh(Unary):
    """The hyperbolic cosine."""

    value = np.cosh
    slope = np.sinh


class Tanh(Unary):
    """The hyperbolic tangent; its slope does not cancel for large x."""

    value = np.tanh

    def slope(self, x: np.ndarray) -> Any:
        e = np.exp(-2 * np.abs(x))
        return 4 * e / (1 + e) ** 2


class Arcsinh(Unary):
    """The inverse hyperbolic sine."""

    value = np.arcsinh

    def slope(self, x: np.ndarray) -> Any:
        return 1 / np.hypot(1, x)


class Arccosh(Unary):
    """The inverse hyperbolic cosine, for x >= 1; its slope at 1 is infinite."""

    domain = Domain(low=1.0, closed_low=True)
    value = np.arccosh

    def slope(self, x: np.ndarray) -> Any:
        return 1 / (np.sqrt(x - 1) * np.sqrt(x + 1))


class Arctanh(Unary):
    """The inverse hyperbolic tangent on (-1, 1)."""

    domain = interval(-1, 1)
    value = np.arctanh

    def slope(self, x: np.ndarray) -> Any:
        return 1 / ((1 - x) * (1 + x))


class Sinc(Unary):
    """sin(pi x) / (pi x), and 1 at 0.

    Its slope is -pi times the spherical Bessel function of order 1, which is a series near 0, where sine and cosine
    cancel.
    """

    def value(self, x: np.ndarray) -> Any:
        return np.sinc(x)

    def slope(self, x: np.ndarray) -> Any:
        u = float(np.pi) * x
        near = np.abs(u) < 1
        small, large = np.where(near, u, 0), np.where(near, 1, u)
        series = np.ones_like(small)
        for k in range(8, 0, -1):  # DLMF 10.53.1
            series = 1 - small * small / (2 * k * (2 * k + 3)) * series
        return -float(np.pi) * np.where(near, small / 3 * series, (np.sin(large) / large - np.cos(large)) / large)
