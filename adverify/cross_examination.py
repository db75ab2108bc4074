"""A close look along one direction: the full ladder, the slopes it shows, and whether they accuse."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from adverify import oracle
from adverify.excuses import Ray
from adverify.ladders import sampled
from adverify.oracle import EPS, Plateau
from adverify.question import RELATIVE_FLOOR, Finding, Question
from adverify.verdict import Status

ROUNDED = 2e-5
"""Relative steps of forward below which it is taken to round, above which to be a staircase."""

COARSE = 1e-3
"""A relative error bar above it decides nothing, though a disagreement beyond the bar is still one."""

ROUGHEST = 1e-3
"""Relative to outputs, more than the noise of any forward, and less than the jumps of a sawtooth."""

CLIMBS, CLIMBERS = 24, 32
"""How often, and with how many points each time, a slope nearby is sought that is more like the one claimed."""

KINK_RUNGS = (10, 14, 18)
"""Steps at all of which the two sides differ at a kink."""

BLIND = 0.1
"""Relative to slopes: with more noise than that nearby, no kink would show there."""

UNFINISHED, MOST_SIZES = 16, 1000
"""How many jumps of an iteration that stops early its slope may be off over a step: they come one after the other. And
of how many times an element's size a step is taken to be, if it is very small or zero."""

SURELY = 1000
"""How many error bars one-sided slopes are apart at a kink, however slight."""

COARSEST, MOST_LOST = 0.02, 3e4
"""The same for a forward that rounds to few digits: what a slope may lose of them, and the most that still decides."""

FAR = 1e3
"""How many times what rounding hides is a change that shows in spite of it."""

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
    slopes = {0: oracle.central(together), 1: oracle.one_sided(together, 1), -1: oracle.one_sided(together, -1)}
    start = 0
    for (q, rows), samples in zip(asked, ladders, strict=True):
        own = {side: d[start : start + rows.size] for side, d in slopes.items()}
        start += rows.size
        yield _views_of(q, rows, samples, own)


def _views_of(q: Question, rows: np.ndarray, samples: oracle.Samples, slopes: dict[int, np.ndarray]) -> list[View]:
    levels = slopes[0].shape[1]
    rounding = np.maximum(samples.rounding[:, :levels], (_sensitivity(q, samples) + _inside(q, samples))[:, None])
    noise = 2 * oracle.amplification(0) * rounding * 2.0 ** np.arange(levels)
    actual, terms, directions = q.along, q.terms, q.directions(rows)
    seen = []
    for i, row in enumerate(rows):
        centre, right, left = (_candidates(slopes[s][i], rounding[i], samples, i, q, s) for s in (0, 1, -1))
        seen.append(
            View(q, directions[i], float(actual[row]), samples.phi[i], samples.moves[i], 4 * samples.rounding[i],
                 float(terms[row]), centre, right, left, slopes[0][i], noise[i])
        )  # fmt: skip
    return seen


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
    d: np.ndarray, rounding: np.ndarray, samples: oracle.Samples, row: int, q: Question, side: int
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
    return runs


