"""Every property has an op that breaks it and nothing else; the same op without the fault keeps the whole contract."""

import copy

import numpy as np
import pytest

from adverify import Function, VerificationError, check_function, variable
from adverify.domains import positive
from adverify.properties import all_properties, dependents
from tests.misusing_ops import MISUSING


class Cubed(Function):
    """x**3, right; what the faulty ops below are made from."""

    def forward(self, x):
        return variable(x.data**3)

    def backward(self, x, grad):
        x.grad += 3 * grad * x.data**2


class Product(Function):
    """x * y for equal shapes, right."""

    def forward(self, x, y):
        if x.data.shape != y.data.shape:
            raise ValueError("equal shapes only")
        return variable(x.data * y.data)

    def backward(self, x, y, grad):
        x.grad += grad * y.data
        y.grad += grad * x.data


class WrongFactor(Cubed):
    breaks = "gradient"

    def backward(self, x, grad):
        x.grad += 2 * grad * x.data**2


class NanAtZero(Function):
    breaks = "special values"

    def forward(self, x):
        return variable(np.abs(x.data) ** 3)

    def backward(self, x, grad):
        x.grad += 3 * grad * np.abs(x.data) ** 3 / x.data


class OverflowingSigmoid(Function):
    breaks = "extremes"

    def forward(self, x):
        e = np.exp(-np.abs(x.data))
        return variable(np.where(x.data < 0, e, 1) / (1 + e))

    def backward(self, x, grad):
        e = np.exp(-x.data)
        x.grad += grad * e / (1 + e) ** 2


class OneByOne(Cubed):
    breaks = "degenerate"

    def backward(self, x, grad):
        for i in range(len(x.data)):
            x.grad[i] += 3 * grad[i] * x.data[i] ** 2


class ClippingTheCotangent(Cubed):
    breaks = "linearity"

    def backward(self, x, grad):
        x.grad += 3 * np.clip(grad, -1, 1) * x.data**2


class Overwriting(Cubed):
    breaks = "accumulation"

    def backward(self, x, grad):
        x.grad = 3 * grad * x.data**2


class SharedBetweenInputs(Product):
    breaks = "accumulation"

    def forward(self, x, y):
        super().forward(x, y)
        return variable(x.data + y.data)

    def backward(self, x, y, grad):
        share = grad.copy()
        for v in (x, y):
            v.grad = v.grad + grad if v.grad.any() else share


class ReadOnly(Cubed):
    breaks = "accumulation"

    def forward(self, x):
        return variable(x.data.sum())

    def backward(self, x, grad):
        x.grad = x.grad + grad if x.grad.any() else np.broadcast_to(grad, x.data.shape)


class KeptByTheOp(Cubed):
    breaks = "accumulation"

    def __init__(self):
        self.ones = {}

    def forward(self, x):
        return variable(x.data.sum())

    def backward(self, x, grad):
        ones = self.ones.setdefault((x.data.shape, x.data.dtype), np.ones_like(x.data))
        x.grad = x.grad + grad * ones if x.grad.any() or grad != 1 else ones


class OfAnotherShape(Cubed):
    breaks = "shape"

    def backward(self, x, grad):
        x.grad = (x.grad + 3 * grad * x.data**2)[None]


class OfAnotherDtype(Cubed):
    breaks = "shape"

    def backward(self, x, grad):
        x.grad = x.grad + np.float64(3) * grad * x.data**2


class ScalingTheCotangent(Cubed):
    breaks = "purity"

    def backward(self, x, grad):
        grad *= 3 * x.data**2
        x.grad += grad


class ReadingBeforeWriting(Product):
    """Right for two Variables; for one in both places the second share doubles the first."""

    breaks = "aliasing"

    def backward(self, x, y, grad):
        before = x.grad.copy()
        y.grad += grad * x.data
        x.grad = before + grad * y.data


class RememberingTheInput(Cubed):
    breaks = "reentrancy"

    def forward(self, x):
        self.x = x.data
        return super().forward(x)

    def backward(self, x, grad):
        x.grad += 3 * grad * self.x**2


class Dropping(Function):
    breaks = "determinism"

    def forward(self, x):
        return variable(x.data * (np.random.random(x.data.shape) < 0.5))  # noqa: NPY002

    def backward(self, x, grad):
        x.grad += grad * (np.random.random(x.data.shape) < 0.5)  # noqa: NPY002


class InMemoryOrder(Cubed):
    breaks = "layout"

    def backward(self, x, grad):
        x.grad += (3 * np.ravel(grad, order="K") * np.ravel(x.data, order="K") ** 2).reshape(x.data.shape)


class RoundedToSingle(Function):
    breaks = "precision"

    def forward(self, x):
        return variable(np.sin(x.data))

    def backward(self, x, grad):
        x.grad += grad * np.cos(x.data).astype(np.float32)


