"""`check_function`: an op goes in, the truth comes out. `check_case` asks one question again."""

from __future__ import annotations

import dataclasses
import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import hypothesis
import numpy as np

from adverify.case import Case
from adverify.diagnosis import diagnose
from adverify.domains import Domain
from adverify.exemptions import hints
from adverify.isolation import OutOfTime, Watch, isolated
from adverify.probing import NothingFits
from adverify.properties import Property, all_properties
from adverify.report import Failure, InvalidFunction, Report, Undecided, VerificationError
from adverify.sampling import Sampling
from adverify.search import Search
from adverify.subject import (
    Arrays,
    MalformedOp,
    Subject,
    location_of,
    subject_of,
)
from adverify.suiting import subjects_of
from adverify.verdict import Status, Verdict


def check_function(
    op: Any,
    *,
    arguments: Mapping[str, Any] | None = None,
    signature: str | None = None,
    domain: Domain | Sequence[Domain] | None = None,
    inputs: Any = None,
    exclude: Iterable[str] = (),
    max_examples: int | None = None,
    seed: int | None = None,
    time_limit: float = 5.0,
) -> Report:
    """Verify that an op's backward gives the gradient of its forward, and keeps the rest of the contract.

    Parameters
    ----------
    op : type or Function
        A Function class, or an instance of one.
    arguments : mapping of str to sequence or strategy, optional
        Constructor arguments, each with the values to draw from. Default: the class's `arguments`, else the
        constructor's defaults, and other floats beside those among them.
    signature : str, optional
        The shapes it takes, ``"(m,k),(k,n)->(m,n)"``. Default: the class's `signature`, else found by calling forward.
    domain : Domain or sequence of Domain, optional
        Where the values of all inputs, or of each, may lie. Default: the class's `domain`, else found likewise.
    inputs : sequence of array_like, or strategy of such, optional
        Verify at these inputs only.
    exclude : iterable of str
        Properties not to check, by name; with those of the class's `adverify_skip`.
    max_examples : int, optional
        How many structures to draw; each is judged for several sets of values. Default: as Hypothesis's profile says.
    seed : int, optional
        Makes the run repeatable. Default: as Hypothesis's profile says.
    time_limit : float
        Seconds that one call of the op may take.

    Returns
    -------
    Report
        What was inferred, tried and decided.

    Raises
    ------
    VerificationError
        If a property is violated. The first line says in words what is wrong; `.report` holds all.
    Undecided
        If too little could be decided to say anything.
    InvalidFunction
        If `op` is no Function, or cannot be made or called.

    Examples
    --------
    >>> from adverify import Function, check_function, variable
    >>> class Square(Function):
    ...     def forward(self, x):
    ...         return variable(x.data**2)
    ...     def backward(self, x, grad):
    ...         x.grad += 2 * grad * x.data
    >>> check_function(Square).ok
    True
    """
    __tracebackhide__ = True
    excluded = known(exclude)
    asked = [p for p in all_properties() if p.name not in excluded]
    report, failed = verify(op, asked, arguments, signature, domain, inputs, max_examples, seed, time_limit)
    if not report.ok:
        raise failed(report) from report.cause
    return report


def verify(
    op: Any,
    properties: Sequence[Property],
    arguments: Mapping[str, Any] | None,
    signature: str | None,
    domain: Domain | Sequence[Domain] | None,
    inputs: Any,
    max_examples: int | None,
    seed: int | None,
    time_limit: float,
) -> tuple[Report, type[VerificationError]]:
    """Look for a violation of some properties; give the report, and what is to be raised if it is not ok."""
    if max_examples is None:
        max_examples = hypothesis.settings().max_examples
    if max_examples < 1:
        raise ValueError(f"max_examples must be at least 1; got {max_examples!r}")
    report = report_on(op)
    started = time.perf_counter()
    with isolated(), Watch(time_limit) as watch:
        try:
            asked = [p for p in properties if p.name not in hints("skip", op)]
            subjects = subjects_of(op, arguments, signature, domain, inputs, report, watch)
            search = Search(subjects, report, inputs, max_examples, seed, watch)
            search.run(asked)
        except MalformedOp as error:
            report.obstacle, report.cause = str(error), error.__cause__
            failed: type[VerificationError] = InvalidFunction
        except NothingFits as error:
            report.obstacle = str(error)
            failed = Undecided
        except OutOfTime as late:
            report.obstacle = "" if report.failures else _too_slow(late)
            failed = VerificationError if report.failures else Undecided
        else:
            is_silent = report.failures or "gradient" not in {p.name for p in asked}
            report.obstacle = "" if is_silent else search.obstacle()
            failed = VerificationError if report.failures else Undecided
    report.seconds = time.perf_counter() - started
    return report, failed


