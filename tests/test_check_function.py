"""check_function at its borders: what it infers, what it refuses, and how it leaves the process."""

import contextlib
import itertools
import os
import random
import sys
import threading
import time
import warnings
from dataclasses import dataclass

import hypothesis
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.linalg import expm, expm_frechet
from scipy.special import erfc, expit, gamma, log_softmax, psi, rel_entr, rgamma, softmax

from adverify import (
    Function,
    InvalidFunction,
    Report,
    Undecided,
    VerificationError,
    check_case,
    check_function,
    variable,
)
from adverify.domains import Domain, interval, positive
from adverify.ops import Beta, FloorDivide, KlDiv, LayerNorm, MatrixPower, Power
from adverify.ops.broadcasting import unbroadcast
from tests import corpora


class Elementwise(Function):
    """An op made of a value and a slope."""

    def value(self, x):
        return np.sin(x)

    def slope(self, x):
        return np.cos(x)

    def forward(self, x):
        return variable(self.value(x.data))

    def backward(self, x, grad):
        x.grad += grad * self.slope(x.data)


class Wrong(Elementwise):
    def slope(self, x):
        return -np.cos(x)


def test_a_right_op_gives_a_report():
    report = check_function(Elementwise, max_examples=100)
    assert isinstance(report, Report)
    assert report.ok
    assert report.cases >= 50
    assert report.undecided <= report.cases // 10
    assert report.failures == []
    assert "verified" in str(report)


def test_a_wrong_op_raises_with_everything_a_person_needs():
    with pytest.raises(VerificationError) as caught:
        check_function(Wrong)
    assert isinstance(caught.value, AssertionError)
    failure = caught.value.report.failures[0]
    assert failure.property == "gradient"
    text = str(caught.value)
    assert text.splitlines()[0].startswith("Wrong: wrong gradient: x.grad[0] is -")
    for part in ("Falsifying example", "expected", "actual", "error bar", "test_check_function.py"):
        assert part in text


def test_the_falsifying_example_runs_and_shows_the_failure():
    with pytest.raises(VerificationError) as caught:
        check_function(Wrong)
    names = {"np": np, "variable": variable, "Wrong": Wrong}
    exec(str(caught.value.report.failures[0].case), names)
    assert not np.allclose(names["x"].grad, np.cos(names["x"].data))


def test_failures_shrink_to_simple_numbers():
    with pytest.raises(VerificationError) as caught:
        check_function(Wrong)
    (x,) = caught.value.report.failures[0].case.arrays
    assert x.tolist() == [1.0, 1.0]


def test_a_seed_makes_a_run_repeatable():
    def found():
        with pytest.raises(VerificationError) as caught:
            check_function(Wrong, seed=3)
        return str(caught.value)

    assert found() == found()


@pytest.mark.parametrize("what", [3, "MyOp", None, dict, np.sin, Function()])
def test_what_is_no_op_is_refused(what):
    with pytest.raises(InvalidFunction):
        check_function(what)


def test_a_missing_constructor_argument_is_named():
    class Needs(Elementwise):
        def __init__(self, alpha):
            self.alpha = alpha

    with pytest.raises(InvalidFunction, match=r"Needs\(\) could not be made: .*'alpha'.*arguments="):
        check_function(Needs)
    assert check_function(Needs(2.0)).ok
    assert check_function(Needs, arguments={"alpha": [1.0, 2.0]}).ok
    assert check_function(Needs, arguments={"alpha": st.floats(0, 1)}).ok


class Unreadable(Exception):
    def __str__(self):
        raise RuntimeError


@pytest.mark.parametrize(
    "error", [RuntimeError("no GPU"), KeyError("MY_PATH"), SystemExit(3), Unreadable()], ids=lambda e: type(e).__name__
)
def test_what_a_constructor_raises_is_named(error):
    class Refuses(Elementwise):
        def __init__(self):
            raise error

    said = rf"Refuses\(\) could not be made: {type(error).__name__}: .*arguments="
    with pytest.raises(InvalidFunction, match=said) as raised:
        check_function(Refuses)
    assert raised.value.__cause__ is error
    with pytest.raises(InvalidFunction, match=said):
        check_case(Refuses, [[1.0]])


class Locked(Elementwise):
    """Right, and no instance of it can be copied."""

    def __init__(self):
        self.lock = threading.Lock()

    def forward(self, x):
        with self.lock:
            return super().forward(x)


class WrongAndLocked(Locked):
    def slope(self, x):
        return -np.cos(x)


class LockedAtRandom(Locked):
    drawn = itertools.count()

    def __init__(self):
        super().__init__()
        self.factor = next(self.drawn)


def test_instances_that_cannot_be_copied_are_made_by_their_constructor():
    assert check_function(Locked, seed=0).ok
    with pytest.raises(VerificationError, match="wrong gradient"):
        check_function(WrongAndLocked, seed=0)


@pytest.mark.parametrize("op", [Locked(), LockedAtRandom], ids=["instance", "class"])
def test_instances_that_cannot_be_made_alike_are_refused(op):
    with pytest.raises(InvalidFunction, match=r"could not be copied: TypeError: .*lock.*give the class") as raised:
        check_function(op)
    assert isinstance(raised.value.__cause__, TypeError)


class Slotted(Function):
    __slots__ = ("factor", "kept")

    def __init__(self, factor=3.0):
        self.factor = np.array(factor)

    def forward(self, x):
        return variable(self.factor * x.data**2)

    def backward(self, x, grad):
        x.grad += 2 * grad * self.factor * x.data


class KeepsInASlot(Slotted):
    __slots__ = ()

    def forward(self, x):
        self.kept = x.data.copy()
        return super().forward(x)

    def backward(self, x, grad):
        x.grad += 2 * grad * self.factor * self.kept


@dataclass(slots=True)
class SlottedData(Function):
    factor: float = 2.0

    def forward(self, x):
        return variable(self.factor * x.data)

    def backward(self, x, grad):
        x.grad += self.factor * grad


@pytest.mark.parametrize("op", [Slotted, Slotted(2.0), SlottedData, SlottedData(5.0)])
def test_what_an_instance_holds_in_slots_is_kept(op):
    assert check_function(op, seed=0).ok


def test_what_a_call_leaves_in_a_slot_is_named():
    with pytest.raises(VerificationError, match=r"backward uses self\.kept, which the latest forward replaced"):
        check_function(KeepsInASlot, seed=0)


def test_a_forward_that_returns_no_variable_is_named():
    class Raw(Elementwise):
        def forward(self, x):
            return np.sin(x.data)

    with pytest.raises(InvalidFunction, match=r"Raw.forward returned a ndarray; end it with `return variable"):
        check_function(Raw)


def test_integer_outputs_are_named():
    class Rounds(Elementwise):
        def forward(self, x):
            y = variable(x.data)
            y.data = np.rint(x.data).astype(int)
            return y

    with pytest.raises(InvalidFunction, match=r"Rounds.forward returned int64 data, which has no gradient"):
        check_function(Rounds)


def test_beside_a_hole_in_the_domain_a_point_is_judged():
    class Product(Function):
        def forward(self, x):
            if not x.data.ndim or ((x.data != 0) & (np.abs(x.data) < 1e-9)).any():
                raise ValueError("vectors are expected, of zeros and of numbers that are not tiny")
            return variable(x.data.prod(axis=-1))

        def backward(self, x, grad):
            others = (grad * x.data.prod(axis=-1))[..., None] / np.where(x.data == 0, 1.0, x.data)
            x.grad += np.where(x.data == 0, 0.0, others)  # also where it is the only zero

    with pytest.raises(VerificationError, match="is 0 and should be"):
        check_function(Product)


def test_what_is_inexact_next_to_zero_is_judged_at_zero():
    class BoxCox(Function):
        def forward(self, x, power):
            if power.data.ndim or (x.data <= 0).any() or abs(power.data) > 3:
                raise ValueError("positive numbers and one power are expected")
            log = np.log(x.data)
            return variable(log if power.data == 0 else np.expm1(power.data * log) / power.data)

        def backward(self, x, power, grad):
            log, p = np.log(x.data), float(power.data)
            x.grad += grad * np.exp((p - 1) * log)
            if p:  # at 0 it is half the square of the logarithm
                slope = (np.exp(p * log) * (p * log - 1) + 1) / p**2
                power.grad += np.sum(grad * np.where(np.abs(p * log) < 1e-3, log**2 * (0.5 + p * log / 3), slope))

    with pytest.raises(VerificationError, match=r"power\.grad is 0 and should be"):
        check_function(BoxCox)


