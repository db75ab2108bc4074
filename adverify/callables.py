"""`check_expression`: a program of Variables goes in; if its gradient is wrong, the guilty op comes out."""

from __future__ import annotations

import dataclasses
import inspect
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import hypothesis
import numpy as np
from hypothesis import strategies as st

from adverify.blame import Judgement, blame_of_misuse, judge_expression
from adverify.case import Case, literal
from adverify.check import known, verify
from adverify.domains import Domain
from adverify.engine import Variable, variable
from adverify.expression import Expression, Use
from adverify.expression_report import judged
from adverify.isolation import isolated
from adverify.program import Graph, Program, inner, parameters_of, program_of
from adverify.properties import Property, all_properties
from adverify.report import Diagnosis, Failure, InvalidFunction, Report, Undecided, VerificationError
from adverify.subject import BackwardRaised, Rejected, input_names
from adverify.tracing import Reader, is_recorded
from adverify.verdict import Status, Verdict, undecided, violated

LARGER = ((r"\bnode \d+, (`[^`]*`),?", r"\1"), (r"\bnode \d+ \((\w+)\)", r"`\1`"), (r"\bleaf \d+", "a leaf"),
          (r"\bnodes? \d+(, \d+)*( and \d+)?", "another node"))  # fmt: skip
"""What blame says of nodes, and how that is said without their numbers."""

MOST_FOR_PARAMETERS = 30
"""Inputs at which the gradients of what a program holds are verified."""
MOST_SHOWN = 12
"""Elements of a guilty op's input that are shown."""


def check_expression(
    f: Callable[..., Any] | Expression,
    *,
    signature: str | None = None,
    domain: Domain | Sequence[Domain] | None = None,
    inputs: Any = None,
    exclude: Iterable[str] = (),
    max_examples: int | None = None,
    seed: int | None = None,
    time_limit: float = 5.0,
) -> Report:
    """Verify the gradient of a program, and name the op or the edge that is to blame if it is wrong.

    Parameters
    ----------
    f : callable or Expression
        Takes Variables and returns one, or several: a layer, a loss, a model. Variables that it holds and that require
        a gradient are its parameters, and are verified too. An Expression is judged on the values of its own leaves;
        in a Hypothesis test, one of which nothing can be decided is an invalid example, as with `hypothesis.assume`.
    signature, domain, inputs, exclude, max_examples, seed, time_limit
        As for `check_function`; of no effect on an Expression.

    Returns
    -------
    Report
        For an Expression it may be ok with something undecided: the oracle cannot decide every node at its own input.

    Raises
    ------
    VerificationError
        If the gradient is wrong, or another property is violated. The first line names the guilty node.
    Undecided
        If too little could be decided to say anything, or there is no op to say it of.
    InvalidFunction
        If `f` takes or returns no Variables.
    TypeError
        If `f` cannot be called, or is a class.

    Examples
    --------
    >>> from adverify import tensor
    >>> from adverify.ops import logsumexp
    >>> weights = tensor([[0.5, -1.0], [2.0, 0.25]])
    >>> def loss(x):
    ...     return logsumexp(x @ weights, axis=-1).sum()
    >>> check_expression(loss).ok
    True
    """
    __tracebackhide__ = True
    excluded = known(exclude)
    if isinstance(f, Expression):
        report = judged(f)
        failed: type[VerificationError] = Undecided if f.ops else InvalidFunction
        if report.obstacle and f.ops and hypothesis.currently_in_test_context():
            hypothesis.reject()
    else:
        program = program_of(f)
        asked = [_Blaming(p) for p in all_properties() if p.name not in excluded]
        with isolated():
            report, failed = verify(program, asked, None, signature, domain, inputs, max_examples, seed, time_limit)
            report.failures[:] = map(_diagnosed, report.failures)
            gradient = next((p for p in asked if p.name == "gradient"), None)
            if report.ok and gradient is not None:
                failed = _with_parameters(f, program, gradient, report, max_examples, seed, time_limit)
        report.location = _location(f)
    if not report.ok:
        raise (VerificationError if report.failures else failed)(report) from report.cause
    return report


