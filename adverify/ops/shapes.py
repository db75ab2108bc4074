"""The same elements in other shapes and orders of axes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Literal

import numpy as np

from adverify.ops.arrangement import Arrangement
from adverify.ops.axes import Axis, any_axes, integer, integers
from adverify.ops.broadcasting import unbroadcast

Order = Literal["C", "F"]


class Reshape(Arrangement):
    """The same elements in another shape.

    Parameters
    ----------
    shape : int or sequence of int
        One of them may be -1.
    order : {"C", "F"}
        Whether the last or the first axis runs fastest.
    """

    arguments: ClassVar = {"shape": (-1, (2, -1), (-1, 1, 3), (3, -1)), "order": ("C", "F")}

    def __init__(self, shape: int | Sequence[int] = -1, order: Order = "C") -> None:
        self.shape = integers(shape, "shape")
        if min(self.shape, default=0) < -1 or self.shape.count(-1) > 1:
            raise ValueError(f"shape must be lengths, one of which may be -1; got {shape!r}")
        if order not in ("C", "F"):
            raise ValueError(f"order must be 'C' or 'F'; got {order!r}")
        self.order: Order = order

    def arrange(self, x: np.ndarray) -> np.ndarray:
        return x.reshape(self.shape, order=self.order)

    def restore(self, grad: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
        return grad.reshape(shape, order=self.order)


class Ravel(Reshape):
    """All elements in a row.

    Parameters
    ----------
    order : {"C", "F"}
        Whether the last or the first axis runs fastest.
    """

    arguments: ClassVar = {"order": ("C", "F")}

    def __init__(self, order: Order = "C") -> None:
        super().__init__(-1, order)


class Transpose(Arrangement):
    """Permute the axes.

    Parameters
    ----------
    axes : sequence of int or None
        Where each axis comes from; None reverses them all.
    """

    arguments: ClassVar = {"axes": (None, (1, 0), (1, 2, 0), (2, 0, 1), (-1, 0, 1))}

    def __init__(self, axes: Sequence[int] | None = None) -> None:
        self.axes = None if axes is None else integers(axes, "axes")
        if self.axes is not None and len(set(self.axes)) < len(self.axes):
            raise ValueError(f"axes must not name an axis twice; got {axes!r}")

    def arrange(self, x: np.ndarray) -> np.ndarray:
        return np.transpose(x, self.axes)

    def restore(self, grad: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
        return np.transpose(grad, None if self.axes is None else np.argsort([a % len(shape) for a in self.axes]))


class Swapaxes(Arrangement):
    """Exchange two axes.

    Parameters
    ----------
    axis1, axis2 : int
    """

    arguments: ClassVar = {"axis1": (0, -2), "axis2": (-1, 1)}

    def __init__(self, axis1: int, axis2: int) -> None:
        self.axis1, self.axis2 = integer(axis1, "axis1"), integer(axis2, "axis2")

    def arrange(self, x: np.ndarray) -> np.ndarray:
        return np.swapaxes(x, self.axis1, self.axis2)

    def restore(self, grad: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
        return np.swapaxes(grad, self.axis1, self.axis2)


class Moveaxis(Arrangement):
    """Move axes to other positions; the others keep their order.

    Parameters
    ----------
    source, destination : int or sequence of int
        As many of each.
    """

    arguments: ClassVar = {"source": (0, (-1,)), "destination": (-1, 1)}

    def __init__(self, source: int | Sequence[int], destination: int | Sequence[int]) -> None:
        self.source, self.destination = integers(source, "source"), integers(destination, "destination")
        if len(self.source) != len(self.destination):
            raise ValueError(f"source and destination must be equally many axes; got {source!r} and {destination!r}")

    def arrange(self, x: np.ndarray) -> np.ndarray:
        return np.moveaxis(x, self.source, self.destination)

    def restore(self, grad: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
        return np.moveaxis(grad, self.destination, self.source)


class ExpandDims(Arrangement):
    """Insert axes of length one.

    Parameters
    ----------
    axis : int or tuple of int
        Where they are in the result.
    """

    arguments: ClassVar = {"axis": (0, -1, (1, -1))}

    def __init__(self, axis: int | tuple[int, ...]) -> None:
        self.axis = integers(axis, "axis")

    def arrange(self, x: np.ndarray) -> np.ndarray:
        return np.expand_dims(x, self.axis)

    def restore(self, grad: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
        return grad.reshape(shape)


class Squeeze(Arrangement):
    """Remove axes of length one.

    Parameters
    ----------
    axis : int, tuple of int or None
        Which; None for all.
    """

    arguments: ClassVar = {"axis": (None, 0, -1, (0, -1))}

    def __init__(self, axis: Axis = None) -> None:
        self.axis = any_axes(axis)

    def arrange(self, x: np.ndarray) -> np.ndarray:
        return np.squeeze(x, self.axis)

    def restore(self, grad: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
        return grad.reshape(shape)


class BroadcastTo(Arrangement):
    """Repeat along new axes and axes of length one.

    Parameters
    ----------
    shape : int or sequence of int
    """

    arguments: ClassVar = {"shape": ((2, 3), (4, 2, 3), (3,), (0, 3))}

    def __init__(self, shape: int | Sequence[int]) -> None:
        self.shape = integers(shape, "shape")
        if min(self.shape, default=0) < 0:
            raise ValueError(f"shape must not have negative lengths; got {shape!r}")

    def arrange(self, x: np.ndarray) -> np.ndarray:
        return np.broadcast_to(x, self.shape)

    def restore(self, grad: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
        return unbroadcast(grad, shape)
