"""Values of several inputs that forward takes together, where what it takes of one depends on the others."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from adverify.domains import Domain, real
from adverify.evaluation import Memory
from adverify.fillings import Noise, inside
from adverify.sampling import Sampling
from adverify.shapes import Shape, pool
from adverify.subject import Arrays

Accepts = Callable[[Sequence[np.ndarray]], bool]

TRIES, USUALLY = 48, 0.9
"""How many tuples of values within the domains are tried, and the share that is taken if domains say enough."""

FEW, OUTSIDE = 150, 0.2
"""How many tuples of any values are tried first, and the share, of those taken, that lies in no known domains."""

TUPLES, ENOUGH, MOST = 1500, 24, 256
"""How many are tried then, how many have to be taken, and how many are kept."""

SIZES = (1.0, 0.1, 0.3, 3.0, 1e-3, 1e3)
"""Their magnitudes."""

SHAPES: tuple[Shape, ...] = (
    (), (1,), (2,), (3,), (5,), (11,), (1, 1), (2, 3), (3, 3), (4, 2), (2, 1, 3), (2, 2, 2), (0,), (2, 0)
)  # fmt: skip


def taken_together(accepts: Accepts, known: Sequence[Sampling]) -> Sampling | None:
    """Find tuples of values, one for each input, where domains, which are of one input each, do not say what is taken.

    As of three sides that make a triangle. None if domains say enough, or if it is not element by element that forward
    takes or refuses.
    """
    first, arity = known[0], known[0].arity
    single = next((s for s in SHAPES if np.prod(s) == 1 and (s,) * arity in first.shapes), None)
    if arity == 1 or single is None or any(d.structure not in ("", "ascending") for d in first.domains):
        return None
    rng = np.random.default_rng(3)

    def taken(tuples: np.ndarray) -> np.ndarray:
        fitting = (t for t in tuples if accepts(arrays_of(t[None], single)))
        return np.array([*itertools.islice(fitting, MOST)]).reshape(-1, arity)

    def anywhere(number: int) -> np.ndarray:
        return _anywhere(rng, (number, arity)) * np.resize(SIZES, number)[:, None]

    if _say_enough([s.domains for s in known], taken(_within(first.domains, rng)), taken(anywhere(FEW))):
        return None
    ordinary = taken(anywhere(TUPLES))
    if len(ordinary) < ENOUGH:
        return None
    shapes = [
        (s,) * arity for s in SHAPES
        if all(accepts(arrays_of(rng.choice(ordinary, int(np.prod(s))), s)) for _ in range(4))
    ]  # fmt: skip
    if not any(len(shape) and shape[0] > 1 for shape, *_ in shapes):
        return None
    simplest_first = ordinary[np.abs(ordinary).sum(axis=1).argsort(kind="stable")]
    return replace(first, shapes=pool(shapes), domains=(real,) * arity, together=simplest_first, memory=Memory())


def _say_enough(known: Sequence[Sequence[Domain]], within: np.ndarray, anywhere: np.ndarray) -> bool:
    """Whether forward takes most of what lies in the domains, and most of what it takes lies in them."""
    held = [np.all([d.holds(v) for d, v in zip(domains, anywhere.T, strict=True)], axis=0) for domains in known]
    outside = int((~np.any(held, axis=0)).sum())
    return len(within) > USUALLY * TRIES and outside <= OUTSIDE * len(anywhere)


def arrays_of(tuples: np.ndarray, shape: Shape) -> Arrays:
    """Make an array of each input's values."""
    return tuple(np.array(column.reshape(shape)) for column in tuples.T)


def _anywhere(rng: np.random.Generator, shape: Shape) -> np.ndarray:
    return np.where(rng.random(shape) < 0.5, rng.normal(scale=1.5, size=shape), rng.uniform(-10, 10, shape))


def _within(domains: Sequence[Domain], rng: np.random.Generator) -> np.ndarray:
    columns = []
    for domain in domains:
        values = _anywhere(rng, (100 * TRIES,))
        held = values[domain.holds(values)]
        columns.append(np.resize(held, TRIES) if held.size >= TRIES else inside(domain, Noise(0), (TRIES,)))
    return np.array(columns).T
