"""Arithmetic whose numbers do not overflow or underflow on the way to a result that is an ordinary float."""

from __future__ import annotations

from typing import Any, TypeVar

import numpy as np

ZERO_EXPONENT = -(1 << 40)
"""Of a zero, so that the other term of a sum decides the exponent."""
FAR = 1 << 13
"""More than the exponents of any float are apart."""


class Wide:
    """An array of numbers mantissa * 2**exponent, with exponents of 64 bits.

    Parameters
    ----------
    mantissa : ndarray of float
    exponent : int or ndarray of int

    Examples
    --------
    >>> huge = Wide(np.array([1e200]))
    >>> (huge * huge * Wide(np.array([1e-300]))).to_float()
    array([1.e+100])
    """

    def __init__(self, mantissa: np.ndarray, exponent: Any = 0) -> None:
        self.mantissa, shift = np.frexp(mantissa)
        self.exponent = np.where(self.mantissa == 0, ZERO_EXPONENT, exponent + shift.astype(np.int64))

    def __len__(self) -> int:
        return len(self.mantissa)

    def __getitem__(self, index: Any) -> Wide:
        return Wide(self.mantissa[index], self.exponent[index])

    def __setitem__(self, index: Any, value: Wide) -> None:
        self.mantissa[index], self.exponent[index] = value.mantissa, value.exponent

    def __mul__(self, other: Wide) -> Wide:
        return Wide(self.mantissa * other.mantissa, self.exponent + other.exponent)

    def __truediv__(self, other: Wide) -> Wide:
        return Wide(self.mantissa / other.mantissa, self.exponent - other.exponent)

    def __add__(self, other: Wide) -> Wide:
        exponent = np.maximum(self.exponent, other.exponent)
        return Wide(_shifted(self.mantissa, self.exponent - exponent)
                    + _shifted(other.mantissa, other.exponent - exponent), exponent)  # fmt: skip

    def product(self) -> Wide:
        """Multiply along the first axis, which stays with length one: in pairs, so that rounding grows slowly."""
        rest = self
        while len(rest) > 1:
            half = len(rest) // 2
            paired = rest[:half] * rest[half : 2 * half]
            if len(rest) % 2:
                paired[:1] = paired[:1] * rest[-1:]
            rest = paired
        return rest

    def to_float(self) -> np.ndarray:
        """Round to floats; infinite or zero only where the number itself is out of their range."""
        return _shifted(self.mantissa, self.exponent)


def _shifted(mantissa: np.ndarray, exponent: np.ndarray) -> np.ndarray:
    with np.errstate(over="ignore", under="ignore"):
        return np.asarray(np.ldexp(mantissa, np.clip(exponent, -FAR, FAR).astype(np.intc)))


Numbers = TypeVar("Numbers", Wide, np.ndarray)


def recurrence(a: Numbers, b: Numbers) -> Numbers:
    """Solve s[k] = a[k] s[k-1] + b[k], s[-1] = 0, along the first axis; `a` and `b` are overwritten.

    By recursive doubling (Kogge and Stone 1973): about log2(n) passes over arrays instead of n steps.

    Examples
    --------
    >>> recurrence(np.array([0.0, 2.0, 3.0]), np.array([1.0, 1.0, 1.0]))
    array([ 1.,  3., 10.])
    """
    distance = 1
    while distance < len(b):
        total = b[distance:] + a[distance:] * b[:-distance]
        factor = a[distance:] * a[:-distance]
        b[distance:], a[distance:] = total, factor
        distance *= 2
    return b
