"""What floating point cannot show: reasons why a disagreement along one direction proves nothing."""

from __future__ import annotations

from functools import cached_property

import numpy as np

from adverify import oracle
from adverify.conditioning import FITS, Conditioning
from adverify.ray import UNEVEN
from adverify.shapes import elements

HALF_PRECISION = 2.0**-7
"""Relative stairs of forward below this may be the rounding of its input to half precision."""

ABSORBED = 1e-4
"""What is left of a number's digits, relative to it, once it has been added to one so much larger."""

ABSORBED_WHOLLY = 1e30
"""A ratio at which nothing is kept, so that even the derivative's size cannot be told."""

WORLDS_APART = 1e150
"""A ratio whose powers are no floats."""

FEW_DIGITS = 0.01
"""What is lost of a slope, relative to it, where squares have few digits."""

MOST = 1e280
"""A derivative above it may overflow on the way."""

STEEP = 1e8
"""A slope that may be infinite as far as forward shows."""

TINY = 1e-3
"""Inputs below it are tiny to an op that works with an absolute tolerance."""

STRUCTURE = 0.05
"""The length below which forward is taken to have no structure that a derivative at longer steps would miss."""

ROUNDED = 8 * oracle.EPS
"""Of an output, what rounding may do to it."""

WITHIN = 17
"""Points at which a change is looked at to tell a jump from a slope."""

OWN_RUNGS = 21
"""Steps in proportion to an element are looked at down to this rung, below which rounding decides."""

LIMITLESS_RUNGS, LIMITLESS = np.arange(16, -1, -2), 0.9
"""Rungs, before the last, over which a slope without a limit keeps growing, that of t log t by as much each time."""

MUCH = 0.1
"""Of what a claim is off."""

FINER = (1, 32, 1024)
"""Stairs are looked for within a reach, and so many times nearer."""

JUMP = 1e-3
"""Relative to outputs, a change that is as large over the shortest steps is a jump."""


