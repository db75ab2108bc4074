"""Whether an analytic derivative agrees with the numerical one: the tolerance is derived here, nobody sets it.

Most directions are settled by the oracle's screen. One that is not is cross-examined on the full ladder, and an
accusation needs all of it: a derivative that many rungs support, on both sides, and an analytic value outside of
every slope that was seen, by more than the oracle's error, forward's rounding and roughness, and backward's own noise.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
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
    """

    def __init__(self, estimate: Estimate, settled: np.ndarray, relative: np.ndarray) -> None:
        self.estimate, self.settled, self.relative = estimate, settled, relative
        self.close: dict[int, Finding] = {}

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


def judge(questions: Sequence[Question]) -> list[Findings]:
    """Answer every question along each of its directions, sharing calls of forward and of SciPy among all."""
    estimate = oracle.screen(stacked(screened(questions, oracle.SCREEN_RUNGS)))
    answers = _screened(questions, estimate)
    doubtful = [_by_disagreement(q, a) for q, a in zip(questions, answers, strict=True)]
    asked = list(zip(questions, answers, doubtful, strict=True))
    _cross_examine([(q, a, rows[: min(FIRST, _most(q))]) for q, a, rows in asked])
    _cross_examine([(q, a, rows[FIRST : _most(q)]) for q, a, rows in asked if not q.slow and not a.is_violated])
    for q, a in zip(questions, answers, strict=True):
        if a.is_violated:
            _accuse_others(q, a)
    return answers


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
    """The directions that the screen leaves open, those first that look most wrong."""
    rows = np.flatnonzero(~answer.settled)
    if not rows.size:
        return rows
    screen = answer.estimate
    with np.errstate(all="ignore"):
        excess = np.abs(q.along[rows] - screen.value[rows]) / (screen.error[rows] + 1e-300)
    return rows[np.argsort(-np.nan_to_num(excess, nan=np.inf), kind="stable")]


def _cross_examine(asked: Sequence[tuple[Question, Findings, np.ndarray]]) -> None:
    """Answer along those directions of each question, given by their numbers, on the full ladder."""
    asked = [(q, findings, rows) for q, findings, rows in asked if rows.size]
    if asked:
        for (_, findings, rows), seen in zip(asked, views([(q, rows) for q, _, rows in asked]), strict=True):
            findings.close |= {int(i): view.finding() for i, view in zip(rows, seen, strict=True)}


def _accuse_others(q: Question, answer: Findings) -> None:
    """Beside a direction that is surely wrong the screen tells which others are; nothing else is accused by it."""
    screen = answer.estimate
    with np.errstate(all="ignore"):
        bar = CLEARLY * (screen.error + RELATIVE_FLOOR * np.maximum(np.abs(screen.value), q.terms))
        wrong = ~(np.abs(q.along - screen.value) <= bar) & np.isfinite(screen.value) & ~answer.settled
    for i in np.flatnonzero(wrong).tolist():
        value = float(screen.value[i])
        answer.close.setdefault(i, Finding(Status.VIOLATED, "", value, value, float(screen.error[i])))
