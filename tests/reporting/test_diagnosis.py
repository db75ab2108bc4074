"""Diagnoses are right, or there is none: each kind on ops that make that mistake, and none on other mistakes."""

import re
from pathlib import Path

import numpy as np
import pytest

from adverify import Function, VerificationError, check_case, check_function, diagnosis, variable
from adverify.diagnosis.exceptions import own_line
from tests.corpora import ROOTS, ops

EXPECTED = {
    "own/contract::AddsToTheFirstOnly": {"overwritten": r"y\.grad is assigned"},
    "own/contract::DoublesWhatIsThere": {"scratch": "multiplied by 2"},
    "own/contract::OnlyIfNothingIsThere": {"scratch": "nothing is added"},
    "own/contract::SortsTheInput": {
        "mutation": r"forward changes x in place, at .*contract\.py:\d+: x\.data\.sort\(\)"
    },
    "own/contract::NormalisesTheCotangentInPlace": {"mutation": r"cotangent.*grad \*= np\.cosh"},
    "own/contract::SharesGradWithTheInputs": {"shared": r"x\.grad and y\.grad are the same memory"},
    "own/contract::MaskOfTheLastForward": {"stale": r"self\.mask, which the latest forward replaced"},
    "own/contract::FirstShapeForever": {"stale": r"self\.size stays as the instance's first call left it"},
    "own/contract::OneOutputBuffer": {"shared": "outputs of two calls"},
    "own/contract::UnseededNoise": {"nondeterministic": "another gradient"},
    "own/contract::ClipsLargeCotangents": {"cotangent": r"clipped to \[-10, 10\]"},
    "own/contract::AbsoluteCotangent": {"cotangent": "absolute value"},
    "own/contract::WeightDecay": {"constant-term": r"0\.0001 times the input"},
    "own/contract::BroadcastLeftInTheGradient": {"broadcast": "added up over axis 0"},
    "own/contract::SinglePrecisionGrad": {"dtype": "float32"},
    "own/contract::RawMemory": {"memory": "Fortran-ordered"},
    "own/elementwise::Log2Natural": {"factor": "ln 2 times"},
    "own/elementwise::SoftsignSquareForgotten": {"ratio": r"\(1 \+ \|x\|\) times"},
    "own/elementwise::HypotSwapped": {"swapped": "x and y are swapped"},
    "own/elementwise::WidePeriod": {"region": r"\|x\| > 2.*wrong sign"},
    "own/linear_algebra::CrossProductSign": {"sign": r"b\.grad has the wrong sign"},
    "own/linear_algebra::DeterminantWithInverse": {"transposed": "if it were transposed"},
    "own/networks::RmsNormWithoutProjection": {"mean": "mean product with the output along axis -1"},
    "own/networks::PaddingRowOfTheEmbedding": {"region": "index 0 along axis -2, where it is 0"},
    "own/numerics::LogsumexpUnshifted": {"nan": "NaN where"},
    "own/numerics::SingleInTheMiddle": {"precision": "float32"},
    "own/numerics::EmptyBatchReshape": {"exception": r"cannot reshape.*numerics\.py:\d+: x\.grad \+= 2\.0"},
    "own/shapes::RepeatKeepsTheLast": {"duplicates": "the last one's share only"},
    "own/shapes::MaxSharesWithoutDividing": {"tie": "each of them gets the whole gradient"},
    "own/shapes::VarianceDegreesOfFreedom": {"factor": r"\(n - 1\) / n times"},
    "own/shapes::RollForward": {"shifted": "by -2"},
    "shared/contract::IgnoresCotangent": {"cotangent": "ignores"},
    "shared/elementwise::SigmoidOfInput": {"input-for-output": "formula of the output to the input"},
    "shared/linear_algebra::MatVecBatchDropped": {"slice": "first slice of a along axis 0"},
    "shared/networks::SoftmaxElementwise": {"diagonal": "its own element"},
    "shared/networks::LinearBiasAxis": {"axis": "along axis 1 where it should along axis 0"},
    "shared/shapes::FlipForgotten": {"flipped": "if it were reversed"},
}

UNEXPLAINED = (
    "own/contract::ClassWideCache",
    "own/linear_algebra::GramAsIfSymmetric",
    "own/networks::BatchNormFixedVariance",
    "own/shapes::CumsumForwards",
    "own/shapes::ReflectCountsTheEdge",
)
"""Of these none of the simple explanations is true."""

SIMPLE = {"sign", "factor", "ratio", "transposed", "flipped", "swapped", "left-out", "cotangent", "constant-term"}


@pytest.fixture(autouse=True)
def _however_busy_the_machine_is(monkeypatch):
    monkeypatch.setattr(diagnosis, "MEASURING_SECONDS", 3.0)
    monkeypatch.setattr(diagnosis, "SECONDS", 10.0)


def found(op):
    with pytest.raises(VerificationError) as caught:
        check_function(op, seed=0, max_examples=8)
    return caught.value.report


