"""One direction from a point, what forward gives along it, and which elements and outputs that concerns."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from adverify.oracle import EPS
from adverify.question import Question

UNEVEN = np.array([1.0, 0.7310585786300049, -0.4196104, 1e-6])
"""Steps in no simple ratio, so that what is periodic shows."""

MOST_NUMBERS = 20_000_000
"""That are looked at to see which elements take part."""


@dataclass(frozen=True)
class Ray:
    """One direction from the point of a question, with what forward gave along it.

    Attributes
    ----------
    q : Question
    direction : ndarray, shape (x.size,)
    actual : float
        The slope along it that backward claims.
    phi : ndarray, shape (2, rungs)
        What forward gave on the full ladder.
    moves : ndarray of bool, shape (outputs,)
        Which outputs move on it.
    rounding : ndarray, shape (rungs,)
        What rounding does to phi.
    """

    q: Question
    direction: np.ndarray
    actual: float
    phi: np.ndarray
    moves: np.ndarray
    rounding: np.ndarray

    @property
    def usual(self) -> np.ndarray:
        """The point, with all elements of ordinary size."""
        return np.copysign(np.clip(np.abs(self.q.x), 0.25, 4.0), self.q.x)

    def involved(self, x: np.ndarray) -> np.ndarray:
        """Which elements take part in what moves along the direction from x: the others' magnitudes do not matter."""
        q, moved = self.q, self.direction != 0
        with np.errstate(all="ignore"):
            at_x = q.evaluate(x[None])[0]
            along = q.evaluate(x + UNEVEN[:, None] * self.direction)
            largest = np.where(moved, np.abs(x).max(), x)  # moves what a small step is too small to be seen in
            usual = np.where(moved, UNEVEN[1] * x / np.abs(x).max(), x)  # floats are dense there
            moves = (np.concatenate([along, q.evaluate(np.stack([largest, usual]))]) != at_x).any(axis=0)
            others = _extremes(np.abs(x), ~moved)
            changes = np.zeros(others.size, bool)
            for size in np.abs(x[moved]).max() * UNEVEN[:2]:
                points = np.tile(x, (others.size, 1))
                points[np.arange(others.size), others] = size
                changes |= (q.evaluate(points)[:, moves] != at_x[moves]).any(axis=1)
        involved: np.ndarray = moved.copy()
        involved[others] = changes
        return involved

    def hidden(self, step: float) -> float:
        """What outputs may move that are so large that they do not show it.

        Which outputs depend on the element is seen where all inputs are of ordinary size.
        """
        q, size = self.q, np.abs(self.q.x).max(initial=0.0)
        with np.errstate(all="ignore"):
            scaled = q.x / size
            depends = self.depends(np.where(scaled == 0, q.x, scaled)) | self.depends(self.usual)
            silent = np.where(depends & ~self.moves, np.abs(q.at_x * q.g), 0.0)
        return 4 * EPS * float(np.nan_to_num(silent).sum()) / step

    def depends(self, usual: np.ndarray) -> np.ndarray:
        """Which outputs move with the elements of the direction, seen from another point.

        Each element moves by an amount of its own, for together they may cancel, as in a softmax.
        """
        own = self.q.around[[0, 1, 4, 5]] * np.where(self.direction != 0, np.abs(usual).max(initial=0.0), 0.0)
        with np.errstate(all="ignore"):
            moved: np.ndarray = (np.abs(self.q.evaluate(usual + own) - self.q.evaluate(usual[None])[0]) > 0).any(axis=0)
        return moved

    def values_along(self, t: np.ndarray) -> np.ndarray:
        q = self.q
        with np.errstate(all="ignore"):
            phi: np.ndarray = (q.evaluate(q.x + t[:, None] * self.direction) - q.at_x) @ q.g
        return phi

    def claimed(self, points: np.ndarray) -> np.ndarray:
        """What backward says of the slope along the direction, at several points."""
        with np.errstate(all="ignore"):
            along: np.ndarray = np.where(self.direction == 0, 0.0, self.q.backward(points) * self.direction).sum(axis=1)
        return along


def _extremes(size: np.ndarray, among: np.ndarray) -> np.ndarray:
    """Give the places of all, or, if there are many, of the smallest and the largest that are not 0."""
    places = np.flatnonzero(among)
    most = max(8, min(512, MOST_NUMBERS // max(1, size.size)))
    if places.size <= most:
        return places
    places = places[size[places] > 0]
    order = places[np.argsort(size[places], kind="stable")]
    return np.sort(np.concatenate([order[: most // 2], order[-most // 2 :]]))
