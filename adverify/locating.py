"""Where the elements of an input may lie, found by calling forward: intervals, kinks, and kinds of matrices."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import cast

import numpy as np

from adverify.corners import corners_of
from adverify.domains import (
    MATRICES,
    SYMMETRIC,
    Domain,
    Structure,
    nonzero,
    positive_definite,
    positive_dominant,
    real,
    symmetric,
)
from adverify.fillings import ASCENDING, Noise, inside
from adverify.probing import Prober
from adverify.shapes import Shapes, elements, is_square
from adverify.subject import Arrays, Rejected


class Locator(Prober):
    """Asks forward which values it takes, once it is known which shapes."""

    def domains_of(
        self, i: int, base: Shapes, fillings: Sequence[str], accepted: Sequence[Shapes], lopsided: bool, corners: bool
    ) -> list[Domain]:
        """Say where input `i` may lie: one domain, or one for each interval that is apart from the others."""
        if fillings[i] in ASCENDING:
            return [ASCENDING[fillings[i]]]
        if all(is_square(s[i]) for s in accepted):
            if fillings[i] in MATRICES:
                structure = Domain(structure=cast(Structure, fillings[i]))
                others = fillings[i] in SYMMETRIC and not lopsided and self.takes_dominant(i, accepted, fillings)
                return [structure, positive_dominant] if others else [structure]
            if lopsided:  # what the other triangle holds does not matter, so that it need not mirror the first
                return [self.matrices(i, accepted, fillings), self.domain(i, base, fillings)]
        found = [self.domain(i, base, fillings)]
        for name, filling in self.fillings.items():
            values = filling(Noise(0), base[i])
            if values.size and not any(d.holds(values).any() for d in found):
                arrays = self.filled(base, fillings)
                if self.accepts([*arrays[:i], values, *arrays[i + 1 :]]):
                    found.append(self.domain(i, base, [*fillings[:i], name, *fillings[i + 1 :]]))
        return [replace(d, corners=self.corners(i, d, base, fillings)) for d in found] if corners else found

    def corners(self, i: int, domain: Domain, base: Shapes, fillings: Sequence[str]) -> tuple[float, ...]:
        """Find the kinks and jumps of an elementwise forward in input `i`."""
        others = [float(a.flat[0]) if a.size else 0.5 for a in self.filled(base, fillings)]

        def values(x: np.ndarray) -> np.ndarray | None:
            arrays = [x if j == i else np.full(x.shape, other) for j, other in enumerate(others)]
            try:
                (y,) = self.subject.evaluate(arrays)
            except Rejected:
                return None
            return y if y.shape == x.shape else None

        return corners_of(values, domain)

    def domain(self, i: int, base: Shapes, fillings: Sequence[str]) -> Domain:
        """Locate where the elements of input `i` may lie, the other inputs being filled."""
        if not math.prod(base[i]):
            return real
        rng = np.random.default_rng(2)
        start = [np.array(a) for a in self.filled(base, fillings)]

        def finite(values: np.ndarray) -> bool:
            return self.accepts([*start[:i], values, *start[i + 1 :]])

        def finite_at(t: float) -> bool:
            moved = start[i].copy()
            moved.flat[0] = t
            return finite(moved)

        wide = [rng.normal(size=base[i]) * s for s in (0.5, 1.0, 3.0, 3.0, 10.0)]
        if sum(finite(values) for values in wide) == len(wide):
            return real if finite_at(0.0) else nonzero
        origin = float(start[i].flat[0])
        if not finite_at(origin):
            return real
        reach = [1e-3, 0.1, 0.5, 0.9, 1.0, 1.1, 1.5, 2.0, 3.0, 5.0, 10.0, 30.0, 100.0, 1e3]
        grid = sorted({sign * t + centre for t in (0.0, *reach) for sign in (1, -1) for centre in (0.0, origin)})
        low = self._edge(finite_at, origin, [t for t in reversed(grid) if t < origin], -np.inf)
        high = self._edge(finite_at, origin, [t for t in grid if t > origin], np.inf)
        if low == -np.inf and high == np.inf:
            return real if finite_at(0.0) else nonzero
        at_low, at_high = (bool(np.isfinite(t)) and (finite_at(t) or self._meet_at(t, start)) for t in (low, high))
        return Domain(low, high, at_low, at_high)

    def _meet_at(self, t: float, arrays: Sequence[np.ndarray]) -> bool:
        """Whether forward takes an end where all inputs are there, as 0 * log(0 / 0) is taken to be 0."""
        moved = [np.array(a) for a in arrays]
        for a in moved:
            a.flat[:1] = t
        return len(moved) > 1 and self.accepts(moved)

    @staticmethod
    def _edge(finite_at: Callable[[float], bool], inside: float, outward: Sequence[float], farthest: float) -> float:
        """Bisect between the last point inside and the first outside; the farthest end if all are inside."""
        outside = None
        for t in outward:
            if not finite_at(t):
                outside = t
                break
            inside = t
        if outside is None:
            return farthest
        for _ in range(60):
            middle = 0.5 * (inside + outside)
            if middle in (inside, outside):
                break
            inside, outside = (middle, outside) if finite_at(middle) else (inside, middle)
        tidy = round(outside, 9)
        return tidy if abs(tidy - outside) <= 1e-12 * max(1.0, abs(outside)) else outside

    def reads_one_triangle(self, i: int, accepted: Sequence[Shapes], fillings: Sequence[str]) -> bool:
        """Whether forward takes square matrices only, and ignores what is above or below the diagonal."""
        if not all(is_square(s[i]) for s in accepted):
            return False
        square = [s for s in accepted if s[i][-1] in (2, 3) and elements(s) > 0]
        return bool(square) and any(
            all(self._ignores(i, triangle, self.filled(square[-1], fillings, seed)) for seed in range(4))
            and not all(self._ignores(i, _diagonal, self.filled(square[-1], fillings, seed)) for seed in range(4))
            for triangle in (np.tril, np.triu)
        )

    def matrices(self, i: int, accepted: Sequence[Shapes], fillings: Sequence[str]) -> Domain:
        """Say which symmetric matrices forward takes as input `i`: all, or only positive definite ones."""
        square = [s for s in accepted if is_square(s[i]) and s[i][-1] >= 2][:8]
        any_sign = [*fillings[:i], "symmetric", *fillings[i + 1 :]]
        takes = [self.accepts(self.filled(s, any_sign, seed)) for s in square for seed in range(4)]
        return symmetric if all(takes) else positive_definite

    def takes_dominant(self, i: int, accepted: Sequence[Shapes], fillings: Sequence[str]) -> bool:
        """Whether input `i` need not be symmetric: others are taken, those whose diagonal dominates."""
        square = [s for s in accepted if s[i][-1] >= 2][:8]
        rng = Noise(1)
        return bool(square) and all(
            self.accepts([*arrays[:i], inside(positive_dominant, rng, s[i]), *arrays[i + 1 :]])
            for s in square
            for arrays in (self.filled(s, fillings, seed) for seed in range(2))
        )

    def _ignores(self, i: int, kept: Callable[[np.ndarray], np.ndarray], arrays: Arrays) -> bool:
        """Whether forward gives the same when all of input `i` but `kept` is replaced."""
        rest = arrays[i] - kept(arrays[i])
        try:
            outputs = [
                self.subject.forward([*arrays[:i], kept(arrays[i]) + factor * rest, *arrays[i + 1 :]])
                for factor in (1.0, 1.5, -0.5)
            ]
        except Rejected:
            return False
        return all(np.array_equal(y, z) for other in outputs[1:] for y, z in zip(outputs[0], other, strict=True))


def _diagonal(a: np.ndarray) -> np.ndarray:
    return a * np.eye(a.shape[-1])