def asked(op):
    """Ask about the inputs that an op of the corpora gives as its witness; search, where these need a second call."""
    for seed in (3, 0, 1):
        try:
            check_case(op, op.witness, property=op.violates, seed=seed)
        except VerificationError as error:
            if error.report.failures:
                return error.report.failures[0]
    return found(op).failures[0]


def asked_at(op, inputs, **how):
    with pytest.raises(VerificationError) as caught:
        check_case(op, inputs, seed=1, **how)
    return caught.value.report.failures[0]


@pytest.fixture(scope="module")
def mutants():
    return dict(ops("mutants", ["own", "shared"]))


@pytest.mark.parametrize("name", [n for n in EXPECTED if n.startswith("own") or ROOTS["shared"].exists()])
def test_a_mistake_is_named(name, mutants):
    failure = asked(mutants[name])
    (kind, pattern), = EXPECTED[name].items()  # fmt: skip
    assert [(d.kind, bool(re.search(pattern, d.text))) for d in failure.diagnoses][:1] == [(kind, True)], (
        failure.diagnoses
    )


@pytest.mark.parametrize("name", UNEXPLAINED)
def test_what_no_simple_mistake_explains_is_not_explained_by_one(name, mutants):
    failure = asked(mutants[name])
    assert not {d.kind for d in failure.diagnoses} & SIMPLE


class Op(Function):
    def forward(self, x):
        return variable(np.sin(x.data))

    def slope(self, x):
        return np.cos(x)

    def backward(self, x, grad):
        x.grad += grad * self.slope(x.data)


@pytest.mark.parametrize("value", [-3.0, np.sqrt(2), np.log(10), 0.7132])
def test_any_constant_is_a_factor_of_its_value(value):
    class Scaled(Op):
        def slope(self, x):
            return value * np.cos(x)

    (d,) = asked_at(Scaled, [[0.5, 1.5]]).diagnoses
    assert d.kind == "factor"
    assert f"{value:.6g}" in d.text


@pytest.mark.parametrize("threshold", [-1.5, 2.0])
def test_a_threshold_is_located(threshold):
    class Jumps(Op):
        def slope(self, x):
            return np.where(x > threshold, -np.cos(x), np.cos(x))

    (d,) = asked_at(Jumps, [[threshold + 0.4, threshold + 0.7]]).diagnoses
    assert d.kind == "region"
    where = re.search(r"x > (-?[\d.]+)", d.text)
    assert where, d.text
    assert float(where[1]) == pytest.approx(threshold, abs=0.3)
    assert "wrong sign" in d.text


def test_an_input_left_out_is_named():
    class Product(Function):
        def forward(self, x, y):
            return variable(x.data * y.data)

        def backward(self, x, y, grad):
            if x.data.shape == y.data.shape:
                x.grad += grad * y.data
            else:
                raise ValueError("shapes are alike")

    diagnoses = asked_at(Product, [[1.0, 2.0], [3.0, 5.0]]).diagnoses
    assert ("left-out", "y.grad stays zero: backward adds nothing to it") in [(d.kind, d.text[:50]) for d in diagnoses]


def test_a_count_is_told_from_a_number_by_other_shapes():
    """At two elements a sum that should be a mean is twice as large; at others it is not."""

    class Mean(Function):
        def forward(self, x):
            return variable(x.data.mean())

        def backward(self, x, grad):
            x.grad += grad * np.ones_like(x.data)

    (d,) = asked_at(Mean, [[1.0, 2.0]]).diagnoses
    assert d.kind == "factor"
    assert d.text.startswith("x.grad is n times")


@pytest.mark.parametrize("error", [MemoryError, RecursionError, KeyError])
def test_an_op_that_raises_when_it_is_asked_again_has_no_diagnosis(error, monkeypatch):
    class Moody(Op):
        def slope(self, x):
            return 2.5 * np.cos(x)

    failure = asked_at(Moody, [[0.5, 1.5]])
    assert failure.diagnoses

    def slope(self, x):
        raise error

    monkeypatch.setattr(Moody, "slope", slope)
    assert diagnosis.diagnose(failure) == ()


def test_a_diagnosis_leaves_no_time_running():
    class Slow(Op):
        def slope(self, x):
            return 2 * np.cos(x)

    failure = asked_at(Slow, [[0.5, 1.5]])
    watch = failure.case.subject.watch
    assert watch._since is None
    assert diagnosis.diagnose(failure) == failure.diagnoses


def test_kinds_are_documented():
    page = (Path(__file__).parents[2] / "docs" / "reference" / "diagnoses.md").read_text()
    assert set(re.findall(r"^\| `([\w-]+)` \|", page, re.M)) == diagnosis.kinds()


def test_the_last_line_of_the_ops_own_code_is_shown():
    class Raises(Op):
        def slope(self, x):
            return np.reshape(x, (7, 11, 13))

    failure = asked_at(Raises, [[0.5, 1.5]])
    assert failure.diagnoses[0].kind == "exception"
    assert "return np.reshape(x, (7, 11, 13))" in failure.diagnoses[0].text
    assert own_line(failure.verdict.exception, failure.case) in failure.diagnoses[0].text
