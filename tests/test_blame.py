"""A wrong gradient of a graph is blamed on who is guilty: an op, a use of it, or the engine."""

import numpy as np
import pytest
from adverify.strategies import expressions
from hypothesis import HealthCheck, Phase, given, seed, settings

from adverify import (
    Function,
    Undecided,
    Variable,
    VerificationError,
    check_expression,
    expression_report,
    ops,
    tensor,
    variable,
)
from adverify.blame import judge_expression
from adverify.blame.chain_rule import Chain
from adverify.blame.rounding import rounding_bars
from adverify.expression import Expression
from adverify.expression_shrinking import shrunk
from adverify.regression import source
from adverify.verdict import Status
from benchmarks.expressions import blamed
from tests import corpora
from tests.faulty_engines import MISTAKES, engine
from tests.misusing_ops import MISUSING, ClearsIntermediates

AS_USUAL = settings(max_examples=100, database=None, deadline=None, suppress_health_check=list(HealthCheck),
                    phases=[Phase.generate])  # fmt: skip


def first_accusation(start=0, **what):
    """Look for a wrong graph as a user does, with Hypothesis's usual number of examples; give the report on it."""

    @seed(start)
    @AS_USUAL
    @given(expressions(**what))
    def check(e):
        check_expression(e)

    with pytest.raises(VerificationError) as caught:
        check()
    return caught.value.report


def shown(report):
    """The graph of a report."""
    return report.failures[0].case.subject.kind.expression


@pytest.mark.parametrize("start", range(3))
@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_in_the_engine_is_found_and_shrunk(mistake, start, monkeypatch):
    monkeypatch.setattr(Variable, "backward", engine(mistake))
    report = first_accusation(start)
    assert report.failures[0].property == "composition"
    assert report.failures[0].diagnoses[0].kind == "blame engine"
    assert "the engine" in report.headline
    assert shown(report).size <= 4


def test_a_search_that_asks_again_and_again_shrinks_few_graphs(monkeypatch):
    monkeypatch.setattr(Variable, "backward", engine("a repeated input is counted once"))
    asked, sizes = [], []

    def counted(e, is_wrong):
        sizes.append(e.size)
        return shrunk(e, is_wrong)

    monkeypatch.setattr(expression_report, "_SMALL", {})
    monkeypatch.setattr(expression_report, "shrunk", counted)

    @seed(0)
    @settings(max_examples=30, database=None, deadline=None, suppress_health_check=list(HealthCheck))
    @given(expressions())
    def check(e):
        asked.append(e)
        check_expression(e)

    with pytest.raises(VerificationError) as caught:
        check()
    assert shown(caught.value.report).size <= 4
    assert len(sizes) <= 3 < len(asked)


def test_an_engine_that_is_written_otherwise_is_not_accused(monkeypatch):
    monkeypatch.setattr(Variable, "backward", engine())

    @seed(0)
    @AS_USUAL
    @given(expressions())
    def check(e):
        check_expression(e)

    check()


class Remembering(ops.Sin):
    """Keeps its input, as if it were used once."""

    def forward(self, x):
        self.x = np.array(x.data)
        return super().forward(x)

    def backward(self, x, grad):
        x.grad += np.cos(self.x if self.x.shape == x.data.shape else x.data) * grad


class Overwriting(ops.Sin):
    def backward(self, x, grad):
        x.grad = np.cos(x.data) * grad


class Writing(ops.Sin):
    """Computes in place of its input."""

    def backward(self, x, grad):
        x.grad += np.cos(x.data) * grad
        x.data *= 2


class Doubling(ops.Exp):
    def backward(self, x, grad):
        x.grad += 2 * np.exp(x.data) * grad


class CountingTies(ops.Max):
    """Gives each of several largest elements the whole gradient."""

    def backward(self, x, grad):
        largest = x.data.max(axis=self.axis, keepdims=True)
        x.grad += (x.data == largest) * np.reshape(grad, largest.shape)


