"""Shapes that forward takes beside those that were found: with other sizes, with ones and zeros, and broadcast."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np

from adverify.axes import Takes, grown
from adverify.shapes import (
    LONG,
    MAX_ELEMENTS,
    Shapes,
    broadcast,
    cut,
    elements,
    proportioned,
    replaced,
    stretched,
)

LENGTHS = (0, 1, 2, 4, 5, *LONG)
"""That axes get one by one."""

UNLIKE = ((2, 3), (3, 2), (2, 2), (3, 4))
"""Two lengths."""

LONGER = (-2, -1, 1, 3, 8)
"""By how much all axes get longer together, where the length of some is bound to that of others."""


def varied_shapes(accepted: Sequence[Shapes], takes: Takes) -> list[Shapes]:
    """Add what each accepted combination becomes with other sizes: ones, zeros, equal ones, and broadcasting."""
    return list(_Variety(accepted, takes).seen)


class _Variety:
    """The shapes that are known to be taken, and ways to find more."""

    def __init__(self, accepted: Sequence[Shapes], takes: Takes) -> None:
        self.takes, self.seen = takes, dict.fromkeys(accepted)
        rng = np.random.default_rng(1)
        for group in _by_ranks(accepted):
            if _stays_single(group):
                group += self._grown(min(group, key=elements))
            elif _stays_cubic(group):
                group += self._grown(replaced(group[0], {n: 1 for s in group[0] for n in s}))
            if all(1 in {n for s in shapes for n in s} for shapes in group):
                group += self._combined(max(group, key=elements))
            general = sorted(group, key=lambda s: -len({n for x in s for n in x}))[:3]
            for shapes in general:
                self._resize(shapes, rng)
                for other in stretched(shapes):
                    self._try(other)
            self._broadcast(general[0])

    def _resize(self, shapes: Shapes, rng: np.random.Generator) -> None:
        sizes = sorted({n for s in shapes for n in s})
        for old in sizes:
            for new in LENGTHS:
                self._try(replaced(shapes, {old: new}))
            for other in proportioned(replaced(shapes, {old: 1})):
                self._try(other)
        if not any(replaced(shapes, {old: new}) in self.seen for old in sizes for new in LENGTHS if new != old):
            for by in LONGER:
                self._try(replaced(shapes, {old: max(0, old + by) for old in sizes}))
        for alike in (1, 2, 3):
            self._try(replaced(shapes, dict.fromkeys(sizes, alike)))
        for _ in range(4):
            self._try(replaced(shapes, {old: int(rng.integers(1, 6)) for old in sizes}))

    def _broadcast(self, shapes: Shapes) -> None:
        for other in broadcast(shapes):
            self._try(other)
            if other in self.seen:  # a row beside a column of the same length
                self._try(replaced(other, {n: 3 for s in other for n in s if n > 1}))
            if other in self.seen and sum(s != t for s, t in zip(other, shapes, strict=True)) == 1:
                for resized_too in proportioned(other):
                    self._try(resized_too)

    def _combined(self, shapes: Shapes) -> list[Shapes]:
        """Let a length be the product or the sum of two others, which shows only where neither of them is 1."""
        ranks, sizes = [len(s) for s in shapes], [n for s in shapes for n in s]
        axes, found = range(len(sizes)), dict[Shapes, None]()
        for one, other, both in itertools.permutations(axes, 3):
            if sizes[one] == 1 and sizes[other] == sizes[both] > 1:
                for a, b in UNLIKE:
                    for length in (a * b, a + b - 1):
                        lengths = {one: a, other: b, both: length}
                        found[cut([lengths.get(i, sizes[i]) for i in axes], ranks)] = None
        longer = [s for s in found if s not in self.seen and elements(s) <= MAX_ELEMENTS and self.takes(s)]
        self.seen |= dict.fromkeys(longer)
        return longer

    def _grown(self, single: Shapes) -> list[Shapes]:
        """Let axes of length 1 get longer together: alone they may not."""
        longer = [s for s in grown(self.takes, single) if s not in self.seen]
        self.seen |= dict.fromkeys(longer)
        return longer

    def _try(self, shapes: Shapes) -> None:
        if shapes not in self.seen and elements(shapes) <= MAX_ELEMENTS and self.takes(shapes):
            self.seen[shapes] = None


def _by_ranks(accepted: Sequence[Shapes]) -> list[list[Shapes]]:
    groups: dict[tuple[int, ...], list[Shapes]] = {}
    for shapes in accepted:
        groups.setdefault(tuple(len(s) for s in shapes), []).append(shapes)
    return list(groups.values())


def _stays_cubic(group: Sequence[Shapes]) -> bool:
    """Whether an input's axes, three or more, are alike in all of some shapes, as those of a batch of squares."""
    return any(len(own[0]) > 2 and all(len(set(s)) == 1 for s in own) for own in zip(*group, strict=True))


def _stays_single(group: Sequence[Shapes]) -> bool:
    """Whether an axis is of length 1 in all of some shapes."""
    sizes = [[n for s in shapes for n in s] for shapes in group]
    return any(max(lengths) == 1 for lengths in zip(*sizes, strict=True))