def test_one_region_of_what_inputs_together_may_be_is_met():
    class Roots(Function):
        def forward(self, a, b, c):
            discriminant = b.data**2 - 4 * a.data * c.data
            if not a.data.shape == b.data.shape == c.data.shape or (np.abs(a.data) < 1e-6).any():
                raise ValueError("one shape, and parabolas, are expected")
            if (discriminant <= 1e-4 * b.data**2 + 1e-8).any():
                raise ValueError("two roots are expected")
            return variable((np.sqrt(discriminant) - b.data) / (2 * a.data))

        def backward(self, a, b, c, grad):
            root = np.sqrt(b.data**2 - 4 * a.data * c.data)
            x = (root - b.data) / (2 * a.data)
            a.grad -= grad * x**2 / root
            b.grad -= grad * x / root
            c.grad -= grad * np.sign(a.data) / root  # no sign belongs here

    with pytest.raises(VerificationError, match=r"c\.grad"):
        check_function(Roots)


def test_infinite_slopes_at_an_end_that_cancel_for_a_cotangent_accuse_nobody():
    class Rest(Function):
        def forward(self, x, y):
            return variable(np.sqrt(x.data**2 - y.data**2))

        def backward(self, x, y, grad):
            slope = grad / np.sqrt(x.data**2 - y.data**2)
            x.grad += slope * x.data
            y.grad -= np.sum(slope * y.data)

    with pytest.raises(Undecided, match="infinite, or does not settle, at the end of the domain"):
        check_case(Rest, [np.full(3, 0.5), 0.5], property="special values", seed=112)


def test_large_inputs_that_are_bound_to_each_other_are_met():
    class Leg(Function):
        def forward(self, x, y):
            if x.data.shape != y.data.shape or (np.abs(x.data) >= y.data).any() or (y.data < 1e-100).any():
                raise ValueError("|x| < y is expected")
            return variable(y.data * np.sqrt((1 - x.data / y.data) * (1 + x.data / y.data)))

        def backward(self, x, y, grad):
            rest = np.sqrt(np.abs((y.data - x.data) * (y.data + x.data)))  # which overflows
            x.grad -= grad * x.data / rest
            y.grad += grad * y.data / rest

    with pytest.raises(VerificationError) as caught:
        check_function(Leg)
    assert caught.value.report.failures[0].property == "extremes"


@pytest.mark.parametrize("number", [4, 6])
def test_any_number_of_inputs_may_be_exactly_one_number(number):
    class Alternating(Function):
        def __init__(self, wrong=-1):
            self.wrong = wrong

        def forward(self, *xs):
            if len(xs) != number or len({x.data.shape for x in xs}) != 1:
                raise ValueError("pairs of one shape are expected")
            return variable(sum((-1) ** i * x.data**2 for i, x in enumerate(xs)))

        def backward(self, *args):
            *xs, grad = args
            for i, x in enumerate(xs):
                x.grad += (3 if i == self.wrong else 2) * (-1) ** i * grad * x.data

    assert check_function(Alternating).cases > 30
    with pytest.raises(VerificationError, match=r"x3\.grad"):
        check_function(Alternating, arguments={"wrong": 3})


def test_a_backward_of_the_wrong_arity_is_named():
    class Short(Elementwise):
        def backward(self, grad):
            pass

    with pytest.raises(InvalidFunction, match=r"Short.backward cannot be called with \(x, grad\)"):
        check_function(Short)


def test_a_forward_that_always_raises_is_undecided_and_says_what_helps():
    class Never(Elementwise):
        def forward(self, x):
            raise RuntimeError("never works")

    with pytest.raises(Undecided, match=r"no input that was tried suits forward: .*never works.*signature=.*domain="):
        check_function(Never)


def test_a_forward_that_is_nan_everywhere_is_undecided():
    class Nan(Elementwise):
        def value(self, x):
            return x * np.nan

    with pytest.raises(Undecided, match="NaN"):
        check_function(Nan)


def test_a_backward_that_raises_fails_with_that_said():
    class Raises(Elementwise):
        def backward(self, x, grad):
            raise ZeroDivisionError("deep inside")

    with pytest.raises(VerificationError, match="ZeroDivisionError: deep inside") as caught:
        check_function(Raises)
    assert not isinstance(caught.value, Undecided)


def test_noise_is_undecided_not_accused():
    class Noisy(Elementwise):
        """Forward is dominated by a deterministic hash of its input."""

        def value(self, x):
            return np.sin(x) + 10 * (np.modf(np.sin(1e13 * x) * 1e5)[0])

    with pytest.raises(Undecided) as caught:
        check_function(Noisy)
    assert caught.value.report.undecided > caught.value.report.cases


class SingleMeanSquare(Function):
    """Computes forward in single precision, and the gradient of what it stands for."""

    factor = 1.0

    def forward(self, x, y):
        if x.data.shape != y.data.shape or not x.data.size:
            raise ValueError("equal shapes only")
        return variable(np.float64(np.mean((np.float32(x.data) - np.float32(y.data)) ** 2)))

    def backward(self, x, y, grad):
        share = self.factor * 2 * grad * (x.data - y.data) / x.data.size
        x.grad += share
        y.grad -= share


@pytest.mark.parametrize("seed", range(3))
def test_a_forward_in_single_precision_is_verified(seed):
    assert check_function(SingleMeanSquare, seed=seed).resolution < 0.01


@pytest.mark.parametrize("seed", range(3))
def test_a_wrong_gradient_of_a_forward_in_single_precision_is_found(seed):
    class OnePercentMore(SingleMeanSquare):
        factor = 1.01

    with pytest.raises(VerificationError, match="wrong gradient"):
        check_function(OnePercentMore, seed=seed)


@pytest.mark.parametrize("seed", range(3))
def test_a_forward_in_half_precision_is_not_accused(seed):
    class HalfTanh(Function):
        def forward(self, x):
            return variable(np.tanh(x.data).astype(np.float16).astype(np.float64))

        def backward(self, x, grad):
            x.grad += grad * (1 - np.tanh(x.data) ** 2)

    with pytest.raises(Undecided, match=r"too wide|jumps"):
        check_function(HalfTanh, seed=seed)


@pytest.mark.parametrize(
    ("low", "high", "closed"),
    [(0, np.inf, False), (-1, 1, True), (3, np.inf, True), (-np.inf, 5, False), (2, 7, False)],
)
def test_a_bounded_domain_is_located(low, high, closed):
    class Bounded(Elementwise):
        def forward(self, x):
            inside = (x.data >= low) & (x.data <= high) if closed else (x.data > low) & (x.data < high)
            return variable(np.where(inside, np.sin(x.data), np.nan))

    report = check_function(Bounded)
    (domain,) = {s for s in report.inferred}
    expected = Domain(low, high, closed and np.isfinite(low), closed and np.isfinite(high))
    assert domain.endswith(f"values: {expected}")


def test_hints_win_over_inference():
    class Log(Elementwise):
        domain = interval(1, 2)

        def value(self, x):
            return np.where((x > 1) & (x < 2), np.log(x), 1e3)  # wrong outside, but nobody asks there

        def slope(self, x):
            return 1 / x

    assert "values: (1, 2)" in check_function(Log).inferred[0]
    with pytest.raises(VerificationError):
        check_function(Log, domain=positive)


def test_a_signature_is_taken():
    class Product(Function):
        signature = "(m,k),(k,n)->(m,n)"

        def forward(self, x, y):
            return variable(x.data @ y.data)

        def backward(self, x, y, grad):
            from adverify.ops.broadcasting import unbroadcast

            x.grad += unbroadcast(grad @ np.swapaxes(y.data, -1, -2), x.data.shape)
            y.grad += unbroadcast(np.swapaxes(x.data, -1, -2) @ grad, y.data.shape)

    assert check_function(Product).ok
    with pytest.raises(ValueError, match=r"signature 'm,k->m' is not of the form"):
        check_function(Product, signature="m,k->m")


def test_given_inputs_are_used_as_they_are():
    seen = []

    class Looks(Elementwise):
        def value(self, x):
            seen.append(x.copy())
            return np.sin(x)

    assert check_function(Looks, inputs=[[0.25, 0.5]]).ok
    assert any(np.array_equal(x, [0.25, 0.5]) for x in seen)
    assert check_function(Looks, inputs=st.tuples(st.just(np.array([1.0, 2.0])))).ok


