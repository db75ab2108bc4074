"""forward at many points at once: in one call where that gives the same, one by one elsewhere."""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial

import numpy as np

from adverify.subject import Arrays, Rejected, Subject

CHECKED = 4
"""Points of every common call that are also evaluated alone."""

MOST_SECONDS = 0.5
"""That a common call may take: it is one call to the time limit, however many points it is of."""

MOST_TOGETHER = 200_000
"""Numbers in one call: more take longer than they save, and an op has only so much time."""

Axes = tuple[int | None, ...]
"""Per input, the axis along which the points are laid one after the other; None for an input that stays."""

Shapes = tuple[tuple[int, ...], ...]


@dataclass
class Memory:
    """What was found out about calling a Subject for many points; shared by all its Evaluators.

    Attributes
    ----------
    stackable, unstackable : set of shapes
        Those for which a leading axis gave the same, and those for which it does not.
    joints : dict
        For shapes and the inputs that move, the axes along which points may be joined; None if there are none.
    pace : dict
        Seconds that a point of such shapes took, of the last that were evaluated in one call.
    mixes : bool
        Of an op whose outputs seemed to depend on one element of each input: one was seen to depend on others.
    """

    stackable: set[Shapes] = field(default_factory=set)
    unstackable: set[Shapes] = field(default_factory=set)
    joints: dict[tuple[Shapes, tuple[bool, ...]], Axes | None] = field(default_factory=dict)
    pace: dict[Shapes, float] = field(default_factory=dict)
    mixes: bool = False

    def is_slow(self, shapes: Shapes) -> bool:
        """Whether points of these shapes are evaluated one by one."""
        return shapes in self.unstackable and not any(axes for (s, _), axes in self.joints.items() if s == shapes)


