"""Joining arrays, cutting them, and repeating them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np

from adverify.engine import Function, Variable, variable
from adverify.ops.arrangement import Gathering
from adverify.ops.axes import integer, integers, one_axis


class Concatenate(Function):
    """Join any number of arrays along an axis.

    Parameters
    ----------
    axis : int or None
        None joins flattened arrays.
    """

    arguments: ClassVar = {"axis": (0, -1, None)}

    def __init__(self, axis: int | None = 0) -> None:
        self.axis = one_axis(axis)

    def forward(self, *variables: Variable) -> Variable:
        return variable(np.concatenate([v.data for v in variables], axis=self.axis))

    def backward(self, *variables_and_grad: Any) -> None:
        *variables, grad = variables_and_grad
        lengths = [v.data.size if self.axis is None else v.data.shape[self.axis] for v in variables]
        shares = np.split(grad, np.cumsum(lengths)[:-1], axis=self.axis or 0)
        for v, share in zip(variables, shares, strict=True):
            v.grad += share.reshape(v.data.shape)


class Stack(Function):
    """Join arrays of one shape along a new axis.

    Parameters
    ----------
    axis : int
    """

    arguments: ClassVar = {"axis": (0, 1, -1)}

    def __init__(self, axis: int = 0) -> None:
        self.axis = integer(axis, "axis")

    def forward(self, *variables: Variable) -> Variable:
        return variable(np.stack([v.data for v in variables], axis=self.axis))

    def backward(self, *variables_and_grad: Any) -> None:
        *variables, grad = variables_and_grad
        for v, share in zip(variables, np.moveaxis(grad, self.axis, 0), strict=True):
            v.grad += share


class Split(Function):
    """Cut into parts along an axis; as many outputs as parts.

    Parameters
    ----------
    indices_or_sections : int or sequence of int
        Into how many equal parts, or before which elements.
    axis : int
    """

    arguments: ClassVar = {"indices_or_sections": (2, (1, -1), (1,)), "axis": (0, -1)}

    def __init__(self, indices_or_sections: int | Sequence[int] = 2, axis: int = 0) -> None:
        self.axis = integer(axis, "axis")
        several = isinstance(indices_or_sections, Sequence | np.ndarray)
        parts = integers(indices_or_sections, "indices_or_sections")
        if not several and parts[0] < 1:
            raise ValueError(f"indices_or_sections must be at least 1 part, or a sequence; got {indices_or_sections}")
        self.parts: Any = parts if several else parts[0]

    def forward(self, x: Variable) -> tuple[Variable, ...]:
        return tuple(variable(part) for part in np.split(x.data, self.parts, axis=self.axis))

    def backward(self, x: Variable, grad: Any) -> None:
        grads = grad if isinstance(grad, tuple) else (grad,)
        # Parts of the gradient are views of it, and may overlap.
        for part, g in zip(np.split(x.grad, self.parts, axis=self.axis), grads, strict=True):
            part += g


class Tile(Gathering):
    """The array side by side with itself.

    Parameters
    ----------
    reps : int or sequence of int
        How often along each axis.
    """

    arguments: ClassVar = {"reps": (3, (2, 1), (2, 1, 2), 0)}

    def __init__(self, reps: int | Sequence[int]) -> None:
        self.reps = integers(reps, "reps")
        if min(self.reps, default=0) < 0:
            raise ValueError(f"reps must not be negative; got {reps!r}")

    def arrange(self, x: np.ndarray) -> np.ndarray:
        return np.tile(x, self.reps)


class Repeat(Gathering):
    """Each element several times in a row.

    Parameters
    ----------
    repeats : int or sequence of int
        How often; one number for each along the axis, or for all.
    axis : int or None
        None repeats the elements of the flattened array.
    """

    arguments: ClassVar = {"repeats": (2, (2, 0, 1), 0), "axis": (None, 0, -1)}

    def __init__(self, repeats: int | Sequence[int], axis: int | None = None) -> None:
        self.repeats, self.axis = integers(repeats, "repeats"), one_axis(axis)
        if min(self.repeats, default=0) < 0:
            raise ValueError(f"repeats must not be negative; got {repeats!r}")

    def arrange(self, x: np.ndarray) -> np.ndarray:
        return np.repeat(x, self.repeats, axis=self.axis)
