"""What ops that move elements about have in common, so that each is an arrangement and, where short, its transpose."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import numpy as np

from adverify.engine import Function, Variable, variable


class Arrangement(Function, ABC):
    """Elements in other places; `restore` is the transpose of the linear map `arrange`."""

    @abstractmethod
    def arrange(self, x: np.ndarray) -> np.ndarray: ...

    @abstractmethod
    def restore(self, grad: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
        """Sum up the cotangents of what came from each element of an input of `shape`."""

    def forward(self, x: Variable) -> Variable:
        return variable(self.arrange(x.data))

    def backward(self, x: Variable, grad: Any) -> None:
        x.grad += self.restore(grad, x.data.shape)


class Gathering(Arrangement, ABC):
    """Each output element is an input's, or 0; which one is found by arranging the input's places instead of it."""

    def restore(self, grad: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
        size = int(np.prod(shape))
        places = self.arrange(np.arange(1, size + 1).reshape(shape))
        totals = np.zeros(size + 1, grad.dtype)  # what comes from nowhere goes to place 0
        np.add.at(totals, places.reshape(-1), grad.reshape(-1))
        return totals[1:].reshape(shape)
