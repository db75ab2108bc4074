"""What a wrong gradient looks like from near: Jacobians beside each other, and forward along the worst direction."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from adverify import oracle
from adverify.agreement import judge
from adverify.case import Case
from adverify.isolation import OutOfTime, Watch, isolated
from adverify.oracle import Samples
from adverify.properties.gradient import question_of
from adverify.question import Finding, Question
from adverify.subject import BackwardRaised, MalformedOp, Rejected
from adverify.verdict import Status

SIDE = 24
"""Rows and columns of a Jacobian, at most."""
MOST_JACOBIANS = 6
MOST_ELEMENTS = 10_000
"""Of larger inputs or outputs nothing is measured: each point is as large as the input."""
MOST_APART = 256
"""Elements that move together are also looked at one by one, if they are not more."""
SECONDS = 2.0
SCALES = (1.0, 1e-3, 1e-6)
"""How near forward is looked at, in units of how far the input may move."""
POINTS = 65
LADDERS = (oracle.SCREEN_RUNGS, 18, 27, 36)
"""How many rungs are tried, in turn, for an entry of a Jacobian: the longer, the nearer a jump may be."""
SHARP = 1e-6
"""An error bar above this share of the derivative is tried to be improved on."""
KINK = 0.05
"""Slopes from either side that differ by more than this share of them make a kink."""


@dataclass(frozen=True)
class Jacobian:
    """How an output moves with an input; rows are elements of the output, columns those of the input.

    Attributes
    ----------
    input, output : str
    rows, columns : range
        Which elements of the flattened output and input.
    size : tuple of int
        How many elements those have.
    analytic : ndarray, optional
        As backward claims; None if it raised, or left a gradient of another shape.
    numerical, error : ndarray
        As forward does, with its error bar; NaN and infinity where no derivative was found.
    """

    input: str
    output: str
    rows: range
    columns: range
    size: tuple[int, int]
    analytic: np.ndarray | None
    numerical: np.ndarray
    error: np.ndarray


@dataclass(frozen=True)
class Slope:
    """phi(t) = <g, f(x + t u) - f(x)> along the direction u in which backward is most wrong; t is how far it moves.

    Attributes
    ----------
    direction : str
        What moves.
    analytic : float
        phi'(0) as backward claims.
    low, high, error : float
        Between which slopes it should be, alike where forward is smooth, and the error bar of both.
    windows : tuple of (ndarray, ndarray)
        t and phi, from far to near.
    steps, left, right : ndarray
        Steps t, long to short, and phi'(0) as SciPy finds it with them from either side.
    """

    direction: str
    analytic: float
    low: float
    high: float
    error: float
    windows: tuple[tuple[np.ndarray, np.ndarray], ...]
    steps: np.ndarray
    left: np.ndarray
    right: np.ndarray


@dataclass(frozen=True)
class Anatomy:
    """What was measured, and why something is missing."""

    slope: Slope | None = None
    jacobians: tuple[Jacobian, ...] = ()
    note: str = ""


def anatomy_of(case: Case, seconds: float = SECONDS) -> Anatomy:
    """Measure what a wrong gradient looks like.

    Parameters
    ----------
    case : Case
        One at which backward gives a wrong gradient.
    seconds : float
        After so long, what was not measured yet is left out.

    Returns
    -------
    Anatomy

    Examples
    --------
    >>> from adverify import Function, VerificationError, check_case, variable
    >>> class Square(Function):
    ...     def forward(self, x):
    ...         return variable(x.data**2)
    ...     def backward(self, x, grad):
    ...         x.grad += grad * x.data
    >>> try:
    ...     check_case(Square, [[1.0, 3.0]])
    ... except VerificationError as error:
    ...     anatomy = anatomy_of(error.report.failures[0].case)
    >>> anatomy.jacobians[0].analytic
    array([[1., 0.],
           [0., 3.]])
    >>> anatomy.jacobians[0].numerical.round(6)
    array([[2., 0.],
           [0., 6.]])
    """
    found = Anatomy()
    with isolated(), Watch(seconds) as watch:
        watch.reset()
        try:
            if sum(a.size for a in (*case.arrays, *case.outputs)) > MOST_ELEMENTS:
                return replace(found, note="the arrays are too large to look at from near")
            question = question_of(case)
            if question is None:
                return replace(found, note="backward left a gradient of another shape than its input's")
            if not question.x.size or not question.g.size:
                return replace(found, note="there are no elements to look at")
            direction, finding = _worst(question)
            found = replace(found, slope=_slope(case, question, direction, finding))
            for jacobian in _jacobians(case, question, direction):
                found = replace(found, jacobians=(*found.jacobians, jacobian))
        except OutOfTime:
            return replace(found, note=f"not all could be measured within {seconds:g} seconds")
        except (Rejected, BackwardRaised, MalformedOp) as error:
            return replace(found, note=str(error))
    return found


def _worst(question: Question) -> tuple[np.ndarray, Finding]:
    """Give the direction in which backward is most wrong; of several elements only those that matter, if they tell."""
    direction, finding = _most_wrong(question)
    moved = np.flatnonzero(direction)
    if 1 < moved.size <= MOST_APART:
        apart, alone = _most_wrong(replace(question, chosen=np.diag(question.room)[moved]))
        if alone.status is Status.VIOLATED:
            return apart, alone
    return direction, finding


def _most_wrong(question: Question) -> tuple[np.ndarray, Finding]:
    """Give the direction in which backward is most wrong, in proportion; of several the one that moves least."""
    ((_, findings),) = judge([question])

    def wrongness(i: int) -> tuple[bool, float, int]:
        expected, claimed = findings[i].expected, question.along[i]
        share = abs(claimed - expected) / max(abs(claimed), abs(expected), 1e-300)
        moved = int(np.count_nonzero(question.direction(i)))
        return findings[i].status is Status.VIOLATED, round(float(np.nan_to_num(share, nan=2.0)), 3), -moved

    worst = max(range(len(findings)), key=wrongness)
    return question.direction(worst), findings[worst]


def _slope(case: Case, question: Question, direction: np.ndarray, finding: Finding) -> Slope:
    reach = float(np.abs(direction).max())
    t = np.linspace(-1.0, 1.0, POINTS)
    samples = oracle.sample(
        question.evaluate, question.x, question.g, direction[None], oracle.FULL_RUNGS, question.resolution
    )
    left, right = (oracle.one_sided(samples, side)[0] / reach for side in (-1, 1))
    return Slope(
        direction=_moved(case, direction),
        analytic=float(replace(question, chosen=direction[None]).along[0]) / reach,
        low=finding.low / reach,
        high=finding.high / reach,
        error=finding.error / reach,
        windows=tuple((reach * s * t, _phi(question, question.x + s * t[:, None] * direction)) for s in SCALES),
        steps=reach * 2.0 ** -np.arange(left.size),
        left=left,
        right=right,
    )


def _phi(question: Question, points: np.ndarray) -> np.ndarray:
    change = question.evaluate(points) - question.at_x
    phi: np.ndarray = np.where(change == 0, 0.0, change) @ question.g
    return phi


def _moved(case: Case, direction: np.ndarray) -> str:
    """Name the elements that a direction moves."""
    names = [
        f"{name}[{', '.join(map(str, index))}]" if index else name
        for name, array in zip(case.names, case.arrays, strict=True)
        for index in np.ndindex(array.shape)
    ]
    moved = [names[j] for j in np.flatnonzero(direction)]
    return ", ".join(moved[:4]) + (", ..." if len(moved) > 4 else "")


def _jacobians(case: Case, question: Question, worst: np.ndarray) -> Iterator[Jacobian]:
    """Measure the Jacobians of each output by each input, near the elements of the worst direction first."""
    moved = int(np.flatnonzero(worst)[0])
    changed = np.flatnonzero(question.evaluate((question.x + worst)[None])[0] != question.at_x)
    outputs = _parts([y.size for y in case.outputs], int(changed[0]) if changed.size else 0)
    inputs = _parts([a.size for a in case.arrays], moved)
    pairs = [(i, o) for i in inputs for o in outputs if case.arrays[i].size and case.outputs[o].size]
    for i, o in pairs[:MOST_JACOBIANS]:
        (first, columns), (start, rows) = inputs[i], outputs[o]
        numerical, error = _numerical(question, range(first, first + case.arrays[i].size), columns, start, rows)
        yield Jacobian(
            case.names[i],
            "output" if len(case.outputs) == 1 else f"output[{o}]",
            rows,
            columns,
            (case.outputs[o].size, case.arrays[i].size),
            _analytic(case, i, columns, o, rows),
            numerical,
            error,
        )


def _parts(sizes: list[int], chosen: int) -> dict[int, tuple[int, range]]:
    """Give, for each array in a flattened list, where it starts and which elements are looked at; the chosen first."""
    ends = np.cumsum(sizes)
    parts = {}
    for i, (size, end) in enumerate(zip(sizes, ends.tolist(), strict=True)):
        at = chosen - (end - size) if end - size <= chosen < end else 0
        start = max(0, min(at - SIDE // 2, size - SIDE))
        parts[i] = (end - size, range(start, min(size, start + SIDE)))
    own = int(np.searchsorted(ends, chosen, side="right"))
    return dict(sorted(parts.items(), key=lambda part: part[0] != own))


def _analytic(case: Case, i: int, columns: range, o: int, rows: range) -> np.ndarray | None:
    """Ask backward for each row, with a cotangent that is 1 at one element."""
    found = np.empty((len(rows), len(columns)))
    for row, element in zip(found, rows, strict=True):
        cotangents = [np.zeros_like(y) for y in case.outputs]
        cotangents[o].flat[element] = 1.0
        try:
            gradient = np.asarray(case.subject.vjp(case.arrays, cotangents)[i], float)
        except (BackwardRaised, Rejected, TypeError, ValueError):
            return None
        if gradient.shape != case.arrays[i].shape:
            return None
        row[:] = gradient.ravel()[columns.start : columns.stop]
    return found


def _numerical(
    question: Question, own: range, columns: range, start: int, rows: range
) -> tuple[np.ndarray, np.ndarray]:
    """Ask the oracle for each column: one direction, with each element of the output by itself."""
    value, error = np.full((2, len(rows), len(columns)), np.nan)
    error[:] = np.inf
    chosen = slice(start + rows.start, start + rows.stop)
    for k, column in enumerate(columns):
        j = own[column]
        for rungs in LADDERS:
            samples = _samples(question, j, rungs, chosen)
            estimate = oracle.screen(samples)
            bar = np.maximum(estimate.error, _gap(samples) / 2)
            better = bar / question.room[j] < error[:, k]
            value[better, k] = (estimate.value / question.room[j])[better]
            error[better, k] = (bar / question.room[j])[better]
            if (error[:, k] <= SHARP * np.maximum(np.abs(value[:, k]), np.nanmax(np.abs(value), initial=0.0))).all():
                break
    return value, error


def _gap(samples: Samples) -> np.ndarray:
    """Give how far the slopes from either side are apart at a kink, 0 elsewhere; central slopes are in their middle.

    At a kink they are as far apart at any step. Beside a jump they are not, once steps are shorter than to there; at a
    jump they move apart without end.
    """
    left, right = (oracle.one_sided(samples, side) for side in (-1, 1))
    gap = np.abs(right - left)
    gap[gap <= KINK * np.maximum(np.abs(left), np.abs(right))] = 0.0
    settled = np.abs(np.diff(gap, axis=1)) <= KINK * gap[:, 1:]
    return np.min(gap[:, 1:], axis=1, initial=np.inf, where=settled)


def _samples(question: Question, j: int, rungs: int, chosen: slice) -> Samples:
    """Sample outputs while one input element moves, each output as a direction of its own."""
    t = 2.0 ** -np.arange(rungs)
    points = np.repeat(question.x[None], 2 * rungs, axis=0)
    points[:, j] += question.room[j] * np.concatenate([t, -t])
    outputs = question.evaluate(points)[:, chosen].T.reshape(-1, 2, rungs)
    at_x = question.at_x[chosen][:, None, None]
    phi = outputs - at_x
    phi[:, :, question.room[j] * t < 8 * np.spacing(abs(question.x[j]))] = np.nan
    moves = (phi != 0).any(axis=(1, 2))
    return Samples(phi, np.where(moves[:, None, None], np.abs(outputs), 0.0), moves[:, None])