OTHERS = [ops.Add, ops.Multiply, ops.Tanh, ops.Sum, ops.Matmul, ops.Squeeze]


@pytest.mark.parametrize("op", [Remembering, Overwriting, Writing, Doubling])
def test_the_guilty_op_is_named(op):
    report = first_accusation(ops=[*OTHERS, op])
    assert op.__name__ in report.headline
    assert shown(report).size <= 4
    assert {n for n, count in shown(report).ops.items() if count} <= {
        op.__name__,
        "Plus",
        *(o.__name__ for o in OTHERS),
    }


@pytest.mark.parametrize("op", [*MISUSING, ClearsIntermediates])
def test_an_op_that_misuses_variables_is_named_and_not_the_engine(op):
    report = first_accusation(ops=[*OTHERS, op])
    assert report.failures[0].diagnoses[0].kind == "blame use"
    assert f"`{op.__name__}`" in report.headline
    assert shown(report).size <= 4


def test_state_that_is_shared_between_uses_is_told_from_a_wrong_formula():
    report = first_accusation(ops=[*OTHERS, Remembering])
    assert report.failures[0].diagnoses[0].kind == "blame use"
    assert "keeps something of another use of the same instance" in report.headline
    assert shown(report).ops["Remembering"] == 2


class WritingOverItsOutput(ops.Sin):
    """Gives every use the same array."""

    def forward(self, x):
        self.y = getattr(self, "y", np.empty_like(x.data))
        return variable(np.sin(x.data, out=self.y))


def test_one_other_use_is_named_and_of_many_a_few():
    used = WritingOverItsOutput()
    judgement = judge_expression(Expression.trace(used(used(tensor([0.3, 0.7])))))
    assert "where node 2 uses the same instance" in judgement.verdict.reason
    remembering = Remembering()
    outputs = [remembering(tensor([0.1 * k, 0.2])) for k in range(9)]
    judgement = judge_expression(Expression.trace(*outputs))
    assert judgement.guilty == "Remembering"
    assert judgement.verdict.reason.endswith(" and 4 more")


def test_the_missing_edge_of_several_outputs_is_named(monkeypatch):
    monkeypatch.setattr(Variable, "backward", engine("a node is visited before its gradient is complete"))
    x = tensor([[0.5, 0.25], [0.125, 1.0]])
    q, r = ops.QR()(x)
    judgement = judge_expression(Expression.trace(q, ops.exp(r)))
    assert judgement.guilty == "the engine"
    assert "with a cotangent that lacks what" in judgement.verdict.reason


class ForAll(ops.Tanh):
    """Keeps its output for all instances of the class."""

    def forward(self, x):
        ForAll.kept = np.tanh(x.data)
        return variable(ForAll.kept)

    def backward(self, x, grad):
        x.grad += (1 - ForAll.kept**2) * grad


class Noisy(ops.Sin):
    """Drops some of its gradient at random."""

    def backward(self, x, grad):
        x.grad += np.cos(x.data) * grad * (np.random.default_rng().random(np.shape(grad)) > 0.3)


class OneForBoth(ops.Add):
    """Makes one array the gradient of both inputs, which later sums in place change in both."""

    def backward(self, x, y, grad):
        if x is y or x.data.shape != y.data.shape:
            super().backward(x, y, grad)
        else:
            x.grad = y.grad = x.grad + y.grad + grad


@pytest.mark.parametrize("op", [ForAll, Noisy])
def test_no_engine_is_accused_for_an_op_that_is_unsteady(op):
    x = tensor([0.3, 0.7, 1.1])
    e = Expression.trace(ops.sum(op()(ops.exp(op()(x) * 2.0)) * x))
    judgement = judge_expression(e)
    assert judgement.guilty == op.__name__
    assert judgement.blame.kind == "use"