def test_excluded_properties_are_not_checked():
    class Overwrites(Elementwise):
        def backward(self, x, grad):
            x.grad = grad * np.cos(x.data)

    with pytest.raises(VerificationError):
        check_function(Overwrites)
    left = {"accumulation", "aliasing", "reentrancy", "composition"}
    assert check_function(Overwrites, exclude=left).ok
    with pytest.raises(ValueError, match=r"unknown properties \['accumulate'\]; there are \['accumulation'"):
        check_function(Overwrites, exclude=["accumulate"])


@pytest.mark.parametrize(("argument", "value"), [("max_examples", 0), ("time_limit", 0)])
def test_wrong_numbers_are_refused(argument, value):
    with pytest.raises(ValueError, match=argument.replace("_", " ") + "|" + argument):
        check_function(Elementwise, **{argument: value})


@pytest.mark.parametrize("sleeps", [True, False])
def test_an_op_that_hangs_is_stopped(sleeps):
    class Hangs(Elementwise):
        def backward(self, x, grad):
            while True:
                if sleeps:
                    time.sleep(60)

    start = time.monotonic()
    with pytest.raises(Undecided, match=r"took longer than 0.5 seconds"):
        check_function(Hangs, time_limit=0.5)
    assert time.monotonic() - start < 20


def test_what_hangs_is_said_and_that_it_swallowed_the_interruption_does_not_save_it():
    class Swallows(Elementwise):
        def backward(self, x, grad):
            try:
                time.sleep(60)
            except BaseException:
                super().backward(x, grad)

    with pytest.raises(Undecided, match=r"a call of backward with inputs of shape \(.*\) took longer than 0.5 seconds"):
        check_function(Swallows, time_limit=0.5)


class EndsTheWorld(BaseException):
    pass


@pytest.mark.parametrize(
    ("error", "said"),
    [(SystemExit(0), "SystemExit: 0"), (GeneratorExit(), "GeneratorExit"), (EndsTheWorld("now"), "EndsTheWorld: now"),
     (Unreadable(), "Unreadable: its message cannot be read")],
)  # fmt: skip
def test_whatever_an_op_raises_is_its_own_fault(error, said):
    class Raises(Elementwise):
        def backward(self, x, grad):
            raise error

    with pytest.raises(VerificationError, match=f"backward raised {said}"):
        check_function(Raises, seed=0)
    Raises.forward = lambda self, x: self.backward(x, None)
    with pytest.raises(Undecided, match=f"forward raised {said}"):
        check_function(Raises, seed=0)


@pytest.mark.parametrize("error", [KeyboardInterrupt, pytest.fail.Exception])
def test_what_comes_from_elsewhere_is_let_through(error):
    class Interrupted(Elementwise):
        def backward(self, x, grad):
            raise error

    with pytest.raises(error):
        check_function(Interrupted, seed=0)


def test_the_process_is_left_as_it_was(tmp_path, monkeypatch):
    monkeypatch.setenv("ADVERIFY_A", "1")
    monkeypatch.delenv("ADVERIFY_B", raising=False)

    class Meddles(Elementwise):
        def forward(self, x):
            del os.environ["ADVERIFY_A"]
            os.environ.update(ADVERIFY_A="2", ADVERIFY_B="2")
            os.chdir(tmp_path)
            sys.setrecursionlimit(4321)
            sys.path.append("nowhere")
            sys.argv.append("--wrong")
            np.set_printoptions(precision=1)
            return super().forward(x)

    def state():
        return (dict(os.environ), os.getcwd(), sys.getrecursionlimit(), [*sys.path], [*sys.argv],
                np.get_printoptions()["precision"])  # fmt: skip

    before = state()
    assert check_function(Meddles, seed=0).ok
    assert state() == before


def test_an_op_that_hangs_in_another_thread_is_stopped():
    class Spins(Elementwise):
        def backward(self, x, grad):
            while True:
                pass

    caught = []

    def work():
        try:
            check_function(Spins, time_limit=0.5)
        except Undecided as error:
            caught.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join(timeout=30)
    assert len(caught) == 1


def test_an_op_that_recurses_is_judged():
    class Recurses(Elementwise):
        def backward(self, x, grad):
            self.backward(x, grad)

    with pytest.raises(VerificationError, match="RecursionError"):
        check_function(Recurses)


def test_a_rude_op_is_judged_and_the_process_left_as_it_was(capsys):
    class Rude(Elementwise):
        def value(self, x):
            print("hello")
            warnings.warn("watch out", stacklevel=1)
            np.seterr(all="raise")
            np.random.seed(0)  # noqa: NPY002
            random.seed(0)
            return np.sin(x)

    errors, state, legacy = np.geterr(), random.getstate(), np.random.get_state()  # noqa: NPY002
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert check_function(Rude).ok
    assert np.geterr() == errors
    assert random.getstate() == state
    assert np.array_equal(np.random.get_state()[1], legacy[1])  # noqa: NPY002
    assert capsys.readouterr().out == ""


@given(st.just(0))
@hypothesis.settings(max_examples=1, deadline=None)
def test_it_runs_inside_a_hypothesis_test(zero):
    assert check_function(Elementwise, max_examples=5).ok


def test_a_failure_is_stored_and_replayed_first(tmp_path):
    from hypothesis.database import DirectoryBasedExampleDatabase

    class Rare(Elementwise):
        calls = 0

        def slope(self, x):
            type(self).calls += 1
            return np.cos(x) * np.where(np.abs(x) > 9, 1.001, 1.0)

    database = DirectoryBasedExampleDatabase(tmp_path)
    hypothesis.settings.register_profile("replay", database=database, max_examples=300)
    previous = hypothesis.settings.get_current_profile_name()
    hypothesis.settings.load_profile("replay")
    try:
        with pytest.raises(VerificationError):
            check_function(Rare)
        assert any(tmp_path.rglob("*"))
        Rare.calls = 0
        with pytest.raises(VerificationError):
            check_function(Rare, max_examples=1)
    finally:
        hypothesis.settings.load_profile(previous)


def test_optional_and_variable_inputs_are_inferred():
    class Scale(Function):
        def forward(self, x, weight=None):
            if weight is not None and weight.data.shape != x.data.shape:
                raise ValueError("weight and x are alike")
            return variable(x.data * (1.0 if weight is None else weight.data))

        def backward(self, x, *rest):
            *weight, grad = rest
            x.grad += grad * (weight[0].data if weight else 1.0)
            for w in weight:
                w.grad += grad * x.data

    report = check_function(Scale)
    assert [text.split(" of ")[0] for text in report.inferred] == ["1 input", "2 inputs"]

    class Total(Function):
        def forward(self, *xs):
            return variable(sum(x.data.sum() for x in xs))

        def backward(self, *xs_and_grad):
            *xs, grad = xs_and_grad
            for x in xs:
                x.grad += grad

    assert [text.split()[0] for text in check_function(Total).inferred] == ["1", "2", "3", "5"]


def test_a_report_says_where_defaults_were_tried():
    class Scaled(Elementwise):
        def __init__(self, a=1.0, b=3):
            self.a = a

    said = " (constructor: its defaults, a=1.0, b=3)"
    assert check_function(Scaled).inferred[0].endswith(said)
    assert "constructor" not in check_function(Scaled(2.0)).inferred[0]
    assert "constructor" not in check_function(Scaled, arguments={"a": [1.0]}).inferred[0]
    assert "constructor" not in check_function(Elementwise).inferred[0]


def test_importing_adverify_imports_no_optional_library():
    import subprocess

    code = "import sys, adverify; print([m for m in ('pytest', 'matplotlib', 'mpmath', 'jinja2') if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


class ShiftedSum(Function):
    def __init__(self, axis):
        self.axis = axis

    def forward(self, x):
        return variable(x.data.sum(self.axis))

    def backward(self, x, grad):
        x.grad += np.expand_dims(grad, 0)


def test_check_case_asks_what_a_falsifying_example_asked():
    with pytest.raises(VerificationError) as raised:
        check_function(ShiftedSum, arguments={"axis": [0, 1]}, seed=0)
    failure = raised.value.report.failures[0]
    arguments = dict(failure.case.subject.arguments)
    with pytest.raises(VerificationError) as again:
        check_case(ShiftedSum, failure.case.arrays, property=failure.property, seed=failure.case.seed,
                   arguments=arguments)  # fmt: skip
    (found,) = again.value.report.failures
    assert found.property == failure.property
    assert found.verdict.reason == failure.verdict.reason.removesuffix(failure.verdict.aside)
    assert check_case(ShiftedSum, failure.case.arrays, arguments={"axis": 0}).cases == 1


