"""Products with logarithms: entropies and divergences; 0 * log(0) is 0."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import special

from adverify.domains import Domain, nonnegative, positive, real
from adverify.ops.elementwise import Binary, Unary


class Xlogy(Binary):
    """x * log(y), and 0 where x is 0, for y > 0."""

    domain = (real, positive)
    value = special.xlogy

    def slopes(self, x: np.ndarray, y: np.ndarray) -> tuple[Any, Any]:
        return np.log(y), x / y


class Xlog1py(Binary):
    """x * log(1 + y), and 0 where x is 0, for y > -1."""

    domain = (real, Domain(low=-1.0))
    value = special.xlog1py

    def slopes(self, x: np.ndarray, y: np.ndarray) -> tuple[Any, Any]:
        return np.log1p(y), x / (1 + y)


class Entr(Unary):
    """-x * log(x), and 0 at 0, for x >= 0; its slope at 0 is infinite."""

    domain = nonnegative
    value = special.entr

    def slope(self, x: np.ndarray) -> Any:
        return -np.log(x) - 1


class RelEntr(Binary):
    """x * log(x / y), and 0 where x is 0, for x >= 0 and y > 0; its slope at x = 0 is infinite."""

    domain = (nonnegative, positive)
    value = special.rel_entr

    def slopes(self, x: np.ndarray, y: np.ndarray) -> tuple[Any, Any]:
        return log_ratio(x, y) + 1, -(x / y)


class KlDiv(Binary):
    """x * log(x / y) - x + y, and y where x is 0, for x >= 0 and y > 0; its slope at x = 0 is infinite."""

    domain = (nonnegative, positive)
    value = special.kl_div

    def slopes(self, x: np.ndarray, y: np.ndarray) -> tuple[Any, Any]:
        return log_ratio(x, y), (y - x) / y


def log_ratio(x: np.ndarray, y: np.ndarray) -> Any:
    """log(x / y): exact where x is near y, and where x / y is no float."""
    ratio = x / y
    near = np.abs(x - y) < 0.5 * y
    normal = (ratio >= np.finfo(ratio.dtype).tiny) & np.isfinite(ratio)
    return np.where(near, np.log1p((x - y) / y), np.where(normal, np.log(ratio), np.log(x) - np.log(y)))
