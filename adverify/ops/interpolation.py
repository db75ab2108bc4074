"""Images made larger or smaller."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np

from adverify.engine import Function, Variable, variable
from adverify.ops.windows import per_axis

MODES = ("nearest", "bilinear")


class Interpolate(Function):
    """The last two axes resampled to another size, as PyTorch's interpolate does.

    It is linear along each axis: rows @ x @ columns.T with a matrix for each.

    Input: x (..., h, w).

    Parameters
    ----------
    size : int or pair of int, optional
        The new height and width.
    scale_factor : float or pair of float, optional
        Given instead of the size, which is then the old one times this, rounded down.
    mode : {"nearest", "bilinear"}
    align_corners : bool
        For "bilinear": whether the centres of the corner elements stay in place, rather than their outer edges.
    """

    arguments: ClassVar = {"size": ((3, 4), (1, 5)), "mode": MODES}

    def __init__(
        self, size: int | Sequence[int] | None = None, scale_factor: float | Sequence[float] | None = None,
        mode: str = "nearest", align_corners: bool = False,
    ) -> None:  # fmt: skip
        if mode not in MODES or (align_corners and mode == "nearest"):
            raise ValueError(f"interpolate needs mode 'nearest', or 'bilinear' with or without align_corners; got "
                             f"mode={mode!r}, align_corners={align_corners}")  # fmt: skip
        if (size is None) == (scale_factor is None):
            raise ValueError(f"interpolate needs size or scale_factor; got size={size}, scale_factor={scale_factor}")
        self.size = None if size is None else per_axis("size", size, 2, 1)
        factors = (scale_factor,) * 2 if isinstance(scale_factor, int | float) else scale_factor
        self.factors = None if factors is None else tuple(factors)
        if self.factors is not None and (len(self.factors) != 2 or not min(self.factors) > 0):
            raise ValueError(f"scale_factor must be one positive number or two; got {scale_factor!r}")
        self.mode, self.align_corners = mode, align_corners

    def forward(self, x: Variable) -> Variable:
        rows, columns = self._matrices(x.data)
        return variable(rows @ x.data @ columns.T)

    def backward(self, x: Variable, grad: Any) -> None:
        rows, columns = self._matrices(x.data)
        x.grad += rows.T @ grad @ columns

    def _matrices(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        if x.ndim < 2 or 0 in x.shape[-2:]:
            raise ValueError(f"interpolate takes x (..., h, w) with h and w at least 1; got shape {x.shape}")
        first, second = (self._matrix(x.shape[axis], axis).astype(x.dtype) for axis in (-2, -1))
        return first, second

    def _matrix(self, old: int, axis: int) -> np.ndarray:
        """Tell how much of each of `old` elements goes into each new one."""
        new = int(old * self.factors[axis]) if self.factors else (self.size or ())[axis]
        if new < 1:
            raise ValueError(f"interpolate makes nothing of {old} elements with scale_factor={self.factors}")
        places = np.arange(new)
        if self.mode == "nearest":
            low, beyond = places / self.factors[axis] if self.factors else places * old // new, np.zeros(new)
        else:
            step = 1 / self.factors[axis] if self.factors else old / new
            corners = (old - 1) / max(1, new - 1) * places
            at = corners if self.align_corners else np.maximum((places + 0.5) * step - 0.5, 0)
            low, beyond = np.floor(at), at - np.floor(at)
        low = np.minimum(low.astype(int), old - 1)
        matrix = np.zeros((new, old))
        matrix[places, low] = 1 - beyond
        matrix[places, np.minimum(low + 1, old - 1)] += beyond
        return matrix