def test_check_case_that_decides_nothing_says_so():
    class Noise(Function):
        def forward(self, x):
            return variable(np.where(np.isfinite(x.data), x.data, np.nan))

        def backward(self, x, grad):
            x.grad += grad

    with pytest.raises(Undecided, match="could not be decided at this input"):
        check_case(Noise, [[np.inf, 1.0]])


def test_check_case_names_the_properties_there_are():
    with pytest.raises(ValueError, match=r"unknown properties \['slope'\]; there are \[.*'gradient'"):
        check_case(ShiftedSum, [[1.0]], property="slope", arguments={"axis": 0})


class RaisesLater(Function):
    """Wrong by a little, and picky about cotangents."""

    def forward(self, x):
        return variable(np.sin(x.data))

    def backward(self, x, grad):
        if (4 * grad != np.round(4 * grad)).any():
            raise ValueError("expected quarters")
        x.grad += grad * np.cos(x.data) * (1 + 2e-6)


@pytest.mark.parametrize(
    ("left", "said"),
    [(lambda g: g.astype(object), "has dtype object; numbers were expected"),
     (np.ma.masked_array, "is a MaskedArray; an ndarray was expected"),
     (lambda g: g.tolist(), "is a (list|float)"), (variable, "is a Variable; an ndarray was expected"),
     (str, "is a str; an ndarray was expected")],
    ids=["object", "masked", "list", "Variable", "str"],
)  # fmt: skip
def test_a_gradient_that_cannot_be_computed_with_is_named(left, said):
    class Leaves(Elementwise):
        def backward(self, x, grad):
            super().backward(x, grad)
            x.grad = left(x.grad)

    with pytest.raises(VerificationError, match=rf"breaks 'shape': x\.grad {said}"):
        check_function(Leaves, seed=0)
    with pytest.raises(Undecided, match=rf"x\.grad {said}"):
        check_case(Leaves, [[1.0, 2.0]])


def test_a_float_in_place_of_an_array_is_not_said_to_have_a_dtype():
    class LeavesAFloat(Elementwise):
        def forward(self, x):
            if x.data.ndim:
                raise ValueError("numbers only")
            return super().forward(x)

        def backward(self, x, grad):
            x.grad = float(x.grad + grad * self.slope(x.data))

    with pytest.raises(VerificationError, match=r"breaks 'shape': x\.grad is a float, not an array"):
        check_function(LeavesAFloat, seed=0)


def test_a_backward_that_raises_for_negative_cotangents_is_said_to_raise():
    class RaisesForNegative(Elementwise):
        def backward(self, x, grad):
            if np.any(grad < 0):
                raise RuntimeError("negative")
            super().backward(x, grad)

    with pytest.raises(VerificationError, match=r"^RaisesForNegative: [^:]*: backward raised RuntimeError: negative"):
        check_function(RaisesForNegative, seed=0)


def test_a_backward_that_raises_for_some_cotangents_only_is_a_verdict():
    with pytest.raises(VerificationError, match=r"wrong gradient: x\.grad\[0\] is") as raised:
        check_case(RaisesLater, [[1.0, 2.0]], seed=1)
    assert raised.value.report.failures


class FirstRows(Function):
    """Takes one shape only, and a large one."""

    def forward(self, x):
        if x.data.shape != (7, 64):
            raise ValueError("expected 7 by 64")
        return variable(2 * x.data[:5])

    def backward(self, x, grad):
        x.grad[:5] += 2 * grad


def test_a_signature_may_name_large_sizes():
    assert check_function(FirstRows, signature="(7,64)->(5,64)", max_examples=5, seed=0).cases


class AddsWithoutUnbroadcasting(Function):
    def forward(self, x, y):
        return variable(x.data + y.data)

    def backward(self, x, y, grad):
        x.grad += grad
        y.grad += grad


@pytest.mark.parametrize("seed", range(3))
def test_a_mistake_is_shown_on_arrays_that_hold_something(seed):
    with pytest.raises(VerificationError) as raised:
        check_function(AddsWithoutUnbroadcasting, seed=seed)
    assert all(a.size for f in raised.value.report.failures for a in f.case.arrays)


@pytest.mark.parametrize("seed", range(4))
def test_a_point_at_the_edge_of_a_fine_stair_is_not_accused(seed):
    """Both outputs together rise by about 1 / y, save on steps shorter than the finer stair."""
    with contextlib.suppress(Undecided):
        assert not check_case(FloorDivide, [[0.1], [-1e-5, 1e-8]], seed=seed).failures


class RoundedGaussian(Function):
    """Its forward overflows at some ordinary inputs, so that what is asked there has no answer."""

    def forward(self, x):
        return variable(np.exp(x.data**2))

    def backward(self, x, grad):
        x.grad += (2 * grad * x.data).astype(np.float32) * np.exp(x.data**2)


@pytest.mark.parametrize("seed", range(1, 4))
def test_rounding_is_told_where_forward_refuses_other_inputs(seed):
    x = np.random.default_rng(seed).normal(size=(10, 12))
    with pytest.raises(VerificationError, match="rounds to float32"):
        check_case(RoundedGaussian, [x], property="precision", seed=seed)


class NormalisedPairs(Function):
    """Of rows of two nothing is left but signs, and of their gradients rounding."""

    def forward(self, x):
        centred = x.data - x.data.mean(axis=-1, keepdims=True)
        return variable(centred / np.sqrt((centred**2).mean(axis=-1, keepdims=True) + 1e-12))

    def backward(self, x, grad):
        centred = x.data - x.data.mean(axis=-1, keepdims=True)
        deviation = np.sqrt((centred**2).mean(axis=-1, keepdims=True) + 1e-12)
        y = centred / deviation
        along = (grad * y).mean(axis=-1, keepdims=True)
        x.grad += (grad - grad.mean(axis=-1, keepdims=True) - y * along) / deviation


@pytest.mark.parametrize(("draw", "seed"), [(29, 3), (36, 1), (47, 1), (52, 1)])
def test_a_gradient_of_nothing_but_rounding_is_not_called_single_precision(draw, seed):
    x = 3 * np.random.default_rng(draw).normal(size=(3, 2))
    assert check_case(NormalisedPairs, [x], property="precision", seed=seed).ok


class PressureRatio(Function):
    """A textbook's formula, of which nothing is left in float32 at ratios of heats near 1."""

    def forward(self, mach, heats):
        if (heats.data <= 1).any():
            raise ValueError("a ratio of heats is above 1")
        return variable((1 + (heats.data - 1) / 2 * mach.data**2) ** (-heats.data / (heats.data - 1)))

    def backward(self, mach, heats, grad):
        m, k = mach.data, heats.data
        b = 1 + (k - 1) / 2 * m**2
        p = b ** (-k / (k - 1))
        mach.grad += grad * p * -k * m / b
        heats.grad += grad * p * (np.log(b) / (k - 1) ** 2 - k / (k - 1) * m**2 / 2 / b)


@pytest.mark.parametrize("seed", range(3))
def test_digits_that_cancel_at_some_inputs_only_accuse_nobody(seed):
    assert check_case(PressureRatio, [0.0616, 1.00004], property="precision", seed=seed).ok


class RelativeEntropy(Function):
    """Its gradient is 0 / 0 where both inputs are 0, which forward takes, though 0 beside something is infinite."""

    def forward(self, p, q):
        if p.data.shape != q.data.shape:
            raise ValueError("expected inputs of one shape")
        return variable(rel_entr(p.data, q.data))

    def backward(self, p, q, grad):
        with np.errstate(all="ignore"):
            p.grad += grad * np.where(p.data > 0, np.log(p.data / q.data) + 1, 0.0)
            q.grad -= grad * p.data / q.data


@pytest.mark.parametrize("seed", range(3))
def test_an_end_is_tried_where_inputs_meet_there(seed):
    with pytest.raises(VerificationError, match=r"q\.grad\S* is nan and should be 0"):
        check_function(RelativeEntropy, seed=seed)


def test_what_is_wrong_at_a_special_point_only_is_wrong_there():
    with pytest.raises(VerificationError, match=r"special values: .*[\s\S]*q\.grad\[0\] is nan and should be 0"):
        check_case(RelativeEntropy, [[0.0], [0.0]])


