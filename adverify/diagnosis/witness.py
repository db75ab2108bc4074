"""Inputs at which an op's gradient and the true one are known: what a diagnosis has to fit."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from adverify import oracle
from adverify.case import Case, flat, unflat
from adverify.evaluation import Evaluator
from adverify.properties.gradient import _is_lopsided, room_of
from adverify.strategies.cases import ordinary
from adverify.strategies.values import MATRICES, Regime, structured
from adverify.subject import Arrays, BackwardRaised, Rejected

RELATIVE = 3e-7
"""How closely a diagnosis has to fit, beside the oracle's error."""

CLEARLY = 10
"""How many error bars of the oracle's screen make a difference."""

SHARP = 1e-4
"""An error bar above this share of the gradient's size tells nothing."""

KNOWN = 0.7
"""Of a gradient's elements, so many have to be known for it to tell anything."""

RUNGS = 20
"""Of the oracle's ladder: down to steps that tell a kink nearby."""

ALIKE, FEW_AXES = 3, 4
"""The length of all axes of an input that tells what is transposed; forward need not take it."""

ELEMENTS = 40
SHAPES, OTHER_RANKS, SEEDS = 4, 3, 2


@dataclass(frozen=True, eq=False)
class Witness:
    """A case with its true gradient.

    Attributes
    ----------
    case : Case
    expected, bar : tuple of ndarray
        The true gradients, NaN where not known, and their error bars.
    """

    case: Case
    expected: Arrays
    bar: Arrays

    @cached_property
    def actual(self) -> Arrays:
        """What backward gives."""
        return self.comparable(self.case.vjp)

    @property
    def arrays(self) -> Arrays:
        return self.case.arrays

    @property
    def cotangents(self) -> Arrays:
        return self.case.cotangents

    @cached_property
    def cotangent(self) -> np.ndarray | None:
        """The cotangent, of an op of one output."""
        return self.case.cotangents[0] if len(self.case.cotangents) == 1 else None

    def comparable(self, gradients: Sequence[np.ndarray]) -> Arrays:
        """Give gradients as they are measured: symmetric, where only symmetric changes have a meaning."""
        return tuple(
            0.5 * (g + np.swapaxes(g, -1, -2)) if mirrored else g
            for g, mirrored in zip((np.asarray(g, float) for g in gradients), _mirrored(self.case), strict=True)
        )

    def is_mirrored(self, i: int) -> bool:
        return _mirrored(self.case)[i]

    def agrees(self, i: int, gradient: np.ndarray) -> np.ndarray:
        """Tell, element by element, where `gradient` may be the true one of input `i`; also where that is not known."""
        expected, bar = self.expected[i], self.bar[i]
        if np.shape(gradient) != expected.shape:
            return np.zeros(expected.shape, bool)
        with np.errstate(all="ignore"):
            return np.asarray((np.abs(gradient - expected) <= bar) | np.isnan(expected))

    def fits(self, i: int, gradient: np.ndarray | None) -> bool:
        """Whether `gradient` may be the true one of input `i`."""
        if gradient is None or gradient.shape != self.arrays[i].shape or not self.agrees(i, gradient).all():
            return False
        return bool(np.isfinite(self.expected[i]).mean() >= KNOWN) if gradient.size else True

    def is_times(self, i: int, factor: np.ndarray | float) -> bool:
        """Whether what backward gives is `factor` times the true gradient of input `i`."""
        expected, actual = self.expected[i], self.actual[i]
        known = np.isfinite(expected)
        if known.size and known.mean() < KNOWN:
            return False
        bar = self.bar[i] * np.abs(factor) + RELATIVE * np.abs(actual)
        fits = (np.abs(actual - expected * factor) <= bar) | ~(np.isfinite(actual) | np.isfinite(factor))
        return bool(fits[known].all())

    def wrong(self, i: int) -> np.ndarray:
        """Tell where what backward gives is not the true gradient."""
        return ~self.agrees(i, self.actual[i])

    def backward(self, arrays: Arrays | None = None, cotangents: Arrays | None = None) -> Arrays | None:
        """Give what backward gives at other inputs or for other cotangents; None if it gives nothing."""
        try:
            gradients = self.case.subject.vjp(arrays or self.arrays, cotangents or self.cotangents)
        except (Rejected, BackwardRaised):
            return None
        if any(np.shape(g) != a.shape for g, a in zip(gradients, self.arrays, strict=True)):
            return None
        return self.comparable(gradients)

    def truth(self, arrays: Arrays | None = None, cotangents: Arrays | None = None) -> Witness | None:
        """Measure at other inputs or for other cotangents; None if forward does not take them."""
        case = self.case.at(arrays or self.arrays)
        case.__dict__["cotangents"] = cotangents or self.cotangents  # where a cached property keeps it
        return measured(case)


def _mirrored(case: Case) -> tuple[bool, ...]:
    """Tell of each input whether its gradient only has a meaning along symmetric matrices."""
    return tuple(
        a.ndim >= 2
        and a.shape[-1] == a.shape[-2]
        and (d.structure in MATRICES or (by_inference and not _is_lopsided(np.asarray(g, float))))
        for a, d, by_inference, g in zip(
            case.arrays, case.sampling.domains, case.sampling.convention, case.vjp, strict=True
        )
    )


def measured(case: Case) -> Witness | None:
    """Measure the gradient at a case; None if backward gives none of the right shape, or forward does not take it."""
    try:
        if any(np.shape(g) != a.shape for g, a in zip(case.vjp, case.arrays, strict=True)):
            return None
        size = float(max((np.abs(v).max(initial=0.0) for v in case.vjp), default=0.0))
        return Witness(case, *true_gradient(case, _mirrored(case), size if np.isfinite(size) else 0.0))
    except (Rejected, BackwardRaised):
        return None


