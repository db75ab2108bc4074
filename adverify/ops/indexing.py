"""Picking elements by their places: what is picked several times gets the sum."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from adverify.engine import Function, Variable, variable
from adverify.ops.arrangement import Gathering
from adverify.ops.axes import one_axis
from adverify.ops.broadcasting import unbroadcast


def _kept(index: Any) -> Any:
    """An index that nothing outside can change: with arrays for lists."""
    if isinstance(index, tuple):
        return tuple(_kept(i) for i in index)
    if isinstance(index, list | np.ndarray):
        array = np.array(index)
        if array.size and array.dtype.kind not in "biu":
            raise TypeError(f"index must hold integers or booleans; got {index!r}")
        return array if array.size else array.astype(np.intp if array.dtype.kind == "f" else array.dtype)
    return index


def _may_repeat(index: Any) -> bool:
    """Whether an index can name a place twice: if it holds an array of integers."""
    parts = index if isinstance(index, tuple) else (index,)
    return any(isinstance(i, np.ndarray) and i.dtype.kind in "iu" for i in parts)


def _add_at(target: np.ndarray, index: Any, values: Any) -> None:
    """Add `values` to target[index], each as often as it is named."""
    if _may_repeat(index):
        np.add.at(target, index, values)
    else:
        target[index] += values


class Getitem(Function):
    """x[index], for any index that NumPy takes.

    Parameters
    ----------
    index
        Slices, integers, arrays of integers or booleans, an ellipsis, None, or a tuple of such.
    """

    arguments: ClassVar = {
        "index": (0, (Ellipsis, 1), (slice(None, None, -2), None), [0, 0, -1], ([0, 1, 1], [1, 0, 0]),
                  np.array([True, False]), (slice(1, None), [1, 1]), ([[0], [1]], Ellipsis, None, [1, 0]))
    }  # fmt: skip

    def __init__(self, index: Any = Ellipsis) -> None:
        self.index = _kept(index)

    def forward(self, x: Variable) -> Variable:
        return variable(x.data[self.index])

    def backward(self, x: Variable, grad: Any) -> None:
        _add_at(x.grad, self.index, grad)


class ScatterAdd(Function):
    """x with y added at x[index]; a place that the index names several times gets every addition.

    Inputs: x, and y, which broadcasts to x[index].

    Parameters
    ----------
    index
        As for `Getitem`.
    """

    arguments: ClassVar = {
        "index": ([0, 0, -1], (Ellipsis, slice(None, None, -1)), ([0, 1, 1], [1, 0, 0]), np.array([True, False]),
                  (slice(1, None), [1, 1]))
    }  # fmt: skip

    def __init__(self, index: Any = Ellipsis) -> None:
        self.index = _kept(index)

    def forward(self, x: Variable, y: Variable) -> Variable:
        total = np.array(x.data, dtype=np.result_type(x.data, y.data))
        _add_at(total, self.index, np.broadcast_to(y.data, total[self.index].shape))
        return variable(total)

    def backward(self, x: Variable, y: Variable, grad: Any) -> None:
        x.grad += grad
        y.grad += unbroadcast(np.asarray(grad[self.index]), y.data.shape)


def _indices(given: Any) -> np.ndarray:
    indices = np.array(given)
    if indices.size and indices.dtype.kind not in "iu":
        raise TypeError(f"indices must be integers; got {given!r}")
    return indices.astype(np.intp)


class Take(Gathering):
    """Elements along an axis, by their indices.

    Parameters
    ----------
    indices : array_like of int
        May repeat, and count from the end.
    axis : int or None
        None takes from the flattened array.
    mode : {"raise", "wrap", "clip"}
        What becomes of an index that is out of bounds.
    """

    arguments: ClassVar = {"indices": ([0, 0, 1], [[1, 0], [-1, 0]], 0), "axis": (0, -1, None)}

    def __init__(self, indices: Any, axis: int | None = None, mode: str = "raise") -> None:
        if mode not in ("raise", "wrap", "clip"):
            raise ValueError(f"mode must be 'raise', 'wrap' or 'clip'; got {mode!r}")
        self.indices, self.axis, self.mode = _indices(indices), one_axis(axis), mode

    def arrange(self, x: np.ndarray) -> np.ndarray:
        return np.take(x, self.indices, self.axis, mode=self.mode)  # type: ignore[call-overload]


class TakeAlongAxis(Gathering):
    """Elements along an axis, by indices of their own for each position on the other axes.

    Parameters
    ----------
    indices : array_like of int
        With as many axes as x; the other axes broadcast against those of x.
    axis : int or None
        None takes from the flattened array.
    """

    arguments: ClassVar = {"indices": ([[0, 1, 0]], [[1, -1], [0, 0]], [0, 0, 1]), "axis": (-1, 0, None)}

    def __init__(self, indices: Any, axis: int | None = -1) -> None:
        self.indices, self.axis = _indices(indices), one_axis(axis)

    def arrange(self, x: np.ndarray) -> np.ndarray:
        return np.take_along_axis(x, self.indices, self.axis)
