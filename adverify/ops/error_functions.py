"""The error function and the normal distribution function, with their relatives."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from scipy import special

from adverify.domains import interval
from adverify.ops.elementwise import Unary

TWO_OVER_SQRT_PI = 2 / math.sqrt(math.pi)


class Erf(Unary):
    """The error function."""

    value = special.erf

    def slope(self, x: np.ndarray) -> Any:
        return TWO_OVER_SQRT_PI * np.exp(-x * x)


class Erfc(Unary):
    """1 - erf(x), exact where erf is near 1."""

    value = special.erfc

    def slope(self, x: np.ndarray) -> Any:
        return -TWO_OVER_SQRT_PI * np.exp(-x * x)


class Erfcx(Unary):
    """exp(x**2) * erfc(x), which decays as 1 / x.

    The two terms of its slope cancel for large x; there the slope is its asymptotic series, DLMF 7.12.1.
    """

    value = special.erfcx

    def slope(self, x: np.ndarray) -> Any:
        x = x.astype(np.float64)  # single precision has no digits to lose before the series takes over
        far = x > 20
        large = np.where(far, x, 20)
        inverse = 0.5 / large / large
        series = np.ones_like(large)
        for k in range(10, 1, -1):
            series = 1 - (2 * k - 1) * inverse * series
        return np.where(far, -TWO_OVER_SQRT_PI * inverse * series, 2 * x * special.erfcx(x) - TWO_OVER_SQRT_PI)


class Erfinv(Unary):
    """The inverse of the error function, on (-1, 1)."""

    domain = interval(-1, 1)
    value = special.erfinv

    def slope(self, x: np.ndarray) -> Any:
        return np.exp(special.erfinv(x) ** 2) / TWO_OVER_SQRT_PI


class Ndtr(Unary):
    """The distribution function of the standard normal distribution; its slope is the density."""

    value = special.ndtr

    def slope(self, x: np.ndarray) -> Any:
        return np.exp(-0.5 * x * x) / math.sqrt(2 * math.pi)


class LogNdtr(Unary):
    """The logarithm of `Ndtr`, exact where that underflows.

    Its slope, density over distribution, is written by `erfcx`, so that neither underflows.
    """

    value = special.log_ndtr

    def slope(self, x: np.ndarray) -> Any:
        return math.sqrt(2 / math.pi) / special.erfcx(-x / math.sqrt(2))
