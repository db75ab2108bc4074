"""Products of vectors, matrices and tensors."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np

from adverify.engine import Function, Variable, variable
from adverify.ops.broadcasting import unbroadcast

Axes = Sequence[int]


class Matmul(Function):
    """x @ y in all of NumPy's forms: vectors, matrices, and batches that broadcast."""

    def forward(self, x: Variable, y: Variable) -> Variable:
        return variable(x.data @ y.data)

    def backward(self, x: Variable, y: Variable, grad: Any) -> None:
        a = x.data[None, :] if x.data.ndim == 1 else x.data
        b = y.data[:, None] if y.data.ndim == 1 else y.data
        g = np.expand_dims(grad, [axis for axis, v in ((-2, x), (-1, y)) if v.data.ndim == 1])
        if x.needs_grad:
            x.accumulate(unbroadcast(g @ b.mT, a.shape).reshape(x.data.shape))
        if y.needs_grad:
            y.accumulate(unbroadcast(a.mT @ g, b.shape).reshape(y.data.shape))


class Contraction(Function, ABC):
    """Sum the products of all elements of x with all of y over pairs of axes.

    The output has the other axes of x, then those of y.
    """

    flattens: ClassVar = False

    @abstractmethod
    def pairs(self, x: np.ndarray, y: np.ndarray) -> tuple[Axes, Axes]:
        """Axes of x, and the axis of y that each is summed with."""

    def forward(self, x: Variable, y: Variable) -> Variable:
        a, b = self._arrays(x, y)
        return variable(np.tensordot(a, b, self.pairs(a, b)))

    def backward(self, x: Variable, y: Variable, grad: Any) -> None:
        a, b = self._arrays(x, y)
        summed_a, summed_b = ([i % v.ndim for i in axes] for v, axes in zip((a, b), self.pairs(a, b), strict=True))
        order_a, order_b = _moved_last(a, summed_a), _moved_last(b, summed_b)
        kept_a, kept_b = a.ndim - len(summed_a), b.ndim - len(summed_b)
        g = np.asarray(grad)
        for_a = np.tensordot(g, b.transpose(order_b), (range(kept_a, g.ndim), range(kept_b)))
        for_b = np.tensordot(g, a.transpose(order_a), (range(kept_a), range(kept_a)))
        x.grad += for_a.transpose(np.argsort(order_a)).reshape(x.data.shape)
        y.grad += for_b.transpose(np.argsort(order_b)).reshape(y.data.shape)

    def _arrays(self, x: Variable, y: Variable) -> tuple[np.ndarray, np.ndarray]:
        return (x.data.ravel(), y.data.ravel()) if self.flattens else (x.data, y.data)


class Dot(Contraction):
    """NumPy's dot: the last axis of x with the last but one of y, or with y's only one; a number multiplies."""

    def pairs(self, x: np.ndarray, y: np.ndarray) -> tuple[Axes, Axes]:
        return ([-1], [max(y.ndim - 2, 0)]) if x.ndim and y.ndim else ([], [])


class Inner(Contraction):
    """NumPy's inner: the last axis of x with the last of y; a number multiplies."""

    def pairs(self, x: np.ndarray, y: np.ndarray) -> tuple[Axes, Axes]:
        return ([-1], [-1]) if x.ndim and y.ndim else ([], [])


class Vdot(Contraction):
    """The sum of products of elements; both are flattened."""

    flattens = True

    def pairs(self, x: np.ndarray, y: np.ndarray) -> tuple[Axes, Axes]:
        return [0], [0]


class Outer(Contraction):
    """The products of all elements of x with all of y; both are flattened."""

    flattens = True

    def pairs(self, x: np.ndarray, y: np.ndarray) -> tuple[Axes, Axes]:
        return [], []


