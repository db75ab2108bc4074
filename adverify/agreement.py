"""Whether an analytic derivative agrees with the numerical one: the tolerance is derived here, nobody sets it.

Most directions are settled by the oracle's screen. One that is not is cross-examined on the full ladder, and an
accusation needs all of it: a derivative that many rungs support, on both sides, and an analytic value outside of
every slope that was seen, by more than the oracle's error, forward's rounding and roughness, and backward's own noise.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np

from adverify import oracle
from adverify.cross_examination import stacked, views
from adverify.oracle import EPS, Estimate
from adverify.question import RELATIVE_FLOOR, Finding, Question, sampled
from adverify.verdict import Status

RESOLUTION = 1e-6
"""The screen's error bar, relative to the derivative, above which the full ladder is asked for a better one."""

FIRST = 4
"""Directions that are looked at closely before the others: one that is wrong settles the question."""

CLEARLY = 10
"""How many error bars of the screen beside a wrong direction make another one wrong."""


def judge(questions: Sequence[Question]) -> list[list[Finding]]:
    """Answer every question along each of its directions, sharing SciPy calls among all."""
    samples = sampled([(q, q.directions) for q in questions], oracle.SCREEN_RUNGS)
    estimate = oracle.screen(stacked(samples))
    bounds = np.cumsum([0] + [len(q.directions) for q in questions])
    parts = [slice(a, b) for a, b in itertools.pairwise(bounds)]
    screens = [Estimate(estimate.value[p], estimate.error[p], estimate.size[p]) for p in parts]
    answers = [_screened(q, screen) for q, screen in zip(questions, screens, strict=True)]
    doubtful = [_by_disagreement(*three) for three in zip(questions, screens, answers, strict=True)]
    _cross_examine([(q, a, rows[:FIRST]) for q, a, rows in zip(questions, answers, doubtful, strict=True)])
    _cross_examine([
        (q, a, rows[FIRST:]) for q, a, rows in zip(questions, answers, doubtful, strict=True)
        if not q.slow and not _is_violated(a)
    ])  # fmt: skip
    return [_completed(*three) for three in zip(questions, screens, answers, strict=True)]


def _by_disagreement(q: Question, screen: Estimate, findings: Sequence[Finding | None]) -> np.ndarray:
    """The directions that the screen leaves open, those first that look most wrong."""
    rows = np.flatnonzero([f is None for f in findings])
    with np.errstate(all="ignore"):
        excess = np.abs(q.along[rows] - screen.value[rows]) / (screen.error[rows] + 1e-300)
    return rows[np.argsort(-np.nan_to_num(excess, nan=np.inf), kind="stable")]


def _cross_examine(asked: Sequence[tuple[Question, list[Finding | None], np.ndarray]]) -> None:
    """Answer along those directions of each question, given by their numbers, on the full ladder."""
    asked = [(q, findings, rows) for q, findings, rows in asked if rows.size]
    if asked:
        for (_, findings, rows), seen in zip(asked, views([(q, rows) for q, _, rows in asked]), strict=True):
            for i, view in zip(rows, seen, strict=True):
                findings[i] = view.finding()


def _is_violated(findings: Sequence[Finding | None]) -> bool:
    return any(f is not None and f.status is Status.VIOLATED for f in findings)


def _completed(q: Question, screen: Estimate, findings: Sequence[Finding | None]) -> list[Finding]:
    """Beside a direction that is surely wrong the screen tells which others are; nothing else is accused by it."""
    actual, violated = q.along, _is_violated(findings)
    with np.errstate(all="ignore"):
        bar = CLEARLY * (screen.error + RELATIVE_FLOOR * np.maximum(np.abs(screen.value), q.terms))
        wrong = violated & ~(np.abs(actual - screen.value) <= bar) & np.isfinite(screen.value)
    return [
        f or Finding(Status.VIOLATED if w else Status.UNDECIDED, "not looked at closely", v, v, e)
        for f, v, e, w in zip(findings, screen.value, screen.error, wrong, strict=True)
    ]


def _screened(q: Question, screen: Estimate) -> list[Finding | None]:
    value, error, size, actual = screen.value, screen.error, screen.size, q.along
    with np.errstate(all="ignore"):
        magnitude = np.maximum(np.abs(value), np.abs(actual))
        floor = RELATIVE_FLOOR * np.maximum(magnitude, q.terms)
        agrees = np.isfinite(actual) & (np.abs(actual - value) <= error + floor)
        relative = np.where(error == 0, 0.0, error / np.maximum(magnitude, 1e-300))
        sharp = (relative <= RESOLUTION) | (error <= EPS * 100 * size) & (magnitude <= 1e-9 * size)
    return [
        Finding(Status.HOLDS, "", v, v, e, r) if good else None
        for v, e, r, good in zip(value, error, relative, agrees & sharp, strict=True)
    ]
