"""Which combinations of input shapes are tried on an op, and which of those it takes are kept."""

from __future__ import annotations

import itertools
import math
from collections.abc import Hashable, Iterator, Sequence
from typing import TypeVar

import numpy as np

T = TypeVar("T")
Shape = tuple[int, ...]
Shapes = tuple[Shape, ...]

MAX_ELEMENTS = 100
POOL = 96
"""Combinations that are kept, divided among those of unlike ranks."""

MOST_ALIKE, LEAST_UNLIKE, MANY_GROUPS = 48, 3, 32
"""Of each combination of ranks so many are kept if they are alike; and at least, if not, of how many such."""

MASKED = 6
"""Axes of all inputs together, up to which two inputs at once are broadcast."""
LONG = (17, 11)
"""Sizes that show what goes by blocks of 16 or 8, or by the number of digits, and not by every element alike."""

LONGEST = 64
"""Of the sizes that forward names when it refuses, those up to this are tried."""


def candidate_shapes(arity: int) -> Iterator[Shapes]:
    """Give shapes in which axes are alike in every possible way, with sizes that tell unlike axes apart."""
    most, total = {1: (4, 4), 2: (3, 6), 3: (3, 6), 4: (2, 6)}.get(arity, (1, arity))
    for ndims in sorted(itertools.product(range(most + 1), repeat=arity), key=lambda n: (sum(n), n)):
        if sum(ndims) <= total:
            for letters in _partitions(sum(ndims)):
                if _is_telling(letters, ndims):
                    yield cut([(2, 3, 4, 5)[i] for i in letters], ndims)
    if arity == 1:
        yield from (((n,),) for n in (1, 3, 4, 5, 6, 7, 8))
        yield from (((2, n),) for n in (1, 4, 5, 6, 8))
        yield from (((n, n),) for n in (1, 3, 4))
        yield from (((1, 2, 4, 4),), ((2, 2, 5, 5),), ((2, 1, 3, 1, 2),))
    if arity > 1:
        yield from (((n,),) * arity for n in (1, 3, 4))
        yield from (((n, n),) * arity for n in (1, 3, 4))
    if arity in (2, 3):
        bias: list[Shape] = [(3,)] if arity == 3 else []
        yield from (
            (left, right, *[(2,)] * (arity - 2)) for left, right in itertools.permutations([(2,), (3,), (5,)], 2)
        )
        yield ((1, 2, 4, 4), (3, 2, 3, 3), *bias)
        yield ((2, 2, 5), (3, 2, 3), *bias)
        yield ((1, 1, 5, 4), (3, 1, 2, 2), *bias)
        yield from (((2, 3, 2, 4), *((n,),) * (arity - 1)) for n in (3, 4))
        yield ((2, 1, 3, 4), (4, 5), *((5,) for _ in bias))
        yield ((2, 1, 3, 4), (5, 4), *((5,) for _ in bias))
    if arity == 3:
        yield ((2, 5, 3), (3, 4), (2, 5, 4))
        yield ((2, 3, 4),) * 3
    yield ((2, 1, 3, 2),) * arity


ROWS = ((2, 3, 4, 5), (2, 4, 8, 3), (1, 2, 4, 3), (4, 2, 8, 1), (3, 4, 1, 2), (8, 2, 4, 3), (1, 4, 2, 3))
"""Sizes of the axes by name where the usual ones do not fit: multiples of each other, and one."""


def rare_shapes(arity: int) -> Iterator[Shapes]:
    """Give more shapes than `candidate_shapes`, of more axes and in ratios, the likelier first: all ranks alike."""
    highest = [4, *([4] if arity <= 3 else [2]) * (arity - 1)]
    ranks = itertools.product(*(range(most + 1) for most in highest))
    for ndims in sorted(ranks, key=lambda n: (sum(n) - 3 * (len(set(n)) == 1), n)):
        for letters in _partitions(sum(ndims)) if sum(ndims) <= 9 else ():
            if _is_telling(letters, ndims):
                yield from (cut([row[i] for i in letters], ndims) for row in ROWS)


def beside_one_number(arity: int) -> Iterator[Shapes]:
    """Give shapes in which one input is a single number, of one axis or two, or, beside many axes, of none."""
    for at in range(arity):
        for others in candidate_shapes(arity - 1):
            yield (*others[:at], (1,), *others[at:])
            yield (*others[:at], (1, 1), *others[at:])
        for many in ((2, 3, 2, 2), (2, 2, 3, 2, 2)):
            yield (*(many,) * at, (), *(many,) * (arity - 1 - at))
            yield (*(many,) * at, (1,), *(many,) * (arity - 1 - at))


