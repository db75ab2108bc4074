"""What is asked of the oracle about one case, and its answers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from adverify.evaluation import Evaluator
from adverify.oracle import EPS
from adverify.surroundings import Surroundings, more_ways_around, ways_around
from adverify.verdict import Status

JUMPS = 64
"""What changes by as many times what is rough may jump."""

WAY = 1e-4
"""How far a point is left, in units of the room of its elements."""

RELATIVE_FLOOR = 2e-7
"""Below it nobody is accused: backward may be less exact than forward for honest reasons."""


@dataclass(frozen=True)
class Question:
    """One point, one cotangent, one analytic gradient, and the directions along which it is judged.

    Attributes
    ----------
    evaluate : Evaluator
        forward, on rows of flattened inputs.
    x, at_x, g, v : ndarray, 1-D
        The point, the outputs there, the cotangent, and the gradient that backward claims.
    room : ndarray, shape (x.size,)
        How far each element may move.
    inward : ndarray, shape (x.size,)
        To which side only an element at an end of its domain may move: 1 or -1, and 0 elsewhere.
    chosen : ndarray, shape (directions, x.size), optional
        The directions; None for each element by itself, where outputs mix no elements of an input.
    scale : float
        The typical size of forward's outputs elsewhere: what is lost to rounding inside forward is seen there.
    noise : float
        The roughness of forward at usual points: what it rounds inside, which its output does not show.
    jump : float
        By how much forward jumps at usual points, if it is an iteration that stops early.
    backward : callable
        Gives the gradients that backward claims at such points, NaN where it gives none.
    scatter : callable
        Gives by how much they change with the last digits of the cotangent.
    corner : bool
        Whether the point was chosen for being special: kinks are then looked at from points nearby as well.
    slow : bool
        Whether forward takes points one by one only: few directions are then looked at closely.
    """

    evaluate: Evaluator
    x: np.ndarray
    at_x: np.ndarray
    g: np.ndarray
    v: np.ndarray
    room: np.ndarray
    inward: np.ndarray
    chosen: np.ndarray | None
    scale: float
    noise: float
    jump: float
    backward: Callable[[np.ndarray], np.ndarray]
    scatter: Callable[[], float]
    corner: bool = False
    slow: bool = False

    @property
    def resolution(self) -> float:
        """The relative precision of forward: that of doubles, unless it rounds to less inside."""
        known = 4 * self.noise < self.scale  # or outputs are nothing but noise, of whatever precision
        return max(EPS, 4 * self.noise / self.scale) if known else EPS

    @property
    def elementwise(self) -> bool:
        """Whether an output shows what only one element of each input does."""
        return self.chosen is None

    def directions(self, rows: np.ndarray) -> np.ndarray:
        """Give some of the directions that are asked about, by their numbers; shape (rows.size, x.size)."""
        if self.chosen is not None:
            return self.chosen[rows]
        alone = np.zeros((rows.size, self.x.size))
        alone[np.arange(rows.size), rows] = self.room[rows]
        return alone

    def direction(self, row: int) -> np.ndarray:
        """Give one of them."""
        return self.directions(np.array([row]))[0]

    def moved(self, rows: np.ndarray) -> np.ndarray:
        """Give which elements some of the directions move, of all; a mask."""
        if self.chosen is not None:
            return np.asarray((self.chosen[rows] != 0).any(axis=0))
        moved = np.zeros(self.x.size, bool)
        moved[rows] = True
        return moved

    @property
    def around(self) -> np.ndarray:
        """Ways to leave the point, each element by -2 to 2 units, so that nothing ties; (k, x.size)."""
        return ways_around(self.evaluate.shapes)

    @cached_property
    def near(self) -> np.ndarray:
        """Points a few ulps away, where all elements grow and where they shrink, (2, k, x.size); ties stay ties."""
        ulps = np.array([1.0, 2.0, 3.0])[:, None] * np.spacing(np.abs(self.x)) * np.sign(self.x)
        return self.x + np.stack([ulps, -ulps])

    def surroundings(self) -> Iterator[Surroundings]:
        """Give points around this one: a few, then, if asked for, many more."""
        yield self.beside
        yield self.all_beside

    @cached_property
    def beside(self) -> Surroundings:
        """Points around this one."""
        return self._left_by(self.around)

    @cached_property
    def all_beside(self) -> Surroundings:
        """Many more of them."""
        return self._left_by(more_ways_around(self.evaluate.shapes))

    def _left_by(self, ways: np.ndarray) -> Surroundings:
        inside = np.where(self.inward == 0, ways, self.inward * np.abs(ways))
        return self.left_for(self.x + WAY * self.room * inside)

    def left_for(self, points: np.ndarray) -> Surroundings:
        """Look around at given points."""
        rough = max(EPS * max(self.scale, float(np.abs(self.at_x).max(initial=0.0))), self.noise, self.jump)
        return Surroundings(self.evaluate, self.x, self.at_x, JUMPS * rough, points)

    @cached_property
    def along(self) -> np.ndarray:
        """<v, u> for each direction u; an element that u leaves alone does not matter, even if it is NaN."""
        with np.errstate(all="ignore"):
            if self.chosen is None:
                return self.room * self.v
            return np.asarray(np.where(self.chosen == 0, 0.0, self.chosen * self.v).sum(axis=1))

    @cached_property
    def terms(self) -> np.ndarray:
        """What is added up to get <v, u>, in absolute value: each term may be off, whatever they cancel to."""
        with np.errstate(all="ignore"):
            size = np.abs(self.along)
            if self.chosen is not None:
                size = np.where(self.chosen == 0, 0.0, np.abs(self.chosen * self.v)).sum(axis=1)
        return np.where(np.isfinite(size), size, 0.0)


@dataclass(frozen=True)
class Finding:
    """The answer along one direction; `low` and `high` bound what is right, `error` is the bar on both."""

    status: Status
    reason: str = ""
    low: float = np.nan
    high: float = np.nan
    error: float = np.inf
    resolution: float = 0.0
    settled: float = np.nan

    @property
    def is_smooth(self) -> bool:
        """Whether the oracle settled on one slope."""
        return bool(np.isfinite(self.settled))

    @property
    def expected(self) -> float:
        """What the oracle settled on, or, at a kink, what is in the middle of all that is right."""
        return self.settled if self.is_smooth else 0.5 * (self.low + self.high)