def test_an_op_that_shares_memory_is_named_and_not_the_op_that_it_disturbs():
    x, y = tensor([0.3, 0.7]), tensor([0.5, 0.25])
    judgement = judge_expression(Expression.trace(OneForBoth()(ops.exp(x), ops.sin(x)) * y))
    assert judgement.verdict.status is Status.HOLDS or judgement.guilty == "OneForBoth"
    a = ops.exp(x)
    judgement = judge_expression(Expression.trace(OneForBoth()(a, y) * ops.sin(a)))
    assert judgement.guilty == "OneForBoth"


def test_state_shows_where_an_op_is_used_once():
    judgement = judge_expression(Expression.trace(Remembering()(tensor([0.3, 0.7]))))
    assert judgement.guilty == "Remembering"
    assert judgement.blame.kind == "use"


class HalfLogDet(Function):
    """The logarithms of a Cholesky factor's diagonal; what is beside it may be anything."""

    def forward(self, factor):
        return variable(np.log(np.diag(factor.data)).sum())

    def backward(self, factor, grad):
        factor.grad += grad * np.diag(np.diag(factor.data) ** -2)  # of one power too many


def test_an_op_is_named_whatever_is_where_it_does_not_look():
    a = tensor(np.array([[4.0, 1.0, 0.5], [1.0, 3.0, 0.2], [0.5, 0.2, 2.0]]))
    with pytest.raises(VerificationError, match=r"node \d+, `HalfLogDet`: by itself"):
        check_expression(Expression.trace(HalfLogDet()(ops.cholesky(a))))


def test_the_report_on_a_graph_can_be_run():
    x = tensor([1.0, 2.0])
    with pytest.raises(VerificationError) as caught:
        check_expression(Expression.trace(Overwriting()(x) * ops.exp(x)))
    test = source(caught.value.report)
    names = {}
    exec(test, names)
    (run,) = (f for name, f in names.items() if name.startswith("test_"))
    with pytest.raises(VerificationError, match="Overwriting"):
        run()


def test_the_node_and_what_is_special_about_its_input_are_named():
    x = tensor([[1.0, 3.0, 2.0], [2.0, 3.0, 0.0]])
    e = Expression.trace(ops.sum(CountingTies(axis=0)(ops.square(x)) * ops.sum(x, axis=0)))
    judgement = judge_expression(e)
    assert judgement.verdict.reason.startswith("node 3, `CountingTies(axis=0)`, with ties in column 1 of x: ")
    assert judgement.blame.kind == "op"


def test_ties_are_not_named_where_it_is_wrong_without_them():
    class HalfOfTheSoftmax(Function):
        def forward(self, x):
            e = np.exp(x.data - x.data.max(-1, keepdims=True))
            return variable(e / e.sum(-1, keepdims=True))

        def backward(self, x, grad):
            x.grad += grad * self.forward(x).data

    e = Expression.trace(HalfOfTheSoftmax()(tensor([[1.0, 1.0], [2.0, 3.0]])) * tensor([[1.0, 2.0], [3.0, 4.0]]))
    assert "`HalfOfTheSoftmax`: by itself" in judge_expression(e).verdict.reason


def test_an_op_that_raises_for_what_is_smaller_is_reported():
    class LastMaximum(Function):
        def forward(self, x):
            return variable(x.data.max(-1) if x.data.ndim else x.data)

        def backward(self, x, grad):
            x.grad += 2 * np.asarray(grad)[..., None] * (x.data == x.data.max(-1, keepdims=True))

    with pytest.raises(VerificationError, match="LastMaximum"):
        check_expression(Expression.trace(LastMaximum()(tensor([[1.0, 1.0], [2.0, 3.0]]))))


def test_an_op_that_raises_for_other_cotangents_is_reported():
    class PositiveCotangentsOnly(Function):
        def forward(self, x):
            return variable(x.data**2)

        def backward(self, x, grad):
            if (grad < 0).any():
                raise RuntimeError("negative")
            x.grad += 2 * grad * x.data

    x = tensor([1.0, 2.0])
    with pytest.raises(VerificationError, match=r"PositiveCotangentsOnly.*backward raised RuntimeError: negative"):
        check_expression(Expression.trace(PositiveCotangentsOnly()(x) + ops.sin(x)))


