"""The logistic function, its inverse and its logarithm."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import special

from adverify.domains import unit_interval
from adverify.ops.elementwise import Unary


class Expit(Unary):
    """The logistic sigmoid 1 / (1 + exp(-x))."""

    value = special.expit

    def slope(self, x: np.ndarray) -> Any:
        return special.expit(x) * special.expit(-x)


class Logit(Unary):
    """log(x / (1 - x)), the inverse of `Expit`, on (0, 1)."""

    domain = unit_interval
    value = special.logit

    def slope(self, x: np.ndarray) -> Any:
        return 1 / x / (1 - x)


class LogExpit(Unary):
    """log(1 / (1 + exp(-x))) without overflow."""

    value = special.log_expit

    def slope(self, x: np.ndarray) -> Any:
        return special.expit(-x)
