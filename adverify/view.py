"""What is known along one direction, and whether it accuses."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from adverify.allowances import Allowances
from adverify.excuses import rests
from adverify.oracle import EPS, Plateau
from adverify.question import RELATIVE_FLOOR, Finding
from adverify.verdict import Status

COARSE = 1e-3
"""A relative error bar above it decides nothing, though a disagreement beyond the bar is still one."""

SURELY = 1000
"""How many error bars one-sided slopes are apart at a kink, however slight."""

COARSEST, MOST_LOST = 0.02, 3e4
"""The same for a forward that rounds to few digits: what a slope may lose of them, and the most that still decides."""

LITTLE, LIKE = 0.1, 0.3
"""Of what a claim is off: as much does not explain it, and slopes as far from the claim are like it."""

RUNGS, CLOSE = 6, 0.01
"""Steps in a row, each half as long as the one before, at which slopes settle on a claim, and how close they are to it
beside its size and what it is off.
"""

FAR = 1e3
"""How many times what rounding hides is a change that shows in spite of it."""

NEAR = 12
"""The rung from which on steps do not leave a stretch over which forward rests."""

USUAL = 2.0 ** np.arange(-1.0, 7.0)
"""Sizes of inputs at which a forward that rests beyond them may change: a bounded exponential does."""


@dataclass(frozen=True)
class View(Allowances):
    """All that is known along one direction.

    Attributes
    ----------
    terms : float
        What is added up to get the analytic value, in absolute value.
    centre, right, left : list of Plateau
        The slopes that the ladder shows, coarsest first.
    slopes, noise : ndarray, shape (3, rungs)
        The estimates at every rung, central, from the right and from the left, and what noise does to them.
    """

    terms: float
    centre: list[Plateau]
    right: list[Plateau]
    left: list[Plateau]
    slopes: np.ndarray
    noise: np.ndarray

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
        return p.quiet or bool(p.error <= max(1e-6 * change, 0.0 if p.flat else COARSE * abs(p.value)))

    def _agrees(self, value: float, error: float) -> bool:
        bar = error + RELATIVE_FLOOR * max(abs(value), self.terms) + self._floor
        return bool(np.isfinite(self.actual)) and abs(self.actual - value) <= bar

    @cached_property
    def _floor(self) -> float:
        """What rounding hides: inside forward where its output happens to be small, and in denormal slopes."""
        g = np.abs(self.q.g)
        hidden = max(self.q.scale, self.q.noise / EPS) * float(g.max(initial=0.0))
        slope, phi = float(np.finfo(float).tiny), np.nan_to_num(self.phi)
        if not phi.any():
            hidden = max(hidden, float(g @ np.nan_to_num(np.abs(self.q.at_x))))
        if not phi[:, NEAR:].any():
            slope += RELATIVE_FLOOR * self._slope_at_usual
        least = 1e-300 + slope * float(np.abs(self.direction).sum())
        return least + (0.0 if self._is_seen_from_afar(16 * EPS * hidden) else 16 * EPS * hidden)

    @property
    def _slope_at_usual(self) -> float:
        """How steep a forward that rests here is where inputs are usual ones, beside which slopes may be nothing."""
        largest = float(np.abs(self.q.x).max())
        sizes = USUAL[largest > USUAL]
        with np.errstate(all="ignore"):
            outputs = self.q.evaluate(sizes[:, None] / largest * self.q.x)
            slopes = np.abs(np.diff(outputs, axis=0)) @ np.abs(self.q.g) / np.diff(sizes)
        return float(np.where(np.isfinite(slopes), slopes, 0.0).max(initial=0.0))

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
        if best.span < 6 or not firm or self._is_left_below(best, 0):
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
        if self._is_left_below(right, 1) or self._is_left_below(left, -1):
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

    def _is_left_below(self, p: Plateau, side: int) -> bool:
        """Whether at finer steps than a plateau's the slopes are others, beyond noise: structure too small to settle.

        By much less than the claim is off they may be what they like. Those of stairs say nothing unless they are like
        the claim.
        """
        finer, noise = self.slopes[side, p.finest + 1 :], self.noise[side, p.finest + 1 :]
        gap = abs(self.actual - p.value)
        with np.errstate(all="ignore"):
            others = np.abs(finer - p.value) > np.maximum(noise, LITTLE * gap)
            if self.q.jump or rests(self.phi, max(abs(p.value), abs(self.actual)), 100 * self.rounding, p.finest):
                others &= np.abs(finer - self.actual) <= LIKE * gap
        return bool((others[:-2] & others[1:-1] & others[2:]).any()) if others.size > 2 else False

    def _accuse(self, low: float, high: float, error: float, seen: Sequence[Plateau], where: str) -> Finding:
        """Accuse if nothing excuses; `low` and `high` bound the slopes seen."""
        coarsest, finest = min(p.coarsest for p in seen), min(p.finest for p in seen)
        if not np.isfinite(self.actual):
            excuse = self.excuse_for_no_number(low, high)
            return Finding(Status.UNDECIDED if excuse else Status.VIOLATED, excuse or where, low, high, error)
        error += RELATIVE_FLOOR * max(abs(low), abs(high), self.terms) + self._floor
        if self._outside(low, high, error):
            error += self.hidden(2.0**-coarsest) + self.roughness(coarsest) + self.backward_noise(coarsest)
            error += self.unfinished() + (self.kinks_that_cancel(finest) if where == "" and low == high else 0.0)
        if self.q.corner or where == "kink" or low != high:
            sense = 1.0 if self.actual > high else -1.0
            for around in itertools.chain(self.q.surroundings(), self.climbed(sense)):
                if not self._outside(low, high, error):
                    break
                low, high, error = self.nearby(low, high, error, around)
        if self._outside(low, high, error):
            excuse = self._settles_on_the_claim(low, high, finest) or self.excuse_for(low, high, coarsest, finest)
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

    def _settles_on_the_claim(self, low: float, high: float, finest: int) -> str:
        """Say that at finer steps a side shows the slope claimed, at one after the other, as on a tooth of a saw.

        Where a tooth ends at the point, rounding is thought to be as large as the jump, and hides the slope beside it.
        """
        telling = min(abs(self.actual), max(low - self.actual, self.actual - high))  # not 0, of which stairs have many
        alike = np.abs(self.slopes[:, finest + 1 :] - self.actual) <= CLOSE * telling
        if self.actual == 0 or alike.shape[1] < RUNGS:
            return ""
        runs = np.lib.stride_tricks.sliding_window_view(alike, RUNGS, axis=1).all(axis=-1)
        return "forward jumps at the point, or next to it" if runs.any() else ""

    def _outside(self, low: float, high: float, error: float) -> bool:
        return not low - error <= self.actual <= high + error

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
