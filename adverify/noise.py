"""What forward rounds off inside, which its outputs do not show: single precision, or an iteration that stops early."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence

import numpy as np

from adverify.probing import Prober
from adverify.shapes import Shapes
from adverify.subject import Rejected

STEP = 3.3e-7
"""Relative: what is smooth does not show in eighth differences over it, and single precision rounds at each."""

SIMPLE_BITS = 6
"""Numbers with no more bits in their mantissa are simple ones, such as a count."""

TELLING = 5
"""So many different numbers fit a narrow dtype by no accident; a constant does."""

BITS = (8, 11, 24)
"""Of the mantissas of bfloat16, half and single precision."""

SELDOM = 0.03
"""Of the largest roughness: with less in a quarter of all places it is no noise, but a jump."""

LINES, POINTS = 2, 161
"""Along which jumps are looked for, each through other values; and where on each."""

FACTORS = (0.02, 3.0), (0.02, 1.0), (0.7, 1.0)
"""The ends of a line, as multiples of usual values; the first that forward takes."""

SECONDS = 0.5
"""That a line may take: of a slow forward less is known."""

SPOTS, AROUND, CLOSELY = 3, 10, 33
"""Where a line is least smooth, beside what it is so far away, it is looked at so closely, again and again."""

NARROW, SHRINKS = 1e-7, 0.3
"""A jump is looked at until it lies in so short an interval. What becomes less than that share is smooth, or a kink."""

OF_A_JUMP = 35.0
"""The largest eighth difference of a step of 1."""

SMALLEST_JUMP, LARGEST_JUMP = 1e-11, 1e-4
"""Relative to the outputs: what an iteration leaves. Larger jumps are forward's own."""


def noise_of(prober: Prober, base: Shapes, fillings: Sequence[str]) -> float:
    """Measure how much of forward's outputs, at usual points, is not to be relied on.

    Parameters
    ----------
    prober : Prober
    base : tuple of tuple of int
        The shapes of the inputs.
    fillings : sequence of str
        What they are filled with.
    """
    line = _Line(prober, base, fillings, 0)
    values = line.values(1 + STEP * np.arange(24))
    if values is None:
        return 0.0
    return max(_roughness(values), _of_few_bits(prober, base, fillings, values[0]))


def _roughness(values: np.ndarray) -> float:
    """Measure noise along a line: what is rough in most places; one jump is rough in all that hold it."""
    bends = np.abs(np.diff(values, 8, axis=0)) / 2**7
    usual, largest = np.quantile(bends, 0.25, axis=0), bends.max(axis=0)
    return float(np.median(np.where(usual < SELDOM * largest, usual, largest)))


def jump_of(prober: Prober, base: Shapes, fillings: Sequence[str]) -> float:
    """Measure by how much forward jumps at usual points, if as little as an iteration that stops early does; else 0."""
    lines = (_Line(prober, base, fillings, seed) for seed in range(LINES))
    return max((jump for line in lines for jump in line.jumps()), default=0.0)


def _of_few_bits(prober: Prober, base: Shapes, fillings: Sequence[str], first: np.ndarray) -> float:
    """What a narrower dtype rounds off, if all outputs are numbers of it, and most are no simple ones.

    It may round at too long steps to be seen as rough.
    """
    if not _fits(first, BITS[-1]).all():
        return 0.0
    outputs = [first]
    for seed in range(1, 16):
        try:
            outputs += [y.ravel() for y in prober.subject.forward(prober.filled(base, fillings, seed))]
        except Rejected:
            continue
    values = np.concatenate(outputs)
    bits = next((bits for bits in BITS if _fits(values, bits).all()), 0)
    if not bits or _fits(values, SIMPLE_BITS).mean() > 0.5 or np.unique(values).size < TELLING:
        return 0.0
    return 2.0 ** -(bits + 1) * float(np.sqrt(np.mean(values**2)))


def _fits(values: np.ndarray, bits: int) -> np.ndarray:
    """Which numbers have a mantissa of no more than so many bits."""
    with np.errstate(all="ignore"):
        mantissa, exponent = np.frexp(values)
        fits: np.ndarray = values == np.ldexp(np.round(np.ldexp(mantissa, bits)), exponent - bits)
    return fits


class _Line:
    """forward at inputs that are scaled up together."""

    def __init__(self, prober: Prober, base: Shapes, fillings: Sequence[str], seed: int) -> None:
        self.forward = prober.subject.forward
        self.arrays = prober.filled(base, fillings, seed)
        self.enough = time.thread_time() + SECONDS

    def values(self, factors: np.ndarray) -> np.ndarray | None:
        """Give the outputs, flat, shape (factors, outputs); None if there are none, not always as many, or no time."""
        rows = []
        try:
            for factor in factors:
                if time.thread_time() > self.enough:
                    return None
                rows.append(np.concatenate([y.ravel() for y in self.forward([a * factor for a in self.arrays])]))
        except Rejected:
            return None
        return np.array(rows) if rows[0].size and len({r.size for r in rows}) == 1 else None

    def jumps(self) -> Iterator[float]:
        """Give by how much forward jumps where it is least smooth, if as little as an iteration that stops does."""
        lines = (np.geomspace(*ends, POINTS) for ends in FACTORS)
        taken = ((factors, values) for factors in lines if (values := self.values(factors)) is not None)
        factors, values = next(taken, (np.zeros(0), None))
        if values is None:
            return
        bends, size = _bends(values), float(np.abs(values).max())
        around = np.max([np.roll(bends, k) for k in (-AROUND, AROUND)], axis=0)
        sharpness = bends / (around + SMALLEST_JUMP * size)
        for _ in range(SPOTS):
            k = int(sharpness.argmax())
            if sharpness[k] > 1 and bends[k] > OF_A_JUMP * SMALLEST_JUMP * size:
                jump = self._narrowed(float(factors[k]), float(factors[k + 8]), float(bends[k]))
                if SMALLEST_JUMP * size < jump < LARGEST_JUMP * size:
                    yield jump
            sharpness[max(0, k - AROUND) : k + AROUND + 1] = 0.0

    def _narrowed(self, low: float, high: float, before: float) -> float:
        """Narrow a jump down, and give its size; 0 if it is none, which shows where what is left gets less."""
        while high - low > NARROW:
            factors = np.linspace(low, high, CLOSELY)
            values = self.values(factors)
            bends = np.zeros(1) if values is None else _bends(values)
            k = int(bends.argmax())
            if bends[k] < SHRINKS * before:
                return 0.0
            low, high, before = float(factors[k]), float(factors[k + 8]), float(bends[k])
        return before / OF_A_JUMP


def _bends(values: np.ndarray) -> np.ndarray:
    """Give what is not smooth in the values of neighbouring points, from their eighth differences."""
    bends: np.ndarray = np.abs(np.diff(values, 8, axis=0)).max(axis=1)
    return bends
