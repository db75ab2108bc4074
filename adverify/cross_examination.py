"""A close look along some directions: the full ladder, its noise, and the slopes that it shows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from adverify import oracle
from adverify.ladders import sampled
from adverify.oracle import EPS, Plateau
from adverify.question import Question
from adverify.view import View

ROUNDED = 2e-5
"""Relative steps of forward below which it is taken to round, above which to be a staircase."""

SLIGHT = 1e-3
"""A slope, in units of usual outputs, that is none where nothing else is known."""

SIDES = (0, 1, -1)
"""Both at once, in the middle between them; to the right; to the left."""

QUIET = 8
"""Rungs over which a constant shows nothing."""

SHOWN = 8
"""Roundings of its result that any forward makes."""


def stacked(samples: Sequence[oracle.Samples]) -> oracle.Samples:
    """Put the samples of several questions together."""
    none = np.zeros((0, 0), bool)  # which outputs move is not asked of them together
    return oracle.Samples(np.concatenate([s.phi for s in samples]), np.concatenate([s.size for s in samples]), none)


def views(asked: Sequence[tuple[Question, np.ndarray]]) -> Iterator[list[View]]:
    """Look along the directions of each question, given by their numbers, on the full ladder."""
    ladders = sampled([(q, q.directions(rows)) for q, rows in asked], oracle.FULL_RUNGS)
    together = stacked(ladders)
    slopes = np.array([oracle.central(together), oracle.one_sided(together, 1), oracle.one_sided(together, -1)])
    start = 0
    for (q, rows), samples in zip(asked, ladders, strict=True):
        yield _views_of(q, rows, samples, slopes[:, start : start + rows.size])
        start += rows.size


def _views_of(q: Question, rows: np.ndarray, samples: oracle.Samples, slopes: np.ndarray) -> list[View]:
    levels, directions = slopes.shape[2], q.directions(rows)
    rounding = np.maximum(samples.rounding[:, :levels], (_sensitivity(q, samples) + _inside(q, samples))[:, None])
    rounding = np.maximum(rounding, np.abs(np.nan_to_num(slopes[0])) * _step_rounding(q, directions)[:, None])
    sides = np.array([oracle.amplification(side) for side in SIDES])
    noise = sides[:, None, None] * rounding * 2.0 ** np.arange(levels)
    actual, terms = q.along, q.terms
    seen = []
    for i, row in enumerate(rows):
        shortest = np.abs(directions[i][directions[i] != 0]).min(initial=np.inf)
        slight = SLIGHT * max(q.scale, q.noise / EPS) * float(shortest)
        centre, right, left = (_candidates(slopes[s][i], rounding[i], samples, i, q, s, slight) for s in SIDES)
        seen.append(
            View(q, directions[i], float(actual[row]), samples.phi[i], samples.moves[i], 4 * samples.rounding[i],
                 float(terms[row]), centre, right, left, slopes[:, i], noise[:, i])
        )  # fmt: skip
    return seen


def _step_rounding(q: Question, directions: np.ndarray) -> np.ndarray:
    """How far the rounding of x + t u moves t: ulps of all elements at once need not show it."""
    with np.errstate(all="ignore"):
        off = np.where(directions != 0, 0.5 * np.spacing(np.abs(q.x)) / np.abs(directions), 0.0)
    return np.asarray(off.max(axis=1, initial=0.0))


def _sensitivity(q: Question, samples: oracle.Samples) -> np.ndarray:
    """What a few ulps of the input do to phi: an ill-conditioned forward has at least as much noise of its own."""
    with np.errstate(all="ignore"):
        drift = np.abs(q.evaluate(q.near.reshape(-1, q.x.size)) - q.at_x) * np.abs(q.g)
        drift = np.where(np.isfinite(drift), drift, 0.0).max(axis=0, initial=0.0)
        return np.asarray(0.5 * np.where(samples.moves, drift, 0.0).sum(axis=1))


def _inside(q: Question, samples: oracle.Samples) -> np.ndarray:
    """What forward rounds inside, where that is more than its result shows: what it does at usual points.

    Of outputs that are larger than usual it rounds more off, in proportion.
    """
    if not q.scale or q.noise <= SHOWN * EPS * q.scale:
        return np.zeros(len(samples.moves))
    larger = np.maximum(1.0, np.nan_to_num(np.abs(q.at_x)) / q.scale)
    return q.noise * (samples.moves @ (np.abs(q.g) * larger))


def _candidates(
    d: np.ndarray, rounding: np.ndarray, samples: oracle.Samples, row: int, q: Question, side: int, slight: float
) -> list[Plateau]:
    """The plateaus of one ladder; where one vanishes, its error is the smallest change that forward can show."""
    phi, size = np.abs(samples.phi[row]), samples.size[row]
    phi = phi[{0: slice(None), 1: slice(0, 1), -1: slice(1, 2)}[side]]
    moved = phi[np.isfinite(phi) & (phi > 0)]
    smallest = float(moved.min()) if moved.size else 0.0
    magnitude = max(q.scale, float(np.nan_to_num(size[:, -1]).max()))
    runs = []
    coarse = phi[:, :8][np.isfinite(phi[:, :8])]
    reference = float(np.median(coarse)) if coarse.size else 0.0
    for p in oracle.plateaus(d, rounding, reference, side, q.resolution):
        if p.value == 0 and 0 < smallest <= max(ROUNDED, q.resolution) * magnitude:
            last_change = np.flatnonzero(d[: p.finest + 1])
            vanishes = max(p.coarsest, int(last_change[-1]) + 1 if last_change.size else 0)
            # Of several outputs a small one may still change where those that matter no longer can.
            change = max(smallest, float(rounding[min(vanishes, len(rounding) - 1)]))
            p = replace(p, error=max(p.error, 2 * change * 2.0**vanishes))
        runs.append(p)
    return _quiet(phi[:, :QUIET], rounding[:QUIET], slight) + runs


def _quiet(coarse: np.ndarray, rounding: np.ndarray, slight: float) -> list[Plateau]:
    """The plateau of a constant: however long the step, phi shows no more than a few roundings, which are but little.

    Steps in proportion to a tiny element are too short to tell a constant from an infinite slope.
    """
    most = 4 * float(rounding.max())
    if not (coarse <= most).all() or 16 * most > slight:  # NaN is not
        return []
    return [Plateau(0.0, 16 * most, 0, QUIET - 1, flat=False, quiet=True)]
