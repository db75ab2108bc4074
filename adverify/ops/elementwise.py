"""What elementwise ops have in common, so that each is a value and its partial derivatives."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import numpy as np

from adverify.engine import Function, Variable, variable
from adverify.ops.broadcasting import unbroadcast


class Unary(Function, ABC):
    """y = value(x), element by element; `slope` is its derivative."""

    @abstractmethod
    def value(self, x: np.ndarray) -> Any: ...

    @abstractmethod
    def slope(self, x: np.ndarray) -> Any: ...

    def forward(self, x: Variable) -> Variable:
        return variable(self.value(x.data))

    def backward(self, x: Variable, grad: Any) -> None:
        # An infinite slope times a cotangent of zero is zero: an output that nothing uses has no say.
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            x.grad += np.where(grad == 0, 0, grad * self.slope(x.data))


class Binary(Function, ABC):
    """z = value(x, y), element by element with broadcasting; `slopes` gives both partial derivatives."""

    @abstractmethod
    def value(self, x: np.ndarray, y: np.ndarray) -> Any: ...

    @abstractmethod
    def slopes(self, x: np.ndarray, y: np.ndarray) -> tuple[Any, Any]: ...

    def forward(self, x: Variable, y: Variable) -> Variable:
        return variable(self.value(x.data, y.data))

    def backward(self, x: Variable, y: Variable, grad: Any) -> None:
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            for v, slope in zip((x, y), self.slopes(x.data, y.data), strict=True):
                share = np.where(grad == 0, 0, grad * slope)
                v.grad += unbroadcast(share, v.data.shape)