class OneOfTuple(Function):
    """An op whose number of outputs is an argument, and here 1."""

    factor = 2.0

    def __init__(self, parts=1):
        self.parts = parts

    def forward(self, x):
        return tuple(variable((k + 1) * x.data**2) for k in range(self.parts))

    def backward(self, x, grads):
        (*all_of_them,) = grads if isinstance(grads, tuple) else (np.nan,)
        x.grad += sum((k + 1) * self.factor * g * x.data for k, g in enumerate(all_of_them))


class OneOfTupleOff(OneOfTuple):
    factor = 1.0


def test_the_cotangent_of_a_tuple_of_one_output_is_a_tuple():
    assert check_function(OneOfTuple, seed=0).ok
    assert check_function(OneOfTuple, arguments={"parts": [1, 3]}, seed=0).ok
    with pytest.raises(VerificationError, match=r"op\.backward\(x, \(np\.array\(.*,\)\)"):
        check_function(OneOfTupleOff, seed=0)


class AverageOfAny(Function):
    """The fifth input and those after it get half of their share."""

    def forward(self, *variables):
        if len({v.data.shape for v in variables}) > 1:
            raise ValueError("expected inputs of one shape")
        return variable(sum(v.data for v in variables) / len(variables))

    def backward(self, *variables, grad):
        for i, v in enumerate(variables):
            v.grad += grad / len(variables) * (0.5 if i >= 4 else 1.0)


class OuterByLength(Function):
    """Sums over the axis of the right length, and takes a row beside a column of that length for the other one."""

    def forward(self, x, y):
        return variable(x.data * np.exp(y.data))

    def backward(self, x, y, grad):
        for v, share in ((x, grad * np.exp(y.data)), (y, grad * x.data * np.exp(y.data))):
            lengths = v.data.shape
            crossed = all(u.data.ndim == 2 and min(u.data.shape) == 1 < max(u.data.shape) for u in (x, y))
            if crossed and grad.shape[0] == grad.shape[1]:
                v.grad += share.sum(axis=1).reshape(lengths)
            else:
                v.grad += unbroadcast(share, lengths)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(("op", "match"), [(AverageOfAny, r"x[45]\.grad"), (OuterByLength, r"x\.grad")])
def test_many_inputs_and_rows_beside_columns_are_tried(op, match, seed):
    with pytest.raises(VerificationError, match=match):
        check_function(op, seed=seed)


class SoftThreshold(Function):
    """A threshold may be 0, and nothing around it below."""

    def forward(self, x, t):
        if (t.data < 0).any():
            raise ValueError("expected thresholds of 0 or more")
        return variable(np.sign(x.data) * np.maximum(np.abs(x.data) - t.data, 0))

    def backward(self, x, t, grad):
        moves = np.abs(x.data) >= t.data
        x.grad += unbroadcast(grad * moves, x.data.shape)
        t.grad -= unbroadcast(grad * moves * np.sign(x.data), t.data.shape)


@pytest.mark.parametrize("seed", range(2))
def test_the_points_around_an_end_of_a_domain_are_inside(seed):
    assert check_function(SoftThreshold, seed=seed, max_examples=100).ok


class QuotientOfProduct(Function):
    """Where the product is denormal, forward has stairs, and the gradient is beyond floats."""

    def forward(self, x, y, z):
        if (y.data * z.data == 0).any():
            raise ValueError("a product of 0")
        return variable(x.data / (y.data * z.data))

    def backward(self, x, y, z, grad):
        with np.errstate(all="ignore"):
            value = x.data / (y.data * z.data)
            x.grad += unbroadcast(grad / (y.data * z.data), x.data.shape)
            y.grad -= unbroadcast(grad * (value / y.data), y.data.shape)
            z.grad -= unbroadcast(grad * (value / z.data), z.data.shape)


@pytest.mark.parametrize("x", [[1.48e-161, -1.81e-160, 8.56e-160], [2.236e-161, 1.538e-160, -2.51e-160]])
def test_a_gradient_beyond_floats_may_be_infinite_where_forward_has_stairs(x):
    with contextlib.suppress(Undecided):
        assert check_case(QuotientOfProduct, x, property="extremes").ok


class Residual(Function):
    """What is left of a vector beside another, of unit length: nothing, or what one order of sums leaves."""

    def forward(self, a, b):
        if a.data.ndim != 1 or a.data.shape != b.data.shape or a.data.size < 2 or not np.linalg.norm(a.data):
            raise ValueError("expected two vectors")
        unit = a.data / np.linalg.norm(a.data)
        rest = b.data - (unit @ b.data) * unit
        if np.linalg.norm(rest) == 0:
            raise ValueError("the vectors are dependent")
        return variable(rest / np.linalg.norm(rest))

    def backward(self, a, b, grad):
        size = np.linalg.norm(a.data)
        unit = a.data / size
        along = unit @ b.data
        rest = b.data - along * unit
        length = np.linalg.norm(rest)
        share = (grad - (grad @ (rest / length)) * (rest / length)) / length
        b.grad += share - (share @ unit) * unit
        to_unit = -(share @ unit) * b.data - along * share
        a.grad += (to_unit - (to_unit @ unit) * unit) / size


@pytest.mark.parametrize("seed", [0, 2, 3])
def test_what_chance_refuses_in_one_layout_accuses_nobody(seed):
    assert check_function(Residual, seed=seed, max_examples=100).ok


class MisplacedCotangent(Function):
    def forward(self, x, bias=None):
        return variable(x.data + (0 if bias is None else bias.data))

    def backward(self, x, bias=None, grad=None):
        x.grad += grad


def test_a_cotangent_that_would_be_taken_for_an_input_is_told():
    with pytest.raises(InvalidFunction, match=r"taken for 'bias'; write backward\(self, \.\.\., \*, grad\)"):
        check_function(MisplacedCotangent)


class Clipped(Function):
    limit = 1.0

    def forward(self, x):
        return variable(np.clip(x.data, -1, 1))

    def backward(self, x, grad):
        x.grad += grad * (np.abs(x.data) < self.limit)


class NeverClipped(Function):
    """Clips far away, and its backward does not."""

    def forward(self, x):
        return variable(np.clip(x.data, -1e30, 1e30))

    def backward(self, x, grad):
        x.grad += grad


@pytest.mark.parametrize("x", [1e31, 1e200])
def test_where_forward_rests_far_away_a_slope_of_1_is_not_none(x):
    with pytest.raises(VerificationError):
        check_case(NeverClipped, [[x]], property="extremes")


@pytest.mark.parametrize(("limit", "x", "right"), [(0.999, 0.9995, 1), (0.99, -0.995, 1), (1.001, 1.0005, 0)])
def test_a_branch_nearby_is_no_stair(limit, x, right):
    kind = type("Clipped", (Clipped,), {"limit": limit})
    with pytest.raises(VerificationError, match=f"should be {right}"):
        check_case(kind, [[x]])
    assert check_case(Clipped, [[x]]).ok


class Rounded(Function):
    """Rounds its input to steps of 2**-9, so that its derivative is 0 wherever it has one."""

    def forward(self, x):
        return variable(np.round(x.data * 512) / 512)

    def backward(self, x, grad):
        x.grad += grad


@pytest.mark.parametrize("x", [0.71, 1.337])
def test_small_stairs_may_be_the_rounding_of_the_input(x):
    with contextlib.suppress(Undecided):
        assert check_case(Rounded, [[x]]).ok


class NanWhereAllAreEqual(Function):
    def forward(self, x, y):
        return variable(x.data * y.data)

    def backward(self, x, y, grad):
        constant = x.data.size > 1 and np.ptp(x.data) == 0
        with np.errstate(all="ignore"):
            x.grad += _unbroadcast(grad * y.data, x.data.shape) * (np.nan if constant else 1)
            y.grad += _unbroadcast(grad * x.data, y.data.shape)


def _unbroadcast(grad, shape):
    grad = grad.sum(axis=tuple(range(grad.ndim - len(shape))))
    return grad.sum(axis=tuple(i for i, n in enumerate(shape) if n == 1), keepdims=True)


@pytest.mark.parametrize("seed", range(4))
def test_an_input_whose_elements_are_all_equal_is_drawn(seed):
    with pytest.raises(VerificationError):
        check_function(NanWhereAllAreEqual, max_examples=20, seed=seed)


class NanWhereHuge(Function):
    def forward(self, x, y):
        return variable(x.data * y.data)

    def backward(self, x, y, grad):
        with np.errstate(all="ignore"):
            x.grad += grad * y.data
            y.grad += grad * x.data * y.data**2 / y.data**2


