"""What was found along all directions of a case, summed up: a verdict with its evidence."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

import numpy as np

from adverify.agreement import Findings
from adverify.case import Case, unflat
from adverify.question import Finding, Question
from adverify.verdict import Evidence, Status, Verdict, undecided, violated

MOST_SHOWN = 1000
"""Of more directions only the wrong ones are put into evidence."""

UNDERFLOWS = 1e-81
"""The fourth power of what is smaller is 0."""


def verdict_of(case: Case, question: Question, findings: Findings) -> Verdict:
    """Sum up the findings along all directions of one case."""
    if not findings:
        return Verdict(Status.HOLDS, decided_inputs=frozenset(range(len(case.arrays))))
    if findings.all_hold:
        decided, resolutions = findings.settled, findings.relative
    else:
        examined = findings.examined.tolist()
        wrong = [i for i in examined if findings[i].status is Status.VIOLATED]
        if wrong:
            return _accusation(case, question, findings, wrong)
        holding = [i for i in examined if findings[i].status is Status.HOLDS]
        if 2 * len(holding) < len(examined):
            reasons = Counter(findings[i].reason for i in examined if findings[i].status is Status.UNDECIDED)
            return undecided(reasons.most_common(1)[0][0])
        decided = np.isin(np.arange(len(findings)), holding)
        resolutions = np.array([findings[i].resolution for i in holding])
    moved = question.moved(np.flatnonzero(decided))
    owner = np.repeat(np.arange(len(case.arrays)), [a.size for a in case.arrays])
    inputs = frozenset(owner[moved].tolist()) | {i for i, a in enumerate(case.arrays) if not a.size}
    resolution = float(np.sort(resolutions)[len(resolutions) // 2])
    return Verdict(Status.HOLDS, decided_inputs=inputs, resolution=resolution)


def _accusation(case: Case, question: Question, findings: Findings, wrong: Sequence[int]) -> Verdict:
    expected, bar = np.full(question.x.size, np.nan), np.full(question.x.size, np.inf)
    flagged = np.zeros(question.x.size, bool)
    alone: dict[int, int] = {}
    for i in range(len(findings)) if len(findings) <= MOST_SHOWN else wrong:
        direction, finding = question.direction(i), findings[i]
        moved = np.flatnonzero(direction)
        if moved.size == 1 and finding.status is not Status.UNDECIDED:
            j = int(moved[0])
            expected[j], bar[j] = finding.expected / direction[j], finding.error / abs(direction[j])
            flagged[j] = i in wrong
            alone[i] = j
    evidence = _per_input(case, question, expected, bar, flagged)
    sure = sorted(
        (i for i in wrong if not (question.corner and i in findings.beside)), key=findings.beside.__contains__
    )
    first = next((i for i in sure if i in alone), None)
    if first is not None:
        return violated(
            _said_of_one(case, question, findings[first], question.direction(first), alone[first]), *evidence
        )
    simplest = min(sure, key=lambda i: np.count_nonzero(question.direction(i)))
    direction = question.direction(simplest)
    evidence = evidence or _per_input(case, question, expected, bar, direction != 0)
    return violated(_said_of_several(case, question, findings[simplest], direction), *evidence)


def _said_of_one(case: Case, question: Question, found: Finding, direction: np.ndarray, j: int) -> str:
    claimed, expected = float(question.v[j]), found.expected / direction[j]
    low, high = sorted(v / direction[j] for v in (found.low, found.high))
    narrow = found.high - found.low <= max(0.01 * abs(found.expected), found.error)
    between = "" if narrow or found.is_smooth else f", where any slope from {low:.6g} to {high:.6g} would be right"
    actual, right = _apart(claimed, expected), _apart(expected, claimed)
    if not np.isfinite(claimed) and expected == 0 and may_underflow(question.x):
        return f"{_element(case, j)} is {actual}, where forward does not change at all"
    return f"{_element(case, j)} is {actual} and should be {right}{between}"


def _said_of_several(case: Case, question: Question, found: Finding, direction: np.ndarray) -> str:
    size = float(np.abs(direction).max())
    claimed = float(np.where(direction == 0, 0.0, direction * question.v).sum()) / size
    right, actual = _apart(found.expected / size, claimed), _apart(claimed, found.expected / size)
    together = ", ".join(_element(case, int(j)).replace(".grad", "") for j in np.flatnonzero(direction)[:4])
    more = ", ..." if np.count_nonzero(direction) > 4 else ""
    return f"moving {together}{more} together changes the output by {right} a unit; backward says {actual}"


def may_underflow(x: np.ndarray) -> bool:
    """Whether powers of an element are 0 in doubles, so that what does not move need not be flat."""
    return bool(((x != 0) & (np.abs(x) < UNDERFLOWS)).any())


def _apart(value: float, other: float) -> str:
    """Write a number with as many digits as show how far it is from another, to two digits."""
    gap = abs(value - other) / max(abs(value), abs(other), np.finfo(float).tiny)
    digits = 2 - math.floor(math.log10(gap)) if 0 < gap < np.inf else 0
    return f"{value:.{min(max(digits, 6), 17)}g}"


def _per_input(
    case: Case, question: Question, expected: np.ndarray, bar: np.ndarray, flagged: np.ndarray
) -> tuple[Evidence, ...]:
    parts = (unflat(a, case.arrays) for a in (expected, question.v, bar, flagged))
    found = zip(case.names, *parts, strict=True)
    return tuple(Evidence(f"{n}.grad", e, a, b, w) for n, e, a, b, w in found if w.any())


def _element(case: Case, j: int) -> str:
    for name, array in zip(case.names, case.arrays, strict=True):
        if j < array.size:
            index = ", ".join(str(int(k)) for k in np.unravel_index(j, array.shape))
            return f"{name}.grad[{index}]" if index else f"{name}.grad"
        j -= array.size
    return ""