class Tensordot(Contraction):
    """The sum of products over chosen pairs of axes.

    Parameters
    ----------
    axes : int or (axes of x, axes of y)
        A number n stands for the last n axes of x and the first n of y, in order.
    """

    arguments: ClassVar = {"axes": (2, 0, 1, (0, -1), ((0, 1), (1, 0)), ((-1, 0), (0, 2)))}

    def __init__(self, axes: int | tuple[int | Sequence[int], int | Sequence[int]] = 2) -> None:
        if isinstance(axes, int):
            if axes < 0:
                raise ValueError(f"axes must be a number of axes, at least 0, or two sequences of axes; got {axes}")
            self.axes: int | tuple[tuple[int, ...], tuple[int, ...]] = axes
            return
        left, right = ((a,) if isinstance(a, int) else tuple(a) for a in axes)
        if len(left) != len(right):
            raise ValueError(f"axes must name as many axes of x as of y; got {axes!r}")
        self.axes = left, right

    def pairs(self, x: np.ndarray, y: np.ndarray) -> tuple[Axes, Axes]:
        if not isinstance(self.axes, int):
            return self.axes
        if self.axes > min(x.ndim, y.ndim):
            raise ValueError(f"tensordot over {self.axes} axes got arrays of {x.ndim} and {y.ndim}")
        return range(x.ndim - self.axes, x.ndim), range(self.axes)


def _moved_last(a: np.ndarray, axes: Axes) -> list[int]:
    return [i for i in range(a.ndim) if i not in axes] + list(axes)


class Kron(Function):
    """The Kronecker product: each element of x times all of y, as blocks."""

    def forward(self, x: Variable, y: Variable) -> Variable:
        return variable(np.kron(x.data, y.data))

    def backward(self, x: Variable, y: Variable, grad: Any) -> None:
        n = max(x.data.ndim, y.data.ndim)
        a, b = (v.data.reshape((1,) * (n - v.data.ndim) + v.data.shape) for v in (x, y))
        blocks = np.reshape(grad, [size for pair in zip(a.shape, b.shape, strict=True) for size in pair])
        g = blocks.transpose([*range(0, 2 * n, 2), *range(1, 2 * n, 2)])
        x.grad += np.tensordot(g, b, n).reshape(x.data.shape)
        y.grad += np.tensordot(a, g, n).reshape(y.data.shape)


class Cross(Function):
    """The cross product of vectors in space.

    Parameters
    ----------
    axis : int
        Where the three components are, in both inputs and in the output; the other axes broadcast.
    """

    arguments: ClassVar = {"axis": (-1, 0)}

    def __init__(self, axis: int = -1) -> None:
        self.axis = axis

    def forward(self, x: Variable, y: Variable) -> Variable:
        return variable(np.linalg.cross(x.data, y.data, axis=self.axis))

    def backward(self, x: Variable, y: Variable, grad: Any) -> None:
        a, b, g = (np.moveaxis(v, self.axis, -1) for v in (x.data, y.data, grad))
        x.grad += np.moveaxis(unbroadcast(np.linalg.cross(b, g), a.shape), -1, self.axis)
        y.grad += np.moveaxis(unbroadcast(np.linalg.cross(g, a), b.shape), -1, self.axis)


class MultiDot(Function):
    """The product of two or more matrices in the cheapest order; the first and the last may be vectors."""

    def forward(self, first: Variable, second: Variable, *more: Variable) -> Variable:
        arrays = [v.data for v in (first, second, *more)]
        for i, a in enumerate(arrays):
            if a.ndim != 2 and not (a.ndim == 1 and i in (0, len(arrays) - 1)):
                raise ValueError(f"multi_dot takes matrices, and a vector first or last; operand {i} is {a.ndim}-d")
        return variable(np.linalg.multi_dot(arrays))

    def backward(self, *inputs_and_grad: Any) -> None:
        *inputs, grad = inputs_and_grad
        matrices = [v.data[:, None] if v.data.ndim == 1 else v.data for v in inputs]
        if inputs[0].data.ndim == 1:
            matrices[0] = matrices[0].T
        g = np.reshape(grad, (len(matrices[0]), matrices[-1].shape[1]))
        for i, x in enumerate(inputs):
            before, after = matrices[:i], matrices[i + 1 :]
            chain = [*(a.T for a in reversed(before)), g, *(a.T for a in reversed(after))]
            x.grad += np.linalg.multi_dot(chain).reshape(x.data.shape)
