"""Ops among others in random graphs, and what fuzzing makes of such rounds."""

from adverify import Function, Report, ops, variable
from adverify.cli.fuzz import Tally
from adverify.graphs import in_graphs
from adverify.record import record_of
from adverify.targets import Target
from adverify.verification import Answer, Outcome


class NegatedCube(Function):
    """Of the wrong sign."""

    def forward(self, x):
        return variable(x.data**3)

    def backward(self, x, grad):
        x.grad -= 3 * grad * x.data**2


def test_a_wrong_op_is_named():
    report, _ = in_graphs(NegatedCube, graphs=60, max_nodes=6, seed=0)
    assert not report.ok
    assert "NegatedCube" in report.failures[0].verdict.reason


def test_a_right_op_among_others_is_not():
    report, reached = in_graphs(ops.Tanh, graphs=30, max_nodes=8, seed=1)
    assert report.ok, str(report)
    assert report.cases > 30
    assert reached.graphs == 30
    assert reached.ops["Tanh"] > 0


class Nothing(Function):
    """Takes nothing."""

    def forward(self, x):
        raise ValueError("not this")

    def backward(self, x, grad):
        raise NotImplementedError


def test_an_op_that_no_graph_holds_is_not_verified():
    report, _ = in_graphs(Nothing, graphs=5, max_nodes=3, seed=0)
    assert not report.ok
    assert "of 5 random graphs 0 hold it" in str(report)


def answer(**report):
    said = Report("Op", **report)
    return Answer(Target("package", "Op"), record_of(said), str(said))


def test_rounds_in_graphs_accuse_and_verify_nothing():
    tally = Tally()
    tally.add(answer(cases=5), in_graphs=True)
    assert not tally.answers
    tally.add(answer(obstacle="too little could be decided"))
    tally.add(answer(cases=5), in_graphs=True)
    (found,) = tally.answers.values()
    assert found.outcome is Outcome.UNDECIDED
    assert found.record["cases"] == 5
    tally.add(answer(cases=7))
    assert next(iter(tally.answers.values())).outcome is Outcome.VERIFIED
    wrong, reached = in_graphs(NegatedCube, graphs=60, max_nodes=6, seed=0)
    tally.add(Answer(found.op, record_of(wrong), str(wrong), reached=reached), in_graphs=True)
    assert tally.reached == reached
    assert next(iter(tally.answers.values())).outcome is Outcome.VIOLATED
    assert tally.failed