class Excuses(Conditioning):
    """Reasons of which one is enough, in the order in which they are tried."""

    def excuse_for_no_number(self, low: float, high: float) -> str:
        """Say why a claim of NaN or infinity proves nothing, `low` and `high` being the slopes seen; or nothing."""
        return (
            (self._spans_magnitudes(ABSORBED_WHOLLY) if low == high == 0 else "")
            or self._is_worlds_apart()
            or self._overflows(low, high)
            or self._leaves_range()
            or self._may_be_steep()
            or self._is_on_small_stairs(low, high)
            or self._breaks_between()
            or self._cancels()
        )

    def excuse_for(self, low: float, high: float, coarsest: int, finest: int) -> str:
        """Say why a claim outside of the slopes seen, from one rung to another, proves nothing; or nothing."""
        gap = max(low - self.actual, self.actual - high)
        return (
            self._spans_magnitudes(ABSORBED / self.q.resolution)
            or self._squares_span_magnitudes()
            or self._squares_are_denormal(low, high)
            or self._unresolved(finest)
            or self._is_longer_than_the_element(finest)
            or self._is_flat_somewhere(low, high, finest)
            or self._is_on_small_stairs(low, high)
            or self.last_bits_decide(gap, 2.0**-coarsest)
            or self._is_uneven(gap)
            or self._fits_own_scale()
            or self._jumps_unseen()
            or self._is_infinite_for_some(gap, finest)
        )

    def _spans_magnitudes(self, absorbed: float) -> str:
        """Say why a disagreement proves nothing: what floating point cannot show at these magnitudes."""
        involved = self.involved(self.q.x) | self.involved(self.usual)  # what is rounded to 0 here may count there
        size = np.abs(self.q.x[(self.q.x != 0) & involved])
        if size.size and size.max() > absorbed * size.min():
            return "the magnitudes are so far apart that forward loses the small ones"
        return ""

    def _is_worlds_apart(self) -> str:
        """Say that powers of one input's elements, which backward may have to multiply, are no floats."""
        involved = np.where((self.q.x != 0) & self.involved(self.q.x), np.abs(self.q.x), np.nan)
        ends = np.cumsum([elements((s,)) for s in self.q.evaluate.shapes])[:-1]
        for sizes in np.split(involved, ends):
            known = sizes[~np.isnan(sizes)]
            if known.size and known.max() > WORLDS_APART * known.min():
                return "the magnitudes of an input are so far apart that their powers are no floats"
        return ""

    def _squares_span_magnitudes(self) -> str:
        """Say the same of a forward of which an output does not move: it may have lost the small ones in squares.

        Which elements are involved is then seen where all are of ordinary size, on whatever side of a branch.
        """
        if np.nan_to_num(self.phi).any() and not (self.depends(self.usual) & ~self.moves).any():
            return ""
        signs = np.sign(self.q.around[[0, 1, 4, 5, 6, 7]])
        points = [self.usual, *(x for x in signs * self.usual if np.isfinite(self.q.evaluate(x[None])).all())]
        involved = np.any([self.involved(x) for x in points], axis=0)
        size = np.abs(self.q.x[(self.q.x != 0) & involved])
        if size.size and size.max() > np.sqrt(ABSORBED / self.q.resolution) * size.min():
            return "the magnitudes are so far apart that forward loses the small ones"
        return ""

    def _squares_are_denormal(self, low: float, high: float) -> str:
        """Say that an element is so small that its square has few digits.

        That explains a small disagreement, and a large one where the slope of longer steps is another.
        """
        smallest = np.abs(self.q.x[(self.direction != 0) & (self.q.x != 0)]).min(initial=np.inf)
        gap = max(low - self.actual, self.actual - high)
        if smallest**2 >= np.finfo(float).tiny or (
            gap > FEW_DIGITS * max(abs(low), abs(high)) and not self._is_another_farther_off(low, high, gap)
        ):
            return ""
        return "squares of numbers so small have few digits"

    def _is_another_farther_off(self, low: float, high: float, gap: float) -> bool:
        """Whether a small share of the largest input away the slope is another, by much of a gap."""
        reach = HALF_PRECISION * np.abs(self.q.x).max() / np.abs(self.direction).max()
        ahead, behind = self.values_along(np.array([reach, -reach]))
        slope = (ahead - behind) / (2 * reach)
        return not low - MUCH * gap <= slope <= high + MUCH * gap

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

    def _is_longer_than_the_element(self, finest: int) -> str:
        """Say that the steps that settle are longer than an element, so that the slope may be that at zero."""
        moved = (self.direction != 0) & (self.q.x != 0)
        step = np.abs(self.direction[moved]) * 2.0**-finest
        return "all steps that settle are longer than the element" if (np.abs(self.q.x[moved]) < step).any() else ""

    def _is_flat_somewhere(self, low: float, high: float, finest: int) -> str:
        """Say that backward's zero fits a stair, though by the slope seen, down to a rung, forward should move.

        Stairs may be so fine that only steps in proportion to a tiny element are short enough to see them.
        """
        if self.actual != 0:
            return ""
        slope = max(abs(low), abs(high))
        flat = rests(self.phi, slope, 100 * self.rounding, finest)
        if not flat and self._own_scale:
            samples = self._at_own_scale
            flat = rests(samples.phi[0], self._own_scale * slope, 400 * samples.rounding[0], 0)
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

    def _overflows(self, low: float, high: float) -> str:
        """Say that the true derivative, per unit of the input, is itself out of the range of floats.

        Where forward does not show one, it may be as large as an output is beside the input.
        """
        moved = self.direction != 0
        with np.errstate(all="ignore"):
            steepest = max(abs(low), abs(high)) / np.abs(self.direction[moved]).min()
            if low == high == 0:
                size = np.abs(self.q.at_x * self.q.g)[self.depends(self.usual)].max(initial=0.0)
                steepest = size / np.abs(self.q.x[moved & (self.q.x != 0)]).min(initial=np.inf)
        return "" if steepest < MOST else "the derivative is too large for floats"

    def _may_be_steep(self) -> str:
        """Say that what large outputs do not show may well be an infinite slope."""
        bound = self.hidden(1.0) / float(np.abs(self.direction[self.direction != 0]).min())
        return "the outputs are too large to show how steep they are" if bound > STEEP else ""

    def _breaks_between(self) -> str:
        """Say that forward is not finite between steps at which it is, as where it has its zeros at whole numbers."""
        finite = np.isfinite(self.phi)
        t = UNEVEN[1] * 2.0 ** -np.arange(self.phi.shape[1] - 1.0)
        between = np.stack([self.values_along(side * t) for side in (1, -1)])
        breaks = finite[:, :-1] & finite[:, 1:] & ~np.isfinite(between)
        return "forward is not finite between the steps that show a slope" if breaks.any() else ""

    def _leaves_range(self) -> str:
        """Say that backward's gradient is finite, and only times the step that was asked for it is not."""
        finite = np.isfinite(self.q.v[self.direction != 0]).all()
        return "the change over a step is too large for floats" if finite else ""

    def _fits_own_scale(self) -> str:
        """Say that steps in proportion to a tiny element, far below those that settle, fit the analytic value."""
        if not self._own_scale:
            return ""
        with np.errstate(all="ignore"):
            slopes = oracle.central(self._at_own_scale)[0, :OWN_RUNGS] / self._own_scale
            fits = np.abs(slopes - self.actual) <= FITS * abs(self.actual)
        return "only steps as small as the element itself show its slope" if (fits[:-1] & fits[1:]).any() else ""

    @property
    def _own_scale(self) -> float:
        """The longest step in proportion to the smallest element that moves; 0 where the usual ones are as short."""
        moved = self.direction != 0
        own = np.abs(np.where(self.q.x == 0, np.inf, self.q.x / np.where(moved, self.direction, 1.0)))[moved].min()
        return 0.3 * float(own) if own < 2.0**-12 else 0.0

    @cached_property
    def _at_own_scale(self) -> oracle.Samples:
        q = self.q
        return oracle.sample(q.evaluate, q.x, q.g, self._own_scale * self.direction[None], oracle.FULL_RUNGS)

    def _unresolved(self, finest: int) -> str:
        """Say that structure of the usual size, such as a period or a step, is too small to be seen where x is huge.

        The length of the structure is 1, or, if forward has none of its own, the size of an element that stays.
        """
        reach = float(np.abs(self.direction).max()) * 2.0**-finest
        moved = self.direction != 0
        if reach <= STRUCTURE or self._is_scale_free(moved):
            return ""
        others = np.abs(self.q.x[~moved & (self.q.x != 0) & self.involved(self.q.x)])
        if reach <= STRUCTURE * others.min(initial=np.inf) and self._is_scale_free(np.ones_like(moved)):
            return ""
        return "at this magnitude floats are too coarse for what forward may do between them"

    def _is_scale_free(self, shrinking: np.ndarray) -> bool:
        """Whether forward has no length of its own: f(x / 2**k) is f(x) times a power of two, down to usual sizes."""
        exponent = max(1, int(np.log2(np.abs(self.q.x[shrinking]).max(initial=1.0))))
        shrunk = np.ldexp(self.q.x, -np.linspace(0, exponent, 5).astype(int)[:, None] * shrinking)
        outputs = np.abs(self.q.evaluate(shrunk))
        changing = (outputs != outputs[0]).any(axis=0)
        if not changing.any():
            return True
        size = outputs[:, changing] @ np.abs(self.q.g[changing])
        if not (np.isfinite(size) & (size > 0)).all():
            return False
        degree = np.log2(size[0] / size[-1]) / exponent
        drops = np.log2(size / size[0]) + degree * np.linspace(0, exponent, 5).astype(int)
        return bool(np.abs(drops).max() < 1e-9)

    def _cancels(self) -> str:
        """Say that infinite slopes of several outputs cancel, by asking again with weights that do not cancel.

        Those too large for floats are infinite for backward.
        """
        weights = np.abs(self.q.g) * np.random.default_rng(0).uniform(0.5, 1.5, self.q.g.shape)
        samples = oracle.sample(self.q.evaluate, self.q.x, weights, self.direction[None], oracle.FULL_RUNGS)
        reference = float(np.nanmedian(np.abs(samples.phi[0, :, :8]))) if np.isfinite(samples.phi).any() else 0.0
        finite = np.isfinite(samples.phi[0, :, -8:]).any(axis=1)
        seen = [
            oracle.plateaus(d[0], samples.rounding[0, : d.shape[1]], reference, side)
            for side, d in ((0, oracle.central(samples)), *((s, oracle.one_sided(samples, s)) for s in (1, -1)))
        ]
        steepest = max((abs(p.value) for p in seen[0]), default=0.0)
        is_finite = seen[0] or all(settled or not there for settled, there in zip(seen[1:], finite, strict=True))
        if is_finite and not self._overflows(-steepest, steepest):
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