def test_a_value_that_no_op_shares_is_not_asked_of_the_engine():
    assert judge_expression(Expression.trace(ops.exp(tensor(1.0)))).verdict.status is Status.HOLDS


def test_what_the_oracle_cannot_decide_is_no_accusation():
    judgement = judge_expression(Expression.trace(ops.floor(tensor([1.0, 2.5]))))
    assert judgement.verdict.status is Status.UNDECIDED
    with pytest.raises(Undecided, match="none of its nodes could be decided") as caught:
        check_expression(Expression.trace(ops.floor(tensor([1.0, 2.5]))))
    assert caught.value.report.undecided == 1


def test_an_op_that_raises_in_backward_is_named():
    class Raising(Function):
        def forward(self, x):
            return variable(2 * x.data)

        def backward(self, x, grad):
            raise RuntimeError("not written yet")

    judgement = judge_expression(Expression.trace(ops.sum(Raising()(tensor([1.0, 2.0])))))
    assert judgement.guilty == "Raising"
    assert "not written yet" in judgement.verdict.reason


def test_right_graphs_are_not_accused():
    undecided = 0

    @seed(1)
    @settings(AS_USUAL, max_examples=150)
    @given(expressions())
    def judge(e):
        nonlocal undecided
        status = judge_expression(e).verdict.status
        assert status is not Status.VIOLATED
        undecided += status is Status.UNDECIDED

    judge()
    assert undecided < 150 / 4


def mutants():
    """Of the corpora that are there, those whose gradient is wrong, or goes wrong in a graph, at ordinary inputs."""
    others = [op for _, op in corpora.ops("mutants", ["own"]) if op.violates in ("gradient", "accumulation", "purity")]
    return [op for _, op in corpora.ops("mutants", ["shared"])] + others[::8]


def test_mutants_among_built_in_ops_are_blamed_by_name():
    found = {op.__name__: blamed(op, 0) for op in mutants()}
    by_name = sum(name == who for name, who in found.items())
    assert all(who in ("", name) for name, who in found.items()), "another op is blamed"
    assert by_name >= 0.9 * len(found), [name for name, who in found.items() if name != who]


class ReadsItsOutput(Function):
    """Takes the gradient of its latest output for its cotangent."""

    def forward(self, x):
        self.output = variable(np.exp(x.data))
        return self.output

    def backward(self, x, grad):
        x.grad += self.output.grad * self.output.data


class KeepsItsCotangent(Function):
    """Sine, whose backward keeps the first cotangent after a forward."""

    def forward(self, x):
        self.kept = None
        return variable(np.sin(x.data))

    def backward(self, x, grad):
        self.kept = grad.copy() if self.kept is None else self.kept
        x.grad += self.kept * np.cos(x.data)


@pytest.mark.parametrize("kind", [ReadsItsOutput, KeepsItsCotangent])
def test_the_engine_is_not_accused_of_what_an_op_takes_for_its_cotangent(kind):
    op, x = kind(), tensor([0.3, -1.2])
    judgement = judge_expression(Expression.trace(op(ops.sin(x)) * op(x)))
    assert judgement.guilty == kind.__name__


def test_what_cancels_is_rounded_as_its_terms_are():
    v = ops.tanh(tensor([0.3, -1.2]))
    e = Expression.trace(v * 1e9, v * -1e9, v, cotangents=(np.ones(2), np.ones(2), np.ones(2)))
    bars = rounding_bars(e, Chain(e))
    (leaf,) = (i for i in e.leaves if e.nodes[i].requires_grad)
    assert bars[leaf][0].gradient > 1e9 * np.finfo(float).eps


