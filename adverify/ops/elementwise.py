"""What elementwise ops have in common, so that each is a value and its partial derivatives."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import Any

import numpy as np

from adverify.engine import Function, Variable, variable
from adverify.ops.broadcasting import unbroadcast


def like(number: Any, *others: Any) -> Any:
    """Give a Python number the dtype of the Variables that it meets, as NumPy does; leave anything else as it is.

    Examples
    --------
    >>> like(2, variable(np.float32(1))).dtype
    dtype('float32')
    """
    if type(number) not in (bool, int, float):  # np.float64 is a float too, but one whose dtype counts
        return number
    dtypes = [v.data.dtype for v in others if isinstance(v, Variable)]
    return np.asarray(number, np.result_type(*dtypes)) if dtypes else number


class Unary(Function, ABC):
    """y = value(x), element by element; `slope` is its derivative."""

    @abstractmethod
    def value(self, x: np.ndarray, /) -> Any: ...

    @abstractmethod
    def slope(self, x: np.ndarray, /) -> Any: ...

    def forward(self, x: Variable) -> Variable:
        return variable(self.value(x.data))

    @np.errstate(all="ignore")
    def backward(self, x: Variable, grad: Any) -> None:
        x.accumulate(_share(grad, self.slope(x.data)))


class Pairwise(Function, ABC):
    """z = value(x, y), element by element with broadcasting."""

    @abstractmethod
    def value(self, x: np.ndarray, y: np.ndarray, /) -> Any: ...

    def __call__(self, x: Any, y: Any) -> Any:
        if not (isinstance(x, Variable) and isinstance(y, Variable)):
            x, y = like(x, y), like(y, x)
        return super().__call__(x, y)

    def forward(self, x: Variable, y: Variable) -> Variable:
        return variable(self.value(x.data, y.data))


class Binary(Pairwise):
    """z = value(x, y) whose partial derivatives `slopes` gives, element by element."""

    @abstractmethod
    def slopes(self, x: np.ndarray, y: np.ndarray, /) -> tuple[Any, Any]: ...

    @np.errstate(all="ignore")
    def backward(self, x: Variable, y: Variable, grad: Any) -> None:
        slope_x, slope_y = self.slopes(x.data, y.data)
        x.accumulate(unbroadcast(_share(grad, slope_x), x.data.shape))
        y.accumulate(unbroadcast(_share(grad, slope_y), y.data.shape))


class Step(Unary, ABC):
    """A function of one input that is constant between its jumps: its derivative is 0 wherever it exists."""

    def slope(self, x: np.ndarray) -> Any:
        return np.zeros_like(x)


def _share(grad: Any, slope: Any) -> Any:
    if isinstance(grad, float):  # of a 0-d output: numbers multiply ten times as fast as 0-d arrays
        slope = float(slope)
    share = grad * slope
    if math.isfinite(share if isinstance(share, float) else np.vdot(share, share)):
        return share
    # An infinite slope times a cotangent of zero is zero: an output that nothing uses has no say.
    return np.where(grad == 0, 0, share)
