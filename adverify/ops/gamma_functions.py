"""The gamma and beta functions, their logarithms, and the logarithmic derivatives of gamma."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import numpy as np
from scipy import special

from adverify.domains import Domain, positive
from adverify.ops.elementwise import Binary, Unary

POLES = Domain(without=tuple(float(-n) for n in range(16)))
"""The real line less those poles of gamma that are likely to be met."""


class Gamma(Unary):
    """The gamma function; it has poles at 0, -1, -2, ..."""

    domain = POLES
    value = special.gamma

    def slope(self, x: np.ndarray) -> Any:
        return special.gamma(x) * special.psi(x)


class Gammaln(Unary):
    """The logarithm of the magnitude of the gamma function; it has poles at 0, -1, -2, ..."""

    domain = POLES
    value = special.gammaln
    slope = special.psi


class Digamma(Unary):
    """The slope of `Gammaln`; it has poles at 0, -1, -2, ..."""

    aliases: ClassVar = ("psi",)
    domain = POLES
    value = special.psi

    def slope(self, x: np.ndarray) -> Any:
        # Reflected, DLMF 5.15.6: SciPy sums its way up from a negative x, without end from a large one.
        negative = x < 0
        mirrored = special.polygamma(1, np.where(negative, 1 - x, x))
        sine = np.sin(math.pi * (x - np.rint(x)))
        return np.where(negative, (math.pi / sine) ** 2 - mirrored, mirrored)


class Polygamma(Unary):
    """The n-th derivative of `Digamma`, for x > 0.

    Parameters
    ----------
    n : int
        Not negative; 0 for `Digamma` itself.
    """

    arguments: ClassVar = {"n": (0, 1, 2, 5)}
    domain = positive

    def __init__(self, n: int = 1) -> None:
        if not isinstance(n, int | np.integer) or n < 0:
            raise ValueError(f"polygamma takes an integer n >= 0; got {n!r}")
        self.n = n

    def value(self, x: np.ndarray) -> Any:
        return special.polygamma(self.n, x)

    def slope(self, x: np.ndarray) -> Any:
        return special.polygamma(self.n + 1, x)


class Beta(Binary):
    """gamma(x) * gamma(y) / gamma(x + y), for x > 0 and y > 0."""

    domain = positive
    value = special.beta

    def slopes(self, x: np.ndarray, y: np.ndarray) -> tuple[Any, Any]:
        beta = special.beta(x, y)
        return -beta * digamma_rise(x, y), -beta * digamma_rise(y, x)


class Betaln(Binary):
    """The logarithm of `Beta`, for x > 0 and y > 0."""

    domain = positive
    value = special.betaln

    def slopes(self, x: np.ndarray, y: np.ndarray) -> tuple[Any, Any]:
        return -digamma_rise(x, y), -digamma_rise(y, x)


BERNOULLI = (1 / 12, -1 / 120, 1 / 252, -1 / 240, 1 / 132, -691 / 32760, 1 / 12)
"""B(2k) / 2k, the coefficients of digamma's asymptotic series, DLMF 5.11.2."""


def digamma_rise(x: Any, step: Any) -> Any:
    """psi(x + step) - psi(x) for positive x and step, without their cancellation when the step is small.

    The recurrence moves both up to where the asymptotic series holds; the difference is taken term by term.

    Examples
    --------
    >>> float(digamma_rise(1e8, 1.0))
    1e-08
    """
    total = np.zeros_like(x + step)
    for _ in range(10):
        total += step / (x + step) / x
        x = x + 1
    log_ratio = np.log1p(step / x)
    total += log_ratio + 0.5 * step / (x + step) / x
    for k, coefficient in enumerate(BERNOULLI, start=1):
        total -= coefficient * x ** (-2.0 * k) * np.expm1(-2 * k * log_ratio)
    return total
