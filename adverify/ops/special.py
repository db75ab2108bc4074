"""Special functions, as scipy.special defines them."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import special

from adverify.domains import nonnegative, positive, real
from adverify.ops.elementwise import Binary, Unary


class Erf(Unary):
    """The error function; its slope is 2 / sqrt(pi) exp(-x**2)."""

    def value(self, x: np.ndarray) -> Any:
        return special.erf(x)

    def slope(self, x: np.ndarray) -> Any:
        return float(2 / np.sqrt(np.pi)) * np.exp(-x * x)


class Expit(Unary):
    """The logistic sigmoid 1 / (1 + exp(-x))."""

    def value(self, x: np.ndarray) -> Any:
        return special.expit(x)

    def slope(self, x: np.ndarray) -> Any:
        return special.expit(x) * special.expit(-x)


class Gammaln(Unary):
    """The logarithm of the gamma function, for x > 0."""

    domain = positive

    def value(self, x: np.ndarray) -> Any:
        return special.gammaln(x)

    def slope(self, x: np.ndarray) -> Any:
        return special.psi(x)


class Xlogy(Binary):
    """x * log(y), and 0 where x is 0, for y > 0."""

    domain = (real, positive)

    def value(self, x: np.ndarray, y: np.ndarray) -> Any:
        return special.xlogy(x, y)

    def slopes(self, x: np.ndarray, y: np.ndarray) -> tuple[Any, Any]:
        return np.log(y), x / y


class Entr(Unary):
    """-x log(x), and 0 at 0, for x >= 0; its slope at 0 is infinite."""

    domain = nonnegative

    def value(self, x: np.ndarray) -> Any:
        return special.entr(x)

    def slope(self, x: np.ndarray) -> Any:
        return -np.log(x) - 1
