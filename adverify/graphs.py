"""Random graphs in which an op is put among others: what is right alone may be wrong together."""

from __future__ import annotations

import random
from typing import Any

import hypothesis
from hypothesis import HealthCheck, Phase

import adverify.ops
from adverify.check import report_on
from adverify.discovery import functions_in
from adverify.expression import Expression
from adverify.expression_report import judged
from adverify.graph_coverage import GraphCoverage
from adverify.isolation import isolated
from adverify.report import Report
from adverify.strategies import expressions

COMPANY = 8
"""Built-in ops that an op is put among: other ones for each seed."""


def in_graphs(op: Any, graphs: int, max_nodes: int, seed: int) -> tuple[Report, GraphCoverage]:
    """Judge random graphs of an op and some built-in ones, until one is wrong.

    Parameters
    ----------
    op : type or Function
    graphs : int
        How many are drawn.
    max_nodes : int
        How many ops each has at most.
    seed : int
        Makes the run repeatable.

    Returns
    -------
    Report
        On the op. Its cases are nodes whose own gradient was decided; a failure names who is to blame. It is not ok if
        no graph holds the op, or if nothing was decided.
    GraphCoverage
        What is in the graphs.

    Examples
    --------
    >>> from adverify.ops import Exp
    >>> report, reached = in_graphs(Exp, graphs=5, max_nodes=4, seed=0)
    >>> report.ok, reached.graphs
    (True, 5)
    """
    report, reached, applied = report_on(op), GraphCoverage(), 0
    company = random.Random(seed).sample(list(functions_in(adverify.ops)), COMPANY)

    @hypothesis.seed(seed)
    @hypothesis.settings(
        max_examples=graphs, database=None, deadline=None, suppress_health_check=list(HealthCheck),
        phases=[Phase.generate],
    )  # fmt: skip
    @hypothesis.given(expressions([op, *company], max_nodes=max_nodes))
    def judge(e: Expression) -> None:
        nonlocal applied
        if report.failures:
            return
        reached.add(e)
        applied += report.name in e.ops
        found = judged(e)
        report.cases += found.cases
        report.undecided += found.undecided
        report.reasons += found.reasons
        report.failures += found.failures

    with isolated():
        judge()
    if not report.failures and not (applied and report.cases):
        report.obstacle = f"of {graphs} random graphs {applied} hold it, and {report.cases} nodes could be decided"
    return report, reached
