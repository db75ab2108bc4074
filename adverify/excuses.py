"""What floating point cannot show: reasons why a disagreement along one direction proves nothing."""

from __future__ import annotations

import numpy as np

from adverify import oracle
from adverify.magnitudes import ABSORBED, HALF_PRECISION, Magnitudes
from adverify.ray import UNEVEN

ABSORBED_WHOLLY = 1e30
"""A ratio at which nothing is kept, so that even the derivative's size cannot be told."""

TINY = 1e-3
"""Inputs below it are tiny to an op that works with an absolute tolerance."""

ROUNDED = 8 * oracle.EPS
"""Of an output, what rounding may do to it."""

WITHIN = 17
"""Points at which a change is looked at to tell a jump from a slope."""

LIMITLESS_RUNGS, LIMITLESS = np.arange(16, -1, -2), 0.9
"""Rungs, before the last, over which a slope without a limit keeps growing, that of t log t by as much each time."""

FINER = (1, 32, 1024)
"""Stairs are looked for within a reach, and so many times nearer."""

NEAR = 20
"""Rungs that show whether there is a side at all: the last of them may be too short to leave the point."""

JUMP = 1e-3
"""Relative to outputs, a change that is as large over the shortest steps is a jump."""


class Excuses(Magnitudes):
    """Reasons of which one is enough, in the order in which they are tried."""

    def excuse_for_no_number(self, low: float, high: float) -> str:
        """Say why a claim of NaN or infinity proves nothing, `low` and `high` being the slopes seen; or nothing."""
        return (
            (self.spans_magnitudes(ABSORBED_WHOLLY) if low == high == 0 else "")
            or self.is_worlds_apart()
            or self.derivative_overflows(low, high)
            or self.change_leaves_range()
            or self.may_be_steep()
            or self._is_on_small_stairs(low, high)
            or self._breaks_between()
            or self._cancels()
        )

    def excuse_for(self, low: float, high: float, coarsest: int, finest: int) -> str:
        """Say why a claim outside of the slopes seen, from one rung to another, proves nothing; or nothing."""
        gap = max(low - self.actual, self.actual - high)
        return (
            self.spans_magnitudes(ABSORBED / self.q.resolution)
            or self.squares_span_magnitudes()
            or self.squares_are_denormal(low, high)
            or self.is_unresolved(finest)
            or self.is_longer_than_the_element(finest)
            or self._is_flat_somewhere(low, high, finest)
            or self._is_on_small_stairs(low, high)
            or self.last_bits_decide(gap, 2.0**-coarsest)
            or self.is_lost_at_this_scale()
            or self._is_uneven(gap)
            or self.fits_own_scale()
            or self._jumps_unseen()
            or self._has_no_limit()
            or self._is_infinite_for_some(gap, finest)
        )

    def _is_on_small_stairs(self, low: float, high: float) -> str:
        """Say that forward is flat at the point, and on another stair so near that it may just round its input."""
        moved = (self.direction != 0) & (self.q.x != 0)
        if low != 0 or high != 0 or not moved.any():
            return ""
        reach = HALF_PRECISION / float(np.abs(self.direction[moved] / self.q.x[moved]).max())
        climbs = any(self._climbs_stairs(reach / finer) for finer in FINER)
        return "forward has stairs too small to tell from rounding" if climbs else ""

    def _climbs_stairs(self, reach: float) -> bool:
        """Whether forward changes by more than it rounds within a reach, and in jumps: a slope there is none."""
        t = reach * oracle.GRID
        changes = np.flatnonzero(np.abs(np.diff(self.values_along(t))) > self.rounding.max())
        if not changes.size:
            return False
        between = np.linspace(t[changes], t[changes + 1], WITHIN, axis=1)
        moving = np.diff(self.values_along(between.ravel()).reshape(between.shape), axis=1) != 0
        return bool(np.median(moving.mean(axis=1)) < 0.5)

    def _is_flat_somewhere(self, low: float, high: float, finest: int) -> str:
        """Say that backward's zero fits a stair, though by the slope seen, down to a rung, forward should move.

        Stairs may be so fine that only steps in proportion to a tiny element are short enough to see them.
        """
        if self.actual != 0:
            return ""
        slope = max(abs(low), abs(high))
        flat = rests(self.phi, slope, 100 * self.rounding, finest)
        if not flat and self.own_scale:
            samples = self.at_own_scale
            flat = rests(samples.phi[0], self.own_scale * slope, 400 * samples.rounding[0], 0)
        return "forward has stairs, and the point is on one" if flat else ""

    def _is_uneven(self, gap: float) -> str:
        """Say that forward at tiny inputs jumps as they are scaled, like an iteration with an absolute tolerance."""
        moved = self.direction != 0
        if np.abs(self.q.x[moved]).max() > TINY:
            return ""
        scaled = self.q.x * np.where(moved, 2.0 ** (np.arange(-32, 32)[:, None] / 32), 1.0)
        phi = self.q.evaluate(scaled) @ self.q.g
        jumps = np.abs(np.diff(phi[np.isfinite(phi)], 8)) / 2**7
        return "forward jumps at this magnitude" if jumps.size and jumps.max() > 0.01 * gap else ""

    def _breaks_between(self) -> str:
        """Say that forward is not finite between steps at which it is, as where it has its zeros at whole numbers."""
        finite = np.isfinite(self.phi)
        t = UNEVEN[1] * 2.0 ** -np.arange(self.phi.shape[1] - 1.0)
        between = np.stack([self.values_along(side * t) for side in (1, -1)])
        breaks = finite[:, :-1] & finite[:, 1:] & ~np.isfinite(between)
        return "forward is not finite between the steps that show a slope" if breaks.any() else ""

    def _cancels(self) -> str:
        """Say that infinite slopes of several outputs cancel, by asking again with weights that do not cancel.

        Those too large for floats are infinite for backward.
        """
        weights = np.abs(self.q.g) * np.random.default_rng(0).uniform(0.5, 1.5, self.q.g.shape)
        samples = oracle.sample(self.q.evaluate, self.q.x, weights, self.direction[None], oracle.FULL_RUNGS)
        reference = float(np.nanmedian(np.abs(samples.phi[0, :, :8]))) if np.isfinite(samples.phi).any() else 0.0
        finite = np.isfinite(samples.phi[0, :, -NEAR:]).any(axis=1)
        seen = [
            oracle.plateaus(d[0], samples.rounding[0, : d.shape[1]], reference, side)
            for side, d in ((0, oracle.central(samples)), *((s, oracle.one_sided(samples, s)) for s in (1, -1)))
        ]
        steepest = max((abs(p.value) for p in seen[0]), default=0.0)
        is_finite = seen[0] or all(settled or not there for settled, there in zip(seen[1:], finite, strict=True))
        if is_finite and not self.derivative_overflows(-steepest, steepest):
            return ""
        return "the slopes of the outputs are infinite, and only cancel for this cotangent"

    def _jumps_unseen(self) -> str:
        """Say that outputs jump at the point, by amounts that cancel for this cotangent only."""
        steps = np.outer((1.0, -1.0), 2.0 ** -np.arange(10.0, 27.0, 4.0))
        with np.errstate(all="ignore"):
            outputs = self.q.evaluate(self.q.x + steps.reshape(-1, 1) * self.direction)
            changes = np.abs((outputs - self.q.at_x) * self.q.g).reshape(*steps.shape, -1)
            large = (changes > JUMP * np.abs(self.q.at_x * self.q.g).max()).all(axis=1)
            stays = large & (changes[:, -1] >= 0.5 * changes[:, 0])
        return "the outputs jump, and only cancel for this cotangent" if stays.any() else ""

    def _has_no_limit(self) -> str:
        """Say that outputs depend on the way to the point, as a vector of a singular value of zero: any will do there.

        Where forward picks one, a slope along some directions may settle, which is as arbitrary.
        """
        if not self.q.corner:
            return ""
        concerned = self.moves & (self.q.g != 0)
        if not concerned.any() or not self.q.all_beside.without_limit[concerned].any():
            return ""
        return "forward jumps at the point, to a value that depends on the way there"

    def _is_infinite_for_some(self, gap: float, finest: int) -> str:
        """Say that some outputs have infinite slopes, as t log t at 0, which others hide that have far larger ones."""
        t = 2.0 ** (LIMITLESS_RUNGS - finest)
        with np.errstate(all="ignore"):
            outputs = self.q.evaluate(self.q.x + np.concatenate([t, -t])[:, None] * self.direction)
            changes = ((outputs - self.q.at_x) * self.q.g).reshape(2, t.size, -1)
            slopes = changes / np.array([t, -t])[:, :, None]
            growth, hidden = np.diff(slopes, axis=1), ROUNDED * np.abs(self.q.at_x * self.q.g) / t[1:, None]
            grows = (growth[:, 1:] / growth[:, :-1] > LIMITLESS) & (np.abs(growth) > hidden)[:, 1:]
            infinite = np.where(grows.all(axis=1), np.abs(slopes[:, -1]), 0.0)
        return "some outputs have an infinite slope, beside far larger ones" if 2 * infinite.sum() > gap else ""


def rests(phi: np.ndarray, slope: float, telling: np.ndarray, finest: int) -> bool:
    """Whether phi, on a side, stays the same over rungs between which the slope would change it by a telling amount.

    It need not be 0 there: where the point is at the very edge of a stair, a side is a step away. But it has to be at
    steps finer than those that show the slope: what is flat farther off is another branch.
    """
    expected = slope * 2.0 ** -np.arange(1, phi.shape[1])
    rests = (np.diff(phi, axis=1) == 0) & (expected > telling[1:])
    return bool((rests[:, finest:].sum(axis=1) >= 4).any())