def _location(f: Any) -> str:
    written = inner(f)
    written = written if inspect.isfunction(written) or inspect.ismethod(written) else type(written)
    try:
        return f"{inspect.getsourcefile(written)}:{inspect.getsourcelines(written)[1]}"
    except (OSError, TypeError):
        return ""


class _Blaming(Property):
    """A property whose accusations say which op of the program is guilty."""

    def __init__(self, inner: Property) -> None:
        self.inner = inner
        self.decided: list[Case] = []
        for name in ("name", "rule", "regime", "degenerate", "everywhere", "needs", "judges_gradients"):
            setattr(self, name, getattr(inner, name))

    def judge(self, cases: Sequence[Case]) -> Iterator[tuple[Case, Verdict]]:
        for case, verdict in self.inner.judge(cases):
            if verdict.status is Status.HOLDS and len(self.decided) < MOST_FOR_PARAMETERS:
                self.decided.append(case)
            if verdict.status is Status.HOLDS and self.name == "composition":
                yield case, _of_misuse(case) or verdict
            else:
                yield case, self._explained(case, verdict) if verdict.status is Status.VIOLATED else verdict

    def check(self, case: Case) -> Verdict:
        return self.inner.check(case)

    def _explained(self, case: Case, verdict: Verdict) -> Verdict:
        graph = _graph_of(case)
        e = _expression_of(case, graph)
        if graph is None or e is None:
            return verdict
        judgement = judge_expression(e)
        if judgement.blame is not None:
            return dataclasses.replace(verdict, reason=f"{_said(judgement, e)}; so that of the whole, {verdict.reason}")
        if not self.judges_gradients or verdict.exception is not None:
            return verdict
        missing = _changed_since(graph, e) or _not_recorded(case, graph, e)
        if missing:
            return dataclasses.replace(verdict, reason=f"{missing}; {verdict.reason}")
        if self.name == "gradient" and judgement.verdict.status is Status.UNDECIDED:
            return verdict
        return undecided("each op is right where it stands and the chain rule is kept: kinks of several ops meet here")


def _graph_of(case: Case) -> Graph | None:
    kind = case.subject.kind
    assert issubclass(kind, Program)
    try:
        return Graph(kind, [variable(np.array(a)) for a in case.arrays])
    except Exception:  # what forward raises is not what is asked here
        return None


def _expression_of(case: Case, graph: Graph | None) -> Expression | None:
    """The graph as data; None if a part of it was made by hand, so that it cannot be looked into."""
    if graph is None or not is_recorded(*graph.outputs):
        return None
    return Expression.trace(*graph.outputs, inputs=graph.inputs, cotangents=case.cotangents)


def _of_misuse(case: Case) -> Verdict | None:
    """Say which op of a program changes what it is not to change, though the gradient may be right here."""
    e = _expression_of(case, _graph_of(case))
    blame = None if e is None else blame_of_misuse(e)
    return None if blame is None else violated(blame.text)


def _said(judgement: Judgement, e: Expression) -> str:
    """The blame; without the numbers of nodes if some are of a larger graph, which the author has not written."""
    assert judgement.blame is not None
    text = judgement.blame.text
    if all(int(number) < len(e.nodes) for number in re.findall(r"\b(?:node|leaf) (\d+)", text)):
        return text
    for numbered, plain in LARGER:
        text = re.sub(numbered, plain, text)
    return f"where its ops are used more often, {text}"


def _diagnosed(failure: Failure) -> Failure:
    """Tell which op is to blame, and at what input it fails by itself."""
    e = _expression_of(failure.case, _graph_of(failure.case))
    judgement = Judgement(failure.verdict) if e is None else judge_expression(e)
    blame = judgement.blame
    if e is None or blame is None:
        return failure
    text = _said(judgement, e)
    if blame.kind == "op":
        names = input_names(e.nodes[blame.node].subject, len(e.nodes[blame.node].inputs))  # type: ignore[union-attr]
        inputs = zip(names, e.operands(blame.node), strict=True)
        text += f"; its input is {', '.join(f'{name} = {literal(a)}' for name, a in inputs if a.size <= MOST_SHOWN)}"
    return dataclasses.replace(failure, diagnoses=(Diagnosis(f"blame {blame.kind}", text), *failure.diagnoses))


