"""Norms of vectors and matrices, as numpy.linalg has them, without the overflow of squares."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from adverify.engine import Function, Variable
from adverify.ops.axes import Axis, any_axes
from adverify.ops.reductions import Reduction, shared

Order = float | str | None


class VectorNorm(Reduction):
    """sum(abs(x)**ord)**(1/ord); for ord=inf the largest, for -inf the smallest magnitude, for 0 how many are not zero.

    Ties of the largest and the smallest share equally. An element that is 0 gets 0, also for ord < 1, where its
    slope is infinite.

    Parameters
    ----------
    axis : int, tuple of int or None
        What to reduce over; None for everything.
    keepdims : bool
        Whether reduced axes stay, with length one.
    ord : float
        Any number, or plus or minus infinity.
    """

    arguments: ClassVar = {"axis": (-1,), "ord": (2, 1, 3.5, np.inf, -np.inf, 0, 0.5, -1)}

    def __init__(self, axis: Axis = None, keepdims: bool = False, ord: float = 2) -> None:
        super().__init__(axis, keepdims)
        if isinstance(ord, str) or not np.isreal(ord) or np.isnan(ord):
            raise ValueError(f"ord must be a number, inf or -inf for the norm of a vector; got {ord!r}")
        self.ord = float(ord)

    def value(self, x: np.ndarray) -> Any:
        if self.ord in (0, 1):
            return (np.abs(x) ** self.ord if self.ord else (x != 0).astype(x.dtype)).sum(self.axis, keepdims=True)
        scale = self._extreme(np.abs(x))
        return scale if np.isinf(self.ord) else scale * self._ratios(x, scale)[1]

    def slope(self, x: np.ndarray) -> Any:
        if self.ord == 0:
            return np.zeros_like(x)
        size = np.abs(x)
        if np.isinf(self.ord):
            return np.sign(x) * shared(size, self._extreme(size), self.axis)
        ratio, norm = self._ratios(x, self._extreme(size))
        return np.where(x == 0, 0, np.sign(x) * (ratio / norm) ** (self.ord - 1))

    def _extreme(self, size: np.ndarray) -> Any:
        """The magnitude that decides over the size of the norm."""
        if self.ord > 0:
            return size.max(self.axis, keepdims=True, initial=0)
        return size.min(self.axis, keepdims=True, initial=np.inf)

    def _ratios(self, x: np.ndarray, scale: Any) -> tuple[Any, Any]:
        """The magnitudes as multiples of a scale, and the norm as one."""
        with np.errstate(divide="ignore", over="ignore", under="ignore"):
            ratio = np.abs(x) / np.where(scale == 0, 1, scale)
            return ratio, (ratio**self.ord).sum(self.axis, keepdims=True) ** (1 / self.ord)


class MatrixNorm(Reduction):
    """The norm of a matrix that `ord` names.

    ============  =====================================
    ord           norm
    ============  =====================================
    ``"fro"``     root of the sum of squares (Frobenius)
    ``"nuc"``     sum of singular values (nuclear)
    1, -1         largest, smallest sum of a column's magnitudes
    inf, -inf     largest, smallest sum of a row's magnitudes
    2, -2         largest, smallest singular value
    ============  =====================================

    Ties share equally; singular values tie that rounding cannot tell apart. A singular value of exactly 0 gets 0; where
    rounding leaves it above, one of the subgradients.

    Parameters
    ----------
    axis : (int, int)
        Where rows and columns are counted.
    keepdims : bool
        Whether both axes stay, with length one.
    ord : str or float
    """

    ORDERS = ("fro", "nuc", 1, -1, 2, -2, np.inf, -np.inf)
    arguments: ClassVar = {"axis": ((-2, -1),), "ord": ORDERS}

    def __init__(self, axis: tuple[int, int] = (-2, -1), keepdims: bool = False, ord: str | float = "fro") -> None:
        super().__init__(axis, keepdims)
        if not isinstance(self.axis, tuple) or len(self.axis) != 2:
            raise ValueError(f"axis must be two axes for the norm of a matrix; got {axis!r}")
        if ord not in self.ORDERS:
            raise ValueError(f"ord must be one of {', '.join(map(repr, self.ORDERS))} for the norm of a matrix; "
                             f"got {ord!r}")  # fmt: skip
        self.ord = ord

    def value(self, x: np.ndarray) -> Any:
        if self.ord == "fro":
            return VectorNorm(self.axis).value(x)
        return np.linalg.norm(x, self.ord, self.axis, keepdims=True)  # type: ignore[arg-type]

    def slope(self, x: np.ndarray) -> Any:
        if self.ord == "fro":
            return VectorNorm(self.axis).slope(x)
        axes = self.axes(x)
        a = np.moveaxis(x, axes, (-2, -1))
        by_sums = self.ord in (1, -1, np.inf, -np.inf)
        slope = self._slope_of_sums(a) if by_sums else self._slope_of_singular_values(a)
        return np.moveaxis(slope, (-2, -1), axes)

    def _slope_of_sums(self, a: np.ndarray) -> np.ndarray:
        summed, compared = (-2, -1) if self.ord in (1, -1) else (-1, -2)
        sums = np.abs(a).sum(axis=summed, keepdims=True)
        extreme = sums.max if float(self.ord) > 0 else sums.min
        initial = 0 if float(self.ord) > 0 else np.inf
        return np.sign(a) * shared(sums, extreme(axis=compared, keepdims=True, initial=initial), compared)

    def _slope_of_singular_values(self, a: np.ndarray) -> np.ndarray:
        u, s, vh = np.linalg.svd(a, full_matrices=False)
        if self.ord == "nuc":
            weights = (s > 0).astype(a.dtype)
        else:
            largest = s[..., :1]
            extreme = largest if self.ord == 2 else s[..., -1:]
            tied = (np.abs(s - extreme) <= max(a.shape[-2:]) * np.finfo(a.dtype).eps * largest) & (s > 0)
            weights = tied / np.maximum(1, tied.sum(axis=-1, keepdims=True))
        return (u * weights[..., None, :]).astype(a.dtype) @ vh


class Norm(Function):
    """The norm of a vector or a matrix as `numpy.linalg.norm` chooses it.

    See `VectorNorm` and `MatrixNorm` for what each does, at ties and kinks too.

    Parameters
    ----------
    ord : float, str or None
        None stands for the root of the sum of squares.
    axis : int, (int, int) or None
        One for vectors, two for matrices. None for an array of one or two axes; with ord=None any array, flattened.
    keepdims : bool
        Whether reduced axes stay, with length one.
    """

    arguments: ClassVar = {"ord": (None, 1, 2), "axis": (None, -1, (1, 0))}

    def __init__(self, ord: Order = None, axis: Axis = None, keepdims: bool = False) -> None:
        self.ord, self.axis, self.keepdims = ord, any_axes(axis), bool(keepdims)
        if isinstance(ord, str) and ord not in ("fro", "nuc"):
            raise ValueError(f"ord must be a number, 'fro' or 'nuc'; got {ord!r}")
        if self.axis is not None:
            self._chosen(0)

    def forward(self, x: Variable) -> Variable:
        return self._chosen(x.data.ndim).forward(x)

    def backward(self, x: Variable, grad: Any) -> None:
        self._chosen(x.data.ndim).backward(x, grad)

    def _chosen(self, ndim: int) -> VectorNorm | MatrixNorm:
        if self.axis is None and self.ord is None:
            return VectorNorm(None, self.keepdims)
        axes = tuple(range(ndim)) if self.axis is None else self.axis
        axes = (axes,) if isinstance(axes, int) else axes
        if len(axes) == 1:
            return VectorNorm(axes, self.keepdims, 2 if self.ord is None else self.ord)  # type: ignore[arg-type]
        if len(axes) == 2:
            return MatrixNorm(axes, self.keepdims, "fro" if self.ord is None else self.ord)
        raise ValueError(f"norm takes one or two axes; got axis={self.axis} for {ndim} axes")