class PartRoundedToSingle(Function):
    """x * sin(x), of whose slope one of two terms is rounded."""

    breaks = "precision"

    def forward(self, x):
        return variable(x.data * np.sin(x.data))

    def backward(self, x, grad):
        x.grad += grad * (np.sin(x.data) + x.data * np.cos(x.data).astype(np.float32))


class CotangentPartlyRounded(Cubed):
    breaks = "precision"

    def backward(self, x, grad):
        x.grad += grad * x.data**2 + 2 * grad.astype(np.float32) * x.data**2


class NormalisedOverTheBatch(Function):
    """Its gradient is right, but an element's output depends on the other elements of the batch."""

    breaks = "batching"
    signature = "(n)->(n)"

    def forward(self, x):
        return variable(x.data - x.data.mean())

    def backward(self, x, grad):
        x.grad += grad - grad.mean()


class OnlyIntoLeaves(Cubed):
    """Right where the input is a leaf, which is where a direct call has it."""

    breaks = "composition"

    def backward(self, x, grad):
        x.grad += (3 if getattr(x, "back", None) is None else 2) * grad * x.data**2


class OneParameterOnly(Product):
    """Of two inputs that require a gradient, the second gets none."""

    breaks = "composition"

    def backward(self, x, y, grad):
        x.grad += grad * y.data
        if not (x.requires_grad and y.requires_grad):
            y.grad += grad * x.data


class ParametersOnly(Product):
    """Beside a parameter, x gets nothing if another op has made it."""

    breaks = "composition"

    def backward(self, x, y, grad):
        if x.requires_grad or not y.requires_grad:
            x.grad += grad * y.data
        y.grad += grad * x.data


class ClearsOnNothing(Cubed):
    """Right for all cotangents that are not zeros."""

    breaks = "accumulation"

    def backward(self, x, grad):
        if not np.any(grad):
            x.grad = np.zeros_like(x.data)
        else:
            super().backward(x, grad)


class LeavesEarly(Product):
    """Right where the gradient of x is asked for, too."""

    breaks = "composition"

    def backward(self, x, y, grad):
        if not x.needs_grad:
            return
        super().backward(x, y, grad)


class ReusesWhatItMadeForX(Product):
    """Raises where x is a constant."""

    breaks = "composition"

    def backward(self, x, y, grad):
        if x.needs_grad:
            share = 1.0 * grad
            x.grad += share * y.data
        if y.needs_grad:
            y.grad += share * x.data


FAULTY = [op for op in list(vars().values()) if isinstance(op, type) and hasattr(op, "breaks")]


def test_every_property_is_broken_by_some_op():
    assert {op.breaks for op in FAULTY} == {p.name for p in all_properties()}


@pytest.mark.parametrize("op", FAULTY, ids=lambda op: f"{op.breaks}-{op.__name__}")
def test_an_op_that_breaks_one_property_is_found_for_it_and_nothing_else(op):
    with pytest.raises(VerificationError) as raised:
        check_function(op, seed=1)
    assert [f.property for f in raised.value.report.failures] == [op.breaks], str(raised.value)


@pytest.mark.parametrize("op", FAULTY, ids=lambda op: f"{op.breaks}-{op.__name__}")
def test_without_that_property_nothing_is_found(op):
    if op.breaks in ("determinism", "purity", "shape", "gradient"):
        pytest.skip("what needs this property is asked no more, and with it the op is wrong in other ways")
    assert check_function(op, exclude=dependents(op.breaks), seed=1).ok


@pytest.mark.parametrize("op", MISUSING)
def test_an_op_that_misuses_variables_is_impure(op):
    with pytest.raises(VerificationError, match=r"breaks 'purity': (forward|backward) changes") as raised:
        check_function(op, seed=1)
    assert "purity" in [f.property for f in raised.value.report.failures]


@pytest.mark.parametrize("op", [Cubed, Product], ids=lambda op: op.__name__)
def test_what_the_faulty_ops_are_made_from_is_right(op):
    report = check_function(op, seed=1)
    assert report.ok
    assert set(report.verdicts) == {p.name for p in all_properties()}


@pytest.mark.parametrize("prop", all_properties(), ids=lambda p: p.name)
def test_every_property_says_what_it_is(prop):
    assert prop.rule
    assert not prop.rule.endswith(".")
    assert (type(prop).__doc__ or "").strip().endswith(".")


def test_a_fault_that_is_mended_is_not_found_any_more():
    mended = copy.copy(OverflowingSigmoid)
    assert mended.breaks == "extremes"

    class Sigmoid(OverflowingSigmoid):
        def backward(self, x, grad):
            e = np.exp(-np.abs(x.data))
            x.grad += grad * e / (1 + e) ** 2

    assert check_function(Sigmoid, seed=1).ok


def test_a_positive_domain_is_respected_everywhere():
    seen = []

    class Watching(Function):
        domain = positive

        def forward(self, x):
            seen.append(float(x.data.min(initial=np.inf)))
            return variable(np.log(np.abs(x.data)))

        def backward(self, x, grad):
            x.grad += grad / x.data

    assert check_function(Watching, seed=1).ok
    assert min(seen) > 0
