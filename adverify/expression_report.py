"""What is said of one expression: the smallest graph that is wrong for the same reason, and who is to blame."""

from __future__ import annotations

import time
from collections import Counter
from typing import Any, ClassVar

import hypothesis
import numpy as np

from adverify.blame import Judgement, judge_expression, shows_the_same
from adverify.case import Case
from adverify.domains import real
from adverify.expression import Apply, Expression
from adverify.expression_shrinking import complexity, shrunk
from adverify.isolation import isolated
from adverify.program import Program
from adverify.report import Diagnosis, Failure, Report
from adverify.sampling import Sampling
from adverify.subject import subject_of
from adverify.verdict import Status

RULE = "the gradient of a program is what the chain rule makes of its ops"
MOST_REMEMBERED = 64
"""Guilty ops of which the smallest graph is remembered."""

_SMALL: dict[Any, Expression] = {}


class _WrittenOut(Program):
    """A program that is an Expression, and is shown as such."""

    expression: ClassVar[Expression]
    is_complete = True

    @classmethod
    def example(cls, case: Case) -> str:
        return str(cls.expression)

    @classmethod
    def again(cls, case: Case) -> str:
        return f"from adverify.expression import Expression\n\n{cls.asked_by}({cls.expression.traced()})"


def judged(e: Expression) -> Report:
    """Judge one graph; if it is wrong, the smallest that is wrong for the same reason is in the report."""
    report = Report("expression", target="adverify.expression:Expression")
    started = time.perf_counter()
    with isolated():
        judgement = judge_expression(e)
        if judgement.blame is not None:
            e = _smallest(judgement)
            judgement = judge_expression(e)
            report.failures.append(_failure(e, judgement))
    status = judgement.verdict.status
    report.verdicts["composition"] = Counter([status.value])
    report.cases = judgement.nodes
    if status is Status.UNDECIDED:
        report.undecided = 1
        report.reasons[judgement.verdict.reason] += 1
    if not report.failures and not report.cases:
        report.obstacle = _why_nothing_is_decided(e, judgement)
    report.seconds = time.perf_counter() - started
    return report


def _smallest(wrong: Judgement) -> Expression:
    """Give the smallest graph that shows what is wrong with one.

    Hypothesis shrinks a wrong graph by hundreds of calls, so in a test of its what was found last is taken if it shows
    the same.
    """
    assert wrong.blame is not None
    assert wrong.expression is not None
    e, n = wrong.expression, wrong.expression.nodes[wrong.blame.node]
    key = wrong.blame.kind, n.subject.kind if wrong.blame.kind != "engine" and isinstance(n, Apply) else None
    last = _SMALL.get(key) if hypothesis.currently_in_test_context() else None
    if last is not None and complexity(last) <= complexity(e) and shows_the_same(last, wrong):
        return last
    if len(_SMALL) >= MOST_REMEMBERED:
        _SMALL.clear()
    _SMALL[key] = shrunk(e, lambda other: shows_the_same(other, wrong))
    return _SMALL[key]


def _why_nothing_is_decided(e: Expression, judgement: Judgement) -> str:
    if not e.ops:
        return "it applies no op, so there is nothing to verify; trace what an op gave"
    why = judgement.verdict.reason or "no element of a gradient is there to be compared"
    return f"the gradient of none of its nodes could be decided: {why}. Give its leaves other values"


def _failure(e: Expression, judgement: Judgement) -> Failure:
    assert judgement.blame is not None
    kind = type("expression", (_WrittenOut,), {"written": staticmethod(e), "expression": e})
    leaves = tuple(np.array(a) for a in (e.values[i][0] for i in e.leaves))
    sampling = Sampling((tuple(a.shape for a in leaves),), (real,) * len(leaves), 0.0, 0.0, False,
                        (False,) * len(leaves), given=True)  # fmt: skip
    case = Case(subject_of(kind, {}), leaves, 0, sampling)
    blame = judgement.blame
    name = "gradient" if blame.kind == "op" else "composition"
    return Failure(name, RULE, case, judgement.verdict, (Diagnosis(f"blame {blame.kind}", blame.text),))
