"""Diagnoses are right, or there is none: each kind on ops that make that mistake, and none on other mistakes."""

import dataclasses
import re

import numpy as np
import pytest

from adverify import Function, VerificationError, check_case, check_function, diagnosis, variable
from adverify.diagnosis.base import descriptions, kinds
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


def test_a_gradient_that_is_set_to_none_is_told_from_one_that_nothing_is_added_to():
    class Clears(Function):
        def forward(self, x):
            return variable(x.data**2)

        def backward(self, x, grad):
            x.grad = None

    said = [d.text for d in found(Clears).failures[0].diagnoses]
    assert said == ["x.grad stays zero: backward sets it to None or to zeros"]


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


EXAMPLES = [(kind, code) for kind, said in descriptions().items() for code in said.examples]


def test_every_kind_has_an_example():
    assert {kind for kind, _ in EXAMPLES} == kinds()


@pytest.mark.parametrize(("kind", "code"), EXAMPLES, ids=[f"{kind}-{k}" for k, (kind, _) in enumerate(EXAMPLES)])
def test_of_the_example_of_a_kind_it_is_said(kind, code):
    names = {"np": np, "Function": Function, "variable": variable, "__name__": f"an_example_of_{kind}"}
    exec(code, names)
    assert kind in [d.kind for f in found(names["Op"]).failures for d in f.diagnoses]


class Wave(Function):
    """Its gradient is right but for a factor, which depends on the inputs."""

    def forward(self, x):
        return variable(np.sin(x.data) + 0.1 * x.data**2)

    def backward(self, x, grad):
        x.grad += grad * self.factor(x.data) * (np.cos(x.data) + 0.2 * x.data)


class Pair(Function):
    """The gradients of a product are right but for factors, which depend on the inputs."""

    def forward(self, x, y):
        return variable(np.tanh(x.data) * np.exp(0.3 * y.data))

    def backward(self, x, y, grad):
        for_x = grad * (1 - np.tanh(x.data) ** 2) * np.exp(0.3 * y.data)
        for_y = grad * 0.3 * np.tanh(x.data) * np.exp(0.3 * y.data)
        for v, share in zip((x, y), self.factors(x.data, y.data, for_x, for_y), strict=True):
            while share.ndim > v.data.ndim:
                share = share.sum(0)
            for axis, n in enumerate(v.data.shape):
                share = share.sum(axis, keepdims=True) if n == 1 else share
            v.grad += share


def test_a_part_of_the_values_is_not_taken_for_all_though_the_case_is_of_no_axes():
    class Halved(Pair):
        def factors(self, x, y, for_x, for_y):
            return for_x * np.where(x < -3, 0.5, 1), for_y

    (d,) = asked_at(Halved, [-3.3, -0.05]).diagnoses
    assert (d.kind, d.text) == ("region", "x.grad is wrong only where x < -3, where it is 1 / 2 times what it should "
                                          "be (0.5)")  # fmt: skip


@pytest.mark.parametrize(("low", "at", "where"), [(-2.0, [-2.7, 0.4], "x < -2"), (0.0, [-1.3, 0.4], "x < 0")])
def test_an_input_may_be_to_blame_for_anothers_gradient(low, at, where):
    class Flipped(Pair):
        def factors(self, x, y, for_x, for_y):
            return for_x, for_y * np.where(x < low, -1, 1)

    (d,) = asked_at(Flipped, at).diagnoses
    assert (d.kind, d.text) == ("region", f"y.grad is wrong only where {where}, where it has the wrong sign")


def test_what_depends_on_a_sum_of_inputs_is_not_said_to_depend_on_one():
    class BeyondASum(Pair):
        def factors(self, x, y, for_x, for_y):
            return for_x * np.where(x + y > 3, 2, 1), for_y

    assert asked_at(BeyondASum, [1.0, 5.3]).diagnoses == ()


