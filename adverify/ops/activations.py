"""Activation functions of neural networks, element by element, as PyTorch defines them."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import numpy as np
from scipy import special

from adverify.ops.elementwise import Unary


class Relu(Unary):
    """max(x, 0); the subgradient at 0 is 0."""

    def value(self, x: np.ndarray) -> Any:
        return np.maximum(x, 0)

    def slope(self, x: np.ndarray) -> Any:
        return x > 0


class LeakyRelu(Unary):
    """x where positive, negative_slope * x elsewhere; the subgradient at 0 is negative_slope.

    Parameters
    ----------
    negative_slope : float
    """

    arguments: ClassVar = {"negative_slope": (0.01, 0.5)}

    def __init__(self, negative_slope: float = 0.01) -> None:
        self.negative_slope = negative_slope

    def value(self, x: np.ndarray) -> Any:
        return np.where(x > 0, x, self.negative_slope * x)

    def slope(self, x: np.ndarray) -> Any:
        return np.where(x > 0, 1, self.negative_slope).astype(x.dtype)


class Elu(Unary):
    """x where positive, alpha * (exp(x) - 1) elsewhere; the subgradient at 0 is alpha.

    Parameters
    ----------
    alpha : float
    """

    arguments: ClassVar = {"alpha": (1.0, 1.5)}

    def __init__(self, alpha: float = 1.0) -> None:
        self.alpha = alpha

    def value(self, x: np.ndarray) -> Any:
        return np.where(x > 0, x, self.alpha * np.expm1(np.minimum(x, 0)))

    def slope(self, x: np.ndarray) -> Any:
        return np.where(x > 0, 1, self.alpha * np.exp(np.minimum(x, 0)))


class Selu(Elu):
    """The self-normalising unit: 1.0507 times Elu with alpha 1.6733; the subgradient at 0 is 1.7581.

    The constants are those of Klambauer et al., "Self-normalizing neural networks" (2017).
    """

    arguments: ClassVar = {}
    scale = 1.0507009873554804934193349852946

    def __init__(self) -> None:
        super().__init__(alpha=1.6732632423543772848170429916717)

    def value(self, x: np.ndarray) -> Any:
        return self.scale * super().value(x)

    def slope(self, x: np.ndarray) -> Any:
        return self.scale * super().slope(x)


class Celu(Unary):
    """x where positive, alpha * (exp(x / alpha) - 1) elsewhere: smooth for every alpha.

    Parameters
    ----------
    alpha : float
        Positive.
    """

    arguments: ClassVar = {"alpha": (1.0, 0.4)}

    def __init__(self, alpha: float = 1.0) -> None:
        if not alpha > 0:
            raise ValueError(f"celu needs alpha > 0; got alpha={alpha}")
        self.alpha = alpha

    def value(self, x: np.ndarray) -> Any:
        return np.where(x > 0, x, self.alpha * np.expm1(np.minimum(x, 0) / self.alpha))

    def slope(self, x: np.ndarray) -> Any:
        return np.exp(np.minimum(x, 0) / self.alpha)


class Softplus(Unary):
    """log(1 + exp(beta * x)) / beta without overflow, and without switching to x above a threshold.

    Parameters
    ----------
    beta : float
        Positive.
    """

    arguments: ClassVar = {"beta": (1.0, 2.5)}

    def __init__(self, beta: float = 1.0) -> None:
        if not beta > 0:
            raise ValueError(f"softplus needs beta > 0; got beta={beta}")
        self.beta = beta

    def value(self, x: np.ndarray) -> Any:
        return np.maximum(x, 0) + np.log1p(np.exp(-self.beta * np.abs(x))) / self.beta

    def slope(self, x: np.ndarray) -> Any:
        return special.expit(self.beta * x)


class Logsigmoid(Unary):
    """The logarithm of the sigmoid; `LogExpit` under PyTorch's name."""

    def value(self, x: np.ndarray) -> Any:
        return special.log_expit(x)

    def slope(self, x: np.ndarray) -> Any:
        return special.expit(-x)


