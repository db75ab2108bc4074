"""Axes in the forms that NumPy takes them, checked when an op is made."""

from __future__ import annotations

import math
import operator
from collections.abc import Sequence
from typing import Any

import numpy as np

Axis = int | tuple[int, ...] | None


def integer(value: Any, name: str) -> int:
    """Read `value` as an int, or say which argument is none."""
    try:
        return operator.index(value)
    except TypeError:
        raise TypeError(f"{name} must be an integer; got {value!r}") from None


def integers(values: Any, name: str) -> tuple[int, ...]:
    """Read `values`, an int or a sequence of them, as a tuple."""
    return tuple(integer(v, name) for v in (values if isinstance(values, Sequence | np.ndarray) else (values,)))


def one_axis(axis: Any, name: str = "axis") -> int | None:
    """Read an axis, or None for the flattened array."""
    return None if axis is None else integer(axis, name)


def any_axes(axis: Any, name: str = "axis") -> Axis:
    """Read an axis, several different ones, or None for all."""
    if axis is None or not isinstance(axis, Sequence):
        return one_axis(axis, name)
    axes = integers(axis, name)
    if len(set(axes)) < len(axes):
        raise ValueError(f"{name} must not name an axis twice; got {axis!r}")
    return axes


def merged(x: np.ndarray, axes: tuple[int, ...]) -> np.ndarray:
    """Join `axes`, counted from the front, into a single last one."""
    kept = [i for i in range(x.ndim) if i not in axes]
    shape = (*(x.shape[i] for i in kept), math.prod(x.shape[i] for i in axes))
    return x.transpose(*kept, *axes).reshape(shape)


def unmerged(rows: np.ndarray, shape: tuple[int, ...], axes: tuple[int, ...]) -> np.ndarray:
    """Undo `merged`, for an array that had `shape`."""
    order = (*(i for i in range(len(shape)) if i not in axes), *axes)
    back = sorted(range(len(order)), key=order.__getitem__)
    return rows.reshape([shape[i] for i in order]).transpose(back)