def true_gradient(case: Case, mirrored: Sequence[bool] = (), usual: float = 0.0) -> tuple[Arrays, Arrays]:
    """Measure the gradient of each input, NaN where that fails, and its error bar.

    Parameters
    ----------
    case : Case
    mirrored : sequence of bool
        Which inputs are changed along symmetric matrices only. Default: none.
    usual : float
        How large gradients are, if they may vanish at the case.
    """
    x, g = flat(case.arrays), flat(case.cotangents)
    if not x.size:
        return case.arrays, case.arrays
    sizes = [a.size for a in case.arrays]
    room = flat(tuple(room_of(a, d) for a, d in zip(case.arrays, case.sampling.domains, strict=True)))
    mirror = [_mirror(a.shape, m) for a, m in zip(case.arrays, mirrored or [False] * len(sizes), strict=True)]
    partner = np.repeat(np.cumsum([0, *sizes])[:-1], sizes) + flat(tuple(mirror)).astype(int)
    step, rows = np.minimum(room, room[partner]), np.arange(x.size)
    directions = np.zeros((x.size, x.size))
    directions[rows, rows] = directions[rows, partner] = step
    evaluate = Evaluator(case.subject, case.arrays, case.outputs, case.sampling.memory)
    estimate = oracle.screen(oracle.sample(evaluate, x, g, directions, RUNGS))
    share = np.where(partner == rows, 1.0, 2.0) * step
    with np.errstate(all="ignore"):
        value, error = estimate.value / share, estimate.error / share
        size = float(np.abs(value[np.isfinite(value)]).max(initial=usual))
        bar = CLEARLY * error + RELATIVE * np.abs(value) + 1e-11 * size
        value = np.where(bar <= SHARP * np.maximum(np.abs(value), 1e-3 * size) + 1e-300, value, np.nan)
    return unflat(value, case.arrays), unflat(bar, case.arrays)


def _mirror(shape: tuple[int, ...], mirrored: bool) -> np.ndarray:
    index = np.arange(int(np.prod(shape))).reshape(shape)
    return np.swapaxes(index, -1, -2) if mirrored else index


def slope(case: Case, members: np.ndarray) -> tuple[float, float]:
    """Measure how the output changes, weighted by the cotangent, if some elements of all inputs move together."""
    x, g = flat(case.arrays), flat(case.cotangents)
    room = flat(tuple(room_of(a, d) for a, d in zip(case.arrays, case.sampling.domains, strict=True)))
    step = float(room[members].min())
    evaluate = Evaluator(case.subject, case.arrays, case.outputs, case.sampling.memory)
    estimate = oracle.screen(oracle.sample(evaluate, x, g, step * members[None].astype(float), RUNGS))
    return float(estimate.value[0]) / step, CLEARLY * float(estimate.error[0]) / step


def gather(case: Case, until: float) -> list[Witness]:
    """Measure the case itself and other ordinary inputs, as many as there is time for; those of its ranks first.

    Where backward gives NaN or infinity at the case, nothing but that is to be learnt from it.
    """
    found = [w for w in [measured(case)] if w is not None and _tells(w) and all(np.isfinite(v).all() for v in w.actual)]
    for other in itertools.chain(_beside(case), alternatives(case)):
        if time.thread_time() > until:
            break
        witness = measured(other)
        if witness is not None and _tells(witness):
            found.append(witness)
    return found


def _tells(w: Witness) -> bool:
    return all(a.size for a in (*w.arrays, *w.cotangents))


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
    """Give cases of the same ranks as a case, in shapes that tell most, then of a few other ranks."""
    own = tuple(a.ndim for a in case.arrays)
    if case.sampling.given:
        yield from (replace(case.at(case.arrays), seed=case.seed + 1 + k) for k in range(SEEDS))
        return
    groups: dict[tuple[int, ...], list[tuple[tuple[int, ...], ...]]] = {}
    for shapes in case.sampling.telling:
        groups.setdefault(tuple(len(s) for s in shapes), []).append(shapes)
    ranks = sorted(groups, key=lambda r: (r != own, sum(abs(n - 2) for n in r), r))[: 1 + OTHER_RANKS]
    for rank in ranks:
        alike = tuple((ALIKE if sum(rank) <= FEW_AXES else 2,) * n for n in rank)
        for shapes in [alike, *_telling(groups[rank])[: SHAPES if rank == own else 2]]:
            for k in range(SEEDS):
                rng = np.random.default_rng([case.seed, 11, k])
                arrays = ordinary(shapes, case.sampling, rng)
                yield replace(case.at(arrays), seed=case.seed + 1 + k)


def _telling(shapes: Sequence[tuple[tuple[int, ...], ...]]) -> list[tuple[tuple[int, ...], ...]]:
    """Order shapes by how much they tell: alternately those whose axes are unlike, and alike; no axis of one, large."""

    def worth(s: tuple[tuple[int, ...], ...]) -> tuple[int, int]:
        sizes = [n for shape in s for n in shape]
        total = sum(int(np.prod(shape)) for shape in s)
        return sum(n == 1 for n in sizes), abs(total - ELEMENTS // 2)

    alike = sorted((s for s in shapes if all(len(set(shape)) < 2 for shape in s)), key=worth)
    unlike = sorted((s for s in shapes if s not in alike), key=worth)
    both = [s for pair in zip(alike, unlike, strict=False) for s in pair]
    return [*both, *alike[len(both) // 2 :], *unlike[len(both) // 2 :]]
