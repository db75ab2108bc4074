"""Lengths and directions of vectors along axes, without overflow, underflow or cancellation."""

from __future__ import annotations

from typing import Any

import numpy as np

Axes = int | tuple[int, ...]


def exponents_of(x: np.ndarray, axes: Axes) -> np.ndarray:
    """Give the power of two, per vector, by which dividing keeps squares in the range of floats."""
    _, exponents = np.frexp(np.abs(x).max(axis=axes, keepdims=True, initial=0))
    return np.maximum(exponents, np.finfo(x.dtype).minexp // 2)


def lengths_of(x: np.ndarray, axes: Axes) -> np.ndarray:
    """Give the Euclidean length of each vector."""
    e = exponents_of(x, axes)
    return np.ldexp(np.sqrt((np.ldexp(x, -e) ** 2).sum(axis=axes, keepdims=True)), e)


def components(g: np.ndarray, direction: np.ndarray, axes: Axes, centred: bool = False) -> tuple[Any, Any, Any]:
    """Split vectors along a direction: the part across it, the coefficient along it, and the direction it refers to.

    The part across is taken twice, which leaves of it what matters where hardly anything is left (Parlett, "The
    symmetric eigenvalue problem", section 6.9, "twice is enough").

    Parameters
    ----------
    g, direction : ndarray
    axes : int or tuple of int
    centred : bool
        Whether the part across has mean zero too; the direction has.
    """
    largest = np.abs(direction).max(axis=axes, keepdims=True, initial=0)
    u = direction / np.where(largest == 0, 1, largest)
    square = np.maximum((u * u).sum(axis=axes, keepdims=True), largest == 0)
    along = np.zeros_like(square)
    for _ in range(2):
        g = g - g.mean(axis=axes, keepdims=True) if centred else g
        share = (g * u).sum(axis=axes, keepdims=True) / square
        g, along = g - share * u, along + share
    return g, along, u