def _changed_since(graph: Graph, e: Expression) -> str:
    """Say which op gave something else when the program ran than it does now, if one did."""
    for v, (i, k) in sorted(_places_of(graph).items(), key=lambda place: place[1]):
        now = e.values[i][k]
        if np.abs(v.data - now).max(initial=0.0) > 1e-6 * np.abs(now).max(initial=0.0):
            return (f"{e.name(i)}, gave another output when the program ran than it gives now: the op's attributes, or "
                    "its output, were changed in between")  # fmt: skip
    return ""


def _not_recorded(case: Case, graph: Graph, e: Expression) -> str:
    """Say which input, or parameter, changes the output by a way that is not in the graph, if one does."""
    parameters = case.subject.kind.parameters if issubclass(case.subject.kind, Program) else ()
    places = _places_of(graph)
    own = [(x, None) for x in graph.inputs] + [(p.leaf, p) for p in parameters]
    for i, (name, array, (leaf, parameter)) in enumerate(zip(case.names, case.arrays, own, strict=True)):
        moved = tuple(a * (1 + 1e-6) + 1e-9 if i == j else a for j, a in enumerate(case.arrays))
        if not array.size:
            continue
        place = places[leaf].node if leaf in places else None
        there = moved[i] if parameter is None else parameter.among(moved[i])
        try:
            actual = case.subject.forward(moved)
            recorded = e.at(*(there if j == place else e.values[j][0] for j in e.leaves)).evaluate()
        except (Rejected, BackwardRaised):
            continue
        for y, z, was in zip(actual, recorded, case.outputs, strict=True):
            change = float(np.abs(y - was).max(initial=0.0))
            if np.abs(y - z).max(initial=0.0) > 1e-3 * change > 0:
                return (f"every op is right, but {name} also reaches the output by a way that the graph does not "
                        "record: something is computed from `.data`, or by NumPy")  # fmt: skip
    return ""


def _places_of(graph: Graph) -> dict[Variable, Use]:
    """Where each Variable is in the graph as data."""
    reader = Reader()
    for v in (*graph.inputs, *graph.outputs):
        reader.read(v)
    return reader.places


def _with_parameters(
    f: Callable[..., Any], program: type[Program], gradient: _Blaming, report: Report, max_examples: int | None,
    seed: int | None, time_limit: float,
) -> type[VerificationError]:  # fmt: skip
    """Verify the gradients of what a program holds, at its own values and some inputs, and enter it in the report."""
    most = max((len(c.arrays) for c in gradient.decided), default=0)
    cases = [c for c in gradient.decided if len(c.arrays) == most]
    held = parameters_of(program, cases[0].arrays) if cases else {}
    if not held:
        return VerificationError
    whole = program_of(f, cases[0].names, held)
    own = tuple(p.values for p in whole.parameters)
    inputs = st.sampled_from([(*c.arrays, *own) for c in cases])
    examples = min(MOST_FOR_PARAMETERS, hypothesis.settings().max_examples if max_examples is None else max_examples)
    asked = [_Blaming(p) for p in all_properties() if p.name == "gradient"]
    found, failed = verify(whole, asked, None, None, None, inputs, examples, seed, time_limit)
    report.inferred.append(f"its parameters {', '.join(held)} at the values that they have")
    report.failures += map(_diagnosed, found.failures)
    report.cases += found.cases
    report.undecided += found.undecided
    report.reasons += found.reasons
    report.seconds += found.seconds
    report.obstacle = report.obstacle or (found.obstacle and f"its parameters: {found.obstacle}")
    return failed
