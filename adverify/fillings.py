"""Values that forward is tried on before anything is known of its domain."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable
from dataclasses import replace

import numpy as np

from adverify.domains import DOMINANT, TRIANGULAR, Domain, Structure, ascending
from adverify.shapes import Shape, is_square


class Noise:
    """Random numbers from a fixed buffer: making a generator costs more than calling forward."""

    _uniform = np.random.default_rng(0).uniform(size=8192)
    _normal = np.random.default_rng(1).normal(size=8192)

    def __init__(self, seed: int) -> None:
        self._at = 331 * seed

    def uniform(self, low: float, high: float, shape: Shape) -> np.ndarray:
        return low + (high - low) * self._take(self._uniform, shape)

    def normal(self, size: Shape) -> np.ndarray:
        return self._take(self._normal, size)

    def _take(self, buffer: np.ndarray, shape: Shape) -> np.ndarray:
        n = math.prod(shape)
        start = self._at % (buffer.size - n)
        self._at += n
        return np.array(buffer[start : start + n].reshape(shape))


Filling = Callable[[Noise, Shape], np.ndarray]


def _symmetrised(rng: Noise, shape: Shape) -> np.ndarray:
    a = rng.normal(size=shape)
    return a + np.swapaxes(a, -1, -2) if is_square(shape) else a


def _positive_definite(rng: Noise, shape: Shape) -> np.ndarray:
    if not is_square(shape):
        return rng.uniform(0.1, 0.9, shape)
    a = rng.normal(size=shape)
    return a @ np.swapaxes(a, -1, -2) + shape[-1] * np.eye(shape[-1])


def dominant(matrices: np.ndarray, structure: Structure = "diagonally dominant") -> np.ndarray:
    """Make each element of the diagonal larger than what else is in its row and its column together.

    Parameters
    ----------
    matrices : ndarray, shape (..., n, n)
    structure : {"diagonally dominant", "positive dominant"}
        Whether the elements of the diagonal keep their signs, or are made positive.
    """
    diagonal = np.eye(matrices.shape[-1])
    others = np.abs(matrices * (1 - diagonal))
    own = matrices.diagonal(axis1=-2, axis2=-1)
    least = others.sum(axis=-1) + others.sum(axis=-2) + 0.5 + np.abs(own)
    signed = least if structure == "positive dominant" else np.copysign(least, own)
    return matrices * (1 - diagonal) + signed[..., None] * diagonal


def _dominant(rng: Noise, shape: Shape, structure: Structure = "diagonally dominant") -> np.ndarray:
    return dominant(rng.normal(size=shape), structure) if is_square(shape) else rng.uniform(0.1, 0.9, shape)


def triangle(matrices: np.ndarray, structure: Structure) -> np.ndarray:
    """Keep one triangle of matrices, shape (..., n, n), with their diagonal."""
    return np.tril(matrices) if structure == "lower triangular" else np.triu(matrices)


def triangular(matrices: np.ndarray, structure: Structure) -> np.ndarray:
    """Keep one triangle of matrices, shape (..., n, n), with ones where their diagonal is 0."""
    zero = (matrices == 0) & (np.eye(matrices.shape[-1]) == 1)
    return triangle(np.where(zero, 1.0, matrices), structure)


def _triangular(structure: Structure) -> Filling:
    return lambda rng, shape: (
        triangular(rng.uniform(0.1, 0.9, shape), structure) if is_square(shape) else rng.uniform(0.1, 0.9, shape)
    )


def _ascending(low: float, high: float) -> Filling:
    return lambda rng, shape: (
        np.sort(rng.uniform(low, high, shape), axis=-1) if shape else rng.uniform(low, high, shape)
    )


PLAIN = "unit"
FILLINGS: dict[str, Filling] = {
    PLAIN: lambda rng, shape: rng.uniform(0.1, 0.9, shape),
    "normal": lambda rng, shape: rng.normal(size=shape),
    "above": lambda rng, shape: rng.uniform(1.1, 3.0, shape),
    "negative": lambda rng, shape: rng.uniform(-0.9, -0.1, shape),
    "below": lambda rng, shape: rng.uniform(-3.0, -1.1, shape),
    "large": lambda rng, shape: rng.uniform(4.0, 7.0, shape),
    "larger": lambda rng, shape: rng.uniform(10.0, 40.0, shape),
    "deep": lambda rng, shape: rng.uniform(-20.0, -5.0, shape),
    "narrow": lambda rng, shape: rng.uniform(0.001, 0.01, shape),
    "diagonally dominant": _dominant,
    "symmetric": _symmetrised,
    "positive definite": _positive_definite,
    "lower triangular": _triangular("lower triangular"),
    "upper triangular": _triangular("upper triangular"),
    "ascending": _ascending(-3.0, 3.0),
    "ascending, positive": _ascending(0.1, 3.0),
    "ascending, of shares": _ascending(0.01, 0.99),
}
LADDER = ("negative", PLAIN, "above")
"""Each above the one before."""

ASCENDING = {
    "ascending": ascending,
    "ascending, positive": replace(ascending, low=0.0),
    "ascending, of shares": replace(ascending, low=0.0, high=1.0),
}
"""The domains that those fillings are of."""


def near(t: float) -> Filling:
    """Fill with numbers that differ from one by two hundredths, of its size or of 1."""
    return lambda rng, shape: rng.uniform(t - 0.02 * max(1.0, abs(t)), t + 0.02 * max(1.0, abs(t)), shape)


NEARBY: dict[str, Filling] = {
    f"near {t:g}": near(t)
    for size in (*np.arange(0.125, 12, 0.25).tolist(), 15.0, 20.0, 30.0, 55.0, 110.0, 300.0, 1.1e3, 1.1e4)
    for t in (size, -size)
}
"""Stretches so short that a narrow domain, or a distant one, holds one of them."""


MAGNITUDES = (1.0, 0.1, 0.3, 3.0, 1e-3, 1e3)
SINGLE: tuple[Shape, ...] = ((), (1,), (1, 1))
"""Shapes of one element, in which values of several inputs are tried together."""


def tuples_anywhere(rng: np.random.Generator, number: int, arity: int) -> np.ndarray:
    """Give values of some inputs, shape (number, arity), that nothing binds to each other, of all magnitudes."""
    return scaled(anywhere(rng, (number, arity)))


def anywhere(rng: np.random.Generator, shape: Shape) -> np.ndarray:
    """Draw numbers of either sign, most of them below 2 in size, and all below 10."""
    return np.where(rng.random(shape) < 0.5, rng.normal(scale=1.5, size=shape), rng.uniform(-10, 10, shape))


def scaled(tuples: np.ndarray) -> np.ndarray:
    """Multiply each row by one of some magnitudes."""
    return tuples * np.resize(MAGNITUDES, len(tuples))[:, None]


def between(numbers: Iterable[float]) -> dict[str, Filling]:
    """Give fillings for the stretches between numbers: they may be the bounds of a domain.

    Examples
    --------
    >>> list(between([101.0, 100.0]))
    ['between 100 and 101']
    """
    return {f"between {a:g} and {b:g}": _inside(a, b) for a, b in itertools.pairwise(sorted(set(numbers)))}


def _inside(low: float, high: float) -> Filling:
    return lambda rng, shape: rng.uniform(0.9 * low + 0.1 * high, 0.1 * low + 0.9 * high, shape)


def inside(domain: Domain, rng: Noise, shape: Shape) -> np.ndarray:
    """Fill a shape with values well inside a declared domain."""
    if domain.structure == "positive definite":
        return _positive_definite(rng, shape)
    if domain.structure == "symmetric":
        return _symmetrised(rng, shape)
    if domain.structure in DOMINANT:
        return _dominant(rng, shape, domain.structure)
    if domain.structure in TRIANGULAR:
        return _triangular(domain.structure)(rng, shape)
    if domain.structure == "ascending" and shape:
        return np.sort(inside(replace(domain, structure=""), rng, shape), axis=-1)
    if np.isfinite(domain.low) and np.isfinite(domain.high):
        return rng.uniform(0.9 * domain.low + 0.1 * domain.high, 0.1 * domain.low + 0.9 * domain.high, shape)
    if np.isfinite(domain.low):
        return domain.low + rng.uniform(0.1, 2.0, shape)
    if np.isfinite(domain.high):
        return domain.high - rng.uniform(0.1, 2.0, shape)
    return rng.normal(size=shape)
