"""Whether an analytic derivative agrees with the numerical one: the tolerance is derived here, nobody sets it.

Most directions are settled by the oracle's screen. One that is not is cross-examined on the full ladder, and an
accusation needs all of it: a derivative that many rungs support, on both sides, and an analytic value outside of
every slope that was seen, by more than the oracle's error, forward's rounding and roughness, and backward's own noise.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from adverify import oracle
from adverify.cross_examination import stacked, views
from adverify.ladders import screened
from adverify.oracle import EPS, Estimate
from adverify.question import RELATIVE_FLOOR, Finding, Question
from adverify.verdict import Status

RESOLUTION = 1e-6
"""The screen's error bar, relative to the derivative, above which the full ladder is asked for a better one."""

CONSTANT = 1e-12
"""The slope, in units of the output, below which one that is lost in rounding is none: forward is constant."""

FIRST = 4
"""Directions that are looked at closely before the others: one that is wrong settles the question."""

MOST, MOST_NUMBERS = 24, 1_000_000
"""Directions of one question that are looked at closely; of a large one as many as come to so many numbers."""

PLAINLY = 1000
"""How many error bars of the screen are so many that more mean no more."""

CLEARLY = 10
"""How many error bars of the screen beside a wrong direction make another one wrong."""


class Findings(Sequence[Finding]):
    """The answers along all directions of one question: those that the screen settles, and those looked at closely.

    Attributes
    ----------
    estimate : Estimate
        What the screen saw.
    settled : ndarray of bool, shape (directions,)
        Where it agrees with backward, and is sharp.
    relative : ndarray, shape (directions,)
        Its error bar, relative to the derivative.
    close : dict of int to Finding
    beside : set of int
        Of those that are wrong, what only the screen says so of.
    """

    def __init__(self, estimate: Estimate, settled: np.ndarray, relative: np.ndarray) -> None:
        self.estimate, self.settled, self.relative = estimate, settled, relative
        self.close: dict[int, Finding] = {}
        self.beside: set[int] = set()

    def __len__(self) -> int:
        return len(self.settled)

    def __getitem__(self, i: Any) -> Any:
        if i in self.close:
            return self.close[i]
        value, error = float(self.estimate.value[i]), float(self.estimate.error[i])
        if self.settled[i]:
            return Finding(Status.HOLDS, "", value, value, error, float(self.relative[i]))
        return Finding(Status.UNDECIDED, "not looked at closely", value, value, error)

    @property
    def all_hold(self) -> bool:
        return not self.close and bool(self.settled.all())

    @property
    def examined(self) -> np.ndarray:
        """The numbers of the directions that something is known of: settled, or looked at closely."""
        seen = self.settled.copy()
        seen[list(self.close)] = True
        return np.flatnonzero(seen)

    @property
    def is_violated(self) -> bool:
        return any(f.status is Status.VIOLATED for f in self.close.values())


def judge(questions: Sequence[Question]) -> Iterator[tuple[int, Findings]]:
    """Answer questions along each of their directions, sharing calls of forward and of SciPy among all.

    Each comes with its number. Those that few directions show to be wrong come first, before the others are looked at
    again: whoever wants no more than one of them need not wait.
    """
    if not questions:
        return
    estimate = oracle.screen(stacked(screened(questions, oracle.SCREEN_RUNGS)))
    answers = _screened(questions, estimate)
    asked = [(i, q, a, _by_disagreement(q, a)) for i, (q, a) in enumerate(zip(questions, answers, strict=True))]
    left = []
    for one in _cross_examined([(i, q, a, rows[: min(FIRST, _most(q))]) for i, q, a, rows in asked]):
        if answers[one].is_violated:
            yield one, answers[one]
        else:
            left.append(asked[one])
    more = [(i, q, a, rows[FIRST : 0 if q.slow else _most(q)]) for i, q, a, rows in left]
    for one in _cross_examined(more):
        yield one, answers[one]


def _most(q: Question) -> int:
    """How many directions of a question are looked at closely at most."""
    return max(1, min(MOST, MOST_NUMBERS // max(1, q.x.size)))


def _screened(questions: Sequence[Question], estimate: Estimate) -> list[Findings]:
    value, error, size = estimate.value, estimate.error, estimate.size
    actual, terms = (np.concatenate([getattr(q, name) for q in questions]) for name in ("along", "terms"))
    with np.errstate(all="ignore"):
        magnitude = np.maximum(np.abs(value), np.abs(actual))
        floor = RELATIVE_FLOOR * np.maximum(magnitude, terms)
        agrees = np.isfinite(actual) & (np.abs(actual - value) <= error + floor)
        relative = np.where(error == 0, 0.0, error / np.maximum(magnitude, 1e-300))
        sharp = (relative <= RESOLUTION) | (error <= EPS * 100 * size) & (magnitude <= 1e-9 * size)
        constant = (np.abs(value) <= error) & (np.maximum(error, magnitude) <= CONSTANT * size)
        settled = agrees & (sharp | constant)
        relative = np.where(constant & (size > 0), error / size, relative)
    bounds = np.cumsum([0] + [q.along.size for q in questions])
    parts = [slice(a, b) for a, b in itertools.pairwise(bounds)]
    return [Findings(Estimate(value[p], error[p], size[p]), settled[p], relative[p]) for p in parts]


def _by_disagreement(q: Question, answer: Findings) -> np.ndarray:
    """The directions that the screen leaves open, those first that look most wrong; of wrong ones, of one element."""
    rows = np.flatnonzero(~answer.settled)
    if not rows.size:
        return rows
    screen = answer.estimate
    with np.errstate(all="ignore"):
        excess = np.abs(q.along[rows] - screen.value[rows]) / (screen.error[rows] + 1e-300)
    looks_wrong = np.minimum(np.nan_to_num(excess, nan=np.inf), PLAINLY)
    return rows[np.lexsort((np.count_nonzero(q.directions(rows), axis=1) > 1, -looks_wrong))]


def _cross_examined(asked: Sequence[tuple[int, Question, Findings, np.ndarray]]) -> Iterator[int]:
    """Answer along those directions of each question, given by their numbers, on the full ladder."""
    looks = views([(q, rows) for _, q, _, rows in asked if rows.size])
    for i, q, findings, rows in asked:
        for row, view in zip(rows.tolist(), next(looks) if rows.size else [], strict=True):
            findings.close[row] = view.finding()
            if q.slow and findings.is_violated and np.count_nonzero(view.direction) == 1:
                break
        if findings.is_violated:
            _accuse_others(q, findings)
        yield i


def _accuse_others(q: Question, answer: Findings) -> None:
    """Beside a direction that is surely wrong the screen tells which others are; nothing else is accused by it."""
    screen = answer.estimate
    with np.errstate(all="ignore"):
        bar = CLEARLY * (screen.error + RELATIVE_FLOOR * np.maximum(np.abs(screen.value), q.terms))
        wrong = ~(np.abs(q.along - screen.value) <= bar) & np.isfinite(screen.value) & ~answer.settled
    for i in np.flatnonzero(wrong).tolist():
        if i not in answer.close:
            value = float(screen.value[i])
            answer.close[i] = Finding(Status.VIOLATED, "", value, value, float(screen.error[i]))
            answer.beside.add(i)
