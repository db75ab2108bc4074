"""Values of several inputs that forward takes together, where what it takes of one depends on the others."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import numpy as np

from adverify.domains import Domain, real
from adverify.evaluation import Memory
from adverify.fillings import SINGLE, Noise, anywhere, inside, scaled, tuples_anywhere
from adverify.sampling import Sampling
from adverify.shapes import Shape, pool
from adverify.subject import Arrays

Accepts = Callable[[Sequence[np.ndarray]], bool]

TRIES, USUALLY = 48, 0.9
"""How many tuples of values within the domains are tried, and the share that is taken if domains say enough."""

TUPLES = 1500
"""How many tuples of any values are tried."""

FEW, OUTSIDE = 50, 0.2
"""How many of those taken are looked at first, and the share of them that lies in no known domains."""

MOST, ENOUGH = 256, 24
"""How many are kept, before one goes on from them, and how few there may be in the end."""

WALKS, STEPS = 64, 8
GROWTH, DECLINE = ((10.0, 3.0, 1.7, 1.3, 1.1), (3.0, 1.7, 1.3, 1.1)), ((0.1,), (0.3, -1.0))
"""How often one goes on from a tuple that is taken, by how many steps, and by what a value is multiplied at each: the
first that is taken.
"""

SHAPES: tuple[Shape, ...] = (
    (), (1,), (2,), (3,), (5,), (11,), (1, 1), (2, 3), (3, 3), (4, 2), (2, 1, 3), (2, 2, 2), (0,), (2, 0)
)  # fmt: skip


def taken_together(accepts: Accepts, known: Sequence[Sampling]) -> Sampling | None:
    """Find tuples of values, one for each input, where domains, which are of one input each, do not say what is taken.

    As of three sides that make a triangle. None if domains say enough, or if it is not element by element that forward
    takes or refuses.
    """
    first, arity = known[0], known[0].arity
    if arity == 1 or any(d.structure not in ("", "ascending") for d in first.domains):
        return None
    rng = np.random.default_rng(3)
    within, any_values = _within(first.domains, rng, TRIES), tuples_anywhere(rng, TUPLES, arity)
    single = next(
        (s for s in SINGLE if any(accepts(arrays_of(t[None], s)) for t in (*within, *any_values[:TRIES]))), None
    )
    if single is None:
        return None

    def takes(values: np.ndarray) -> bool:
        return accepts(arrays_of(values[None], single))

    if _say_enough(known, [*filter(takes, within)], [*itertools.islice(filter(takes, any_values), FEW)]):
        return None
    tuples = np.vstack([anywhere(rng, (TUPLES // 2, arity)), _within(first.domains, rng, TUPLES // 2)])
    usual = [*itertools.islice(filter(takes, scaled(rng.permutation(tuples))), MOST)]
    together = np.array([*usual, *_cornered(usual, takes, rng)])
    if len(together) < ENOUGH:
        return None
    shapes = [
        (s,) * arity for s in SHAPES
        if all(accepts(arrays_of(rng.choice(together, int(np.prod(s))), s)) for _ in range(4))
    ]  # fmt: skip
    if not any(len(shape) and shape[0] > 1 for shape, *_ in shapes):
        return None
    simplest_first = together[np.abs(together).sum(axis=1).argsort(kind="stable")]
    return replace(first, shapes=pool(shapes), domains=(real,) * arity, together=simplest_first, memory=Memory())


def _say_enough(known: Sequence[Sampling], within: Sequence[np.ndarray], anywhere: Sequence[np.ndarray]) -> bool:
    """Whether forward takes most of what lies in the domains, and most of what it takes lies in them."""
    outside = [t for t in anywhere if not any(_holds(s.domains, t) for s in known)]
    return len(within) > USUALLY * TRIES and len(outside) <= OUTSIDE * len(anywhere)


def _cornered(
    usual: Sequence[np.ndarray], takes: Callable[[np.ndarray], bool], rng: np.random.Generator
) -> Iterator[np.ndarray]:
    """Go on from tuples that are taken to where one value outweighs the others, which chance does not reach."""
    for _ in range(WALKS if usual else 0):
        values = usual[int(rng.integers(len(usual)))]
        largest = rng.integers(len(values))
        for _ in range(STEPS):
            i = largest if rng.random() < 0.5 else rng.integers(len(values))
            kinds = GROWTH if i == largest else DECLINE
            moved = np.where(np.arange(len(values)) == i, np.outer(kinds[rng.integers(len(kinds))], values), values)
            taken = next(filter(takes, moved), None)
            if taken is not None:
                values = taken
                yield taken


def _holds(domains: Sequence[Domain], values: np.ndarray) -> bool:
    return all(v in d for d, v in zip(domains, values, strict=True))


def arrays_of(tuples: np.ndarray, shape: Shape) -> Arrays:
    """Make an array of each input's values."""
    return tuple(np.array(column.reshape(shape)) for column in tuples.T)


def _within(domains: Sequence[Domain], rng: np.random.Generator, number: int) -> np.ndarray:
    columns = []
    for domain in domains:
        values = anywhere(rng, (100 * number,))
        held = values[domain.holds(values)]
        columns.append(np.resize(held, number) if held.size >= number else inside(domain, Noise(0), (number,)))
    return np.array(columns).T
