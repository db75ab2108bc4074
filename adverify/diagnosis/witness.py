"""Inputs at which an op's gradient and the true one are known: what a diagnosis has to fit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from adverify import oracle
from adverify.case import Case, flat, largest, unflat
from adverify.directions import is_lopsided, room_of
from adverify.domains import SYMMETRIC
from adverify.engine import Variable, variable
from adverify.evaluation import Evaluator
from adverify.properties.base import EPS
from adverify.subject import Arrays, BackwardRaised, Rejected

RELATIVE = 3e-7
"""How closely a diagnosis has to fit, beside the oracle's error."""

CLEARLY = 10
"""How many error bars of the oracle's screen make a difference."""

SHARP = 1e-4
"""An error bar above this share of the gradient's size tells nothing."""

SLIGHT = 1e-5
"""An error below this share of the gradient's size is one of digits: hardly anything but digits explains it."""

KNOWN = 0.7
"""Of a gradient's elements, so many have to be known for it to tell anything."""

MOST_ELEMENTS = 400
"""Every one of which is moved by itself: a larger input says no more about what is wrong."""

RUNGS = 20
"""Of the oracle's ladder: down to steps that tell a kink nearby."""

KINK_RUNG = 9
"""Steps at which a kink at the point is told from curvature."""


@dataclass(frozen=True, eq=False)
class Witness:
    """A case with its true gradient.

    Attributes
    ----------
    case : Case
    expected, bar : tuple of ndarray
        The true gradients, NaN where not known, and their error bars.
    near : bool
        It is the falsifying example, or beside it: what is said of all inputs needs others as well.
    """

    case: Case
    expected: Arrays
    bar: Arrays
    near: bool = False

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
        return self.is_known(i)

    def is_known(self, i: int) -> bool:
        """Whether enough of the true gradient of input `i` is known for it to tell anything."""
        return bool(np.isfinite(self.expected[i]).mean() >= KNOWN) if self.expected[i].size else True

    def vanishes(self, i: int) -> bool:
        """Whether the true gradient of input `i` is zero, as far as is known: many changes would make another so."""
        with np.errstate(invalid="ignore"):
            return not (np.abs(self.expected[i]) > self.bar[i]).any()

    def is_times(self, i: int, factor: np.ndarray | float) -> bool:
        """Whether what backward gives is `factor` times the true gradient of input `i`."""
        expected, actual = self.expected[i], self.actual[i]
        known = np.isfinite(expected)
        bar = self.bar[i] * np.abs(factor) + RELATIVE * np.abs(actual)
        vanishes = ~np.isfinite(actual) | (np.abs(expected) <= self.bar[i])
        fits = np.where(np.isfinite(factor), np.abs(actual - expected * factor) <= bar, vanishes)
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
        and (d.structure in SYMMETRIC or (by_inference and not is_lopsided(np.asarray(g, float))))
        for a, d, by_inference, g in zip(
            case.arrays, case.sampling.domains, case.sampling.convention, case.vjp, strict=True
        )
    )


def measured(case: Case) -> Witness | None:
    """Measure the gradient at a case; None if backward gives none of its shape, forward refuses, or it is large."""
    if sum(a.size for a in case.arrays) > MOST_ELEMENTS:
        return None
    try:
        if any(np.shape(g) != a.shape for g, a in zip(case.vjp, case.arrays, strict=True)):
            return None
        size = float(max((np.abs(v).max(initial=0.0) for v in case.vjp), default=0.0))
        expected, bar = true_gradient(case, _mirrored(case), size if np.isfinite(size) else 0.0)
        seen = tuple(np.where(_is_hidden(case, e, v), np.nan, e) for e, v in zip(expected, case.vjp, strict=True))
        return Witness(case, seen, bar)
    except (Rejected, BackwardRaised):
        return None


def _is_hidden(case: Case, expected: np.ndarray, actual: np.ndarray) -> np.ndarray:
    """Tell where outputs do not move at all, and are so large that they would not if `actual` were the gradient."""
    size = max((float(np.abs(g * y).max(initial=0.0)) for g, y in zip(case.cotangents, case.outputs, strict=True)))
    return np.asarray((expected == 0) & (actual != 0) & (np.abs(actual) < EPS * size))


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
    samples = oracle.sample(evaluate, x, g, directions, RUNGS)
    estimate = oracle.screen(samples)
    share = np.where(partner == rows, 1.0, 2.0) * step
    with np.errstate(all="ignore"):
        value, error = estimate.value / share, estimate.error / share
        size = float(np.abs(value[np.isfinite(value)]).max(initial=usual))
        bar = CLEARLY * error + RELATIVE * np.abs(value) + 1e-11 * size
        sharp = bar <= SHARP * np.maximum(np.abs(value), 1e-3 * size) + 1e-300
        value = np.where(sharp & ~_is_kink(samples), value, np.nan)
    return unflat(value, case.arrays), unflat(bar, case.arrays)


def _is_kink(samples: oracle.Samples) -> np.ndarray:
    """Tell along which directions the slopes on both sides are unlike: a central difference gives their mean."""
    right, left = (oracle.one_sided(samples, side)[:, KINK_RUNG] for side in (1, -1))
    return np.abs(right - left) > 1e-3 * np.maximum(np.abs(right), np.abs(left))


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


def is_slight(witnesses: Sequence[Witness], i: int, scale: float) -> bool:
    """Whether all that is wrong is the last digits, for gradients as large as they get elsewhere."""
    return all(
        bool((np.abs(w.actual[i] - w.expected[i]) <= SLIGHT * scale * largest(*w.cotangents))[known].all())
        for w in witnesses
        for known in [np.isfinite(w.expected[i])]
    )


def scale_of(witnesses: Sequence[Witness], i: int) -> float:
    """Give how large gradients of an input are for a cotangent of 1: at a single witness they may vanish."""
    sizes = ((float(np.nan_to_num(np.abs(w.expected[i])).max()), largest(*w.cotangents)) for w in witnesses)
    return max((size / g for size, g in sizes if g), default=0.0)


def fresh(case: Case) -> list[Variable]:
    """Give the inputs of a case as new Variables."""
    return [variable(np.array(a)) for a in case.arrays]


def is_same(a: np.ndarray, b: np.ndarray) -> bool:
    """Whether two arrays are alike but for rounding."""
    return a.shape == b.shape and bool(np.allclose(a, b, rtol=1e-9, atol=1e-12 * float(np.abs(b).max(initial=0.0))))
