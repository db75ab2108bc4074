"""Bessel functions of orders 0 and 1; slopes by the recurrences of DLMF 10.6 and 10.29."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from scipy import special

from adverify.domains import positive
from adverify.ops.elementwise import Unary


class J0(Unary):
    """The Bessel function of the first kind of order 0."""

    value = special.j0

    def slope(self, x: np.ndarray) -> Any:
        return -special.j1(x)


class J1(Unary):
    """The Bessel function of the first kind of order 1."""

    value = special.j1

    def slope(self, x: np.ndarray) -> Any:
        return special.j0(x) - over(special.j1(x), x)


class Y0(Unary):
    """The Bessel function of the second kind of order 0, for x > 0."""

    domain = positive
    value = special.y0

    def slope(self, x: np.ndarray) -> Any:
        return -special.y1(x)


class Y1(Unary):
    """The Bessel function of the second kind of order 1, for x > 0."""

    domain = positive
    value = special.y1

    def slope(self, x: np.ndarray) -> Any:
        return special.y0(x) - special.y1(x) / x


class I0(Unary):
    """The modified Bessel function of the first kind of order 0."""

    value = special.i0
    slope = special.i1


class I1(Unary):
    """The modified Bessel function of the first kind of order 1."""

    value = special.i1

    def slope(self, x: np.ndarray) -> Any:
        return special.i0(x) - over(special.i1(x), x)


class I0e(Unary):
    """exp(-abs(x)) * i0(x); the subgradient at its kink at 0 is 0."""

    value = special.i0e

    def slope(self, x: np.ndarray) -> Any:
        x = x.astype(np.float64)  # single precision has no digits to lose below FAR
        return np.where(np.abs(x) < FAR, special.i1e(x) - np.sign(x) * special.i0e(x), np.sign(x) * decay(x, 0))


class I1e(Unary):
    """exp(-abs(x)) * i1(x)."""

    value = special.i1e

    def slope(self, x: np.ndarray) -> Any:
        x = x.astype(np.float64)
        i1e = special.i1e(x)
        return np.where(np.abs(x) < FAR, special.i0e(x) - over(i1e, x) - np.sign(x) * i1e, decay(x, 1))


FAR = 100
"""From here on the terms of the scaled functions' slopes cancel, and their asymptotic series converges quickly."""


def decay(x: np.ndarray, order: int) -> Any:
    """The slope of exp(-x) times the modified Bessel function of an order, for large abs(x): DLMF 10.40.1."""
    x = np.maximum(np.abs(x), FAR)
    term, total = np.ones_like(x), np.full_like(x, 0.5)
    for k in range(1, 11):
        term = -term * (4 * order**2 - (2 * k - 1) ** 2) / (8 * k) / x
        total = total + (k + 0.5) * term
    return -total / x / np.sqrt(2 * math.pi * x)


def over(order_one: Any, x: np.ndarray) -> Any:
    """A function of order 1 over x, which tends to 1/2 at 0."""
    tiny = np.abs(x) < 1e-10
    return np.where(tiny, 0.5, order_one / np.where(tiny, 1, x))
