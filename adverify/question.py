"""What is asked of the oracle about one case, and its answers."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from adverify import oracle
from adverify.evaluation import Evaluator, evaluate_together
from adverify.oracle import EPS
from adverify.verdict import Status

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
    directions : ndarray, shape (directions, x.size)
    room : ndarray, shape (x.size,)
        How far each element may move.
    scale : float
        The typical size of forward's outputs elsewhere: what is lost to rounding inside forward is seen there.
    noise : float
        The roughness of forward at usual points: what it rounds inside, which its output does not show.
    around : ndarray, shape (k, x.size)
        Ways to leave the point, each element by -2 to 2 units, so that nothing ties.
    near : ndarray, shape (2, k, x.size)
        Points a few ulps away, on the side where all elements grow and on that where they shrink; ties stay ties.
    backward : callable
        Gives the gradients that backward claims at such points, NaN where it gives none.
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
    directions: np.ndarray
    room: np.ndarray
    scale: float
    noise: float
    around: np.ndarray
    near: np.ndarray
    backward: Callable[[np.ndarray], np.ndarray]
    corner: bool = False
    slow: bool = False

    @property
    def resolution(self) -> float:
        """The relative precision of forward: that of doubles, unless it rounds to less inside."""
        return max(EPS, 4 * self.noise / self.scale) if self.scale else EPS

    @cached_property
    def beside(self) -> tuple[np.ndarray, np.ndarray]:
        """Points around this one, where nothing ties, and the outputs there."""
        points = self.x + 1e-4 * self.room * self.around
        return points, self.evaluate(points)

    @cached_property
    def along(self) -> np.ndarray:
        """<v, u> for each direction u; an element that u leaves alone does not matter, even if it is NaN."""
        with np.errstate(all="ignore"):
            products: np.ndarray = np.where(self.directions == 0, 0.0, self.directions * self.v).sum(axis=1)
        return products

    @cached_property
    def terms(self) -> np.ndarray:
        """What is added up to get <v, u>, in absolute value: each term may be off, whatever they cancel to."""
        with np.errstate(all="ignore"):
            size: np.ndarray = np.where(self.directions == 0, 0.0, np.abs(self.directions * self.v)).sum(axis=1)
        return np.where(np.isfinite(size), size, 0.0)


def sampled(asked: Sequence[tuple[Question, np.ndarray]], rungs: int) -> list[oracle.Samples]:
    """Sample phi along directions of each question; those about the same op and shapes share a call of forward."""
    points = [oracle.points_along(q.x, directions, rungs) for q, directions in asked]
    families: dict[Hashable, list[int]] = {}
    for i, (q, _) in enumerate(asked):
        families.setdefault(q.evaluate.family, []).append(i)
    outputs: dict[int, np.ndarray] = {}
    for members in families.values():
        evaluators = [asked[i][0].evaluate for i in members]
        outputs |= zip(members, evaluate_together(evaluators, [points[i] for i in members]), strict=True)
    return [
        oracle.samples_of(outputs[i], q.at_x, q.x, q.g, directions, rungs, q.resolution)
        for i, (q, directions) in enumerate(asked)
    ]


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
    def expected(self) -> float:
        """What the oracle settled on, or, at a kink, what is in the middle of all that is right."""
        return self.settled if np.isfinite(self.settled) else 0.5 * (self.low + self.high)
