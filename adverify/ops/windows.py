"""Windows that move over the last axes of an array, and the adjoint of cutting them out."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

Ints = int | Sequence[int]


class Windows(NamedTuple):
    """How windows move: one number per axis, as for PyTorch's convolutions.

    Attributes
    ----------
    stride, padding, dilation : tuple of int
        From one window to the next; zeros on either side; from one element of a window to the next.
    """

    stride: tuple[int, ...]
    padding: tuple[int, ...]
    dilation: tuple[int, ...]

    @classmethod
    def of(cls, ndim: int, stride: Ints, padding: Ints, dilation: Ints) -> Windows:
        """Check and repeat what is given as one number."""
        return cls(per_axis("stride", stride, ndim, 1), per_axis("padding", padding, ndim, 0),
                   per_axis("dilation", dilation, ndim, 1))  # fmt: skip

    @property
    def ndim(self) -> int:
        return len(self.stride)

    def extents(self, size: Sequence[int]) -> tuple[int, ...]:
        """How far windows of `size` reach."""
        return tuple(d * (k - 1) + 1 for k, d in zip(size, self.dilation, strict=True))

    def padded_shape(self, shape: Sequence[int], size: Sequence[int]) -> tuple[int, ...]:
        """The shape of an array with its padding; raises ValueError if a window of `size` does not fit into it."""
        lead, places = tuple(shape[: -self.ndim]), shape[-self.ndim :]
        padded = tuple(n + 2 * p for n, p in zip(places, self.padding, strict=True))
        if any(k < 1 for k in size) or any(e > n for e, n in zip(self.extents(size), padded, strict=True)):
            raise ValueError(f"windows of {tuple(size)}, {self.dilation} apart, do not fit into {tuple(places)} with "
                             f"a padding of {self.padding}")  # fmt: skip
        return lead + padded

    def places(self, shape: Sequence[int], size: Sequence[int]) -> tuple[int, ...]:
        """How many windows of `size` there are along each axis of an array of `shape`."""
        padded = self.padded_shape(shape, size)[-self.ndim :]
        reach = zip(padded, self.extents(size), self.stride, strict=True)
        return tuple((n - e) // s + 1 for n, e, s in reach)

    def cut(self, x: np.ndarray, size: Sequence[int], fill: float = 0.0) -> np.ndarray:
        """Give the windows (..., *places, *size) of x (..., *axes), padded with `fill`."""
        if any(self.padding):
            padded = np.full(self.padded_shape(x.shape, size), fill, x.dtype)
            padded[self._inside(x.shape)] = x
            x = padded
        else:
            self.padded_shape(x.shape, size)
        axes = tuple(range(x.ndim - self.ndim, x.ndim))
        windows = np.lib.stride_tricks.sliding_window_view(x, self.extents(size), axis=axes)
        every: Any = (..., *(slice(None, None, s) for s in (*self.stride, *self.dilation)))
        return windows[every]

    def paste(self, windows: np.ndarray, shape: Sequence[int]) -> np.ndarray:
        """Sum windows (..., *places, *size) where they were cut from an array of `shape`: the adjoint of `cut`."""
        places, size = windows.shape[-2 * self.ndim : -self.ndim], windows.shape[-self.ndim :]
        total = np.zeros(self.padded_shape(shape, size), windows.dtype)
        for offset in np.ndindex(*size):
            starts = [o * d for o, d in zip(offset, self.dilation, strict=True)]
            reach = zip(starts, places, self.stride, strict=True)
            place: Any = (..., *(slice(a, a + s * n, s) for a, n, s in reach))
            total[place] += windows[(..., *offset)]
        return total[self._inside(shape)]

    def _inside(self, shape: Sequence[int]) -> tuple[Any, ...]:
        return (..., *(slice(p, p + n) for p, n in zip(self.padding, shape[-self.ndim :], strict=True)))


class Correlation(NamedTuple):
    """The cross-correlation of (..., c, *axes) with kernels (o, c / groups, *size) as products of matrices.

    Windows become rows, (groups, items * places, c / groups * elements); so do the outputs.
    """

    windows: Windows
    groups: int

    def rows(self, x: np.ndarray, size: Sequence[int], places: Sequence[int]) -> np.ndarray:
        """Cut x into rows, one for each group and each of the first `places` along the axes."""
        d = self.windows.ndim
        first: Any = (..., *(slice(n) for n in places), *(slice(None),) * d)
        cut = self.windows.cut(x, size)[first]
        items, channels = math.prod(x.shape[: -d - 1]), x.shape[-d - 1] // self.groups
        split = cut.reshape(items, self.groups, channels, math.prod(places), math.prod(size))
        return self._flat(split.transpose(1, 0, 3, 2, 4))

    def unrows(self, rows: np.ndarray, shape: Sequence[int], places: Sequence[int], size: Sequence[int]) -> np.ndarray:
        """Sum rows back to where they were cut from an array of `shape`: the adjoint of `rows`."""
        d = self.windows.ndim
        items, channels = math.prod(shape[: -d - 1]), shape[-d - 1] // self.groups
        split = rows.reshape(self.groups, items, math.prod(places), channels, math.prod(size))
        cut = split.transpose(1, 0, 3, 2, 4).reshape(*shape[:-d], *places, *size)
        return self.windows.paste(cut, shape)

    def outputs_to_rows(self, y: np.ndarray) -> np.ndarray:
        """Arrange outputs (..., o, *places) as the rows that they come from."""
        d = self.windows.ndim
        items, places = math.prod(y.shape[: -d - 1]), math.prod(y.shape[-d:])
        split = y.reshape(items, self.groups, y.shape[-d - 1] // self.groups, places)
        return self._flat(split.transpose(1, 0, 3, 2)[..., None])

    def rows_to_outputs(self, rows: np.ndarray, shape: Sequence[int]) -> np.ndarray:
        """Undo `outputs_to_rows` for outputs of `shape`."""
        d = self.windows.ndim
        items, channels = math.prod(shape[: -d - 1]), shape[-d - 1] // self.groups
        split = rows.reshape(self.groups, items, math.prod(shape[-d:]), channels)
        return split.transpose(1, 0, 3, 2).reshape(shape)

    def kernels(self, weight: np.ndarray) -> np.ndarray:
        """Arrange kernels as matrices, (groups, o / groups, c / groups * elements)."""
        return weight.reshape(self.groups, weight.shape[0] // self.groups, math.prod(weight.shape[1:]))

    @staticmethod
    def _flat(split: np.ndarray) -> np.ndarray:
        groups, items, places, channels, elements = split.shape
        return split.reshape(groups, items * places, channels * elements)


def per_axis(name: str, value: Ints, ndim: int, least: int) -> tuple[int, ...]:
    """Repeat a number for each axis, or check that there is one for each."""
    values = (value,) * ndim if isinstance(value, int) else tuple(value)
    if len(values) != ndim or any(v < least for v in values):
        raise ValueError(f"{name} must be one number or {ndim}, each at least {least}; got {value!r}")
    return values