@dataclass
class Evaluator:
    """forward on rows of flattened inputs, flattened outputs in rows; NaN where forward refuses.

    A new leading axis is tried first, then an axis that is there: many ops take a batch in one of theirs. Either is
    believed for one call only, and only if points spread over that call come out alike when they are evaluated alone;
    ops that reduce over that axis, or test a condition on the whole, fail this.

    Attributes
    ----------
    subject : Subject
    like, outputs : tuple of ndarray
        The inputs that the points are near, and their outputs.
    memory : Memory
    """

    subject: Subject
    like: Arrays
    outputs: Arrays
    memory: Memory

    def __post_init__(self) -> None:
        self.size = sum(y.size for y in self.outputs)
        self.shapes = tuple(a.shape for a in self.like)

    @property
    def family(self) -> Hashable:
        """What Evaluators have in common whose points may be evaluated in one call."""
        return id(self.memory), self.shapes

    def __call__(self, points: np.ndarray) -> np.ndarray:
        blocks = self._blocks(points)
        if len(points) <= 2 * CHECKED:
            return self._one_by_one(blocks)
        if self.shapes not in self.memory.unstackable:
            outputs = self.stacked(points)
            if outputs is not None:
                return outputs
            if self.shapes in self.memory.stackable:
                return self.in_parts(points)
            apart = self._in_groups(blocks)
            # Where forward refuses some of the points, it may refuse all together for their sake only.
            if np.isfinite(apart).all():
                self.memory.unstackable.add(self.shapes)
            return apart
        return self._in_groups(blocks)

    def stacked(self, points: np.ndarray, checked: int = CHECKED) -> np.ndarray | None:
        """Evaluate all points in one call, along a new leading axis; None if that does not give what they give alone.

        Parameters
        ----------
        points : ndarray, shape (k, x.size)
        checked : int
            How many of them are also evaluated alone.
        """
        if self.shapes in self.memory.unstackable:
            return None
        blocks = self._blocks(points)
        # A few first: an op that does not take a leading axis may make something huge of a long one.
        if self.shapes not in self.memory.stackable and self._stacked([b[:CHECKED] for b in blocks]) is None:
            return None
        outputs = self._stacked(blocks)
        if outputs is None or not self._is_as_alone(outputs, blocks, checked):
            return None
        self.memory.stackable.add(self.shapes)
        return outputs

    def in_parts(self, points: np.ndarray) -> np.ndarray:
        """Evaluate points of which forward refuses some, and so all together: in halves, until it takes them.

        Those next to each other lie along one direction: if all of a spread of them are refused, so are the others.
        """
        blocks = self._blocks(points)
        if len(points) <= 2 * CHECKED:
            return self._one_by_one(blocks)
        rows = np.linspace(0, len(points) - 1, 2 * CHECKED).astype(int)
        if np.isnan(self._one_by_one([b[rows] for b in blocks])).all():
            return np.full((len(points), self.size), np.nan)
        outputs = []
        for half in np.array_split(points, 2):
            taken = self.stacked(half) if len(half) > 2 * CHECKED else None
            outputs.append(self.in_parts(half) if taken is None else taken)
        return np.concatenate(outputs)

    def _blocks(self, points: np.ndarray) -> list[np.ndarray]:
        """Divide rows of flattened inputs into the inputs."""
        ends = np.cumsum([a.size for a in self.like])[:-1]
        return [
            np.ascontiguousarray(b).reshape(len(points), *a.shape)
            for b, a in zip(np.split(points, ends, axis=1), self.like, strict=True)
        ]

    def _one_by_one(self, blocks: list[np.ndarray]) -> np.ndarray:
        outputs = np.full((len(blocks[0]), self.size), np.nan)
        for i, row in enumerate(outputs):
            try:
                values = self.subject.forward([b[i] for b in blocks])
            except Rejected:
                continue
            if sum(y.size for y in values) == self.size:
                np.concatenate([y.ravel() for y in values], out=row)
        return outputs

    def _stacked(self, blocks: list[np.ndarray]) -> np.ndarray | None:
        return self._in_calls(self._in_one_call, blocks)

    def _in_calls(
        self, call: Callable[[list[np.ndarray]], np.ndarray | None], blocks: list[np.ndarray]
    ) -> np.ndarray | None:
        """Evaluate in calls that are not too large, nor, at the pace of the one before, too long."""
        parts: list[np.ndarray] = []
        done, most = 0, max(1, MOST_TOGETHER // max(1, sum(a.size for a in self.like)))
        while done < len(blocks[0]):
            rows = max(1, min(most, int(MOST_SECONDS / self.memory.pace.get(self.shapes, 1e-9))))
            started = time.perf_counter()
            part = call([b[done : done + rows] for b in blocks])
            if part is None:
                return None
            self.memory.pace[self.shapes] = (time.perf_counter() - started) / len(part)
            parts.append(part)
            done += len(part)
        return parts[0] if len(parts) == 1 else np.concatenate(parts)

    def _in_one_call(self, blocks: list[np.ndarray]) -> np.ndarray | None:
        n, most = len(blocks[0]), max(b.ndim for b in blocks)
        padded = [b.reshape(n, *(1,) * (most - b.ndim), *b.shape[1:]) for b in blocks]
        try:
            values = self.subject.evaluate(padded)
        except Rejected:
            return None
        if any(y.ndim == 0 or len(y) != n for y in values):
            return None
        outputs = np.concatenate([y.reshape(n, -1) for y in values], axis=1, dtype=np.float64)
        return _refused_as_nan(outputs) if outputs.shape[1] == self.size else None

    def _in_groups(self, blocks: list[np.ndarray]) -> np.ndarray:
        """Evaluate together the points that move the same inputs."""
        moved = np.stack([
            (b != a).reshape(len(b), -1).any(axis=1) for b, a in zip(blocks, self.like, strict=True)
        ], axis=1)  # fmt: skip
        outputs = np.empty((len(moved), self.size))
        for which in np.unique(moved, axis=0):
            rows = np.flatnonzero((moved == which).all(axis=1))
            own = [b[rows] for b in blocks]
            joined = self._joined(own, tuple(which.tolist())) if which.any() and len(rows) > 2 * CHECKED else None
            outputs[rows] = self._one_by_one(own) if joined is None else joined
        return outputs

    def _joined(self, blocks: list[np.ndarray], moved: tuple[bool, ...]) -> np.ndarray | None:
        """Lay the points along an axis that the inputs have, if one is found that gives what they give alone."""
        key = (self.shapes, moved)
        known = self.memory.joints.get(key)
        for axes in _ways_to_join(self.shapes, moved) if key not in self.memory.joints else [known] if known else []:
            # A few first: an op that mixes along that axis may take very long over a long one.
            few = [b[:CHECKED] for b in blocks]
            join = partial(self._along, axes=axes)
            trial = self._in_calls(join, few)
            outputs = self._in_calls(join, blocks) if trial is not None and self._is_as_alone(trial, few) else None
            if outputs is not None and self._is_as_alone(outputs, blocks) and self._is_as_alone_afar(outputs, blocks):
                self.memory.joints[key] = axes
                return outputs
        self.memory.joints.setdefault(key, None)
        return None

    def _along(self, blocks: list[np.ndarray], axes: Axes) -> np.ndarray | None:
        n = len(blocks[0])
        arrays = [b[0] if axis is None else np.concatenate(b, axis=axis) for b, axis in zip(blocks, axes, strict=True)]
        try:
            values = self.subject.evaluate(arrays)
        except Rejected:
            return None
        parts = [_cut(y, alone.shape, n) for y, alone in zip(values, self.outputs, strict=True)]
        found = [part for part in parts if part is not None]
        return _refused_as_nan(np.concatenate(found, axis=1, dtype=np.float64)) if len(found) == len(parts) else None

    def _is_as_alone(self, outputs: np.ndarray, blocks: list[np.ndarray], checked: int = CHECKED) -> bool:
        return self._are_as_alone(outputs, blocks, np.linspace(0, len(outputs) - 1, checked).astype(int))

    def _is_as_alone_afar(self, outputs: np.ndarray, blocks: list[np.ndarray]) -> bool:
        """The same where each element is largest and smallest: the last of all, say, may matter to the others."""
        points = np.concatenate([b.reshape(len(b), -1) for b in blocks], axis=1)
        return self._are_as_alone(outputs, blocks, np.concatenate([points.argmax(axis=0), points.argmin(axis=0)]))

    def _are_as_alone(self, outputs: np.ndarray, blocks: list[np.ndarray], rows: np.ndarray) -> bool:
        rows = np.unique(rows)
        alone = self._one_by_one([b[rows] for b in blocks])
        same = np.abs(outputs[rows] - alone) <= 4 * np.spacing(np.abs(alone))
        return bool((same | (np.isnan(outputs[rows]) & np.isnan(alone))).all())


def evaluate_together(evaluators: Sequence[Evaluator], points: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Evaluate the points of each Evaluator of one family: in one call, or, where forward takes none, one by one."""
    first, numbers = evaluators[0], sum(p.size for p in points)
    if len(evaluators) > 1 and 0 < numbers <= MOST_TOGETHER and first.shapes not in first.memory.unstackable:
        together = np.concatenate(points)
        outputs = first.stacked(together, CHECKED + len(points))
        if outputs is None and first.shapes in first.memory.stackable:
            outputs = first.in_parts(together)
        if outputs is not None:
            return np.split(outputs, np.cumsum([len(p) for p in points])[:-1])
    return [evaluate(p) for evaluate, p in zip(evaluators, points, strict=True)]


def _refused_as_nan(outputs: np.ndarray) -> np.ndarray:
    """Make a row NaN that forward alone would be refused for."""
    outputs[~np.isfinite(outputs).all(axis=1)] = np.nan
    return outputs


def _ways_to_join(shapes: Shapes, moved: tuple[bool, ...]) -> Iterator[Axes]:
    """Give axes to lay points along: of the inputs that move, alone or with those of the same leading length."""
    lengths = {s[0] for s, moves in zip(shapes, moved, strict=True) if moves and s}
    if all(s for s, moves in zip(shapes, moved, strict=True) if moves):
        yield tuple(0 if moves else None for moves in moved)
    if len(lengths) == 1 and len(shapes) > 1:
        yield tuple(0 if s and s[0] in lengths else None for s in shapes)
    if sum(moved) == 1:
        for axis in (1, -1):
            if len(shapes[moved.index(True)]) > 1:
                yield tuple(axis if moves else None for moves in moved)


def _cut(joined: np.ndarray, shape: tuple[int, ...], n: int) -> np.ndarray | None:
    """Cut the output for n joined points into one row for each; None if no axis is n times as long as alone."""
    if joined.ndim != len(shape):
        return None
    longer = [i for i, (a, b) in enumerate(zip(joined.shape, shape, strict=True)) if a != b]
    if len(longer) != 1 or joined.shape[longer[0]] != n * shape[longer[0]]:
        return None
    axis = longer[0]
    apart = joined.reshape(*shape[:axis], n, *shape[axis:])
    return np.moveaxis(apart, axis, 0).reshape(n, -1)
