"""What floating point loses where numbers are very large or small, beside each other or beside what forward does."""

from __future__ import annotations

from functools import cached_property

import numpy as np

from adverify import oracle
from adverify.conditioning import FITS, Conditioning
from adverify.shapes import elements

HALF_PRECISION = 2.0**-7
"""Relative stairs of forward below this may be the rounding of its input to half precision."""

ABSORBED = 1e-4
"""What is left of a number's digits, relative to it, once it has been added to one so much larger."""

WORLDS_APART = 1e150
"""A ratio whose powers are no floats."""

FEW_DIGITS = 0.01
"""What is lost of a slope, relative to it, where squares have few digits."""

MOST = 1e280
"""A derivative above it may overflow on the way."""

STEEP = 1e8
"""A slope that may be infinite as far as forward shows."""

STRUCTURE = 0.05
"""The length below which forward is taken to have no structure that a derivative at longer steps would miss."""

OWN_RUNGS = 21
"""Steps in proportion to an element are looked at down to this rung, below which rounding decides."""

FAR_OFF, NEAR_USUAL = 40, 12
"""Powers of two from inputs of 1: very large or small ones, and those nearest to them that are still asked about."""

LEADING, LITTLE_BY_LITTLE, CHANGE = 8, 4, 1e-5
"""Powers of two over which slopes have to go with a power, and over how many they change by how much elsewhere."""

SHORT = 2.0**-10
"""A step for the slopes there."""

MUCH = 0.1
"""Of what a claim is off."""


class Magnitudes(Conditioning):
    """Reasons, of the sizes of inputs and slopes, why a disagreement along one direction proves nothing."""

    def spans_magnitudes(self, absorbed: float) -> str:
        """Say why a disagreement proves nothing: what floating point cannot show at these magnitudes."""
        involved = self.involved(self.q.x) | self.involved(self.usual)  # what is rounded to 0 here may count there
        size = np.abs(self.q.x[(self.q.x != 0) & involved])
        if size.size and size.max() > absorbed * size.min():
            return "the magnitudes are so far apart that forward loses the small ones"
        return ""

    def is_worlds_apart(self) -> str:
        """Say that powers of one input's elements, which backward may have to multiply, are no floats."""
        involved = np.where((self.q.x != 0) & self.involved(self.q.x), np.abs(self.q.x), np.nan)
        ends = np.cumsum([elements((s,)) for s in self.q.evaluate.shapes])[:-1]
        for sizes in np.split(involved, ends):
            known = sizes[~np.isnan(sizes)]
            if known.size and known.max() > WORLDS_APART * known.min():
                return "the magnitudes of an input are so far apart that their powers are no floats"
        return ""

    def squares_span_magnitudes(self) -> str:
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

    def squares_are_denormal(self, low: float, high: float) -> str:
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

    def is_longer_than_the_element(self, finest: int) -> str:
        """Say that the steps that settle are longer than an element, so that the slope may be that at zero."""
        moved = (self.direction != 0) & (self.q.x != 0)
        step = np.abs(self.direction[moved]) * 2.0**-finest
        return "all steps that settle are longer than the element" if (np.abs(self.q.x[moved]) < step).any() else ""

    def derivative_overflows(self, low: float, high: float) -> str:
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

    def may_be_steep(self) -> str:
        """Say that what large outputs do not show may well be an infinite slope."""
        bound = self.hidden(1.0) / float(np.abs(self.direction[self.direction != 0]).min())
        return "the outputs are too large to show how steep they are" if bound > STEEP else ""

    def change_leaves_range(self) -> str:
        """Say that backward's gradient is finite, and only times the step that was asked for it is not."""
        finite = np.isfinite(self.q.v[self.direction != 0]).all()
        return "the change over a step is too large for floats" if finite else ""

    def fits_own_scale(self) -> str:
        """Say that steps in proportion to a tiny element, far below those that settle, fit the analytic value."""
        if not self.own_scale:
            return ""
        with np.errstate(all="ignore"):
            slopes = oracle.central(self.at_own_scale)[0, :OWN_RUNGS] / self.own_scale
            fits = np.abs(slopes - self.actual) <= FITS * abs(self.actual)
        return "only steps as small as the element itself show its slope" if (fits[:-1] & fits[1:]).any() else ""

    @property
    def own_scale(self) -> float:
        """The longest step in proportion to the smallest element that moves; 0 where the usual ones are as short."""
        moved = self.direction != 0
        own = np.abs(np.where(self.q.x == 0, np.inf, self.q.x / np.where(moved, self.direction, 1.0)))[moved].min()
        return 0.3 * float(own) if own < 2.0**-12 else 0.0

    @cached_property
    def at_own_scale(self) -> oracle.Samples:
        q = self.q
        return oracle.sample(q.evaluate, q.x, q.g, self.own_scale * self.direction[None], oracle.FULL_RUNGS)

    def is_unresolved(self, finest: int) -> str:
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

    def is_lost_at_this_scale(self) -> str:
        """Say that forward's slopes near the usual scale go with a power of it that leads to the claimed one.

        What is another branch at this scale changes at once, and what loses its digits little by little.
        """
        exponent = np.log2(np.abs(self.q.x).max(initial=1e-300))
        if abs(exponent) < FAR_OFF or not self.actual:
            return ""
        k = np.sign(-exponent) * np.arange(1.0, abs(exponent) - NEAR_USUAL)
        with np.errstate(all="ignore"):
            ends = (2.0 ** k[:, None] * (self.q.x + t * self.direction) for t in (SHORT, -SHORT))
            ahead, behind = (self.q.evaluate(points) @ self.q.g for points in ends)
            slopes = (ahead - behind) / (2 * SHORT)
            degree = np.round(np.log2(slopes[-1] / slopes[-LEADING]) / (k[-1] - k[-LEADING]))
            share = slopes / self.actual / 2.0 ** (degree * k)
            changes = np.abs(np.diff(share)) > CHANGE
        leads = (np.abs(share[-LEADING:] - 1) < FITS).all() and changes[:-LEADING].sum() >= LITTLE_BY_LITTLE
        return "forward loses at this scale what its slopes at others show" if leads else ""
