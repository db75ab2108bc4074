"""Turning and shifting along axes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import numpy as np

from adverify.ops.arrangement import Arrangement
from adverify.ops.axes import Axis, any_axes, integer, integers


class Flip(Arrangement):
    """Reverse along axes.

    Parameters
    ----------
    axis : int, tuple of int or None
        None for all.
    """

    arguments: ClassVar = {"axis": (None, 0, -1, (0, -1))}

    def __init__(self, axis: Axis = None) -> None:
        self.axis = any_axes(axis)

    def arrange(self, x: np.ndarray) -> np.ndarray:
        return np.flip(x, self.axis)

    def restore(self, grad: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
        return np.flip(grad, self.axis)


class Roll(Arrangement):
    """Shift along axes, around the end.

    Parameters
    ----------
    shift : int or tuple of int
        How far, for each axis.
    axis : int, tuple of int or None
        None shifts the flattened array.
    """

    arguments: ClassVar = {"shift": (1, (-2, 3)), "axis": (None, 0, (-1, 0))}

    def __init__(self, shift: int | Sequence[int] = 1, axis: int | Sequence[int] | None = None) -> None:
        self.shift = integers(shift, "shift")
        self.axis = None if axis is None else integers(axis, "axis")

    def arrange(self, x: np.ndarray) -> np.ndarray:
        return np.roll(x, self.shift, self.axis)

    def restore(self, grad: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
        return np.roll(grad, [-s for s in self.shift], self.axis)


class Rot90(Arrangement):
    """Turn by right angles in the plane of two axes.

    Parameters
    ----------
    k : int
        How many, from the first axis towards the second.
    axes : (int, int)
    """

    arguments: ClassVar = {"k": (1, 2, -1), "axes": ((0, 1), (-1, 0))}

    def __init__(self, k: int = 1, axes: Sequence[int] = (0, 1)) -> None:
        self.k, self.axes = integer(k, "k"), integers(axes, "axes")
        if len(set(self.axes)) != 2:
            raise ValueError(f"axes must be two different axes; got {axes!r}")

    def arrange(self, x: np.ndarray) -> np.ndarray:
        return np.rot90(x, self.k, self.axes)  # type: ignore[arg-type]

    def restore(self, grad: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
        return np.rot90(grad, -self.k, self.axes)  # type: ignore[arg-type]