def test_where_rounding_decides_a_gradient_its_bar_has_no_end():
    q, _ = ops.QR()(tensor(np.ones((2, 5, 4), np.float32)))  # of rank one: what it divides by is what was rounded
    e = Expression.trace(q, cotangents=(np.ones(q.data.shape, np.float32),))
    (leaf,) = e.leaves
    assert rounding_bars(e, Chain(e))[leaf][0].gradient == np.inf
    assert judge_expression(e).blame is None


def test_what_is_nan_says_nothing_of_the_elements_beside_it():
    x = tensor([0.3, -1.2])
    e = Expression.trace(x * 2.0, ops.tanh(x), cotangents=(np.array([np.nan, 1.0]), np.ones(2)))
    (leaf,) = (i for i in e.leaves if e.nodes[i].requires_grad)
    assert 0 < rounding_bars(e, Chain(e))[leaf][0].gradient < 1e-12


class RaisesAtEqualElements(Function):
    """Doubles, and divides by a spread that may be zero."""

    def forward(self, x):
        return variable(2 * x.data)

    def backward(self, x, grad):
        if np.ptp(x.data) == 0:
            raise ZeroDivisionError("no spread")
        x.grad = x.grad + 2 * grad


def test_an_op_that_raises_in_company_only_is_named(monkeypatch):
    monkeypatch.setattr("adverify.blame.crowd._others", lambda operands: iter([[np.ones_like(a) for a in operands]]))
    judgement = judge_expression(Expression.trace(RaisesAtEqualElements()(tensor([2.0, 1.0, 3.0]))))
    assert judgement.guilty == "RaisesAtEqualElements"


def test_slopes_are_undecided_where_outputs_jump_and_cancel():
    x = [-0.013030536659166208, -1.0930295156686123, -0.3056970417727811, -1.81091197572617, -16.45053302516411]
    y = [-0.001, -0.001, 1.5]
    a = np.linalg.pinv(np.arctan(np.outer(x, y)))  # of rank 2, which a change of one element makes 3
    cotangent = np.ones((5, 3)) * (np.linalg.pinv(a) <= y)
    judgement = judge_expression(Expression.trace(ops.Pinv()(tensor(a)), cotangents=(cotangent,)))
    assert judgement.blame is None


@pytest.mark.parametrize("shape", [(2, 2), (2, 3), (3, 3), (4, 3), (2, 8), (3, 5)])
@pytest.mark.parametrize("which", [-1, -2])
def test_any_of_the_slopes_that_turn_with_the_point_is_right(shape, which):
    cotangent = np.zeros(min(shape))
    cotangent[which] = 3.0
    y = ops.Svdvals()(tensor(np.zeros(shape)))
    assert judge_expression(Expression.trace(y, cotangents=(cotangent,))).blame is None


def test_slopes_are_undecided_where_an_output_depends_on_the_way_to_the_point():
    a = np.array([[-1.0, -1.0, 0.0], [0.0, 0.0, 0.0]])  # any vector across the first may be the second right one
    for_u, for_s = np.array([[-0.25, -0.25], [0.75, -0.75]]), np.array([1.0, -0.75])
    for_vh = np.array([[0.5, 0.75, 0.25], [-0.25, 0.25, 0.5]])
    judgement = judge_expression(Expression.trace(*ops.SVD()(tensor(a)), cotangents=(for_u, for_s, for_vh)))
    assert judgement.blame is None


@pytest.mark.parametrize("draw", range(3))
def test_kinks_of_small_outputs_cancel_in_large_ones_without_an_accusation(draw):
    noise = np.random.default_rng(draw).normal(size=(4, 4))
    a = 3 + 1e-7 * (noise + noise.T)  # three eigenvalues are as good as equal, and one is large and matters
    e = Expression.trace(ops.Eigvalsh()(tensor(a)), cotangents=(np.array([-0.3, 0.1, 0.2, 2e5]),))
    assert judge_expression(e).blame is None
