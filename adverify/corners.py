"""Where an elementwise forward has kinks and jumps, so that they can be drawn on purpose."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from adverify.domains import Domain

GRID = np.linspace(-32.0, 32.0, 4097)
MOST = 16
"""Corners that are kept, the sharpest."""
SHARP = 8.0
"""How many times as large as those around it a second difference is at a corner."""
DIGITS = 7
"""Decimals of a number that an author would write."""

Values = Callable[[np.ndarray], np.ndarray | None]
"""forward on a vector of points; None if it refuses them."""


def corners_of(values: Values, domain: Domain) -> tuple[float, ...]:
    """Find the points, of few decimals, at which the slope or the value jumps.

    Examples
    --------
    >>> corners_of(lambda x: np.abs(x - 2.5), Domain())
    (2.5,)
    """
    x = GRID[domain.holds(GRID)]
    if x.size < 64 and np.isfinite([domain.low, domain.high]).all():
        x = np.linspace(domain.low, domain.high, 515)[1:-1]
    y = values(x) if x.size > 16 else None
    if y is None:
        return ()
    with np.errstate(all="ignore"):
        bend = np.abs(np.diff(y, 2))
        around = np.max([np.roll(bend, k) for k in (-6, -5, -4, -3, 3, 4, 5, 6)], axis=0)
        excess = bend / (SHARP * around + 1e-12 * np.abs(y[1:-1]) + 1e-300)
    sharp = [i for i in np.argsort(-np.nan_to_num(excess, nan=0.0, posinf=0.0))[: 2 * MOST] if excess[i] > 1]
    found = [_located(values, float(x[i]), float(x[i + 2])) for i in sharp]
    return tuple(sorted({c for c in found if c is not None and c in domain}))[:MOST]


def _located(values: Values, low: float, high: float) -> float | None:
    """Narrow a corner down between two points; None if it is at no number that an author would write."""
    while high - low > 1e-8:
        t = np.linspace(low, high, 33)
        y = values(t)
        if y is None or not np.isfinite(y).all():
            return None
        k = int(np.abs(np.diff(y, 2)).argmax())
        low, high = float(t[k]), float(t[k + 2])
    middle = 0.5 * (low + high)
    return next((round(middle, d) for d in range(DIGITS) if low - 1e-8 <= round(middle, d) <= high + 1e-8), None)
