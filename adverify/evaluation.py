"""forward at many points at once: stacked in one call where that gives the same, one by one elsewhere."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from adverify.subject import Arrays, Rejected, Subject

CHECKED = 4
"""Points of every stacked call that are also evaluated alone."""


@dataclass
class Evaluator:
    """forward on rows of flattened inputs, flattened outputs in rows; NaN where forward refuses.

    A leading axis is tried first. It is believed for one call only, and only if points spread over that call come out
    alike when they are evaluated alone; ops that reduce over all axes, or test a condition on the whole, fail this.

    Attributes
    ----------
    subject : Subject
    like : tuple of ndarray
        Arrays of the inputs' shapes.
    size : int
        How many elements all outputs have together.
    refused : set
        The shapes for which stacking failed before; shared by all evaluators of one Subject.
    """

    subject: Subject
    like: Arrays
    size: int
    refused: set[tuple[tuple[int, ...], ...]] = field(default_factory=set)

    def __call__(self, points: np.ndarray) -> np.ndarray:
        ends = np.cumsum([a.size for a in self.like])[:-1]
        blocks = [
            np.ascontiguousarray(b).reshape(len(points), *a.shape)
            for b, a in zip(np.split(points, ends, axis=1), self.like, strict=True)
        ]
        shapes = tuple(a.shape for a in self.like)
        if len(points) > 2 * CHECKED and shapes not in self.refused:
            # A few first: an op that does not take a leading axis may make something huge of a long one.
            takes = self._stacked([b[:CHECKED] for b in blocks]) is not None
            outputs = self._stacked(blocks) if takes else None
            if outputs is not None and self._is_as_alone(outputs, blocks):
                return outputs
            self.refused.add(shapes)
        return self._one_by_one(blocks, range(len(points)))

    def _one_by_one(self, blocks: list[np.ndarray], rows: range | np.ndarray) -> np.ndarray:
        outputs = np.full((len(rows), self.size), np.nan)
        for row, i in zip(outputs, rows, strict=True):
            try:
                values = self.subject.forward([b[i] for b in blocks])
            except Rejected:
                continue
            if sum(y.size for y in values) == self.size:
                np.concatenate([y.ravel() for y in values], out=row)
        return outputs

    def _stacked(self, blocks: list[np.ndarray]) -> np.ndarray | None:
        n, most = len(blocks[0]), max(b.ndim for b in blocks)
        padded = [b.reshape(n, *(1,) * (most - b.ndim), *b.shape[1:]) for b in blocks]
        try:
            values = self.subject.forward(padded)
        except Rejected:
            return None
        if any(y.ndim == 0 or len(y) != n for y in values):
            return None
        outputs = np.concatenate([y.reshape(n, -1) for y in values], axis=1, dtype=np.float64)
        return outputs if outputs.shape[1] == self.size else None

    def _is_as_alone(self, outputs: np.ndarray, blocks: list[np.ndarray]) -> bool:
        rows = np.unique(np.linspace(0, len(outputs) - 1, CHECKED).astype(int))
        alone = self._one_by_one(blocks, rows)
        return bool((np.abs(outputs[rows] - alone) <= 4 * np.spacing(np.abs(alone))).all())
