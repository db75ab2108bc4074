"""Points around that of a question, at which nothing ties, and what forward gives there."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache, cached_property

import numpy as np

from adverify.case import flat
from adverify.evaluation import Evaluator
from adverify.shapes import Shapes, elements

MOST_WAYS, MOST_NUMBERS = 512, 1_000_000
"""In which a point is left: if it can be twice as many as elements, so that each is once in the middle of its ties."""

THOROUGHLY = 2000
"""Ways to leave a point before an accusation at a kink."""

NEAR_BY = 0.01
"""Of the way to points around, from where kinks are told from curves."""

NEARER = 1e-4
"""A share of a way: what changes by half as much over it jumps."""


TURNING = 64
"""Unlike numbers around a point, to three digits, that are no pieces any more but one that turns with the way there."""

ALL_SIDES = 0.95
"""The share of points around that are across a jump if only chance spares the others."""


@dataclass(frozen=True)
class Surroundings:
    """Points around one, and forward there; none is asked for before it is needed, nor twice.

    Attributes
    ----------
    evaluate : Evaluator
        forward, on rows of flattened inputs.
    x, at_x : ndarray, 1-D
        The point in the middle, and the outputs there.
    least_jump : float
        A change of an output that is no noise.
    points : ndarray, shape (k, x.size)
    """

    evaluate: Evaluator
    x: np.ndarray
    at_x: np.ndarray
    least_jump: float
    points: np.ndarray

    @cached_property
    def outputs(self) -> np.ndarray:
        """What forward gives at the points, shape (k, outputs)."""
        return self.evaluate(self.points)

    @cached_property
    def across_a_jump(self) -> np.ndarray:
        """Which outputs, at each point, are as far from those in the middle when the point is far nearer.

        What slopes are there says nothing of those in the middle. Shape (k, outputs).
        """
        with np.errstate(all="ignore"):
            nearer = np.abs(self.evaluate(self.x + NEARER * (self.points - self.x)) - self.at_x)
            across: np.ndarray = (nearer > self.least_jump) & (nearer > 0.5 * np.abs(self.outputs - self.at_x))
        return across

    @cached_property
    def without_limit(self) -> np.ndarray:
        """Which outputs are across a jump from all sides, and of a value of its own from each; shape (outputs,)."""
        with np.errstate(all="ignore"):
            shares = np.round(self.outputs / np.abs(self.outputs).max(axis=0), 3)
        turns = np.array([np.unique(s[np.isfinite(s)]).size >= TURNING for s in shares.T], bool)
        return turns & (self.across_a_jump.mean(axis=0) > ALL_SIDES)

    @cached_property
    def near_by(self) -> Surroundings:
        """The same, so near that what is only curved turns by nothing."""
        return replace(self, points=self.x + NEAR_BY * (self.points - self.x))


@cache
def ways_around(shapes: Shapes) -> np.ndarray:
    """Leave a point in many ways; square matrices also nearly along their diagonals, where eigenvectors are axes.

    Each element moves by -2 to 2 units, so that nothing ties; shape (k, elements).
    """
    rng = np.random.default_rng(0)
    n = elements(shapes)
    many = max(24, min(2 * n, MOST_WAYS, MOST_NUMBERS // max(1, n)))
    ranks = np.linspace(1.0, 2.0, n)
    ways = np.concatenate([
        [ranks, -ranks, ranks[::-1], -ranks[::-1]], rng.choice([-1.0, 1.0], (many, n)) * rng.uniform(1, 2, (many, n)),
        rng.choice([-1.0, 1.0], (many, n)) * 10 ** rng.uniform(-2, 0.3, (many, n)),
    ])  # fmt: skip
    square = [len(s) >= 2 and s[-1] == s[-2] > 1 for s in shapes]
    if not any(square):
        return ways
    diagonal = flat(tuple(
        np.broadcast_to(np.eye(s[-1]), s) if is_square else np.ones(s)
        for s, is_square in zip(shapes, square, strict=True)
    ))  # fmt: skip
    return np.concatenate([ways, ways * np.where(diagonal == 1, 1.0, 1e-3)])


def more_ways_around(shapes: Shapes) -> np.ndarray:
    """Leave a point in many more ways: of several elements that tie, one order may be rare."""
    n = elements(shapes)
    rng = np.random.default_rng(1)
    many = max(1, min(THOROUGHLY, MOST_NUMBERS // max(1, n)))
    return rng.choice([-1.0, 1.0], (many, n)) * rng.uniform(0.1, 2, (many, n))
