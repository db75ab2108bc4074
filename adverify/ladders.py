"""phi on the ladder for many questions at once: those about the same op and shapes share one call of forward."""

from __future__ import annotations

import math
import zlib
from collections.abc import Hashable, Iterable, Sequence

import numpy as np

from adverify import oracle
from adverify.evaluation import evaluate_together
from adverify.oracle import Samples
from adverify.question import Question
from adverify.shapes import Shapes

ROUNDED = 64
"""Units in the last place by which an output may differ between two calls, as another part of a vector."""


def sampled(asked: Sequence[tuple[Question, np.ndarray]], rungs: int) -> list[Samples]:
    """Sample phi along some directions of each question."""
    found: dict[int, Samples] = {}
    for members in _alike((q.evaluate.family, directions.shape) for q, directions in asked):
        questions = [asked[i][0] for i in members]
        directions = np.stack([asked[i][1] for i in members])
        x, at_x, g, resolution = _stacked(questions)
        outputs = _outputs(questions, oracle.points_along(x, directions, rungs))
        samples = oracle.samples_of(outputs, at_x, x, g, directions, resolution)
        found |= zip(members, samples.apart(), strict=True)
    return [found[i] for i in range(len(asked))]


def screened(questions: Sequence[Question], rungs: int) -> list[Samples]:
    """Sample phi along all directions of each question, for a first look.

    Where outputs mix no elements, all elements of an input move at once, and what each does is read off its own
    outputs. Once half of them move alone, and should others' outputs change then, the memory of the op knows it.
    """
    found: dict[int, Samples] = {}
    for members in _alike((q.evaluate.family, q.elementwise) for q in questions):
        some = [questions[i] for i in members]
        if some[0].elementwise:
            samples = _by_element(some, rungs).apart()
        else:
            samples = sampled([(q, q.directions(np.arange(q.along.size))) for q in some], rungs)
        found |= zip(members, samples, strict=True)
    return [found[i] for i in range(len(questions))]


def _by_element(questions: Sequence[Question], rungs: int) -> Samples:
    x, at_x, g, resolution = _stacked(questions)
    room = np.stack([q.room for q in questions])
    shapes = questions[0].evaluate.shapes
    inputs = np.repeat(np.eye(len(shapes)), [math.prod(s) for s in shapes], axis=1)
    half = _halves(x, inputs)
    points = [oracle.points_along(x, room[:, None, :] * inputs, rungs), (x[:, None] + room[:, None] * half)[:, :, None]]
    outputs = _outputs(questions, np.concatenate(points, axis=2))
    outputs, of_halves = outputs[:, :, :-1], outputs[:, :, -1]
    changed = np.abs(of_halves - at_x[:, None]) > ROUNDED * np.spacing(np.abs(at_x[:, None]))
    if _depend_on_others(changed, half != 0, shapes):
        questions[0].evaluate.memory.mixes = True
    with np.errstate(all="ignore"):
        change = outputs - at_x[:, None, None]
        unknown = ~np.isfinite(change)
        moves = (~unknown & (change != 0)).any(axis=2, keepdims=True) & ~unknown
        phi = _per_element(np.where(moves, change * g[:, None, None], 0.0), shapes)
        size = _per_element(np.where(moves, np.abs(outputs * g[:, None, None]), 0.0), shapes)
        short = np.abs(oracle.steps(rungs)) < 8 * (oracle.visible(x, resolution) / room)[..., None]
    phi[(_per_element(unknown, shapes) > 0) | short] = np.nan
    shape = (*phi.shape[:2], 2, rungs)
    return Samples(phi.reshape(shape), size.reshape(shape), np.zeros((*phi.shape[:2], 0), bool))


def _halves(x: np.ndarray, inputs: np.ndarray) -> np.ndarray:
    """Choose about half of the elements of each input, other ones for each point, with a sign; 0 for those that stay.

    Parameters
    ----------
    x : ndarray, shape (questions, n)
    inputs : ndarray, shape (inputs, n)
        1 for the elements of each input.

    Returns
    -------
    ndarray, shape (questions, inputs, n)
    """
    rng = np.random.default_rng(zlib.crc32(x.tobytes()))
    return rng.choice([-1.0, 0.0, 0.0, 1.0], (len(x), *inputs.shape)) * inputs


def _depend_on_others(changed: np.ndarray, moved: np.ndarray, shapes: Shapes) -> bool:
    """Whether outputs changed to which none of the elements that moved is broadcast.

    Parameters
    ----------
    changed : ndarray of bool, shape (questions, inputs, outputs)
        Which outputs did, as one input moved.
    moved : ndarray of bool, shape (questions, inputs, n)
        Which of its elements did.
    """
    output, ends = np.broadcast_shapes(*shapes), np.cumsum([0, *map(math.prod, shapes)])
    for i, shape in enumerate(shapes):
        own = moved[:, i, ends[i] : ends[i + 1]].reshape(len(moved), *(1,) * (len(output) - len(shape)), *shape)
        reached = np.broadcast_to(own, (len(moved), *output)).reshape(len(moved), -1)
        if (changed[:, i] & ~reached).any():
            return True
    return False


def _per_element(values: np.ndarray, shapes: Shapes) -> np.ndarray:
    """Sum (questions, inputs, steps, outputs) over the outputs of each element: (questions, elements, steps)."""
    output = np.broadcast_shapes(*shapes)
    parts = []
    for i, shape in enumerate(shapes):
        padded = (1,) * (len(output) - len(shape)) + shape
        repeated = tuple(axis - len(output) for axis, (n, m) in enumerate(zip(padded, output, strict=True)) if n != m)
        own = values[:, i].reshape(*values.shape[:1], values.shape[2], *output).sum(axis=repeated)
        parts.append(own.reshape(len(values), values.shape[2], math.prod(shape)))
    return np.concatenate(parts, axis=2).swapaxes(1, 2)


def _outputs(questions: Sequence[Question], points: np.ndarray) -> np.ndarray:
    """Evaluate forward at points, (questions, directions, steps, n); gives (questions, directions, steps, outputs)."""
    rows = points.reshape(len(questions), math.prod(points.shape[1:-1]), points.shape[-1])
    outputs = evaluate_together([q.evaluate for q in questions], list(rows))
    return np.stack(outputs).reshape(*points.shape[:-1], questions[0].evaluate.size)


def _stacked(questions: Sequence[Question]) -> tuple[np.ndarray, ...]:
    """Give the points, their outputs, the cotangents and the resolutions of several questions as arrays."""
    x, at_x, g = (np.stack([getattr(q, name) for q in questions]) for name in ("x", "at_x", "g"))
    return x, at_x, g, np.array([q.resolution for q in questions])


def _alike(keys: Iterable[Hashable]) -> list[list[int]]:
    """Group positions by key."""
    groups: dict[Hashable, list[int]] = {}
    for i, key in enumerate(keys):
        groups.setdefault(key, []).append(i)
    return list(groups.values())