def of_lengths(arity: int) -> Iterator[Shapes]:
    """Give vectors, and rows of a common number, of all lengths that ops ask for: a quaternion beside a point.

    Then also matrices of all sizes: a single one, or, of two or three inputs, beside such vectors and rows, as points
    are beside what transforms them.
    """
    for lengths in itertools.product(range(1, {1: LONGEST, 2: 8}.get(arity, 4) + 1), repeat=arity):
        yield tuple((n,) for n in lengths)
        yield tuple((2, n) for n in lengths)
    if arity == 1:
        yield from ((shape,) for most, ndim in ((10, 2), (5, 3)) for shape in _all_sizes(most, ndim))
    elif arity <= 3:
        kinds = [*_all_sizes(4, 1), *_all_sizes(5, 2)]
        yield from sorted(itertools.product(kinds, repeat=arity), key=elements)


def _all_sizes(most: int, ndim: int) -> list[Shape]:
    return list(itertools.product(range(2, most + 1), repeat=ndim))


def resized(shapes: Sequence[Shapes], sizes: Sequence[int]) -> Iterator[Shapes]:
    """Give what shapes become when axes of one size get one of `sizes` instead."""
    for new in sizes:
        for combination in shapes:
            for old in sorted({n for shape in combination for n in shape}):
                other = replaced(combination, {old: new})
                if elements(other) <= MAX_ELEMENTS:
                    yield other


def stretched(shapes: Shapes) -> Iterator[Shapes]:
    """Give what shapes become when one axis of one input gets longer, or when one of several inputs is broadcast."""
    for i, shape in enumerate(shapes):
        for axis, n in enumerate(shape):
            for new in (n + 1, n + 2) if len(shapes) == 1 else (1, n + 1, n + 2):
                yield (*shapes[:i], (*shape[:axis], new, *shape[axis + 1 :]), *shapes[i + 1 :])


def broadcast(shapes: Shapes) -> Iterator[Shapes]:
    """Give what shapes become when some axes of one input have length 1; of few axes, or of two inputs."""
    shorter = [[x for x in itertools.product(*({n, 1} for n in s)) if x != s] for s in shapes]
    for i, own in enumerate(shorter):
        for x in own:
            yield (*shapes[:i], x, *shapes[i + 1 :])
    if sum(map(len, shapes)) <= MASKED and len(set(map(len, shapes))) == 1:
        for i, j in itertools.combinations(range(len(shapes)), 2):
            for x, y in itertools.product(shorter[i], shorter[j]):
                yield (*shapes[:i], x, *shapes[i + 1 : j], y, *shapes[j + 1 :])


def proportioned(shapes: Shapes) -> Iterator[Shapes]:
    """Give what shapes become when the axes of one size get longer than any other, or as long as another."""
    sizes = sorted({n for s in shapes for n in s if n > 1})
    for old in sizes:
        for new in (*(n for n in sizes if n != old), max(sizes) + 2):
            yield replaced(shapes, {old: new})


def _is_telling(letters: Sequence[int], ndims: Sequence[int]) -> bool:
    """Of many axes, keep what real ops do: at most four names, an input's own axes all unlike or all alike."""
    if max(letters, default=0) > 3:
        return False
    if len(letters) <= 3:
        return True
    return all(len(set(own)) in (len(own), 1) for own in cut(letters, ndims))


def _partitions(n: int) -> Iterator[list[int]]:
    """Label n axes in every way up to renaming (restricted growth strings; Knuth, TAOCP 7.2.1.5)."""

    def extend(prefix: list[int]) -> Iterator[list[int]]:
        if len(prefix) == n:
            yield prefix
            return
        for label in range(max(prefix, default=-1) + 2):
            yield from extend([*prefix, label])

    return extend([])


def cut(sizes: Sequence[int], ndims: Sequence[int]) -> Shapes:
    """Divide the sizes of all axes among inputs of so many axes."""
    ends = list(itertools.accumulate(ndims, initial=0))
    return tuple(tuple(sizes[a:b]) for a, b in itertools.pairwise(ends))


def elements(shapes: Shapes) -> int:
    """Count the elements of all inputs."""
    return sum(math.prod(s) for s in shapes)


def is_degenerate(shapes: Shapes) -> bool:
    """Whether an input is 0-d, empty, or of a single element."""
    return any(math.prod(s) <= 1 for s in shapes)


def is_empty(shapes: Shapes) -> bool:
    """Whether some input has no elements."""
    return any(0 in shape for shape in shapes)


def is_bare(shapes: Shapes) -> bool:
    """Whether an input is empty, or none has two elements."""
    sizes = [math.prod(s) for s in shapes]
    return 0 in sizes or max(sizes) < 2


def typical(accepted: Sequence[Shapes]) -> Shapes:
    """Small shapes in which as few inputs as possible are empty or hold a single element, and few axes are of length 1.

    What goes along an axis, as a softmax does, does little where that has one element.
    """

    def distance(shapes: Shapes) -> tuple[int, int, int, int, Shapes]:
        sizes = [math.prod(s) for s in shapes]
        ones = sum(s.count(1) for s in shapes)
        return sizes.count(0), sum(n < 2 for n in sizes), ones, abs(sum(sizes) - 4 * len(sizes)), shapes

    return min(accepted, key=distance)