@pytest.mark.parametrize(("test", "at", "said"), [
    (lambda x: np.abs(x) > 5, [1.0, 8.5], "wrong only where |x| > 5, where it"),
    (lambda x: np.abs(x) > 20, [-20.5, 2.9], "wrong only where |x| > 20, where it"),
    (lambda x: (x > 1) & (x < 2), [1.0, 1.3], "wrong only where 1 < x < 2, where it"),
    (lambda x: x.ndim == 2, [[1.0, 1.0]], "3 times what it should be, for 2-d x"),
    (lambda x: x.size > 1, [1.0, 1.0], "3 times what it should be, for inputs of more than one element"),
])  # fmt: skip
def test_a_factor_is_said_of_the_inputs_at_which_it_is_seen(test, at, said):
    class Partly(Wave):
        def factor(self, x):
            return np.where(test(x), 3.0, 1.0)

    (d,) = asked_at(Partly, [at]).diagnoses
    assert said in d.text


@pytest.mark.parametrize(("test", "at"), [
    (lambda x: x.ndim == 2 and x.shape[0] == x.shape[1], [[1.0, 1.0], [1.0, 1.0]]),
    (lambda x: x.ndim > 0 and x.shape[-1] % 2 == 0, [1.0, 1.0]),
    (lambda x: x.max(initial=0.0) > 6, [[[1.0, 9.3]]]),
    (lambda x: x.ndim > 0 and x.sum() < 0, [1.0, -3.0]),
])  # fmt: skip
def test_of_a_factor_at_some_shapes_or_sums_nothing_is_said(test, at):
    class Partly(Wave):
        def factor(self, x):
            return 3.0 if test(x) else 1.0

    assert asked_at(Partly, [at]).diagnoses == ()


def test_an_error_that_fades_away_has_no_second_threshold():
    class Linear(Function):
        def forward(self, x):
            return variable(np.logaddexp(0, x.data))

        def backward(self, x, grad):
            x.grad += grad * np.where(x.data > 2, 1, 1 / (1 + np.exp(-x.data)))

    (d,) = asked_at(Linear, [[1.0, 4.0]]).diagnoses
    assert (d.kind, d.text) == ("region", "x.grad is wrong only where x > 2, and less so farther off")


def test_a_small_error_is_not_taken_for_a_jacobian_without_its_other_elements():
    class Guarded(Function):
        def forward(self, x):
            return variable(np.log(x.data))

        def backward(self, x, grad):
            x.grad += grad / (x.data + 1e-6)

    assert asked_at(Guarded, [[1.0, 1.0]]).diagnoses == ()


def test_a_cotangent_that_is_rounded_to_nothing_is_not_an_input_left_out():
    class Whole(Op):
        def backward(self, x, grad):
            x.grad += grad.astype(int) * np.cos(x.data)

    assert "left-out" not in [d.kind for d in asked_at(Whole, [[1.0, 1.0]]).diagnoses]


@pytest.mark.parametrize("period", [2, 3])
def test_a_counter_is_not_taken_for_a_random_state(period):
    class Counts(Op):
        calls = 0

        def slope(self, x):
            type(self).calls += 1
            return (1 + self.calls % period) * np.cos(x)

    assert not re.search("random", asked_at(Counts, [[0.5, 1.5]], property="determinism").diagnoses[0].text)


def test_zeros_that_make_a_matrix_singular_are_not_a_tie():
    class Determinant(Function):
        def forward(self, x):
            return variable(np.linalg.det(x.data))

        def backward(self, x, grad):
            det = np.linalg.det(x.data)
            x.grad += grad * det * np.linalg.inv(x.data).T if det else 0.0

    failure = asked_at(Determinant, [[[0.0, 0.0], [0.0, -3.0]]], property="special values")
    assert "tie" not in [d.kind for d in failure.diagnoses]


def test_the_last_line_of_the_ops_own_code_is_shown():
    class Raises(Op):
        def slope(self, x):
            return np.reshape(x, (7, 11, 13))

    failure = asked_at(Raises, [[0.5, 1.5]])
    assert failure.diagnoses[0].kind == "exception"
    assert "return np.reshape(x, (7, 11, 13))" in failure.diagnoses[0].text
    assert own_line(failure.verdict.exception, failure.case) in failure.diagnoses[0].text


