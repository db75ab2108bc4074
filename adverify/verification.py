"""What is asked about an op in a process of its own, and what comes back: plain data that outlives the process."""

from __future__ import annotations

import contextlib
import tempfile
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any

import hypothesis
from hypothesis.configuration import set_hypothesis_home_dir
from hypothesis.database import DirectoryBasedExampleDatabase

from adverify.check import check_case, check_function, survey
from adverify.replay import Unreadable, document_of, question_in
from adverify.report import InvalidFunction, Report, Undecided, VerificationError
from adverify.runner import Lost
from adverify.targets import Target, TargetError, load


class Outcome(Enum):
    """What came out for one op."""

    VERIFIED = "verified"
    WRONG = "wrong"
    UNDECIDED = "undecided"
    INVALID = "invalid"
    LOST = "lost"


@dataclass(frozen=True)
class Plan:
    """How ops are verified.

    Attributes
    ----------
    seed : int
    max_examples : int
        How many structures are drawn for an op.
    exclude : tuple of str
        Properties that are not checked.
    time_limit : float
        Seconds that one call of an op may take.
    directory : str
        Where Hypothesis keeps what it must.
    """

    seed: int
    max_examples: int = 100
    exclude: tuple[str, ...] = ()
    time_limit: float = 5.0
    directory: str = ""

    @property
    def patience(self) -> float:
        """Seconds that one op may take in all: far more than one needs that is not stuck."""
        return 60 * self.time_limit * max(1.0, self.max_examples / 100)


@dataclass(frozen=True)
class Answer:
    """What came out for one op.

    Attributes
    ----------
    op : Target
    outcome : Outcome
    headline, text : str
        The first line of the report, and all of it.
    cases, undecided : int
        How many gradients were decided, and how many not.
    seconds : float
    failures : tuple of dict
        What `adverify.replay` needs to ask again.
    """

    op: Target
    outcome: Outcome
    headline: str
    text: str = ""
    cases: int = 0
    undecided: int = 0
    seconds: float = 0.0
    failures: tuple[dict[str, Any], ...] = ()


def verified(op: Target, plan: Plan) -> Answer:
    """Check one op as planned."""
    _keep_within(plan.directory)
    return _answer(op, lambda: check_function(
        load(op), exclude=plan.exclude, max_examples=plan.max_examples, seed=plan.seed, time_limit=plan.time_limit
    ))  # fmt: skip


def surveyed(op: Target, plan: Plan) -> Answer:
    """Find which inputs suit one op."""
    _keep_within(plan.directory)
    report = survey(load(op), time_limit=plan.time_limit)
    outcome = Outcome.UNDECIDED if report.obstacle else Outcome.VERIFIED
    return Answer(op, outcome, report.obstacle, "\n".join(report.inferred), seconds=report.seconds)


def asked_again(op: Target, document: dict[str, Any], plan: Plan) -> Answer:
    """Ask the question of a failure again."""
    _keep_within(plan.directory)
    try:
        question = question_in(document, load(op))
    except (TargetError, Unreadable) as error:
        return Answer(op, Outcome.INVALID, f"{op.name}: cannot be asked again: {error}", str(error))
    return _answer(op, lambda: check_case(**question, time_limit=plan.time_limit))


def lost(op: Target, lost: Lost) -> Answer:
    """Make the answer for an op whose process gave none."""
    outcome = Outcome.UNDECIDED if lost.out_of_time else Outcome.LOST
    text = f"{op.name}: {'not verified' if lost.out_of_time else 'crashed'}: {lost}"
    return Answer(op, outcome, text, text)


def _answer(op: Target, check: Any) -> Answer:
    try:
        report: Report = check()
    except InvalidFunction as error:
        report, outcome = error.report, Outcome.INVALID
    except Undecided as error:
        report, outcome = error.report, Outcome.UNDECIDED
    except VerificationError as error:
        report, outcome = error.report, Outcome.WRONG
    else:
        outcome = Outcome.VERIFIED
    failures = tuple(document_of(f) for f in report.failures)
    return Answer(op, outcome, report.headline, str(report), report.cases, report.undecided, report.seconds, failures)


def _keep_within(directory: str) -> None:
    """Let Hypothesis write nowhere else; what it cannot write it goes without."""
    set_hypothesis_home_dir(directory)
    database = DirectoryBasedExampleDatabase(Path(directory, "examples"))
    hypothesis.settings.register_profile("adverify", database=database)
    hypothesis.settings.load_profile("adverify")
    with contextlib.suppress(OSError):  # a file that gets its name on the same file system gets it at once
        Path(directory, "tmp").mkdir(parents=True, exist_ok=True)
        tempfile.tempdir = str(Path(directory, "tmp"))
