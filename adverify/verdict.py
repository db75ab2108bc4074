"""What a property answers about a case: holds, violated with evidence, or undecided with the reason."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import Any

import numpy as np


class Status(Enum):
    """What a property can answer."""

    HOLDS = "holds"
    UNDECIDED = "undecided"
    VIOLATED = "violated"


@dataclass(frozen=True)
class Evidence:
    """What was found beside what should have been, for one array.

    Attributes
    ----------
    what : str
        Names the array, e.g. ``"x.grad"``.
    expected, actual : ndarray
        Alike in shape; NaN in `expected` where it is not known.
    error : ndarray
        The error bar of `expected`, element by element.
    wrong : ndarray of bool
        Which elements disagree.
    """

    what: str
    expected: np.ndarray
    actual: np.ndarray
    error: np.ndarray
    wrong: np.ndarray


@dataclass(frozen=True)
class Verdict:
    """The answer of one property on one case.

    Attributes
    ----------
    status : Status
    reason : str
        Why it is violated or undecided, as a sentence for people.
    evidence : tuple of Evidence
    decided_inputs : frozenset of int
        The inputs whose gradient was decided, for properties that judge gradients.
    resolution : float
        The typical relative error bar of what was decided.
    exception : BaseException, optional
        What the op raised, if that is the violation.
    aside : str
        The part of the reason that is about other inputs than the case's.
    """

    status: Status
    reason: str = ""
    evidence: tuple[Evidence, ...] = ()
    decided_inputs: frozenset[int] = frozenset()
    resolution: float = 0.0
    exception: BaseException | None = field(default=None, compare=False)
    aside: str = ""


HOLDS = Verdict(Status.HOLDS)


def undecided(reason: str) -> Verdict:
    """Make the verdict that claims nothing, and says why."""
    return Verdict(Status.UNDECIDED, reason)


def violated(reason: str, *evidence: Evidence, exception: BaseException | None = None) -> Verdict:
    """Make the verdict that a rule is broken, with what shows it."""
    return Verdict(Status.VIOLATED, reason, evidence, exception=exception)


def mismatch(what: str, expected: Any, actual: Any, error: Any = 0.0) -> Evidence:
    """Compare two arrays of one shape that should be alike within `error`."""
    expected, actual = np.asarray(expected, float), np.asarray(actual, float)
    bar = np.broadcast_to(np.asarray(error, float), expected.shape)
    with np.errstate(all="ignore"):
        wrong = ~((np.abs(expected - actual) <= bar) | (expected == actual) | (np.isnan(expected) & np.isnan(actual)))
    return Evidence(what, expected, actual, bar, wrong)