def test_not_a_number_is_wrong_where_forward_shows_a_slope_however_far_magnitudes_are_apart():
    with pytest.raises(VerificationError, match=r"y.grad\[0\] is nan and should be 1"):
        check_case(NanWhereHuge, [[1.0], [1e160]], property="extremes")


class FixedPoint(Function):
    """y = cos(y) / 2 + x, by iterating until no element changes by much; the gradient is that of the limit."""

    tolerance, factor = 1e-7, 1.0

    def forward(self, x):
        y = np.zeros_like(x.data)
        for _ in range(60):
            y, before = np.cos(y) / 2 + x.data, y
            if np.abs(y - before).max(initial=0.0) < self.tolerance:
                break
        return variable(y)

    def backward(self, x, grad):
        x.grad += self.factor * grad / (1 + np.sin(self.forward(x).data) / 2)


@pytest.mark.parametrize("tolerance", [1e-6, 1e-7, 1e-9])
def test_an_iteration_that_stops_early_is_judged_as_closely_as_it_is_exact(tolerance):
    kind = type("FixedPoint", (FixedPoint,), {"tolerance": tolerance})
    assert check_function(kind, max_examples=20, seed=1).ok
    wrong = type("FixedPoint", (kind,), {"factor": 1 + 1e3 * tolerance})
    with pytest.raises(VerificationError, match="wrong gradient"):
        check_function(wrong, max_examples=20, seed=1)


class WrongAndSlow(Function):
    def forward(self, x):
        if np.abs(x.data).max(initial=0.0) > 1e6:
            time.sleep(2)
        return variable(x.data**2)

    def backward(self, x, grad):
        x.grad += grad * x.data


def test_what_was_found_before_time_ran_out_is_raised():
    with pytest.raises(VerificationError, match="wrong gradient") as raised:
        check_function(WrongAndSlow, time_limit=0.2, seed=0)
    assert not isinstance(raised.value, Undecided)


class BoundedByTheFirst(Function):
    """min(x, 40 + |x[0]|): at usual values each output depends on its own element only."""

    share = 1.0

    def forward(self, x):
        if x.data.ndim != 1 or not x.data.size:
            raise ValueError("vectors only")
        return variable(np.minimum(x.data, 40 + np.abs(x.data[0])))

    def backward(self, x, grad):
        bounded = x.data > 40 + np.abs(x.data[0])
        x.grad += np.where(bounded, 0, grad)
        x.grad[0] += self.share * grad[bounded].sum() * np.sign(x.data[0])


@pytest.mark.parametrize("x", [[0.5, 43.2], [-1.25, 44.5, 0.3, 99.0]])
def test_elements_that_mix_where_they_seldom_are_do_mix(x):
    forgetful = type("BoundedByTheFirst", (BoundedByTheFirst,), {"share": 0.0})
    assert check_case(BoundedByTheFirst, [x]).ok
    accused = [_is_accused(forgetful, np.array(x) + 1e-3 * k) for k in range(8)]
    assert any(accused)  # half of the elements are moved to see it, other ones each time


class ExponentialOfMatrix(Function):
    """As SciPy computes it, for which 4 b c is lost beside the square of a - d."""

    def forward(self, a):
        if a.data.ndim != 2 or a.data.shape[0] != a.data.shape[1] or not a.data.size:
            raise ValueError("expected a square matrix")
        return variable(expm(a.data))

    def backward(self, a, grad):
        a.grad += expm_frechet(a.data.T, grad, compute_expm=False)


def test_an_output_that_loses_what_is_small_in_a_square_accuses_nobody():
    a = np.array([[4.573194256680921, 5.081323298182408], [-0.7493994499518026, -1e10]])
    with pytest.raises(Undecided, match="the magnitudes are so far apart"):
        check_case(ExponentialOfMatrix, [a], property="extremes", seed=141)


class Gated(Function):
    """What is not negative lets y pass."""

    def forward(self, x, y):
        return variable((x.data >= 0) * y.data)

    def backward(self, x, y, grad):
        y.grad += grad * (x.data >= 0)


class Leaking(Gated):
    def backward(self, x, y, grad):
        y.grad += grad * (x.data > 0)


class BySign(Gated):
    def forward(self, x, y):
        return variable(np.sign(x.data) * y.data)

    def backward(self, x, y, grad):
        y.grad += grad * np.where(x.data >= 0, 1.0, -1.0)


@pytest.mark.parametrize(("op", "right"), [(Leaking, 1), (BySign, 0)])
def test_at_a_jump_in_one_input_the_slope_along_another_is_that_of_the_point(op, right):
    x, y = np.array([0.0, 1.2]), np.array([0.4, 2.3])
    assert check_case(Gated, [x, y], property="special values").ok
    with pytest.raises(VerificationError, match=rf"y\.grad\[0\] is {1 - right} and should be {right}"):
        check_case(op, [x, y], property="special values")


class Modulo(Function):
    def forward(self, x, y):
        return variable(np.remainder(x.data, y.data))

    def backward(self, x, y, grad):
        x.grad += grad
        y.grad -= grad * np.floor(x.data / y.data)


@pytest.mark.parametrize("seed", range(3))
def test_the_slope_of_a_tooth_that_ends_at_the_point_is_not_that_of_all_teeth_together(seed):
    assert check_case(Modulo, [[-0.001, 0.3], [-1e-12, 0.7]], property="extremes", seed=seed).ok


class Bounded(Function):
    """A sigmoid whose argument is kept in range, as exponentials want it; or a ramp that ends."""

    def __init__(self, leak=0.0):
        self.leak = leak

    def forward(self, x):
        return variable(1 / (1 + np.exp(-np.clip(x.data, -30, 30))) + self.leak * np.clip(x.data, -30, 30))

    def backward(self, x, grad):
        s = 1 / (1 + np.exp(-x.data))
        x.grad += grad * (s * (1 - s) + self.leak)


@pytest.mark.parametrize("x", [-45.0, 60.0, -80.0])
def test_where_forward_rests_a_slope_is_none_beside_usual_ones(x):
    assert check_case(Bounded, [x]).ok
    with pytest.raises(VerificationError, match="should be 0"):
        check_case(Bounded, [x], arguments={"leak": 1e-5})


def _is_accused(op, x):
    try:
        return not check_case(op, [x]).ok
    except VerificationError as error:
        return bool(error.report.failures)


@pytest.mark.parametrize("size", [1.0, 1e6, 1e9])
def test_a_kink_is_a_kink_beside_outputs_of_any_size(size):
    op = dict(corpora.ops("controls", ("further",)))["further/rows_and_columns::MiddleOfThree"]
    assert check_case(op, [[[1, 1, 1], [size, 2 * size, 3 * size]]], property="special values", seed=3).ok


class Angle(Function):
    """atan2, whose gradient at the origin is NaN in any library."""

    def forward(self, x, y):
        return variable(np.arctan2(x.data, y.data))

    def backward(self, x, y, grad):
        with np.errstate(all="ignore"):
            square = x.data**2 + y.data**2
            x.grad += (grad * y.data / square).sum()
            y.grad += -grad * x.data / square


@pytest.mark.parametrize("seed", range(1, 40))
def test_slopes_that_only_a_cotangent_cancels_accuse_nobody(seed):
    with contextlib.suppress(Undecided):
        assert check_case(Angle, [0.0, [[0.0, 0.0]]], property="special values", seed=seed).ok


def test_an_infinite_slope_beside_one_so_large_that_it_hardly_shows_accuses_nobody():
    x = np.array([[[0.0, 1.0]], [[0.01054350605302116, 0.0]]])
    y = np.array([[[1.0, 2.0], [2.0, 0.0]], [[-2.0433314125622566, 0.0], [-0.05123178174835023, 0.0]]])
    assert check_case(Power, [x, y], property="special values", seed=176).ok


class PowerOff(Power):
    """Off by little where the slope is large, beside others that are infinite."""

    def backward(self, x, y, grad):
        super().backward(x, y, grad * (1 + 1e-4 * (np.abs(y.data) > 2)))


def test_what_is_wrong_beside_an_infinite_slope_is_found():
    x = np.array([[[0.0, 1.0]], [[0.01054350605302116, 0.0]]])
    y = np.array([[[1.0, 2.0], [2.0, 0.0]], [[-2.0433314125622566, 0.0], [-0.05123178174835023, 0.0]]])
    with pytest.raises(VerificationError, match=r"wrong gradient: x\.grad\[1, 0, 0\]"):
        check_case(PowerOff, [x, y], property="special values", seed=176)


