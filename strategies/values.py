"""Values that tell right gradients from wrong ones, and that shrink to simple numbers.

An array is one draw of bytes, which index a table of values; lower bytes stand for simpler numbers. So drawing costs
the same for one element as for a hundred, and Hypothesis's shrinking of bytes is a shrinking of numbers.
"""

from __future__ import annotations

from enum import Enum
from functools import cache

import numpy as np

from adverify.domains import DOMINANT, TRIANGULAR, Domain
from adverify.fillings import dominant, triangular

ORDINARY_ENTRIES = 1 << 16
BYTE_ENTRIES = 1 << 8
BESIDE = 0.06
"""Of ordinary values, so many are near a corner, or near a number that the op's author wrote."""


class Regime(Enum):
    """What kind of values are drawn."""

    ORDINARY = "ordinary"
    SPECIAL = "special"
    EXTREME = "extreme"


_SIMPLE = (1, 2, -1, 3, 0.5, -2, 1.5, -0.5, 4, -3, 2.5, -1.5, 5, 0.25, -4, 6, 0.75, -6, 8, -5, 10, 7, -8, -10)
_SPECIAL = (0, 1, -1, 2, -0.0, 3, 0.5, -2, -0.5, 4, -3, 6, 1.5, -4, -6, 5)
_MAGNITUDES = (
    *(
        30,
        40,
        50,
        100,
        300,
        700,
        720,
        800,
        1e3,
        1e4,
        1e5,
        1e6,
        1e8,
        1e10,
        1e15,
        1e20,
        1e50,
        1e100,
        1e160,
        1e180,
        1e200,
        1e250,
    ),
    *(1e-2, 1e-3, 1e-4, 1e-5, 1e-6, 1e-8, 1e-10, 1e-12, 1e-15, 1e-20, 1e-50, 1e-100, 1e-160, 1e-180, 1e-200, 1e-250),
)


def decode(raw: bytes, shape: tuple[int, ...], domain: Domain, regime: Regime) -> np.ndarray:
    """Turn drawn bytes into an array.

    Parameters
    ----------
    raw : bytes
        `width(regime)` per element.
    shape : tuple of int
    domain : Domain
        Every element lies in it; the array as a whole has its structure.
    regime : Regime
    """
    values = table(domain, regime)[indices(raw, regime)].reshape(shape)
    return structured(values, domain, regime)


def indices(raw: bytes, regime: Regime) -> np.ndarray:
    """Read drawn bytes as indices into a table of values."""
    return np.frombuffer(raw, dtype=">u2" if width(regime) == 2 else "u1")


def width(regime: Regime) -> int:
    """Give the number of bytes that an element takes."""
    return 2 if regime is Regime.ORDINARY else 1


def structured(values: np.ndarray, domain: Domain, regime: Regime) -> np.ndarray:
    """Give an array the structure that its domain asks for; it keeps its shape."""
    if domain.structure == "ascending":
        return _ascending(values, domain)
    if values.ndim < 2 or values.shape[-1] != values.shape[-2] or domain.structure in ("", "distinct"):
        return _apart(values) if domain.structure == "distinct" else values
    if domain.structure in DOMINANT:
        return dominant(values, domain.structure)
    if domain.structure in TRIANGULAR:
        return triangular(values, domain.structure)
    transposed = np.swapaxes(values, -1, -2)
    if domain.structure == "symmetric":
        return 0.5 * (values + transposed) if regime is Regime.ORDINARY else np.tril(values) + np.swapaxes(
            np.tril(values, -1), -1, -2)  # fmt: skip
    small = values / max(1.0, float(np.abs(values).max(initial=0.0)))
    definite = small @ np.swapaxes(small, -1, -2) + 0.5 * np.eye(values.shape[-1])
    return definite if regime is Regime.EXTREME else definite * np.maximum(1.0, np.abs(values[..., :1, :1]))


def _ascending(values: np.ndarray, domain: Domain) -> np.ndarray:
    """Sort along the last axis, and move equal elements apart if the domain has room."""
    if not values.ndim:
        return values
    in_order = np.sort(values, axis=-1)
    apart = in_order + 0.25 * (np.arange(values.shape[-1]) - (values.shape[-1] - 1) / 2)
    return apart if domain.holds(apart).all() else in_order


