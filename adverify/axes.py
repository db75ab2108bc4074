"""Which axes of several inputs have to be of one length, found by making some of them longer.

Where an op has many inputs there are too many ways in which their axes could be equal to try them all. But with all
axes of one length only the numbers of axes are left to try, and then the axes that belong together are the smallest
groups that may get longer. With a length of 1 this finds as well which axes stay 1, as of a bias that is a row.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Collection, Iterator, Sequence

from adverify.shapes import MAX_ELEMENTS, Shapes, cut, elements, spread

SHORT, LONG = 2, 3
MOST_TIED = 5
"""More axes than these belong together only if they are all that is left."""
MOST_IN_RATIO, MOST_VECTORS = 4, 3
"""Axes that are multiples of others, and how many of the inputs are vectors then."""
MOST_AXES = 12
MOST_RANKS = 4
"""Of the combinations of ranks that an op takes, twice as many are looked at of those with the most axes, as ops of
many inputs are written for matrices and vectors, and as many of the others with and without more axes."""
MANY = 4
"""Of so many inputs there are too many ways in which axes could be equal to try them all."""
MOST_ALONE = 4
"""Axes of an input that has one element, where there are few inputs."""
GROWN, MOST_GROWN = (2, 3, 4, 2), 4
"""The lengths that axes of length 1 get, and how many of them together."""
SIZES = ((2, 3, 4, 5), (3, 2, 5, 4), (4, 3, 2, 5), (3, 4, 5, 2), (3, 2, 3, 2), (2, 3, 2, 3))

Takes = Callable[[Shapes], bool]


def alike_shapes(takes: Takes, arity: int) -> Iterator[Shapes]:
    """Give shapes that an op of many inputs takes, in which axes are alike only where they have to be."""
    taken = [r for r in _ranks(arity) if takes(cut([SHORT] * sum(r), r))]
    flat, deep = [r for r in taken if max(r) <= 2], [r for r in taken if max(r) > 2]
    fewer, most = flat[: -2 * MOST_RANKS], flat[-2 * MOST_RANKS :]
    for ranks in (*spread(fewer, MOST_RANKS), *most, *spread(deep, MOST_RANKS)):
        yield from _sized(takes, ranks, [1] * sum(ranks))


def single_shapes(arity: int) -> Iterator[Shapes]:
    """Give shapes of one element an input, of every rank: what an op that wants some axes to be 1 takes as well."""
    for ranks in itertools.product(range(MOST_ALONE + 1), repeat=arity) if arity < MANY else _ranks(arity):
        yield cut([1] * sum(ranks), ranks)


def grown(takes: Takes, shapes: Shapes) -> Iterator[Shapes]:
    """Give what shapes become when their axes of length 1 get longer, those together that have to.

    Which axes may get longer can depend on which have done so before, so that they are tried from both ends.

    Examples
    --------
    >>> def biased(shapes):  # x and a row
    ...     return shapes[1] == (1, shapes[0][1])
    >>> list(grown(biased, ((1, 1), (1, 1))))
    [((2, 3), (1, 3))]
    """
    ranks, found = [len(s) for s in shapes], dict[Shapes, None]()
    for backwards in (False, True):
        sizes, lengths = [n for s in shapes for n in s], itertools.cycle(GROWN)
        while (longer := _longer(takes, ranks, sizes, next(lengths), backwards)) is not None:
            sizes = longer
        found[cut(sizes, ranks)] = None
    yield from (s for s in found if s != shapes)


def _longer(takes: Takes, ranks: Sequence[int], sizes: Sequence[int], length: int, backwards: bool) -> list[int] | None:
    """Make the fewest axes of length 1 longer, of which forward takes it."""
    single = [axis for axis, n in enumerate(sizes) if n == 1]
    for count in range(1, MOST_GROWN + 1):
        for group in itertools.combinations(single[::-1] if backwards else single, count):
            longer = [length if axis in group else n for axis, n in enumerate(sizes)]
            shapes = cut(longer, ranks)
            if elements(shapes) <= MAX_ELEMENTS and takes(shapes):
                return longer
    return None


def in_ratio_shapes(takes: Takes, arity: int) -> Iterator[Shapes]:
    """Give matrices and vectors that an op takes in which a few axes are a multiple of others, as of gated cells."""
    for ranks in sorted(_ranks(arity), key=lambda r: -sum(r)):
        if not set(ranks) <= {1, 2} or ranks.count(1) > MOST_VECTORS:
            continue
        for ratio, count in itertools.product((4, 3, 2), range(1, MOST_IN_RATIO + 1)):
            for longer in itertools.combinations(range(sum(ranks)), count):
                multiples = [ratio if i in longer else 1 for i in range(sum(ranks))]
                if takes(cut([SHORT * m for m in multiples], ranks)):
                    yield from _sized(takes, ranks, multiples)
                    return


def _sized(takes: Takes, ranks: Sequence[int], multiples: Sequence[int]) -> Iterator[Shapes]:
    tied = tied_axes(lambda sizes: takes(cut(sizes, ranks)), multiples)
    for row in SIZES:
        lengths = {axis: row[k % len(row)] for k, group in enumerate(tied) for axis in group}
        shapes = cut([m * lengths.get(axis, SHORT) for axis, m in enumerate(multiples)], ranks)
        if elements(shapes) <= MAX_ELEMENTS:
            yield shapes


def tied_axes(takes: Callable[[list[int]], bool], multiples: Sequence[int]) -> list[tuple[int, ...]]:
    """Divide axes into the smallest groups that may get longer, given what sizes of all axes are taken.

    Examples
    --------
    >>> tied_axes(lambda sizes: sizes[1] == sizes[2], [1, 1, 1, 1])  # a matrix product
    [(0,), (3,), (1, 2)]
    """
    free = list(range(len(multiples)))
    tied: list[tuple[int, ...]] = []

    def together(group: Collection[int]) -> bool:
        return takes([m * (LONG if i in group else SHORT) for i, m in enumerate(multiples)])

    for size in range(1, MOST_TIED + 1):
        for group in itertools.combinations(free, size):
            if set(group) <= set(free) and together(group):
                tied.append(group)
                free = [i for i in free if i not in group]
    if free and together(free):
        tied.append(tuple(free))
    return tied


def _ranks(arity: int) -> Sequence[tuple[int, ...]]:
    """Every combination of ranks, the fewest axes first; of very many inputs only the usual ones."""
    lowest, highest = (0, 3) if arity <= 5 else (0, 2) if arity <= 7 else (1, 2)
    combinations = itertools.product(range(lowest, highest + 1), repeat=arity)
    return sorted((r for r in combinations if sum(r) <= MOST_AXES), key=lambda r: (sum(r), r))