class Softsign(Unary):
    """x / (1 + abs(x))."""

    def value(self, x: np.ndarray) -> Any:
        return x / (1 + np.abs(x))

    def slope(self, x: np.ndarray) -> Any:
        return (1 / (1 + np.abs(x))) ** 2


class Silu(Unary):
    """x * sigmoid(x)."""

    def value(self, x: np.ndarray) -> Any:
        return x * special.expit(x)

    def slope(self, x: np.ndarray) -> Any:
        return special.expit(x) * (1 + x * special.expit(-x))


class Mish(Unary):
    """x * tanh(log(1 + exp(x)))."""

    def value(self, x: np.ndarray) -> Any:
        return x * np.tanh(np.logaddexp(x, np.zeros_like(x)))

    def slope(self, x: np.ndarray) -> Any:
        gate = np.tanh(np.logaddexp(x, np.zeros_like(x)))
        return gate + x * special.expit(x) * (1 - gate * gate)


class Gelu(Unary):
    """x times the normal distribution function of x, or times an approximation of it.

    Parameters
    ----------
    approximate : {"none", "tanh"}
        "tanh" takes (1 + tanh(sqrt(2 / pi) (x + 0.044715 x**3))) / 2 for the distribution function (Hendrycks and
        Gimpel, "Gaussian error linear units", 2016).
    """

    arguments: ClassVar = {"approximate": ("none", "tanh")}

    def __init__(self, approximate: str = "none") -> None:
        if approximate not in ("none", "tanh"):
            raise ValueError(f"gelu needs approximate 'none' or 'tanh'; got {approximate!r}")
        self.approximate = approximate

    def value(self, x: np.ndarray) -> Any:
        return x * (special.ndtr(x) if self.approximate == "none" else special.expit(self._argument(x)[0]))

    def slope(self, x: np.ndarray) -> Any:
        if self.approximate == "none":
            return special.ndtr(x) + x * np.exp(-0.5 * x * x) / math.sqrt(2 * math.pi)
        u, slope = self._argument(x)
        return special.expit(u) * (1 + special.expit(-u) * slope)

    def _argument(self, x: np.ndarray) -> tuple[Any, Any]:
        """The u for which sigmoid(u) is (1 + tanh(u / 2)) / 2, and x times its derivative."""
        x = np.clip(x, -60, 60)  # beyond, sigmoid is 0 or 1, and the cube might overflow
        scale = 2 * math.sqrt(2 / math.pi)
        return scale * x * (1 + 0.044715 * x * x), scale * x * (1 + 3 * 0.044715 * x * x)


class Hardtanh(Unary):
    """x between two bounds; the subgradient at a bound is 0.

    Parameters
    ----------
    min_val, max_val : float
    """

    arguments: ClassVar = {"min_val": (-1.0, 0.0), "max_val": (1.0, 6.0)}

    def __init__(self, min_val: float = -1.0, max_val: float = 1.0) -> None:
        if not min_val < max_val:
            raise ValueError(f"hardtanh needs min_val < max_val; got min_val={min_val}, max_val={max_val}")
        self.min_val, self.max_val = min_val, max_val

    def value(self, x: np.ndarray) -> Any:
        return np.clip(x, self.min_val, self.max_val)

    def slope(self, x: np.ndarray) -> Any:
        return (x > self.min_val) & (x < self.max_val)


class Hardsigmoid(Unary):
    """(x + 3) / 6 between 0 and 1; the subgradient at -3 and 3 is 0."""

    def value(self, x: np.ndarray) -> Any:
        return np.clip(x + 3, 0, 6) / 6

    def slope(self, x: np.ndarray) -> Any:
        return (np.abs(x) < 3) / x.dtype.type(6)


class Hardswish(Unary):
    """x times Hardsigmoid(x); the subgradient is 0 at -3 and 1 at 3."""

    def value(self, x: np.ndarray) -> Any:
        return x * (np.clip(x + 3, 0, 6) / 6)

    def slope(self, x: np.ndarray) -> Any:
        return np.where(np.abs(x) < 3, np.clip(x, -3, 3) / 3 + 0.5, x > 0).astype(x.dtype)
