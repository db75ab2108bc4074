"""Convolutions, as PyTorch defines them: cross-correlations of a batch with kernels."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar

import numpy as np

from adverify.engine import Function, Variable, variable
from adverify.ops.windows import Correlation, Ints, Windows, per_axis


class Convolution(Function, ABC):
    """What convolutions have in common: how windows move, and the rule for shapes.

    Parameters
    ----------
    stride, padding, dilation : int, or one for each axis
        From one window to the next; zeros on either side; from one element of a kernel to the next.
    groups : int
        Into how many blocks channels are divided, each with kernels of its own.
    """

    expected: ClassVar[str]

    def __init__(self, stride: Ints = 1, padding: Ints = 0, dilation: Ints = 1, groups: int = 1) -> None:
        if groups < 1:
            raise ValueError(f"{type(self).__name__} needs groups >= 1; got groups={groups}")
        self.groups = groups
        self.correlation = Correlation(Windows.of(self.axes, stride, padding, dilation), groups)

    @property
    @abstractmethod
    def axes(self) -> int:
        """Over how many of the last axes windows move."""

    @abstractmethod
    def channels(self, weight: np.ndarray) -> tuple[int, int]:
        """How many channels go in and come out."""

    def check(self, x: np.ndarray, weight: np.ndarray, bias: np.ndarray | None) -> None:
        """Raise ValueError unless the shapes fit together."""
        fits = x.ndim > self.axes and weight.ndim == self.axes + 2 and weight.shape[0] % self.groups == 0
        if fits:
            c, o = self.channels(weight)
            fits = x.shape[-self.axes - 1] == c and (bias is None or bias.shape == (o,))
        if not fits:
            got = f"{x.shape}, {weight.shape}" + ("" if bias is None else f" and {bias.shape}")
            raise ValueError(f"{type(self).__name__} takes {self.expected.format(groups=self.groups)}; got {got}")


class Conv(Convolution):
    """Cross-correlation over the last axes: y[o] = sum over c of the windows of x[c] times weight[o, c], plus bias."""

    expected = "x (..., c, *axes), weight (o, c / {groups}, *kernel) and bias (o,), o divisible by {groups}"

    def channels(self, weight: np.ndarray) -> tuple[int, int]:
        return weight.shape[1] * self.groups, weight.shape[0]

    def forward(self, x: Variable, weight: Variable, bias: Variable | None = None) -> Variable:
        self.check(x.data, weight.data, None if bias is None else bias.data)
        size = weight.data.shape[2:]
        places = self.correlation.windows.places(x.data.shape, size)
        rows = self.correlation.rows(x.data, size, places) @ np.swapaxes(self.correlation.kernels(weight.data), -1, -2)
        shape = (*x.data.shape[: -self.axes - 1], len(weight.data), *places)
        y = self.correlation.rows_to_outputs(rows, shape)
        return variable(y if bias is None else y + bias.data.reshape(-1, *(1,) * self.axes))

    def backward(self, x: Variable, weight: Variable, *bias_and_grad: Any) -> None:
        *bias, grad = bias_and_grad
        size, places = weight.data.shape[2:], grad.shape[-self.axes :]
        outputs = self.correlation.outputs_to_rows(grad)
        if x.needs_grad:
            rows = outputs @ self.correlation.kernels(weight.data)
            x.grad += self.correlation.unrows(rows, x.data.shape, places, size)
        if weight.needs_grad:
            rows = self.correlation.rows(x.data, size, places)
            weight.grad += (np.swapaxes(outputs, -1, -2) @ rows).reshape(weight.data.shape)
        _add_to_bias(bias, grad, self.axes)


class ConvTranspose(Convolution):
    """The adjoint of a convolution as a layer: every element of x stamps its kernel, and the stamps add up.

    Parameters
    ----------
    stride, padding, output_padding, groups, dilation
        As PyTorch has them: `padding` is cut off on either side, `output_padding` is added at the end.
    """

    expected = "x (..., c, *axes), weight (c, o / {groups}, *kernel) and bias (o,), c divisible by {groups}"

    def __init__(
        self, stride: Ints = 1, padding: Ints = 0, output_padding: Ints = 0, groups: int = 1, dilation: Ints = 1
    ) -> None:
        super().__init__(stride, padding, dilation, groups)
        self.output_padding = per_axis("output_padding", output_padding, self.axes, 0)
        windows = self.correlation.windows
        steps = zip(self.output_padding, windows.stride, windows.dilation, strict=True)
        if any(extra >= max(s, d) for extra, s, d in steps):
            raise ValueError(f"output_padding must be smaller than stride or dilation; got {output_padding!r} with "
                             f"stride {stride!r} and dilation {dilation!r}")  # fmt: skip

    def channels(self, weight: np.ndarray) -> tuple[int, int]:
        return weight.shape[0], weight.shape[1] * self.groups

    def forward(self, x: Variable, weight: Variable, bias: Variable | None = None) -> Variable:
        self.check(x.data, weight.data, None if bias is None else bias.data)
        size, places = weight.data.shape[2:], x.data.shape[-self.axes :]
        shape = (*x.data.shape[: -self.axes - 1], self.channels(weight.data)[1], *self._stamped(places, size))
        rows = self.correlation.outputs_to_rows(x.data) @ self.correlation.kernels(weight.data)
        y = self.correlation.unrows(rows, shape, places, size)
        return variable(y if bias is None else y + bias.data.reshape(-1, *(1,) * self.axes))

    def backward(self, x: Variable, weight: Variable, *bias_and_grad: Any) -> None:
        *bias, grad = bias_and_grad
        rows = self.correlation.rows(grad, weight.data.shape[2:], x.data.shape[-self.axes :])
        kernels, stamps = self.correlation.kernels(weight.data), self.correlation.outputs_to_rows(x.data)
        x.grad += self.correlation.rows_to_outputs(rows @ np.swapaxes(kernels, -1, -2), x.data.shape)
        weight.grad += (np.swapaxes(stamps, -1, -2) @ rows).reshape(weight.data.shape)
        _add_to_bias(bias, grad, self.axes)

    def _stamped(self, places: tuple[int, ...], size: tuple[int, ...]) -> tuple[int, ...]:
        w = self.correlation.windows
        along = zip(places, w.stride, w.padding, w.extents(size), self.output_padding, strict=True)
        shape = tuple((n - 1) * s - 2 * p + e + extra for n, s, p, e, extra in along)
        if min((*shape, *places)) < 1:
            raise ValueError(f"{type(self).__name__} makes no output of {places} with a kernel of {size} and a "
                             f"padding of {w.padding}")  # fmt: skip
        return shape


def _add_to_bias(bias: list[Variable | None], grad: np.ndarray, axes: int) -> None:
    for b in bias:
        if b is not None:
            b.grad += grad.sum(axis=tuple(set(range(grad.ndim)) - {grad.ndim - axes - 1}))


class Conv1d(Conv):
    """The cross-correlation of sequences with kernels.

    Inputs: x (n, c, l) or any leading axes, weight (o, c / groups, k), and optionally bias (o,).

    Parameters
    ----------
    stride, padding, dilation : int
        From one window to the next; zeros on either side; from one element of a kernel to the next.
    groups : int
        Into how many blocks channels are divided, each with kernels of its own.
    """

    name = "conv1d"
    axes = 1
    arguments: ClassVar = {"stride": (1, 2), "dilation": (1, 2)}


class Conv2d(Conv):
    """The cross-correlation of images with kernels.

    Inputs: x (n, c, h, w) or any leading axes, weight (o, c / groups, kh, kw), and optionally bias (o,).

    Parameters
    ----------
    stride, padding, dilation : int or pair of int
        From one window to the next; zeros on either side; from one element of a kernel to the next.
    groups : int
        Into how many blocks channels are divided, each with kernels of its own.
    """

    name = "conv2d"
    axes = 2
    arguments: ClassVar = {"stride": (1, (2, 1)), "padding": (0, (1, 2))}


class ConvTranspose2d(ConvTranspose):
    """The adjoint of Conv2d as a layer: every place of x stamps its kernel, and the stamps add up.

    Inputs: x (n, c, h, w) or any leading axes, weight (c, o / groups, kh, kw), and optionally bias (o,).

    Parameters
    ----------
    stride, padding, dilation : int or pair of int
        Those of the convolution that it is the adjoint of; `padding` is what is cut off.
    output_padding : int or pair of int
        Rows and columns added at the end; less than stride or dilation.
    groups : int
        Into how many blocks channels are divided, each with kernels of its own.
    """

    name = "conv_transpose2d"
    axes = 2
    signature = "(n,3,h,w),(3,o,k,l),(o)->(n,o,a,b)"
    arguments: ClassVar = {"stride": (1, 2), "padding": (0, 1)}