class Covariance(Function):
    def forward(self, x, scale):
        if x.data.ndim != 2 or len(x.data) < 2 or scale.data.ndim:
            raise ValueError("a matrix and a number only")
        return variable(scale.data * np.cov(x.data.T))

    def backward(self, x, scale, grad):
        centred = x.data - x.data.mean(axis=0)
        x.grad += scale.data * centred @ np.atleast_2d(grad + grad.T) / (len(centred) - 1)
        scale.grad += (grad * np.cov(x.data.T)).sum()


@pytest.mark.parametrize("seed", range(6))
def test_rounding_alone_is_no_other_layout(seed):
    x = np.random.default_rng(seed).normal(size=(17, 3))
    assert check_case(Covariance, [x, 1.5], property="layout", seed=seed).ok


class Ridge(Function):
    """Solves a system as large as an axis: many points joined along it take very long."""

    def forward(self, x):
        if x.data.ndim != 2:
            raise ValueError("matrices only")
        return variable(np.linalg.solve(x.data.T @ x.data + np.eye(x.data.shape[1]), np.ones(x.data.shape[1])))

    def backward(self, x, grad):
        inverse = np.linalg.inv(x.data.T @ x.data + np.eye(x.data.shape[1]))
        u, v = inverse @ grad, inverse @ np.ones(x.data.shape[1])
        x.grad -= x.data @ (np.outer(u, v) + np.outer(v, u))


def test_points_are_not_joined_along_an_axis_that_is_mixed():
    started = time.process_time()
    assert check_function(Ridge, max_examples=10, seed=0).ok
    assert time.process_time() - started < 20


class Sharpened(Function):
    """tanh(x * sharpness), whose backward is right for a sharpness of 1 only."""

    def __init__(self, sharpness=1.0, axis=-1):
        if not 0 < sharpness <= 1:
            raise ValueError("sharpness must be in (0, 1]")
        self.sharpness = sharpness

    def forward(self, x):
        return variable(np.tanh(self.sharpness * x.data))

    def backward(self, x, grad):
        x.grad += grad * (1 - np.tanh(self.sharpness * x.data) ** 2)


class Fixed(Sharpened):
    def __init__(self, sharpness=1.0):
        if sharpness != 1:
            raise ValueError("sharpness must be 1")
        super().__init__(sharpness)


def test_floats_other_than_a_constructors_defaults_are_tried():
    with pytest.raises(VerificationError, match=r"op = Sharpened\(sharpness=0.6\)"):
        check_function(Sharpened, seed=0)
    assert check_function(Sharpened(), seed=0).ok


def test_a_constructor_may_refuse_other_floats_than_its_defaults():
    assert check_function(Fixed, max_examples=10, seed=0).ok


class DistanceOfSorted(Function):
    """The mean of |sort(x) - sort(y)|, with 0 where two are equal: of tied elements each may be any in order."""

    def forward(self, x, y):
        if x.data.ndim != 1 or x.data.shape != y.data.shape:
            raise ValueError("two vectors of one length")
        return variable(np.abs(np.sort(x.data) - np.sort(y.data)).sum())

    def backward(self, x, y, grad):
        i, j = np.argsort(x.data, kind="stable"), np.argsort(y.data, kind="stable")
        slopes = grad * np.sign(x.data[i] - y.data[j])
        x.grad[i] += slopes
        y.grad[j] -= slopes


@pytest.mark.parametrize("seed", range(100, 130))
def test_of_many_ties_no_order_is_left_out(seed):
    inputs = [[-1.0, 0.0, 1.0, 0.0, -1.0], [0.0, 1.0, 0.0, 0.0, 1.0]]
    assert check_case(DistanceOfSorted, inputs, property="special values", seed=seed).ok


class TwoWeights(Function):
    """a x + b x^2, whose backward takes one for the other, which are equal by default."""

    def __init__(self, a=1.0, b=1.0):
        self.a, self.b = a, b

    def forward(self, x):
        return variable(self.a * x.data + self.b * x.data**2)

    def backward(self, x, grad):
        x.grad += grad * (self.b + 2 * self.a * x.data)


class Together(TwoWeights):
    def __init__(self, a=0.5, b=0.5):
        if a + b > 1.1:
            raise ValueError("a + b must be 1 at most")
        super().__init__(a, b)


@pytest.mark.parametrize("op", [TwoWeights, Together])
def test_defaults_that_are_equal_are_made_unlike(op):
    with pytest.raises(VerificationError, match="wrong gradient"):
        check_function(op, max_examples=10, seed=0)


class FillsFortran(Function):
    """Works in place on what is in Fortran order already."""

    def forward(self, x):
        return variable(x.data**2)

    def backward(self, x, grad):
        g = np.asfortranarray(grad)
        g *= 2
        x.grad += g * x.data


def test_arrays_of_another_layout_are_not_to_be_changed():
    x = np.random.default_rng(0).normal(size=(3, 4))
    with pytest.raises(VerificationError, match="cotangent is changed where arrays are Fortran"):
        check_case(FillsFortran, [x], property="layout")


class PerChannel(Function):
    """Wrong for images only: divides by the height instead of the area."""

    def forward(self, x, scale):
        if x.data.ndim < 2 or scale.data.shape != (x.data.shape[1],):
            raise ValueError("one scale for each channel")
        return variable(x.data * scale.data.reshape(-1, *(1,) * (x.data.ndim - 2)))

    def backward(self, x, scale, grad):
        x.grad += grad * scale.data.reshape(-1, *(1,) * (x.data.ndim - 2))
        total = (grad * x.data).sum(axis=(0, *range(2, x.data.ndim)))
        scale.grad += total / (x.data.shape[3] if x.data.ndim > 3 else 1)


def test_images_are_tried_beside_matrices():
    with pytest.raises(VerificationError, match=r"wrong gradient: .*scale") as raised:
        check_function(PerChannel, seed=0)
    (found, *_) = raised.value.report.failures
    assert found.case.arrays[0].ndim == 4
    assert [e.what for e in found.verdict.evidence] == ["scale.grad"]


class Inverted(Function):
    """The inverse of a matrix."""

    def forward(self, a):
        return variable(np.linalg.inv(a.data))

    def backward(self, a, grad):
        inverse = np.linalg.inv(a.data).T
        a.grad -= inverse @ grad @ inverse


@pytest.mark.parametrize(("draw", "seed"), [(316, 2), (333, 1)])
def test_a_slope_below_the_smallest_normal_number_has_few_digits(draw, seed):
    a = 1e160 * np.random.default_rng(draw).standard_cauchy((5, 5))
    assert check_case(Inverted, [a], property="extremes", seed=seed).ok


def test_the_rounding_of_steps_shows_where_an_input_is_only_shifted():
    constant = [np.full((2, 3), 1.001)]
    assert check_case(
        LayerNorm, constant, property="special values", seed=60, arguments={"normalized_shape": (2, 3)}
    ).ok


class Normalised(Function):
    """x over its length."""

    def forward(self, x):
        return variable(x.data / np.sqrt((x.data**2).sum()))

    def backward(self, x, grad):
        size = np.sqrt((x.data**2).sum())
        x.grad += grad / size - (grad * x.data).sum() * (x.data / size) / size / size


def test_squares_without_digits_decide_nothing():
    x = [-2.5382246190296947e-160, 9.872025528553099e-160, -3.845458480031792e-162]
    with pytest.raises(Undecided):
        check_case(Normalised, [x], property="extremes", seed=43)


def test_magnitudes_whose_powers_are_no_floats_decide_nothing_about_infinity():
    rows = [[-1.0701841833574028e-181, 3.122753357889058e-181, 0.9129888778480122, 7.374424503593797e-181],
            [8.49268660462019, -0.9631214440886215, 0.9712323854666911, 1.7096578354479903e-180],
            [-1.4557552557279437e-179, -1.7008592395094378e-180, -5.654495991544387e-182, -6.819121764448175e-180],
            [-4.659815392276732, 6.087441009962767e-180, -2.7770017926204718, 6.637893163990725e-180]]  # fmt: skip
    with pytest.raises(Undecided):
        check_case(MatrixPower, [rows], property="extremes", seed=97, arguments={"n": -3})


class SoftTargets(Function):
    """-sum of t log softmax(x)."""

    def forward(self, x, t):
        return variable(-(t.data * log_softmax(x.data)).sum())

    def backward(self, x, t, grad):
        x.grad += grad * (t.data.sum() * softmax(x.data) - t.data)
        t.grad -= grad * log_softmax(x.data)


