"""Padding."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from adverify.engine import Variable, variable
from adverify.ops.arrangement import Gathering


class Pad(Gathering):
    """More elements around: a constant, or the array's own, which then get the gradients of their copies too.

    Parameters
    ----------
    pad_width : int, or (before, after), or one such pair per axis
    mode : {"constant", "edge", "reflect", "symmetric", "wrap"}
        What to put there: a constant, the nearest element, the mirror image without and with the edge itself, or
        what follows at the other end.
    constant_values : float
    """

    MODES = ("constant", "edge", "reflect", "symmetric", "wrap")
    arguments: ClassVar = {"pad_width": (1, ((0, 3), (1, 0))), "mode": MODES}

    def __init__(self, pad_width: Any = 1, mode: str = "constant", constant_values: float = 0.0) -> None:
        widths = np.asarray(pad_width)
        if widths.dtype.kind not in "iu" or (widths < 0).any():
            raise ValueError(f"pad_width must be numbers of elements, or pairs of them; got {pad_width!r}")
        if mode not in self.MODES:
            raise ValueError(f"mode must be one of {', '.join(self.MODES)}; got {mode!r}")
        self.pad_width: Any = widths.tolist() if widths.ndim == 0 else tuple(map(tuple, np.atleast_2d(widths).tolist()))
        self.mode, self.constant_values = mode, float(constant_values)

    def arrange(self, x: np.ndarray) -> np.ndarray:
        return np.pad(x, self.pad_width, self.mode)  # type: ignore[call-overload]

    def forward(self, x: Variable) -> Variable:
        if self.mode != "constant":
            return super().forward(x)
        return variable(np.pad(x.data, self.pad_width, constant_values=self.constant_values))