def pool(accepted: Sequence[Shapes]) -> tuple[Shapes, ...]:
    """Keep a variety: the same number for each combination of dimensions, the smallest first."""
    groups: dict[tuple[int, ...], list[Shapes]] = {}
    by_size = sorted(dict.fromkeys(accepted), key=lambda s: (elements(s), s))
    for i, shapes in enumerate(by_size):
        if elements(shapes) <= MAX_ELEMENTS or i == 0:  # an op that takes large inputs only is still to be tried
            groups.setdefault(tuple(len(s) for s in shapes), []).append(shapes)
    least = 6 if len(groups) < MANY_GROUPS else LEAST_UNLIKE
    kept = []
    for ranks, group in groups.items():
        share = max(least, POOL // len(groups))
        several = len(ranks) > 1 and len(set(ranks)) == 1 and ranks[0] > 1
        kept += _patterned(group, max(share, MOST_ALIKE) if several else share)
    return tuple(sorted(kept, key=_simplicity))


def _patterned(group: Sequence[Shapes], share: int) -> list[Shapes]:
    """`share` of shapes of the same ranks: half for the simplest patterns of equal axes, the rest at even distances."""
    patterns: dict[Shapes, Shapes] = {}
    for shapes in group:
        patterns.setdefault(pattern_of(shapes), shapes)
    chosen = dict.fromkeys(patterns[p] for p in sorted(patterns, key=_irregularity)[: share // 2])
    others = [shapes for shapes in group if shapes not in chosen]
    return [*chosen, *spread(others, share - len(chosen))]


def pattern_of(shapes: Shapes) -> Shapes:
    """Which axes are equal, empty, of length 1, or long: shapes with other sizes in place of their own."""
    names: dict[int, int] = {0: 0, 1: 1, **dict.fromkeys(LONG, -1)}
    return tuple(tuple(names.setdefault(n, len(names)) for n in s) for s in shapes)


def _irregularity(pattern: Shapes) -> tuple[int, int, int, int, Shapes]:
    """First what has no empty axes, then as few inputs as possible, and axes, of length 1; all unlike or all alike."""
    axes = [n for s in pattern for n in s]
    shared = [len(set(s)) not in (1, len(s)) for s in pattern]
    return axes.count(0) + axes.count(-1), sum(1 in s for s in pattern), axes.count(1), sum(shared), pattern


def _simplicity(shapes: Shapes) -> tuple[bool, int, int, Shapes]:
    """What a person would call simple: nothing above matrices, few elements."""
    return max(map(len, shapes)) > 2, elements(shapes), sum(map(len, shapes)), shapes


def kind_of(shapes: Shapes) -> Hashable:
    """What sets shapes apart beside sizes: a long axis; or of each input the rank, and whether it is empty or one."""
    if any(n in LONG for s in shapes for n in s):
        return "long"
    return tuple((len(s), min(math.prod(s), 2)) for s in shapes)


def varied(items: Sequence[T], kinds: Sequence[Hashable], most: int, at: int) -> list[T]:
    """Give `most` of the items, or fewer, from one on: one of each kind first, then others, at even distances."""
    order = [*range(at, len(items)), *range(at)]
    chosen = list({kinds[i]: i for i in reversed(order)}.values())[::-1]
    chosen = chosen[:: -(-len(chosen) // most)]
    others = sorted(set(order) - set(chosen))
    if others and len(chosen) < most:
        stride = -(-len(others) // (most - len(chosen)))
        chosen += others[at % stride :: stride]
    return [items[i] for i in sorted(chosen)]


def spread(group: list[T], share: int) -> list[T]:
    """`share` of them at even distances, the first and the last included."""
    if len(group) <= share:
        return group
    return [group[i] for i in sorted({round(k * (len(group) - 1) / (share - 1)) for k in range(share)})]


def one_axis_filled(shapes: Shapes) -> Iterator[Shapes]:
    """Of shapes with several empty axes in an input, give those with one of them filled."""
    for i, shape in enumerate(shapes):
        if shape.count(0) > 1:
            for axis in np.flatnonzero(np.equal(shape, 0)):
                yield (*shapes[:i], (*shape[:axis], 1, *shape[axis + 1 :]), *shapes[i + 1 :])


def replaced(shapes: Shapes, sizes: dict[int, int]) -> Shapes:
    """Give other sizes to all axes of the sizes that are named."""
    return tuple(tuple(sizes.get(n, n) for n in s) for s in shapes)


def is_broadcast(shape: Shape, shapes: Shapes) -> bool:
    """Whether a shape is what NumPy broadcasts others to."""
    try:
        return shape == np.broadcast_shapes(*shapes)
    except ValueError:
        return False


def is_square(shape: Shape) -> bool:
    """Whether the last two axes are of one length."""
    return len(shape) >= 2 and shape[-1] == shape[-2]