def test_what_forward_rounds_to_zero_may_count_beside_what_is_huge():
    with pytest.raises(Undecided):  # log softmax is -6e-17 at the second element, and forward gives 0 for it
        check_case(SoftTargets, [[2.7, 40.0, 1.6], [-9.1, -1e200, -0.2]], property="extremes", seed=103)


class ConstantButForRounding(Function):
    """Fifty rounded steps away and back: all that forward shows is what they round."""

    slope = 0.0

    def forward(self, x):
        away, back = np.zeros_like(x.data), 0.0
        for _ in range(50):
            away, back = x.data - back, back + np.log(2)
        return variable(np.exp(away + back - np.log(2) - x.data))

    def backward(self, x, grad):
        x.grad += self.slope * grad


class AlmostConstant(ConstantButForRounding):
    slope = 1e-9


@pytest.mark.parametrize("seed", range(4))
def test_what_is_constant_but_for_rounding_has_no_slope(seed):
    x = np.random.default_rng(seed).normal(size=3)
    report = check_case(ConstantButForRounding, [x], seed=seed)
    assert report.ok
    assert report.resolution < 1e-11
    with pytest.raises(VerificationError, match="and should be 0"):
        check_case(AlmostConstant, [x], seed=seed)


CONSTANTS = {
    "sin^2 + cos^2": lambda x: np.sin(x) ** 2 + np.cos(x) ** 2,
    "exp(x - log exp x)": lambda x: np.exp(x - np.log(np.exp(x))),
    "(x + 1e6) - x": lambda x: (x + 1e6) - x,  # a number that single precision has, too
}


class Constant(Function):
    def __init__(self, name="sin^2 + cos^2", slope=0.0):
        self.name, self.slope = name, slope

    def forward(self, x):
        return variable(CONSTANTS[self.name](x.data))

    def backward(self, x, grad):
        x.grad += self.slope * grad


@pytest.mark.parametrize("name", CONSTANTS)
def test_a_constant_whose_gradient_is_not_zero_is_found(name):
    x = np.random.default_rng(0).normal(size=3)
    assert check_case(Constant(name), [x], seed=1).ok
    with pytest.raises(VerificationError, match="and should be 0"):
        check_case(Constant(name, 0.1), [x], seed=1)


class Steep(Function):
    """tanh(1e4 x); backward bounds what it gives to cosh, and so leaves 1e-256 where the slope is 0."""

    def forward(self, x):
        return variable(np.tanh(1e4 * x.data))

    def backward(self, x, grad):
        x.grad += 1e4 * grad / np.cosh(np.clip(1e4 * x.data, -300, 300)) ** 2


def test_what_a_bounded_exponential_leaves_is_no_slope():
    assert check_case(Steep, [[1.0, 1e250]], property="extremes", seed=1).ok


def test_slopes_too_large_for_floats_may_cancel_for_one_cotangent():
    x, y = 3.4788237694966814e-200, [[1.2786387833270515e-201, 1.0600733438129879e-200]]
    with pytest.raises(Undecided, match="too large for floats"):
        check_case(Beta, [x, y], property="extremes", seed=150)


def test_an_infinite_slope_may_not_show_where_steps_are_short():
    x = [[0.0, 3.9e-17], [0.0, 0.0]]
    assert check_case(KlDiv, [x, [[0.5, 1.5], [0.5, 1.5]]], property="special values", seed=1).ok


class AllNoise(Function):
    """Zero, but for what rounds inside."""

    def __init__(self, slope=0.0):
        self.slope = slope

    def forward(self, x):
        return variable(np.logaddexp(x.data, -x.data) - np.abs(x.data) - np.log1p(np.exp(-2 * np.abs(x.data))))

    def backward(self, x, grad):
        x.grad += self.slope * np.tanh(x.data) * grad


def test_a_slope_is_wrong_where_outputs_are_nothing_but_noise():
    with pytest.raises(VerificationError, match="wrong gradient"):
        check_function(AllNoise(1e-4), seed=0, max_examples=25)


class OfWholeNumbersZero(Elementwise):
    """1 / gamma: at the poles of gamma the slope is a factorial, which is soon more than floats hold."""

    def value(self, x):
        return rgamma(x)

    def slope(self, x):
        pole = (x <= 0) & (x == np.floor(x))
        safe = np.where(pole, 1.0, x)
        with np.errstate(all="ignore"):
            factorial = np.where(np.fmod(x, 2) == 0, 1.0, -1.0) * gamma(1 - np.where(pole, x, 0.0))
            return np.where(pole, factorial, -psi(safe) * rgamma(safe))


@pytest.mark.parametrize("x", [-1e10, -3e12])
def test_zeros_between_which_forward_is_not_finite_show_no_slope(x):
    with pytest.raises(Undecided, match="not finite between"):
        check_case(OfWholeNumbersZero, [[x]], property="extremes")
    assert check_case(OfWholeNumbersZero, [[-7.0, -3.5]]).ok


class Bisected(Elementwise):
    """The root of y**3 + y = x, to a millionth: forward has stairs, which fine steps see one of."""

    factor = 1.0

    def value(self, x):
        low, high = np.full_like(x, -60.0), np.full_like(x, 60.0)
        if not (np.abs(x) < 60**3).all():
            raise ValueError("out of range")
        while (high - low).max(initial=0.0) > 1e-6:
            middle = (low + high) / 2
            below = middle**3 + middle < x
            low, high = np.where(below, middle, low), np.where(below, high, middle)
        return (low + high) / 2

    def slope(self, x):
        return self.factor / (3 * self.value(x) ** 2 + 1)


def test_stairs_are_no_structure_that_hides_a_wrong_slope():
    assert check_function(Bisected, max_examples=5, seed=1).ok
    with pytest.raises(VerificationError, match="wrong gradient"):
        check_function(type("OnePerCentOff", (Bisected,), {"factor": 1.01}), seed=1)


class SteepOnes(Function):
    """|x| with the sign of y, each element with a weight, of which one is large."""

    off = 0.0

    def _weights(self, x):
        return np.where(np.arange(x.size) == 1, 5e4, 1.0)

    def forward(self, x, y):
        return variable(self._weights(x.data) * np.copysign(x.data, y.data))

    def backward(self, x, y, grad):
        x.grad += grad * self._weights(x.data) * (np.sign(x.data) * np.copysign(1.0, y.data) + self.off)


@pytest.mark.parametrize("seed", range(4))
def test_a_kink_is_one_beside_a_slope_however_steep(seed):
    x, y = [-0.0, -6.0, 0.0, 0.0, 0.5], [-0.0, -6.0, 0.0, -0.0, 0.5]
    assert check_case(SteepOnes, [x, y], property="special values", seed=seed).ok
    with pytest.raises(VerificationError, match="wrong gradient"):
        check_case(type("Off", (SteepOnes,), {"off": 2.5}), [x, y], property="special values", seed=seed)


class Tail(Function):
    """Its gradient is left out beyond a threshold, where forward is small and smooth."""

    def __init__(self, value, slope, beyond):
        self.value, self.slope, self.beyond = value, slope, beyond

    def forward(self, x):
        return variable(self.value(x.data))

    def backward(self, x, grad):
        x.grad += grad * np.where(self.beyond(x.data), 0, self.slope(x.data))


def bell(x):
    return np.exp(-x * x / 2)


@pytest.mark.parametrize("tail", [
    Tail(np.exp, np.exp, lambda x: x < -25),
    Tail(bell, lambda x: -x * bell(x), lambda x: np.abs(x) > 7),
    Tail(erfc, lambda x: -2 / np.sqrt(np.pi) * np.exp(-x * x), lambda x: x > 5),
    Tail(lambda x: np.logaddexp(0, x), expit, lambda x: x < -25),
], ids=["exp", "bell", "erfc", "softplus"])  # fmt: skip
def test_a_tail_that_is_left_out_is_found(tail):
    with pytest.raises(VerificationError, match="is 0 and should be"):
        check_function(tail, seed=1, max_examples=100)


class LossOfDigits(Function):
    """Softplus, whose slope is 1 - 1 / (1 + exp(x)): no digits are left of it where it is small."""

    def forward(self, x):
        return variable(np.logaddexp(0, x.data))

    def backward(self, x, grad):
        x.grad += grad * (1 - 1 / (1 + np.exp(np.minimum(x.data, 700))))


def test_a_tail_that_cancels_is_not_accused():
    assert check_function(LossOfDigits, seed=1).ok
