"""How much the last bits of inputs, and of constants, decide: near a singular matrix, or where vectors nearly align."""

from __future__ import annotations

from functools import cached_property

import numpy as np

from adverify.oracle import EPS
from adverify.ray import UNEVEN, Ray

BITS, FEW = np.array([1.0, 2.0, 1e3, 1e5]), 2
"""By how many units in the last place inputs are off, and how many of these are few."""

LEAST = 1e-290
"""A number whose last bits are no denormals."""

FITS = 1e-3
"""How well slopes fit a value, relative to it, and how small a change is that conditioning explains."""

SHARE = 0.1
"""Of what a claim is off, as much is most of it where the last bits are to explain it."""

HIDES = 30
"""Roundings of all outputs that move, which may hide how one of them does."""

AWAY, SEEN = 4.0 ** np.arange(20), 1e-4
"""How far from zero, in units of its distance, an output may still have another slope, and how much of it moves."""

LOSES, SCATTERED = 1e5, 1e5
"""How many last bits backward's values scatter where it loses digits, and how many times as much it may be off."""

MAGNIFIED = 1e8
"""How many times more than its inputs an output moves, from where on that costs digits that count."""


class Conditioning(Ray):
    """What inputs that are a few units in the last place away, in ways that break ties, say of one direction."""

    def last_bits_decide(self, gap: float, step: float) -> str:
        """Say that they decide much of a gap between the slopes seen over a step and the claimed one; or nothing."""
        if self._forward_is_ill_conditioned(gap, step):
            return "forward is so ill-conditioned that the last bits of its inputs decide"
        if self._backward_is_ill_conditioned(gap):
            return "backward is so ill-conditioned that the last bits of its inputs decide"
        if self._is_lost_in_backward(gap):
            return "backward is so ill-conditioned that the last bits of its cotangent decide"
        if self._magnifies(gap):
            return "forward magnifies so much that backward may have lost as many digits"
        if self._is_lost_near_zero(gap, step):
            return "an output is so near zero that how it moves there is lost in what the others round to"
        return ""

    def _forward_is_ill_conditioned(self, gap: float, step: float) -> bool:
        """Whether bits decide what forward gives, or its slope over the step.

        Where forward jumps they do, too, but then there are two sides, each as far away after many more bits.
        """
        q = self.q
        with np.errstate(all="ignore"):
            along = np.abs(q.evaluate(q.x + UNEVEN[:, None] * self.direction) - q.at_x)
            moves = (along != 0).any(axis=0) | self.depends(self.usual)  # how one moves may itself be lost to bits
            weight = np.abs(q.g)
            seen = weight * self._values_and_slopes(np.vstack([q.x, *self._bits_away]), step)
            at_most = np.nan_to_num(np.abs(seen[:, 0])).max(axis=0)
            size = np.fmax(at_most, np.nan_to_num(along).max(axis=0) * weight)
            least = np.stack([FITS * size, np.full_like(size, SHARE * gap)])[:, moves]
            here, seen = seen[0][..., moves], seen[1:, :, moves].reshape(*self._bits_away.shape[:2], *least.shape)
            if not np.isfinite(seen[:, :, 0]).any():  # a hole: zero is taken, and what is tiny is not
                return False
            there = np.isfinite(seen).all(axis=(0, 2, 3))
            if there[:4:2].all() or there[1:4:2].all():  # all elements one way: the other is out of the domain
                seen = seen[:, there]
            change = np.abs(seen[:FEW] - here).max(axis=(0, 1))
            stays = np.ptp(seen, axis=0).max(axis=0) < FITS * least
            sides = (np.diff(np.sort(seen[-1], axis=0), axis=0) > least).sum(axis=0)
            jumps = stays & (sides <= 1)  # what is singular has another limit along every way
        lost = (change > least) & ~jumps | ~np.isfinite(change)
        return bool(lost.any())

    def _backward_is_ill_conditioned(self, gap: float) -> bool:
        """Whether what backward claims is one of values that scatter by more than it is off.

        Of two sides, as at a kink, each stays what it is after many more bits.
        """
        claims = self.claimed(self._bits_away.reshape(-1, self.q.x.size)).reshape(self._bits_away.shape[:2])
        few = claims[:FEW]
        with np.errstate(all="ignore"):
            is_kink = np.ptp(claims, axis=0).max() < SHARE * gap
            among = few.min() <= self.actual <= few.max()
        return bool(among and not is_kink and np.ptp(few) > gap)

    def _is_lost_in_backward(self, gap: float) -> bool:
        """Whether backward scatters so much with the last bits of its cotangent that it may be off by as much.

        As where it solves with a matrix of its own that nothing outside shows to be nearly singular: what it rounds on
        the way comes out magnified, in all elements alike.
        """
        scatter, largest = self.q.scatter(), float(np.abs(self.q.v).max(initial=0.0))
        loses = scatter > LOSES * EPS * largest
        return loses and gap < SCATTERED * scatter * float(np.abs(self.direction).sum())

    def _magnifies(self, gap: float) -> bool:
        """Whether outputs are so much larger than the inputs that they mix that a claim may be off by as much.

        A solution that is 1e13 times the right-hand side comes from a matrix whose condition is no less, known to
        backward only; what that does to a relative error is bounded by the condition times that of the floats (Higham,
        Accuracy and Stability of Numerical Algorithms, 2002, section 7.1).
        """
        around = self.q.beside
        with np.errstate(all="ignore"):
            moved = np.abs(around.outputs - self.q.at_x).max(axis=1) / np.abs(around.points - self.q.x).max(axis=1)
            most = float(np.nan_to_num(moved).max(initial=0.0))
        mixes = not self.q.elementwise and int(self.moves.sum()) > 1
        return mixes and MAGNIFIED < most < np.inf and gap < EPS * most * (abs(self.actual) + gap)

    def _is_lost_near_zero(self, gap: float, step: float) -> bool:
        """Whether an output has another slope as near as it is to zero, where rounding of larger ones may hide it.

        A singular value turns there, unseen beside one of ordinary size.
        """
        size, weight = np.abs(self.q.at_x) * self.moves, np.abs(self.q.g)
        useless = HIDES * EPS * float(weight @ size) / (SHARE * gap)
        near = np.flatnonzero((size > 0) & (size < useless) & (weight > 0))
        with np.errstate(all="ignore"):
            t = np.unique(size[near, None] * AWAY)
            t = np.append(t[t < useless], step)
            moved = (self.q.evaluate(self.q.x + t[:, None] * self.direction) - self.q.at_x)[:, near]
            others = weight[near] * np.abs(moved / t[:, None] - moved[-1] / step) > SHARE * gap
        return bool((others & (np.abs(moved) > SEEN * size[near]))[:-1].any())

    @cached_property
    def _bits_away(self) -> np.ndarray:
        """Points by so many units in the last place away, each element its own way; (bits, ways, x.size).

        Zero is left by more than a denormal, with which no arithmetic is exact.
        """
        ulps = np.spacing(np.fmax(np.abs(self.q.x), LEAST)) * np.sign(self.q.around[:8])
        points: np.ndarray = self.q.x + BITS[:, None, None] * ulps
        return points

    def _values_and_slopes(self, points: np.ndarray, step: float) -> np.ndarray:
        """What each output is at several points, and how it slopes from there over a step that forward can take."""
        inside = np.isfinite(self.q.evaluate(self.q.x + np.array([[step], [-step]]) * self.direction)).all(axis=1)
        t = -step if inside[1] and not inside[0] else step
        outputs = self.q.evaluate(points)
        slopes = (self.q.evaluate(points + t * self.direction) - outputs) / t
        return np.stack([outputs, np.where(np.isfinite(slopes), slopes, 0.0)], axis=1)