def test_an_error_of_some_digits_at_some_values_is_no_factor():
    class ShortSeries(Function):
        def forward(self, x):
            return variable(np.expm1(-np.abs(x.data)))

        def backward(self, x, grad):
            slope = -np.sign(x.data) * np.exp(-np.abs(x.data))
            x.grad += grad * slope * np.where(np.abs(x.data) > 1, 1 + 2e-6 / np.abs(x.data) ** 3, 1)

    assert "factor" not in [d.kind for d in asked_at(ShortSeries, [[1.02, 0.4]]).diagnoses]


@pytest.mark.parametrize(("off", "said"), [(1.2e-6, "1.0000012"), (-8.4e-7, "0.99999916")])
def test_a_rounded_constant_is_said_with_the_digits_that_tell_it_from_1(off, said):
    class Slightly(Op):
        def slope(self, x):
            return (1 + off) * np.cos(x)

    (d,) = asked_at(Slightly, [[0.5, 1.5]]).diagnoses
    assert d.kind == "factor"
    assert d.text.startswith(f"x.grad is {said}")


def test_a_part_that_is_rounded_is_not_a_part_that_is_left_out():
    class Shifted(Function):
        def forward(self, x):
            if not x.data.ndim or x.data.shape[-1] == 1:
                raise ValueError("nothing but rounding would be left of one element")
            return variable(x.data - x.data.mean(-1, keepdims=True))

        def backward(self, x, grad):
            x.grad += grad - grad.mean(-1, keepdims=True).astype(np.float32)

    failure = found(Shifted).failures[0]
    assert [d.kind for d in failure.diagnoses] == ["precision"]
    assert "rounds it to float32" in failure.diagnoses[0].text


def test_a_tie_elsewhere_is_not_blamed_on_the_value_of_an_element():
    class SharesByTheWholeCount(Function):
        def forward(self, x):
            if x.data.ndim != 2 or not x.data.size:
                raise ValueError("expected a matrix")
            return variable(x.data.min(axis=1))

        def backward(self, x, grad):
            least = x.data == x.data.min(axis=1, keepdims=True)
            x.grad += grad[:, None] * least * len(x.data) / least.sum()

    failure = asked_at(SharesByTheWholeCount, [[[0.0, 0.0], [1.0, 2.0]]], property="special values")
    assert failure.diagnoses == ()


def test_a_value_is_blamed_where_it_is_wrong_whatever_the_others_are():
    class AtOne(Function):
        def forward(self, x):
            return variable(x.data**3)

        def backward(self, x, grad):
            x.grad += grad * np.where(x.data == 1, 0.0, 3 * x.data**2)

    (d,) = asked_at(AtOne, [[1.0, 2.3]], property="special values").diagnoses
    assert (d.kind, d.text) == ("point", "only the value 1 itself is wrong; right next to it the gradient is right")


class Series(Function):
    """A linear layer at each of many times; the gradient of its bias is wrongly a mean over the batch."""

    def forward(self, x, w, b):
        if x.data.ndim != 3 or w.data.shape != (x.data.shape[1], b.data.size) or b.data.ndim != 1:
            raise ValueError("expected (n, k, t), (k, m) and (m,)")
        return variable(np.einsum("nkt,km->nmt", x.data, w.data) + b.data[:, None])

    def backward(self, x, w, b, grad):
        x.grad += np.einsum("nmt,km->nkt", grad, w.data)
        w.grad += np.einsum("nmt,nkt->km", grad, x.data)
        b.grad += grad.sum(axis=2).mean(axis=0)


SQUARE = np.array([[1.1, 0.3], [0.4, 2.2]])


def test_lengths_that_are_alike_are_told_apart():
    (d,) = asked_at(Series, [[SQUARE, -SQUARE], SQUARE, [0.3, 1.7]]).diagnoses
    assert (d.kind, d.text) == ("factor", "b.grad is 1 / n times, for axis 0 of x of length n, what it should be")


def test_lengths_that_are_alike_at_all_witnesses_are_told_apart():
    """As if no other shapes had been found."""
    alike = tuple(((n, n, n), (n, n), (n,)) for n in (2, 3))
    failure = asked_at(Series, [[SQUARE, -SQUARE], SQUARE, [0.3, 1.7]])
    sampling = dataclasses.replace(failure.case.sampling, shapes=alike)
    case = dataclasses.replace(failure.case, sampling=sampling)
    (d,) = diagnosis.diagnose(dataclasses.replace(failure, case=case))
    assert d.text == "b.grad is 1 / n times, for axis 0 of x of length n, what it should be"


