"""Picking elements: what is picked several times gets the sum."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from adverify.engine import Function, Variable, variable


class Getitem(Function):
    """x[index], for any index that NumPy takes.

    Parameters
    ----------
    index
        Slices, integers, arrays of integers or booleans, an ellipsis, None, or a tuple of such.
    """

    arguments: ClassVar = {
        "index": (slice(None, None, -1), 0, [0, 0, -1], (Ellipsis, 1), (slice(1, None), None), ([0, 1, 1], [1, 0, 0]),
                  np.array([True, False]))
    }  # fmt: skip

    def __init__(self, index: Any = Ellipsis) -> None:
        self.index = index

    def forward(self, x: Variable) -> Variable:
        return variable(x.data[self.index])

    def backward(self, x: Variable, grad: Any) -> None:
        np.add.at(x.grad, self.index, grad)


class Take(Function):
    """Elements along an axis, by their indices.

    Parameters
    ----------
    indices : array_like of int
        May repeat, and count from the end.
    axis : int
    """

    arguments: ClassVar = {"indices": ([0, 0, 1], [[1, 0], [-1, 0]], 0), "axis": (0, -1)}

    def __init__(self, indices: Any, axis: int = 0) -> None:
        self.indices, self.axis = np.asarray(indices, dtype=int), axis

    def forward(self, x: Variable) -> Variable:
        return variable(np.take(x.data, self.indices, axis=self.axis))

    def backward(self, x: Variable, grad: Any) -> None:
        if not grad.size:  # forward looks at no index then, and takes those that are out of bounds
            return
        target = np.atleast_1d(x.grad)
        axis = self.axis % target.ndim
        picked: Any = (slice(None),) * axis + (self.indices,)
        np.add.at(target, picked, grad)


class Sort(Function):
    """Ascending order along an axis; where elements tie, the earlier one counts as the smaller.

    Parameters
    ----------
    axis : int
    """

    arguments: ClassVar = {"axis": (0, -1)}

    def __init__(self, axis: int = -1) -> None:
        self.axis = axis

    def forward(self, x: Variable) -> Variable:
        return variable(np.sort(x.data, axis=self.axis))

    def backward(self, x: Variable, grad: Any) -> None:
        share = np.empty_like(grad)
        np.put_along_axis(share, np.argsort(x.data, axis=self.axis, kind="stable"), grad, axis=self.axis)
        x.grad += share
