"""Exponentials and logarithms."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from adverify.domains import Domain, positive
from adverify.ops.elementwise import Binary, Unary

LOG2, LOG10 = math.log(2), math.log(10)


class Exp(Unary):
    """e**x."""

    value = slope = np.exp


class Exp2(Unary):
    """2**x."""

    value = np.exp2

    def slope(self, x: np.ndarray) -> Any:
        return LOG2 * np.exp2(x)


class Expm1(Unary):
    """e**x - 1, exact near 0."""

    value = np.expm1
    slope = np.exp


class Log(Unary):
    """The natural logarithm, for x > 0."""

    domain = positive
    value = np.log

    def slope(self, x: np.ndarray) -> Any:
        return 1 / x


class Log2(Unary):
    """The logarithm to the base 2, for x > 0."""

    domain = positive
    value = np.log2

    def slope(self, x: np.ndarray) -> Any:
        return 1 / LOG2 / x


class Log10(Unary):
    """The logarithm to the base 10, for x > 0."""

    domain = positive
    value = np.log10

    def slope(self, x: np.ndarray) -> Any:
        return 1 / LOG10 / x


class Log1p(Unary):
    """log(1 + x), exact near 0, for x > -1."""

    domain = Domain(low=-1.0)
    value = np.log1p

    def slope(self, x: np.ndarray) -> Any:
        return 1 / (1 + x)


class Logaddexp(Binary):
    """log(exp(x) + exp(y)) without overflow."""

    value = np.logaddexp

    def slopes(self, x: np.ndarray, y: np.ndarray) -> tuple[Any, Any]:
        return 1 / (1 + np.exp(y - x)), 1 / (1 + np.exp(x - y))


class Logaddexp2(Binary):
    """The logarithm to the base 2 of 2**x + 2**y, without overflow."""

    value = np.logaddexp2

    def slopes(self, x: np.ndarray, y: np.ndarray) -> tuple[Any, Any]:
        return 1 / (1 + np.exp2(y - x)), 1 / (1 + np.exp2(x - y))