@dataclass(frozen=True)
class View(Ray):
    """All that is known along one direction.

    Attributes
    ----------
    terms : float
        What is added up to get the analytic value, in absolute value.
    centre, right, left : list of Plateau
        The slopes that the ladder shows, coarsest first.
    fine_slopes, fine_noise : ndarray
        The central estimates at every rung, and what noise does to them.
    """

    terms: float
    centre: list[Plateau]
    right: list[Plateau]
    left: list[Plateau]
    fine_slopes: np.ndarray
    fine_noise: np.ndarray

    def finding(self) -> Finding:
        right, left = self._nearest(self.right), self._nearest(self.left)
        if right is not None and left is not None and abs(right.value - left.value) > _slack(right, left):
            return self._at_kink(right, left)
        if right is None and left is None and (not self.centre or self._jumps()):
            return Finding(Status.UNDECIDED, self._why_nothing())
        if not self.centre:
            return self._at_edge(right, left)
        return self._smooth()

    @property
    def _coarse(self) -> float:
        """The relative error bar that decides: a wider one if forward has few digits."""
        return max(COARSE, min(COARSEST, MOST_LOST * self.q.resolution))

    def _nearest(self, plateaus: list[Plateau]) -> Plateau | None:
        """The plateau nearest to the point, unless it only says that forward is too coarse to move."""
        firm = [p for p in plateaus if self._is_firm(p)]
        return firm[-1] if firm else None

    def _jumps(self) -> bool:
        """Whether phi, on both sides, is as far from zero when steps are fine as when they are coarse."""
        with np.errstate(all="ignore"):
            size = np.where(np.isfinite(self.phi), np.abs(self.phi), np.nan)
            fine, coarse = size[:, size.shape[1] // 2 :], size.max(axis=1, where=~np.isnan(size), initial=0.0)
            stays: np.ndarray = (np.isnan(fine) | (fine > 0.5 * coarse[:, None])).all(axis=1)
        return bool((stays & ~np.isnan(fine).all(axis=1)).all())

    def _is_firm(self, p: Plateau) -> bool:
        change = np.where(np.isfinite(self.phi), np.abs(self.phi), 0.0).max()
        return bool(p.error <= max(1e-6 * change, 0.0 if p.flat else COARSE * abs(p.value)))

    def _agrees(self, value: float, error: float) -> bool:
        bar = error + RELATIVE_FLOOR * max(abs(value), self.terms) + self._floor
        return bool(np.isfinite(self.actual)) and abs(self.actual - value) <= bar

    @cached_property
    def _floor(self) -> float:
        """What rounding hides: inside forward where its output happens to be small, and in denormal slopes."""
        g = np.abs(self.q.g)
        hidden = max(self.q.scale, self.q.noise / EPS) * float(g.max(initial=0.0))
        if not np.nan_to_num(self.phi).any():
            hidden = max(hidden, float(g @ np.nan_to_num(np.abs(self.q.at_x))))
        denormal = float(np.finfo(float).tiny * np.abs(self.direction).sum())
        return 1e-300 + denormal + (0.0 if self._is_seen_from_afar(16 * EPS * hidden) else 16 * EPS * hidden)

    def _is_seen_from_afar(self, hidden: float) -> bool:
        """Whether the slope nearby, which `hidden` could explain away, is that of steps too long for it to matter."""
        firm = [p for p in self.centre if self._is_firm(p)]
        best = firm[-1] if firm else None
        if best is None or best.value == 0 or not best.error < abs(best.value - self.actual) <= hidden:
            return False
        far = FAR * hidden / abs(best.value) * np.array([1.0, 2.0, 4.0, 8.0])
        with np.errstate(all="ignore"):
            slopes = (self.values_along(far) - self.values_along(-far)) / (2 * far)
            return bool((np.abs(slopes - best.value) <= 0.1 * abs(best.value - self.actual)).all())

    def _smooth(self) -> Finding:
        firm = [p for p in self.centre if self._is_firm(p)]
        best = firm[-1] if firm else self.centre[-1]
        for p in self.centre:
            tells_apart = p is best or p.error < abs(best.value - self.actual)
            if self._agrees(p.value, p.error) and tells_apart:
                relative = p.error / max(abs(p.value), 1e-300) if p.error else 0.0
                if relative <= self._coarse or p.error <= self._floor:
                    return Finding(Status.HOLDS, "", p.value, p.value, p.error, relative)
                return Finding(Status.UNDECIDED, "the numerical derivative's error bar is too wide", p.value, p.value)
        if best.span < 6 or not firm or self._is_plausible_below(best):
            return Finding(Status.UNDECIDED, "the numerical derivative does not settle at any step")
        telling = abs(best.value - self.actual)
        seen = [best, *(p for p in self.centre + self.right + self.left if p.error < telling)]
        low, high = min(p.value for p in seen), max(p.value for p in seen)
        if len(self.centre) == 1 and abs(high - low) <= COARSE * max(abs(high), abs(low)) and not self._parts():
            low = high = best.value
        return self._accuse(low, high, best.error, [best], "")

    def _parts(self) -> bool:
        """Whether the two sides differ by little, but surely: a slight kink."""
        right, left = self._nearest(self.right), self._nearest(self.left)
        if right is None or left is None:
            return False
        return abs(right.value - left.value) > SURELY * (right.error + left.error)

    def _at_kink(self, right: Plateau, left: Plateau) -> Finding:
        low, high = sorted((right.value, left.value))
        if self._is_plausible_below(right) or self._is_plausible_below(left):
            return Finding(Status.UNDECIDED, "the numerical derivative does not settle at any step")
        return self._accuse(low, high, right.error + left.error, [right, left], "kink")

    def _at_edge(self, right: Plateau | None, left: Plateau | None) -> Finding:
        """One side decides if the other leaves the domain; at a jump there is nothing to agree with."""
        side, other = (right, 1) if right is not None else (left, 0)
        if side is None or not self._is_outside(other):
            return Finding(Status.UNDECIDED, "forward jumps at the point, or next to it")
        return self._accuse(side.value, side.value, side.error, [side], "edge")

    def _is_outside(self, side: int) -> bool:
        """Whether forward is not defined on one side of the point, however near."""
        beside = np.flatnonzero(np.isfinite(self.phi[1 - side]))[-4:]
        return not np.isfinite(self.phi[side, beside]).any()

    def _is_plausible_below(self, p: Plateau) -> bool:
        """Whether finer steps than a plateau's fit the analytic value: structure too small to settle on, not noise."""
        if not np.isfinite(self.actual):
            return False
        finer = self.fine_slopes[p.finest + 1 :]
        noise = self.fine_noise[p.finest + 1 :]
        telling = 0.1 * abs(self.actual - p.value)
        with np.errstate(all="ignore"):
            near = np.minimum(noise + 0.01 * abs(self.actual), telling)
            fits = (np.abs(finer - self.actual) <= near) & (noise <= telling)
        return bool((fits[:-2] & fits[1:-1] & fits[2:]).any()) if fits.size > 2 else False

    def _accuse(self, low: float, high: float, error: float, seen: Sequence[Plateau], where: str) -> Finding:
        """Accuse if nothing excuses; `low` and `high` bound the slopes seen."""
        coarsest, finest = min(p.coarsest for p in seen), min(p.finest for p in seen)
        if not np.isfinite(self.actual):
            excuse = self.excuse_for_no_number(low, high)
            return Finding(Status.UNDECIDED if excuse else Status.VIOLATED, excuse or where, low, high, error)
        error += RELATIVE_FLOOR * max(abs(low), abs(high), self.terms) + self._floor
        if self._outside(low, high, error):
            error += self.hidden(2.0**-coarsest) + self._roughness(coarsest) + self._backward_noise(coarsest)
            error += self._unfinished() + (self._kinks_that_cancel(finest) if where == "" and low == high else 0.0)
        if self.q.corner or where == "kink" or low != high:
            for points, outputs in itertools.chain(self.q.surroundings(), self._climbed(low + high)):
                if not self._outside(low, high, error):
                    break
                low, high, error = self._nearby(low, high, error, points, outputs)
        if self._outside(low, high, error):
            excuse = self.excuse_for(low, high, finest)
            settled = np.nan if where == "kink" else seen[0].value
            status = Status.UNDECIDED if excuse else Status.VIOLATED
            return Finding(status, excuse or where, low, high, error, settled=settled)
        if where == "kink" or low == high:
            size = max(abs(low), abs(high))
            change = float(np.abs(np.nan_to_num(self.phi)).max())
            if error > self._coarse * max(size, change):
                return Finding(Status.UNDECIDED, "the numerical derivative's error bar is too wide", low, high, error)
            return Finding(Status.HOLDS, where, low, high, error, error / size if size else 0.0)
        return Finding(Status.UNDECIDED, "a kink is closer than the oracle can tell apart", low, high, error)

    def _roughness(self, coarsest: int) -> float:
        """What forward's noise, or jumps of an iteration's length, do to a slope.

        A pole or a bend next to the plateau is neither: seen from farther away it is one place among many.
        """
        step = 2.0**-coarsest
        reaches = (4, *(reach for reach in (32, 256, 2048, 16384) if reach <= 256 or reach * step <= 1))
        near, *far = (oracle.roughness(self.values_along(reach * step * oracle.GRID)) for reach in reaches)
        size = max(self.q.scale, float(np.abs(self.q.at_x).max())) * float(np.abs(self.q.g).max())
        noise = min(float(near.max()), max(float(np.median(r)) for r in far))
        if noise > ROUGHEST * size:
            return 0.0  # jumps or poles all over: no iteration leaves so much, and the plateau is between them
        together = float(np.sqrt(np.count_nonzero(self.direction)))  # slopes between jumps add up, jumps average out
        return 8 * together * noise / step

    def _unfinished(self) -> float:
        """What an iteration that stops early leaves: the change of an element by its own size is off by a few jumps."""
        if not self.q.jump:
            return 0.0
        moved = self.direction != 0
        with np.errstate(all="ignore"):
            sizes = np.abs(self.direction[moved] / self.q.x[moved]).max()
        return UNFINISHED * self.q.jump * float(np.abs(self.q.g).max() * np.clip(sizes, 1.0, MOST_SIZES))

    def _kinks_that_cancel(self, finest: int) -> float:
        """By how much outputs' slopes differ between the two sides, where all of them together show no kink.

        Nearly equal eigenvalues bend away from each other in a smooth sum. What is curved differs in proportion
        to the step, of which nothing is left here; what is a kink at one length only is another branch.
        """
        rungs = [r for r in KINK_RUNGS if r <= finest] or [finest]
        t = 2.0 ** -np.array(rungs, float)
        steps = (t[:, None] * [2.0, 1.0, -1.0, -2.0]).reshape(-1, 1) * self.direction
        with np.errstate(all="ignore"):
            changes = (self.q.evaluate(self.q.x + steps) - self.q.at_x).reshape(len(rungs), 4, -1)
            kinks = np.abs(2 * (changes[:, 1] + changes[:, 2]) - (changes[:, 0] + changes[:, 3]) / 2) / t[:, None]
            kinks = np.where(kinks > SHOWN**2 * EPS * np.abs(self.q.at_x) / t[:, None], kinks, 0.0).min(axis=0)
        return float(np.nan_to_num(kinks) @ np.abs(self.q.g))

    def _outside(self, low: float, high: float, error: float) -> bool:
        return not low - error <= self.actual <= high + error

    def _backward_noise(self, coarsest: int) -> float:
        """How much backward's values along the direction scatter among neighbouring floats of one side.

        Not against the point itself, whose value may be a convention at a kink. Where digits cancel, neighbouring
        floats may give the same; then it shows as roughness in most places of a longer stretch.
        """
        near = self._claimed(self.q.near.reshape(-1, self.q.x.size)).reshape(self.q.near.shape[:2])
        with np.errstate(all="ignore"):
            scatter = near.max(axis=1) - near.min(axis=1)
        stretch = self._claimed(self.q.x + 2.0**-coarsest * oracle.GRID[:, None] * self.direction)
        return 4 * float(np.where(np.isfinite(scatter), scatter, 0.0).max()) + 8 * float(
            np.median(oracle.roughness(stretch))
        )

    def _claimed(self, points: np.ndarray) -> np.ndarray:
        """What backward says of the slope along the direction, at several points."""
        with np.errstate(all="ignore"):
            along: np.ndarray = np.where(self.direction == 0, 0.0, self.q.backward(points) * self.direction).sum(axis=1)
        return along

    def _nearby(
        self, low: float, high: float, error: float, points: np.ndarray, outputs: np.ndarray
    ) -> tuple[float, float, float]:
        """Widen the slopes to Clarke's generalised directional derivative, from points where nothing ties.

        A subgradient of a function like sort or median need not lie between the two one-sided slopes at the point
        (Clarke, Optimization and Nonsmooth Analysis, 1983, section 2.1).
        """
        t = 2.0**-27
        with np.errstate(all="ignore"):
            ahead = self.q.evaluate(points + t * self.direction)
            slopes = (ahead - outputs) * self.q.g / t
        finite = np.isfinite(slopes).all(axis=1)
        if not finite.any():
            return low, high, error
        # Outputs have kinks independently of each other, in more combinations than points can show.
        slopes, moves = slopes[finite], (slopes[finite] != 0).any(axis=0)
        size = float((np.abs(ahead[finite]) @ np.abs(self.q.g * moves)).max())
        near = float(slopes.min(axis=0).sum()), float(slopes.max(axis=0).sum())
        blur = 16 * EPS * size / t
        coarse = 1e-3 * max(map(abs, near)) + blur
        if low - coarse <= near[0] and near[1] <= high + coarse:  # no kink nearby: they only say the same less well
            if low != high:  # beside a kink that is known they may still tell of slopes that are small beside others
                low = near[0] if near[0] < low - blur else low
                high = near[1] if near[1] > high + blur else high
            is_blind = blur > BLIND * max(abs(low), abs(high), abs(self.actual))
            return low, high, error + blur if is_blind else error
        return min(low, near[0]), max(high, near[1]), error + coarse

    def _climbed(self, twice_the_middle: float) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Go, from the best of the points around, where the slope is more and more like the claim; give what is met.

        Of slopes that turn with the point, as those of singular values at zero, no sample reaches the extremes.
        """
        points, outputs = self.q.all_beside
        sense, rng, t = np.sign(2 * self.actual - twice_the_middle), np.random.default_rng(2), 2.0**-27
        for climb in range(CLIMBS):
            with np.errstate(all="ignore"):
                slopes = sense * ((self.q.evaluate(points + t * self.direction) - outputs) @ self.q.g)
            best = points[np.nan_to_num(slopes, nan=-np.inf).argmax()]
            points = best + 1e-4 * self.q.room * 0.75**climb * rng.uniform(-1, 1, (CLIMBERS, best.size))
            points[0] = best
            outputs = self.q.evaluate(points)
        yield points, outputs

    def _why_nothing(self) -> str:
        if not np.isfinite(self.phi).any():
            return "forward is not finite around the point"
        if self._is_outside(0) or self._is_outside(1):
            return "the slope is infinite, or does not settle, at the end of the domain"
        if self._jumps():
            return "forward jumps at the point"
        return "the numerical derivative does not settle at any step"


def _slack(right: Plateau, left: Plateau) -> float:
    return right.error + left.error + 1e-5 * max(abs(right.value), abs(left.value))
