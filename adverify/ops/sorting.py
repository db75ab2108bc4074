"""Putting elements in order."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np

from adverify.engine import Function, Variable, variable
from adverify.ops.axes import integers, one_axis


class Ordering(Function, ABC):
    """Elements along an axis in an order that they decide; each takes its gradient with it.

    Parameters
    ----------
    axis : int or None
        None orders the flattened array.
    """

    def __init__(self, axis: int | None = -1) -> None:
        self.axis = one_axis(axis)

    @abstractmethod
    def order(self, x: np.ndarray, axis: int) -> np.ndarray:
        """Give the indices along `axis` in the order that their elements get."""

    def forward(self, x: Variable) -> Variable:
        a, axis = self._flattened(x.data)
        return variable(np.take_along_axis(a, self.order(a, axis), axis))

    def backward(self, x: Variable, grad: Any) -> None:
        a, axis = self._flattened(x.data)
        share = np.empty_like(grad)
        np.put_along_axis(share, self.order(a, axis), grad, axis)
        x.grad += share.reshape(x.data.shape)

    def _flattened(self, x: np.ndarray) -> tuple[np.ndarray, int]:
        return (x.reshape(-1), 0) if self.axis is None else (x, self.axis)


class Sort(Ordering):
    """Ascending order along an axis; where elements tie, the earlier one counts as the smaller.

    Parameters
    ----------
    axis : int or None
        None sorts the flattened array.
    """

    arguments: ClassVar = {"axis": (0, -1, None)}

    def order(self, x: np.ndarray, axis: int) -> np.ndarray:
        return np.argsort(x, axis=axis, kind="stable")


class Partition(Ordering):
    """Order in which some elements are where sorting puts them, with none larger before and none smaller after.

    The others are in the order of `numpy.argpartition`, and so is which of several that tie comes first.

    Parameters
    ----------
    kth : int or sequence of int
        Which positions are to be right.
    axis : int or None
        None orders the flattened array.
    """

    arguments: ClassVar = {"kth": (0, 1, (0, -1)), "axis": (-1, 0, None)}

    def __init__(self, kth: int | Sequence[int], axis: int | None = -1) -> None:
        super().__init__(axis)
        self.kth = integers(kth, "kth")

    def order(self, x: np.ndarray, axis: int) -> np.ndarray:
        return np.argpartition(x, self.kth, axis=axis)
