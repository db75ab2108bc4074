"""What elementwise ops have in common, so that each is a value and its partial derivatives."""

from __future__ import annotations

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

    def backward(self, x: Variable, grad: Any) -> None:
        with np.errstate(all="ignore"):
            x.grad += _share(grad, self.slope(x.data))


class Binary(Function, ABC):
    """z = value(x, y), element by element with broadcasting; `slopes` gives both partial derivatives."""

    @abstractmethod
    def value(self, x: np.ndarray, y: np.ndarray, /) -> Any: ...

    @abstractmethod
    def slopes(self, x: np.ndarray, y: np.ndarray, /) -> tuple[Any, Any]: ...

    def __call__(self, x: Any, y: Any) -> Any:
        return super().__call__(like(x, y), like(y, x))

    def forward(self, x: Variable, y: Variable) -> Variable:
        return variable(self.value(x.data, y.data))

    def backward(self, x: Variable, y: Variable, grad: Any) -> None:
        with np.errstate(all="ignore"):
            for v, slope in zip((x, y), self.slopes(x.data, y.data), strict=True):
                v.grad += unbroadcast(_share(grad, slope), v.data.shape)


class Step(Unary, ABC):
    """A function of one input that is constant between its jumps: its derivative is 0 wherever it exists."""

    def slope(self, x: np.ndarray) -> Any:
        return np.zeros_like(x)


def _share(grad: Any, slope: Any) -> Any:
    share = grad * slope
    if np.isfinite(share).all():
        return share
    # An infinite slope times a cotangent of zero is zero: an output that nothing uses has no say.
    return np.where(grad == 0, 0, share)
