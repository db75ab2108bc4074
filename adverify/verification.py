"""What is asked about an op in a process of its own, and what comes back: plain data that outlives the process."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any

import hypothesis
from hypothesis.configuration import set_hypothesis_home_dir
from hypothesis.database import DirectoryBasedExampleDatabase

from adverify import schema
from adverify.check import check_case, check_function, survey
from adverify.record import record_of
from adverify.replay import question_in
from adverify.report import Report, VerificationError
from adverify.runner import Lost
from adverify.targets import Target, load


class Outcome(Enum):
    """What came out for one op."""

    VERIFIED = "verified"
    VIOLATED = "violated"
    UNDECIDED = "undecided"
    CRASHED = "crashed"


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
    record : dict
        The report, as `adverify.record.record_of` makes it.
    text : str
        The report, as a person reads it.
    """

    op: Target
    record: schema.Report
    text: str

    @property
    def outcome(self) -> Outcome:
        return Outcome(self.record["status"])


def verified(op: Target, plan: Plan) -> Answer:
    """Check one op as planned."""
    _keep_within(plan.directory)
    return _answer(op, lambda: check_function(
        load(op), exclude=plan.exclude, max_examples=plan.max_examples, seed=plan.seed, time_limit=plan.time_limit
    ))  # fmt: skip


def surveyed(op: Target, plan: Plan) -> Answer:
    """Find which inputs suit one op."""
    _keep_within(plan.directory)
    return _answer(op, lambda: survey(load(op), time_limit=plan.time_limit))


def asked_again(op: Target, stored: Mapping[str, Any], plan: Plan) -> Answer:
    """Ask the question of a failure again.

    Raises
    ------
    TargetError
        If there is no such op any more.
    Unreadable
        If what is stored cannot be asked.
    """
    _keep_within(plan.directory)
    question = question_in(stored, load(op))
    return _answer(op, lambda: check_case(**question, time_limit=plan.time_limit))


def lost(op: Target, lost: Lost) -> Answer:
    """Make the answer for an op whose process gave none: a call that nothing could stop decides nothing."""
    place = lost.where.partition(" in ")[0]
    report = Report(op.name, target=f"{op.module}:{op.name}", location=place, obstacle=str(lost))
    record = record_of(report)
    if not lost.out_of_time:
        record["status"], record["headline"] = "crashed", f"{op.name}: crashed: {lost}"
    return Answer(op, record, record["headline"])


def _answer(op: Target, check: Callable[[], Report]) -> Answer:
    try:
        report = check()
    except VerificationError as error:
        report = error.report
    return Answer(op, record_of(report), str(report))


def _keep_within(directory: str) -> None:
    """Let Hypothesis write nowhere else; what it cannot write it goes without."""
    set_hypothesis_home_dir(directory)
    database = DirectoryBasedExampleDatabase(Path(directory, "examples"))
    hypothesis.settings.register_profile("adverify", database=database)
    hypothesis.settings.load_profile("adverify")
    with contextlib.suppress(OSError):  # a file that gets its name on the same file system gets it at once
        Path(directory, "tmp").mkdir(parents=True, exist_ok=True)
        tempfile.tempdir = str(Path(directory, "tmp"))