def _apart(values: np.ndarray) -> np.ndarray:
    ranks = np.empty(values.size)
    ranks[np.argsort(values, axis=None, kind="stable")] = np.arange(values.size)
    return values + 0.25 * (ranks - ranks.mean()).reshape(values.shape)


@cache
def table(domain: Domain, regime: Regime) -> np.ndarray:
    """The values of a domain, the simplest first; read-only."""
    values = {Regime.ORDINARY: _ordinary, Regime.SPECIAL: _special, Regime.EXTREME: _extreme}[regime](domain)
    values.setflags(write=False)
    return values


def _ordinary(domain: Domain) -> np.ndarray:
    """Generic values: most near the middle, many out to 10, some far, some close to an end."""
    rng = np.random.default_rng(20)
    n = 4 * ORDINARY_ENTRIES
    near = rng.normal(scale=1.5, size=n)
    wide = rng.uniform(-10, 10, n)
    far = rng.choice([-1.0, 1.0], n) * np.exp(rng.uniform(np.log(1e-2), np.log(40), n))
    values = np.choose(rng.choice(3, n, p=[0.5, 0.38, 0.12]), [near, wide, far])
    values = _into(domain, values, rng)
    simple = [v for v in map(float, _SIMPLE) if v in domain]
    if domain.corners:
        beside = rng.choice(domain.corners, n) * (1 + rng.normal(scale=0.1, size=n) ** 3)
        values = np.where(rng.random(n) < BESIDE, beside, values)
    values = values[domain.holds(values)]
    return np.resize(np.concatenate([simple, values]), ORDINARY_ENTRIES)


def _into(domain: Domain, values: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    low, high = np.isfinite(domain.low), np.isfinite(domain.high)
    if low and high:
        span = domain.high - domain.low
        inside = domain.low + span * rng.uniform(size=values.size)
        gap = span * 10 ** rng.uniform(-5, -1, values.size)
        edge = np.where(rng.random(values.size) < 0.5, domain.low + gap, domain.high - gap)
        return np.where(rng.random(values.size) < 0.85, inside, edge)
    if low or high:
        reach = np.where(rng.random(values.size) < 0.9, np.abs(values), 10 ** rng.uniform(-5, 1, values.size))
        return domain.low + reach if low else domain.high - reach
    return values


def _special(domain: Domain) -> np.ndarray:
    """Few values, so that many are alike: zeros, small integers, the ends of the domain and what is next to them."""
    low, high = domain.low, domain.high
    ends = [v for v in (low, high) if np.isfinite(v)]
    close = [low + d for d in (1e-3, 1e-6, 1e-9, 1e-12)] + [high - d for d in (1e-3, 1e-6, 1e-9, 1e-12)]
    middle = [low + f * (high - low) for f in (0.5, 0.25, 0.75)] if len(ends) == 2 else []
    beside = [v + s * d for v in ends for d in (1, 2, 0.5, 3, 0.25) for s in (1, -1)]
    simple = (*_SPECIAL[:2], *domain.corners, *_SPECIAL[2:])
    next_to = [c + s * d for d in (1e-3, 1e-5) for c in domain.corners for s in (1, -1)]
    others = (*next_to, *ends, *middle, *beside, *close, 1e-3, -1e-3, 10, -10)
    values = [float(v) for v in (*simple, *others) if v in domain]
    return np.resize(np.array(list(dict.fromkeys(values)) if 0.0 not in domain else values), BYTE_ENTRIES)


def _extreme(domain: Domain) -> np.ndarray:
    """Magnitudes from the smallest to the largest that make sense."""
    ends = [v for v in (domain.low, domain.high) if np.isfinite(v)]
    signed = [s * v for v in _MAGNITUDES for s in (1, -1)]
    close = [e + s * d for e in ends for d in (1e-2, 1e-4, 1e-8, 1e-12, 1e2, 1e4, 1e8) for s in (1, -1)]
    beyond = [c * f for c in domain.corners for f in (1.05, 1.5, 0.95)]
    values = [float(v) for v in (*signed, *close, *beyond) if v in domain][: BYTE_ENTRIES - 4]
    ordinary = table(domain, Regime.ORDINARY)[:4]
    return np.resize(np.concatenate([ordinary, values]), BYTE_ENTRIES)