def test_where_forward_underflows_no_gradient_is_said_to_be_right():
    class Length(Function):
        def forward(self, x):
            return variable(np.sqrt(np.sum(x.data**2)))

        def backward(self, x, grad):
            x.grad += grad * x.data / np.sqrt(np.sum(x.data**2))

    failure = asked_at(Length, [[2e-200, 6.5e-200]], property="extremes")
    (d,) = failure.diagnoses
    assert d.kind == "nan"
    assert "0 is right" not in d.text
    assert "should be" not in failure.verdict.reason


def test_an_error_ends_where_forward_becomes_flat():
    class Clipped(Function):
        def forward(self, x):
            return variable(np.clip(x.data, -4, 4) ** 2)

        def backward(self, x, grad):
            x.grad += grad * np.where(np.abs(x.data) < 2, 2 * x.data, 0)

    (d,) = asked_at(Clipped, [[0.5, 3.1]]).diagnoses
    assert d.kind == "region"
    where = re.search(r"only where ([\d.]+) < \|x\| < ([\d.]+).*, where it is 0 and should not be", d.text)
    assert where, d.text
    assert [float(end) for end in where.groups()] == pytest.approx([2, 4], abs=0.1)


def test_what_backward_leaves_on_an_input_is_named():
    class Remembers(Function):
        def forward(self, x):
            return variable(np.exp(x.data))

        def backward(self, x, grad):
            if not hasattr(x, "pulled"):
                x.pulled = grad * np.exp(x.data)
            x.grad += x.pulled

    (d,) = asked_at(Remembers, [[0.5, 1.5]], property="composition").diagnoses
    assert (d.kind, d.text) == ("stale", "backward keeps x.pulled on its input, and another use of that input gets it")


@pytest.mark.parametrize("x", [[1.0, 1.0, 1.7], [1.0, 2.0, 2.0]])
def test_where_the_oracle_settled_no_other_slope_is_said_to_be_right(x):
    """Of 0 any share is narrow, and any width wide."""

    class Skewness(Function):
        def forward(self, x):
            if x.data.ndim != 1 or x.data.size < 3 or np.ptp(x.data) == 0:
                raise ValueError("expected three values, not all equal")
            c = x.data - x.data.mean()
            return variable(np.mean(c**3) / np.mean(c**2) ** 1.5)

        def backward(self, x, grad):
            c = x.data - x.data.mean()
            m2, m3 = np.mean(c**2), np.mean(c**3)
            x.grad += grad * 3 / x.data.size * (c**2 / m2**1.5 - m3 * c / m2**2.5)

    reason = asked_at(Skewness, [x]).verdict.reason
    assert "should be" in reason
    assert "any slope" not in reason


def test_at_a_kink_all_slopes_that_are_right_are_said():
    class Doubled(Op):
        def forward(self, x):
            return variable(np.abs(x.data))

        def slope(self, x):
            return np.where(x == 0, 2.0, np.sign(x))

    assert (
        "any slope from -1 to 1 would be right" in asked_at(Doubled, [[0.0]], property="special values").verdict.reason
    )


def test_a_gradient_that_should_be_zero_is_not_said_to_be_zero_but_for_a_mean_or_a_shift():
    class SumToOne(Function):
        def forward(self, x):
            if x.data.ndim < 1 or not x.data.size:
                raise ValueError("expected an axis to sum over")
            e = np.exp(x.data - x.data.max(-1, keepdims=True))
            return variable((e / e.sum(-1, keepdims=True)).sum(-1))

        def backward(self, x, grad):
            e = np.exp(x.data - x.data.max(-1, keepdims=True))
            x.grad += grad[..., None] * e / e.sum(-1, keepdims=True)

    for x in ([1.0, 1.0], [[1.0]]):
        assert not {d.kind for d in asked_at(SumToOne, [x]).diagnoses} & {"shifted", "mean"}
