"""Which inputs are witnesses: those that a diagnosis which is true at the falsifying example only would not survive."""

from __future__ import annotations

import contextlib
import itertools
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cache

import numpy as np

from adverify.case import Case
from adverify.diagnosis.witness import Witness, measured
from adverify.domains import Domain
from adverify.sampling import Sampling
from adverify.shapes import Shapes
from adverify.strategies.cases import ordinary
from adverify.strategies.values import Regime, structured, table
from adverify.subject import Arrays, Rejected

PATIENCE = 10.0
"""How many times as long something may take by the clock, on a busy machine or for an op that waits."""

ALIKE, FEW_AXES = 3, 4
"""The length of all axes of an input that tells what is transposed; forward need not take it."""

LARGE = 5.3
"""Times the usual cotangent: what is rounded or clipped is told from what is multiplied."""

SMALL = 0.15
"""Times ordinary values, at every second pair of witnesses."""

ELEMENTS = 40
SPREAD, SPREAD_OF_ONE, SHAPES, OTHER_SHAPES, OTHER_RANKS, SINGLE, SEEDS = 6, 16, 4, 3, 5, 2, 2


class Stopwatch:
    """Counts seconds of processor time; of an op that waits, a share of those that pass."""

    def __init__(self) -> None:
        self._work, self._wall = time.thread_time(), time.monotonic()

    @property
    def seconds(self) -> float:
        return max(time.thread_time() - self._work, (time.monotonic() - self._wall) / PATIENCE)


def gather(case: Case, stopwatch: Stopwatch, most: float) -> list[Witness]:
    """Measure the case itself, what is beside it, and other ordinary inputs, as many as there is time for.

    Where backward gives NaN or infinity at the case, nothing but that is to be learnt from it.
    """
    found = []
    near = ((other, True) for other in (case, *_beside(case)))
    for other, is_near in itertools.chain(near, ((other, False) for other in alternatives(case))):
        if stopwatch.seconds > most:
            break
        witness = measured(other)
        if witness is None or not all(a.size for a in (*witness.arrays, *witness.cotangents)):
            continue
        if other is not case or all(np.isfinite(v).all() for v in witness.actual):
            found.append(replace(witness, near=is_near))
    return found


def _beside(case: Case) -> Iterator[Case]:
    """Give cases a little way off: what is wrong in a small region only is wrong there as well."""
    for k in range(SEEDS):
        rng = np.random.default_rng([case.seed, 12, k])
        arrays = tuple(
            structured(np.where(d.holds(a * (1 + s)), a * (1 + s), a), d, Regime.ORDINARY)
            for a, d in zip(case.arrays, case.sampling.domains, strict=True)
            for s in [rng.uniform(-0.04, 0.04, a.shape)]
        )
        yield replace(case.at(arrays), seed=case.seed + 1 + k)


def alternatives(case: Case) -> Iterator[Case]:
    """Give cases in which the values, the shapes and the ranks are others: first of the ranks of a case.

    A mistake may be made for some values only, for some numbers of axes, or where there is more than one element.
    """
    if case.sampling.given:
        made: Iterator[Arrays] = itertools.repeat(case.arrays, SEEDS)
    else:
        made = _of_other_values(case)
    for k, arrays in enumerate(made):
        other = replace(case.at(_small(arrays, case.sampling) if k // 2 % 2 else arrays), seed=case.seed + 1 + k)
        yield _with_large_cotangents(other) if k % 2 else other


def _small(arrays: Arrays, sampling: Sampling) -> Arrays:
    """Scale down what may be: of many ordinary values one is large, and may be what a mistake depends on."""
    return tuple(
        structured(np.where(d.holds(SMALL * a), SMALL * a, a), d, Regime.ORDINARY)
        for a, d in zip(arrays, sampling.domains, strict=True)
    )


def _with_large_cotangents(case: Case) -> Case:
    with contextlib.suppress(Rejected):
        case.__dict__["cotangents"] = tuple(LARGE * g for g in case.cotangents)  # where a cached property keeps it
    return case


def _of_other_values(case: Case) -> Iterator[Arrays]:
    own = tuple(a.shape for a in case.arrays)
    groups: dict[tuple[int, ...], list[Shapes]] = {}
    for shapes in case.sampling.telling:
        groups.setdefault(ranks_of(shapes), []).append(shapes)
    order = sorted(groups, key=lambda r: (r != ranks_of(own), len(set(r)) > 1, sum((n - 2) ** 2 for n in r), r))[
        : 1 + OTHER_RANKS
    ]
    single = sorted((s for s in case.sampling.shapes if all(np.prod(n) == 1 for n in s)), key=ranks_of)[:SINGLE]
    rng = np.random.default_rng([case.seed, 11])
    for shapes in [own, *single]:
        yield from _spread(shapes, case.sampling, rng)
    for rank in order:
        lengths = (ALIKE, ALIKE - 1) if sum(rank) <= FEW_AXES else (ALIKE - 1,)
        alike = [tuple((length,) * n for n in rank) for length in lengths]
        first, *others = _telling(groups[rank])[: SHAPES if rank == ranks_of(own) else OTHER_SHAPES]
        for shapes in [first, *alike, *others]:
            yield from (ordinary(shapes, case.sampling, rng) for _ in range(SEEDS))


def ranks_of(shapes: Shapes) -> tuple[int, ...]:
    """Give the number of axes of each input."""
    return tuple(map(len, shapes))


def _spread(shapes: Shapes, sampling: Sampling, rng: np.random.Generator) -> Iterator[Arrays]:
    """Fill shapes several times, so that each element takes values all over its domain (a Latin hypercube)."""
    count = SPREAD if any(np.prod(s) > 1 for s in shapes) else SPREAD_OF_ONE
    inputs = []
    for shape, domain in zip(shapes, sampling.domains, strict=True):
        ranked = _ranked(domain)
        strata = rng.permuted(np.tile(np.arange(count), (int(np.prod(shape)), 1)), axis=1).T
        at = (strata + rng.random(strata.shape)) / count * len(ranked)
        inputs.append([structured(v.reshape(shape), domain, Regime.ORDINARY) for v in ranked[at.astype(int)]])
    yield from zip(*inputs, strict=True)


@cache
def _ranked(domain: Domain) -> np.ndarray:
    return np.sort(table(domain, Regime.ORDINARY))


def _telling(shapes: Sequence[Shapes]) -> list[Shapes]:
    """Order shapes by how much they tell: alternately those whose axes are unlike and alike; no axis of one, large."""

    def worth(s: Shapes) -> tuple[int, int, int]:
        sizes = [n for shape in s for n in shape]
        total = sum(int(np.prod(shape)) for shape in s)
        return sum(n == 1 for n in sizes), -max(len(set(shape)) for shape in s), abs(total - ELEMENTS // 2)

    alike = sorted((s for s in shapes if all(len(set(shape)) < 2 for shape in s)), key=worth)
    unlike = sorted((s for s in shapes if s not in alike), key=worth)
    both = [s for pair in zip(unlike, alike, strict=False) for s in pair]
    return [*both, *alike[len(both) // 2 :], *unlike[len(both) // 2 :]]
