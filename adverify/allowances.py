"""What is added to the error bar of a slope that was seen, or to a range of slopes, before they accuse."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from adverify import oracle
from adverify.excuses import Excuses
from adverify.oracle import EPS
from adverify.surroundings import TURNING, Surroundings

ROUGHEST = 1e-3
"""Relative to outputs, more than the noise of any forward, and less than the jumps of a sawtooth."""

SHORT = 2.0**-27
"""The step for slopes at points nearby."""

CLIMBERS, CLIMBS, CLIMBS_EACH, MOST_CLIMBS = 32, 24, 8, 256
"""How many points each time, and how often, a slope more like the one claimed is sought: if forward takes points one by
one; for each element else; and the most."""

KINK_RUNGS = (10, 14, 18)
"""Steps at all of which the two sides differ at a kink."""

BLIND = 0.1
"""Relative to slopes: with more noise than that nearby, no kink would show there."""

UNFINISHED, MOST_SIZES = 16, 1000
"""How many jumps of an iteration that stops early its slope may be off over a step: they come one after the other. And
of how many times an element's size a step is taken to be, if it is very small or zero."""

ROUNDINGS = 64
"""Of an output, which are less than a kink that counts."""


class Allowances(Excuses):
    """Along one direction: noise, roughness, what is left undone, and what other slopes are as right."""

    def roughness(self, coarsest: int) -> float:
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

    def unfinished(self) -> float:
        """What an iteration that stops early leaves: the change of an element by its own size is off by a few jumps."""
        if not self.q.jump:
            return 0.0
        moved = self.direction != 0
        with np.errstate(all="ignore"):
            sizes = np.abs(self.direction[moved] / self.q.x[moved]).max()
        return UNFINISHED * self.q.jump * float(np.abs(self.q.g).max() * np.clip(sizes, 1.0, MOST_SIZES))

    def kinks_that_cancel(self, finest: int) -> float:
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
            kinks = np.where(kinks > ROUNDINGS * EPS * np.abs(self.q.at_x) / t[:, None], kinks, 0.0).min(axis=0)
        return float(np.nan_to_num(kinks) @ np.abs(self.q.g))

    def backward_noise(self, coarsest: int) -> float:
        """How much backward's values along the direction scatter among neighbouring floats of one side.

        Not against the point itself, whose value may be a convention at a kink. Where digits cancel, neighbouring
        floats may give the same; then it shows as roughness in most places of a longer stretch.
        """
        near = self.claimed(self.q.near.reshape(-1, self.q.x.size)).reshape(self.q.near.shape[:2])
        with np.errstate(all="ignore"):
            scatter = near.max(axis=1) - near.min(axis=1)
        stretch = self.claimed(self.q.x + 2.0**-coarsest * oracle.GRID[:, None] * self.direction)
        return 4 * float(np.where(np.isfinite(scatter), scatter, 0.0).max()) + 8 * float(
            np.median(oracle.roughness(stretch))
        )

    def nearby(self, low: float, high: float, error: float, around: Surroundings) -> tuple[float, float, float]:
        """Widen the slopes to Clarke's generalised directional derivative, from points where nothing ties.

        A subgradient of a function like sort or median need not lie between the two one-sided slopes at the point
        (Clarke, Optimization and Nonsmooth Analysis, 1983, section 2.1).
        """
        with np.errstate(all="ignore"):
            ahead = self.q.evaluate(around.points + SHORT * self.direction)
            slopes = (ahead - around.outputs) * self.q.g / SHORT
        finite = np.isfinite(slopes).all(axis=1)
        if not finite.any():
            return low, high, error
        slopes, moves = slopes[finite], (slopes[finite] != 0).any(axis=0)
        across = around.across_a_jump[finite]
        if across.any():
            slopes = np.concatenate([np.where(across, np.nan, slopes), self._slopes_here()])
            if np.isnan(slopes).all(axis=0).any():
                return low, high, error
        # Outputs have kinks independently of each other, in more combinations than points can show.
        size = float((np.abs(ahead[finite]) @ np.abs(self.q.g * moves)).max())
        near = float(np.nanmin(slopes, axis=0).sum()), float(np.nanmax(slopes, axis=0).sum())
        blur = 16 * EPS * size / SHORT
        coarse = 1e-3 * max(map(abs, near)) + blur
        if low - coarse <= near[0] and near[1] <= high + coarse:  # no kink nearby: they only say the same less well
            if low != high:  # beside a kink that is known they may still tell of slopes that are small beside others
                low = near[0] if near[0] < low - blur else low
                high = near[1] if near[1] > high + blur else high
            low, high = self._kinks_of_a_few(low, high, around.near_by)
            is_blind = blur > BLIND * max(abs(low), abs(high), abs(self.actual))
            return low, high, error + blur if is_blind else error
        return min(low, near[0]), max(high, near[1]), error + coarse

    def _kinks_of_a_few(self, low: float, high: float, near: Surroundings) -> tuple[float, float]:
        """Widen slopes by what outputs have to themselves that kink, small beside the slope of all together."""
        with np.errstate(all="ignore"):
            slopes = (self.q.evaluate(near.points + SHORT * self.direction) - near.outputs) * self.q.g / SHORT
            slopes[near.across_a_jump | ~np.isfinite(slopes)] = np.nan
            here = self._slopes_here()
            size = np.where(np.isfinite(near.outputs), np.abs(near.outputs * self.q.g), 0.0).max(axis=0, initial=0.0)
            blur = 16 * EPS * size / SHORT
            least, most = (f.reduce(np.concatenate([slopes, here])) for f in (np.fmin, np.fmax))
            kinks = (most - least > 0.5 * np.maximum(np.abs(least), np.abs(most))) & (most - least > 4 * blur)
            middle = here.mean(axis=0)
            down, up = float((middle - least)[kinks].sum()), float((most - middle)[kinks].sum())
        middle_of_all = 0.5 * (low + high)
        if not np.isfinite(down + up):
            return low, high
        return min(low, middle_of_all - down), max(high, middle_of_all + up)

    def _slopes_here(self) -> np.ndarray:
        """The slopes of each output at the point itself, to both sides."""
        t = np.array([[SHORT], [-SHORT]])
        with np.errstate(all="ignore"):
            slopes: np.ndarray = (self.q.evaluate(self.q.x + t * self.direction) - self.q.at_x) * self.q.g / t
        return slopes

    def climbed(self, sense: float) -> Iterator[Surroundings]:
        """Go, from the best of the points around, where the slope is larger, or smaller for -1; give what is met.

        Of slopes that turn with the point, as those of singular values at zero, no sample reaches the extremes. Steps
        grow as long as they find better and shrink when they do not: an evolution strategy (Rechenberg, 1973).
        """
        around = self.q.all_beside
        slopes = sense * self._slopes_at(around)
        with np.errstate(all="ignore"):
            if np.unique(np.round(slopes / np.abs(slopes).max(), 3)).size < TURNING:
                return
        best, highest, reach = around.points[slopes.argmax()], slopes.max(), 1.0
        unit, rng = 1e-4 * self.q.room, np.random.default_rng(2)
        for _ in range(CLIMBS if self.q.slow else min(MOST_CLIMBS, CLIMBS_EACH * best.size)):
            moves = best + reach * unit * rng.normal(size=(CLIMBERS, best.size)) - self.q.x
            around = self.q.left_for(np.concatenate([best[None], self.q.x + np.clip(moves, -2 * unit, 2 * unit)]))
            slopes = sense * self._slopes_at(around)
            reach *= 1.5 if slopes.max() > highest else 0.75
            best, highest = around.points[slopes.argmax()], slopes.max()
        yield around

    def _slopes_at(self, around: Surroundings) -> np.ndarray:
        """The slope along the direction at several points, 0 where forward shows none."""
        with np.errstate(all="ignore"):
            slopes = (self.q.evaluate(around.points + SHORT * self.direction) - around.outputs) @ self.q.g / SHORT
        return np.where(np.isfinite(slopes), slopes, 0.0)
