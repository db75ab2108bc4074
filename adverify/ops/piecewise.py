"""Signs, rounding, choices between inputs: smooth in pieces, with a convention where these meet."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from adverify.engine import Function, Variable, variable
from adverify.ops.broadcasting import unbroadcast
from adverify.ops.elementwise import Binary, Step, Unary, like


class Absolute(Unary):
    """abs(x); the subgradient at 0 is 0."""

    aliases: ClassVar = ("abs",)
    value = np.absolute
    slope = np.sign


class Sign(Step):
    """-1, 0 or 1; its derivative is 0, at the jump too."""

    value = np.sign


class Floor(Step):
    """The largest integer not above x; its derivative is 0, at the jumps too."""

    value = np.floor


class Ceil(Step):
    """The smallest integer not below x; its derivative is 0, at the jumps too."""

    value = np.ceil


class Rint(Step):
    """The nearest integer, an even one where two are; its derivative is 0, at the jumps too."""

    value = np.rint


class Trunc(Step):
    """The nearest integer toward 0; its derivative is 0, at the jumps too."""

    value = np.trunc


class Copysign(Binary):
    """The magnitude of x with the sign of y; the subgradient at x = 0 is 0, the partial of y is 0 at its jump too."""

    value = np.copysign

    def slopes(self, x: np.ndarray, y: np.ndarray) -> tuple[Any, Any]:
        return np.sign(x) * np.copysign(1, y), 0


class Heaviside(Binary):
    """0 for x < 0, y at x = 0, 1 for x > 0; the partial of x is 0, at the jump too."""

    value = np.heaviside

    def slopes(self, x: np.ndarray, y: np.ndarray) -> tuple[Any, Any]:
        return 0, x == 0


class Maximum(Binary):
    """The larger of x and y; a tie is shared half and half."""

    value = np.maximum

    def slopes(self, x: np.ndarray, y: np.ndarray) -> tuple[Any, Any]:
        return _shares(x > y, x == y, np.result_type(x, y))


class Minimum(Binary):
    """The smaller of x and y; a tie is shared half and half."""

    value = np.minimum

    def slopes(self, x: np.ndarray, y: np.ndarray) -> tuple[Any, Any]:
        return _shares(x < y, x == y, np.result_type(x, y))


class Fmax(Binary):
    """The larger of x and y, or the one that is not NaN; a tie is shared half and half."""

    value = np.fmax

    def slopes(self, x: np.ndarray, y: np.ndarray) -> tuple[Any, Any]:
        return _shares((x > y) | np.isnan(y), x == y, np.result_type(x, y))


class Fmin(Binary):
    """The smaller of x and y, or the one that is not NaN; a tie is shared half and half."""

    value = np.fmin

    def slopes(self, x: np.ndarray, y: np.ndarray) -> tuple[Any, Any]:
        return _shares((x < y) | np.isnan(y), x == y, np.result_type(x, y))


def _shares(chosen: Any, tied: Any, dtype: np.dtype) -> tuple[Any, Any]:
    share = np.where(tied, 0.5, chosen).astype(dtype)
    return share, 1 - share


class Clip(Unary):
    """x between two bounds; the subgradient at a bound is 1.

    Parameters
    ----------
    a_min, a_max : float or None
        The bounds; None for none.
    """

    arguments: ClassVar = {"a_min": (-1.0, None), "a_max": (2.0, None)}

    def __init__(self, a_min: float | None = None, a_max: float | None = None) -> None:
        for name, bound in {"a_min": a_min, "a_max": a_max}.items():
            if bound is not None and not (isinstance(bound, int | float | np.number) and bound == bound):
                raise ValueError(f"clip takes a number or None as {name}; got {bound!r}")
        if a_min is not None and a_max is not None and a_min > a_max:
            raise ValueError(f"clip needs a_min <= a_max; got a_min={a_min}, a_max={a_max}")
        self.a_min, self.a_max = -np.inf if a_min is None else a_min, np.inf if a_max is None else a_max

    def value(self, x: np.ndarray) -> Any:
        return np.clip(x, self.a_min, self.a_max)

    def slope(self, x: np.ndarray) -> Any:
        return x == self.value(x)


class Where(Function):
    """x where a condition holds, y elsewhere.

    The condition holds where it is not 0; its own gradient is 0, at the jump too.
    """

    def __call__(self, condition: Any, x: Any, y: Any) -> Any:
        return super().__call__(condition, like(x, y), like(y, x))

    def forward(self, condition: Variable, x: Variable, y: Variable) -> Variable:
        return variable(np.where(condition.data != 0, x.data, y.data))

    def backward(self, condition: Variable, x: Variable, y: Variable, grad: Any) -> None:
        holds = condition.data != 0
        x.grad += unbroadcast(np.where(holds, grad, 0), x.data.shape)
        y.grad += unbroadcast(np.where(holds, 0, grad), y.data.shape)