def check_case(
    op: Any,
    inputs: Sequence[Any],
    *,
    property: str = "gradient",  # the contract's word
    seed: int = 0,
    arguments: Mapping[str, Any] | None = None,
    partner: Sequence[Any] | None = None,
    relative: Mapping[str, Any] | None = None,
    signature: str | None = None,
    domain: Domain | Sequence[Domain] | None = None,
    time_limit: float = 5.0,
) -> Report:
    """Ask one property about one case: what a falsifying example becomes in a test suite.

    Parameters
    ----------
    op : type or Function
        A Function class, or an instance of one.
    inputs : sequence of array_like
    property : str
        The name of the rule.
    seed : int
        Of the cotangent and whatever else is drawn; 0 makes a cotangent of ones.
    arguments : mapping of str to object, optional
        Constructor arguments.
    partner : sequence of array_like, optional
        The inputs of another call, for what one call may do to another.
    relative : mapping of str to object, optional
        Constructor arguments of another instance, for what one instance may do to another.
    signature, domain, time_limit
        As for `check_function`.

    Returns
    -------
    Report

    Raises
    ------
    VerificationError
        If the property is violated there.
    Undecided
        If it could not be decided there.
    InvalidFunction
        If `op` is no Function, or cannot be made or called.

    Examples
    --------
    >>> from adverify.ops import Exp
    >>> check_case(Exp, [[1.0, 2.0]]).ok
    True
    """
    __tracebackhide__ = True
    (name,) = known([property])
    asked = next(p for p in all_properties() if p.name == name)
    arrays = tuple(np.array(a, dtype=float) for a in inputs)
    report = report_on(op)
    started = time.perf_counter()
    with isolated(), Watch(time_limit) as watch:
        try:
            subject, sampling = _asked_at(op, arrays, arguments, signature, domain, report, watch)
            case = Case(subject, arrays, seed, sampling)
            if partner is not None:
                case = dataclasses.replace(case, partner=case.at(tuple(np.array(a, dtype=float) for a in partner)))
            if relative is not None:
                other = dataclasses.replace(subject_of(op, relative), watch=watch)
                case = dataclasses.replace(case, relative=other)
            asked, verdict = _answer(asked, case)
        except MalformedOp as error:
            report.obstacle, report.cause = str(error), error.__cause__
            failed: type[VerificationError] = InvalidFunction
        except OutOfTime as late:
            report.obstacle = _too_slow(late)
            failed = Undecided
        else:
            failed = VerificationError if verdict.status is Status.VIOLATED else Undecided
            _note(report, asked, case, verdict)
    report.seconds = time.perf_counter() - started
    if not report.ok:
        raise failed(report) from report.cause
    return report


def _answer(asked: Property, case: Case) -> tuple[Property, Verdict]:
    """Ask about a case, and if that is left to another property, that one."""
    ((_, verdict),) = asked.judge([case])
    if verdict.status is Status.UNDECIDED and asked.leaves_to:
        other = next(p for p in all_properties() if p.name == asked.leaves_to)
        ((_, of_other),) = other.judge([case])
        if of_other.status is Status.VIOLATED:
            return other, of_other
    return asked, verdict


def survey(op: Any, *, time_limit: float = 5.0) -> Report:
    """Find which inputs suit an op, as `check_function` does first, and check nothing.

    Returns
    -------
    Report
        Its `inferred` says what was found, or its `obstacle` why nothing was.

    Examples
    --------
    >>> from adverify.ops import Log
    >>> survey(Log).inferred[0].partition("; values: ")[2]
    'positive'
    """
    report = report_on(op)
    with isolated(), Watch(time_limit) as watch:
        try:
            subjects_of(op, None, None, None, None, report, watch)
        except (MalformedOp, NothingFits) as error:
            report.obstacle = str(error)
        except OutOfTime as late:
            report.obstacle = _too_slow(late)
    return report


def _asked_at(
    op: Any,
    arrays: Arrays,
    arguments: Mapping[str, Any] | None,
    signature: str | None,
    domain: Domain | Sequence[Domain] | None,
    report: Report,
    watch: Watch,
) -> tuple[Subject, Sampling]:
    """Give the Subject and, of what is found to suit it, that to which the inputs belong."""
    single = None if arguments is None else {k: [v] for k, v in arguments.items()}
    try:
        found = subjects_of(op, single, signature, domain, None, report, watch)
    except NothingFits:
        found = []
    fitting = [pair for pair in found if pair[1].arity == len(arrays)]
    fitting = fitting or subjects_of(op, single, signature, domain, arrays, report, watch)
    inside = (p for p in fitting if all(d.holds(a).all() for d, a in zip(p[1].domains, arrays, strict=True)))
    return next(inside, fitting[0])


def _note(report: Report, asked: Property, case: Case, verdict: Verdict) -> None:
    """Enter one verdict in a report."""
    report.verdicts[asked.name] = Counter([verdict.status.value])
    report.coverage.add(case.arrays)
    if verdict.status is Status.VIOLATED:
        failure = Failure(asked.name, asked.rule, case, verdict)
        report.failures.append(dataclasses.replace(failure, diagnoses=diagnose(failure)))
    elif verdict.status is Status.UNDECIDED:
        report.undecided = 1
        report.reasons[verdict.reason] += 1
        report.obstacle = f"{asked.name} could not be decided at this input: {verdict.reason}"
    else:
        report.cases, report.resolution = 1, verdict.resolution


def _too_slow(late: OutOfTime) -> str:
    return f"{late}; time_limit=... allows more"


def report_on(op: Any) -> Report:
    """Begin a report on an op."""
    kind = op if isinstance(op, type) else type(op)
    return Report(kind.__name__, location=location_of(kind), target=f"{kind.__module__}:{kind.__qualname__}")


def known(exclude: Iterable[str]) -> set[str]:
    """Check the names of properties; raises ValueError for one that does not exist."""
    names = {exclude} if isinstance(exclude, str) else set(exclude)
    known = {p.name for p in all_properties()}
    if names - known:
        raise ValueError(f"unknown properties {sorted(names - known)}; there are {sorted(known)}")
    return names
