"""Moving elements about: each backward is the adjoint of an arrangement."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np

from adverify.engine import Function, Variable, variable
from adverify.ops.broadcasting import unbroadcast


class Reshape(Function):
    """The same elements in another shape.

    Parameters
    ----------
    shape : int or sequence of int
        One of them may be -1.
    """

    arguments: ClassVar = {"shape": (-1, (2, -1), (-1, 1, 3), (3, -1))}

    def __init__(self, shape: int | Sequence[int] = -1) -> None:
        self.shape = shape if isinstance(shape, int) else tuple(shape)

    def forward(self, x: Variable) -> Variable:
        return variable(x.data.reshape(self.shape))

    def backward(self, x: Variable, grad: Any) -> None:
        x.grad += grad.reshape(x.data.shape)


class Transpose(Function):
    """Permute the axes.

    Parameters
    ----------
    axes : sequence of int or None
        Where each axis comes from; None reverses them all.
    """

    arguments: ClassVar = {"axes": (None, (1, 0), (1, 2, 0), (2, 0, 1), (-1, 0, 1))}

    def __init__(self, axes: Sequence[int] | None = None) -> None:
        self.axes = None if axes is None else tuple(axes)

    def forward(self, x: Variable) -> Variable:
        return variable(np.transpose(x.data, self.axes))

    def backward(self, x: Variable, grad: Any) -> None:
        inverse = None if self.axes is None else np.argsort([a % x.data.ndim for a in self.axes])
        x.grad += np.transpose(grad, inverse)


class BroadcastTo(Function):
    """Repeat along new axes and axes of length one.

    Parameters
    ----------
    shape : sequence of int
    """

    arguments: ClassVar = {"shape": ((2, 3), (4, 2, 3), (3,), (0, 3))}

    def __init__(self, shape: Sequence[int]) -> None:
        self.shape = tuple(shape)

    def forward(self, x: Variable) -> Variable:
        return variable(np.broadcast_to(x.data, self.shape))

    def backward(self, x: Variable, grad: Any) -> None:
        x.grad += unbroadcast(grad, x.data.shape)


class Concatenate(Function):
    """Join any number of arrays along an axis.

    Parameters
    ----------
    axis : int
    """

    arguments: ClassVar = {"axis": (0, -1)}

    def __init__(self, axis: int = 0) -> None:
        self.axis = axis

    def forward(self, *variables: Variable) -> Variable:
        return variable(np.concatenate([v.data for v in variables], axis=self.axis))

    def backward(self, *variables_and_grad: Any) -> None:
        *variables, grad = variables_and_grad
        ends = np.cumsum([v.data.shape[self.axis] for v in variables])[:-1]
        for v, share in zip(variables, np.split(grad, ends, axis=self.axis), strict=True):
            v.grad += share


class Stack(Function):
    """Join arrays of one shape along a new axis.

    Parameters
    ----------
    axis : int
    """

    arguments: ClassVar = {"axis": (0, 1, -1)}

    def __init__(self, axis: int = 0) -> None:
        self.axis = axis

    def forward(self, *variables: Variable) -> Variable:
        return variable(np.stack([v.data for v in variables], axis=self.axis))

    def backward(self, *variables_and_grad: Any) -> None:
        *variables, grad = variables_and_grad
        for v, share in zip(variables, np.moveaxis(grad, self.axis, 0), strict=True):
            v.grad += share


class Split(Function):
    """Cut into equal parts along an axis; as many outputs as parts.

    Parameters
    ----------
    sections : int
    axis : int
    """

    arguments: ClassVar = {"sections": (1, 2), "axis": (0, -1)}

    def __init__(self, sections: int = 2, axis: int = 0) -> None:
        self.sections, self.axis = sections, axis

    def forward(self, x: Variable) -> tuple[Variable, ...]:
        return tuple(variable(part) for part in np.split(x.data, self.sections, axis=self.axis))

    def backward(self, x: Variable, grad: Any) -> None:
        x.grad += np.concatenate(grad if isinstance(grad, tuple) else (grad,), axis=self.axis)


class Pad(Function):
    """Zeros around.

    Parameters
    ----------
    pad_width : int, or (before, after), or one such pair per axis
    """

    arguments: ClassVar = {"pad_width": (1, (0, 2), ((1, 0), (0, 2)))}

    def __init__(self, pad_width: Any = 1) -> None:
        self.pad_width = pad_width

    def forward(self, x: Variable) -> Variable:
        return variable(np.pad(x.data, self.pad_width))

    def backward(self, x: Variable, grad: Any) -> None:
        widths = np.broadcast_to(self.pad_width, (x.data.ndim, 2))
        inside = tuple(slice(before, before + n) for (before, _), n in zip(widths, x.data.shape, strict=True))
        x.grad += grad[inside]


class Flip(Function):
    """Reverse along axes.

    Parameters
    ----------
    axis : int, tuple of int or None
    """

    arguments: ClassVar = {"axis": (None, 0, -1)}

    def __init__(self, axis: int | tuple[int, ...] | None = None) -> None:
        self.axis = axis

    def forward(self, x: Variable) -> Variable:
        return variable(np.flip(x.data, self.axis))

    def backward(self, x: Variable, grad: Any) -> None:
        x.grad += np.flip(grad, self.axis)


class Roll(Function):
    """Shift along an axis, around the end.

    Parameters
    ----------
    shift : int
    axis : int or None
    """

    arguments: ClassVar = {"shift": (1, -2), "axis": (None, 0, -1)}

    def __init__(self, shift: int = 1, axis: int | None = None) -> None:
        self.shift, self.axis = shift, axis

    def forward(self, x: Variable) -> Variable:
        return variable(np.roll(x.data, self.shift, self.axis))

    def backward(self, x: Variable, grad: Any) -> None:
        x.grad += np.roll(grad, -self.shift, self.axis)


class Cumsum(Function):
    """Running sums along an axis.

    Parameters
    ----------
    axis : int
    """

    arguments: ClassVar = {"axis": (0, -1)}

    def __init__(self, axis: int = -1) -> None:
        self.axis = axis

    def forward(self, x: Variable) -> Variable:
        return variable(np.cumsum(x.data, axis=self.axis))

    def backward(self, x: Variable, grad: Any) -> None:
        back = np.flip(grad, self.axis)
        x.grad += np.flip(np.cumsum(back, axis=self.axis), self.axis).reshape(x.data.shape)
