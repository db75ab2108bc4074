"""What is asked about an op in a process of its own, and what comes back: plain data that outlives the process."""

from __future__ import annotations

import contextlib
import io
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Any

import hypothesis
from hypothesis.configuration import set_hypothesis_home_dir
from hypothesis.database import DirectoryBasedExampleDatabase
from rich.console import Console

from adverify import regression, schema, terminal
from adverify.check import check_case, check_function, survey
from adverify.config import Config
from adverify.exemptions import exemption
from adverify.graph_coverage import GraphCoverage
from adverify.graphs import in_graphs
from adverify.properties import all_properties
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
    EXPECTED = "fails as expected"
    SKIPPED = "skipped"


@dataclass(frozen=True)
class Look:
    """How a report is written for people: what their terminal can show."""

    width: int = 100
    colour: bool = False
    encoding: str = "utf-8"


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
    look : Look
    config : Config
        Which ops are skipped, or known to be wrong.
    """

    seed: int
    max_examples: int = 100
    exclude: tuple[str, ...] = ()
    time_limit: float = 5.0
    directory: str = ""
    look: Look = field(default_factory=Look)
    config: Config = field(default_factory=Config)

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
    test : str
        A test file that fails as long as the op is wrong; empty if it is not.
    exempt : Outcome, optional
        SKIPPED or EXPECTED, whatever the report says.
    reached : GraphCoverage, optional
        What is in the random graphs that the op was put in.
    """

    op: Target
    record: schema.Report
    text: str
    test: str = ""
    exempt: Outcome | None = None
    reached: GraphCoverage | None = None

    @property
    def outcome(self) -> Outcome:
        return self.exempt or Outcome(self.record["status"])


def verified(op: Target, plan: Plan) -> Answer:
    """Check one op as planned."""
    _keep_within(plan.directory)
    loaded = load(op)
    names = [p.name for p in all_properties() if p.name not in plan.exclude]
    skipped = {name: why for name in names if (why := exemption("skip", loaded, name, plan.config))}
    if set(skipped) == set(names):
        return _exempt(op, Outcome.SKIPPED, ", ".join(dict.fromkeys(skipped.values())))
    exclude = {*plan.exclude, *skipped}
    report = _report_of(lambda: check_function(
        loaded, exclude=exclude, max_examples=plan.max_examples, seed=plan.seed, time_limit=plan.time_limit
    ))  # fmt: skip
    known = {name: why for name in names if (why := exemption("xfail", loaded, name, plan.config))}
    expected = {f.property: known[f.property] for f in report.failures if f.property in known}
    report.failures = [f for f in report.failures if f.property not in expected]
    if known and not expected and report.ok:
        why = ", ".join(dict.fromkeys(known.values()))
        report.obstacle = f"it was expected to be wrong ({why}), and is not: take it out of xfail"
    if expected and not report.failures:
        return _exempt(op, Outcome.EXPECTED, ", ".join(f"{name}: {why}" for name, why in expected.items()))
    return _answer(op, report, plan)


def put_in_graphs(op: Target, plan: Plan, graphs: int, max_nodes: int) -> Answer:
    """Judge random graphs of an op and built-in ones; not of one of which something is known to be wrong."""
    _keep_within(plan.directory)
    loaded = load(op)
    for kind, outcome in (("skip", Outcome.SKIPPED), ("xfail", Outcome.EXPECTED)):
        for name in (p.name for p in all_properties() if p.name not in plan.exclude):
            if why := exemption(kind, loaded, name, plan.config):
                return _exempt(op, outcome, why)
    report, reached = in_graphs(loaded, graphs, max_nodes, plan.seed)
    return Answer(op, record_of(report), _text(report, plan.look, ""), reached=reached)


def surveyed(op: Target, plan: Plan) -> Answer:
    """Find which inputs suit one op."""
    _keep_within(plan.directory)
    return _answer(op, _report_of(lambda: survey(load(op), time_limit=plan.time_limit)), plan)


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
    return _answer(op, _report_of(lambda: check_case(**question, time_limit=plan.time_limit)), plan)


def lost(op: Target, lost: Lost) -> Answer:
    """Make the answer for an op whose process gave none: a call that nothing could stop decides nothing."""
    place = lost.where.partition(" in ")[0]
    report = Report(op.name, target=f"{op.module}:{op.name}", location=place, obstacle=str(lost))
    record = record_of(report)
    if not lost.out_of_time:
        record["status"], record["headline"] = "crashed", f"{op.name}: crashed: {lost}"
    return Answer(op, record, record["headline"])


def _report_of(check: Callable[[], Report]) -> Report:
    try:
        return check()
    except VerificationError as error:
        return error.report


def _exempt(op: Target, outcome: Outcome, why: str) -> Answer:
    """Make the answer for an op whose verdict does not count."""
    said = f"{outcome.value}: {why}"
    record = record_of(Report(op.name, target=f"{op.module}:{op.name}", obstacle=said))
    record["headline"] = f"{op.name}: {said}"
    return Answer(op, record, said, exempt=outcome)


def _answer(op: Target, report: Report, plan: Plan) -> Answer:
    test = regression.source(report) if report.failures else ""
    return Answer(op, record_of(report), _text(report, plan.look, f"adverify replay {op}"), test)


def _text(report: Report, look: Look, replay: str) -> str:
    """Write a report as it is shown elsewhere, by another process."""
    page = Console(file=io.StringIO(), width=look.width, force_terminal=look.colour, highlight=False)
    with page.capture() as written:
        page.print(terminal.rendered(report, look.width, replay, look.encoding))
    return "\n".join(line.rstrip() for line in written.get().rstrip().split("\n"))


def _keep_within(directory: str) -> None:
    """Let Hypothesis write nowhere else; what it cannot write it goes without."""
    set_hypothesis_home_dir(directory)
    database = DirectoryBasedExampleDatabase(Path(directory, "examples"))
    hypothesis.settings.register_profile("adverify", database=database)
    hypothesis.settings.load_profile("adverify")
    with contextlib.suppress(OSError):  # a file that gets its name on the same file system gets it at once
        Path(directory, "tmp").mkdir(parents=True, exist_ok=True)
        tempfile.tempdir = str(Path(directory, "tmp"))
