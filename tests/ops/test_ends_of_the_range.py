"""Gradients that are finite stay so, and exact, where what leads to them leaves the range of floats."""

import itertools
import math
import operator
from fractions import Fraction

import numpy as np
import pytest

from adverify import ops, tensor, variable

PRODUCTS = [
    [2.0, 3.0, -4.0],
    [0.0, 3.0, -4.0],
    [0.0, 3.0, 0.0],
    [0.0, 0.0, 0.0, 5.0],
    [1e200, 1e200, 1e-200, 1e-200],
    [1e-200, 1e-200, 1e200, 1e200],
    [1e-300, 2.0, 1e200, 1e200],
    [0.0, 1e200, 1e200, 1e-200, 1e-200],
    [5e-324, 1e200, 1e100],
    [0.75] * 1500 + [1.25] * 1500,
]


def gradient(op, x, grad):
    v = variable(np.array(x))
    op.backward(v, np.array(grad))
    return v.grad


def rounded(value):
    return float(value) if abs(value) < Fraction(10) ** 308 else math.copysign(np.inf, value.numerator > 0 or -1)


def others(x, last):
    """The products of all up to `last` but one, for each one, exactly."""
    exact = [Fraction(v) for v in x[: last + 1]]
    before = [Fraction(1), *itertools.accumulate(exact[:-1], operator.mul)]
    after = [Fraction(1), *itertools.accumulate(exact[:0:-1], operator.mul)]
    return [b * a for b, a in zip(before, reversed(after), strict=True)]


@pytest.mark.parametrize("x", PRODUCTS, ids=range(len(PRODUCTS)))
def test_the_gradient_of_a_product_is_the_product_of_the_others(x):
    expected = [rounded(e) for e in others(x, len(x) - 1)]
    np.testing.assert_allclose(gradient(ops.Prod(), x, 1.0), expected, rtol=1e-14)


@pytest.mark.parametrize("x", [x for x in PRODUCTS if len(x) < 9])
def test_the_gradient_of_running_products_sums_products_of_others(x):
    grad = (-0.5) ** np.arange(len(x))
    expected = [Fraction(0)] * len(x)
    for k, g in enumerate(grad):
        for i, e in enumerate(others(x, k)):
            expected[i] += Fraction(g) * e
    np.testing.assert_allclose(gradient(ops.Cumprod(), x, grad), [rounded(e) for e in expected], rtol=1e-14)


@pytest.mark.parametrize("size", [1e-320, 1e-200, 1e-20, 1.0, 1e200, 1e307])
@pytest.mark.parametrize("op", [ops.Std(), ops.Std(ddof=1), ops.Norm(), ops.VectorNorm(ord=3), ops.VectorNorm(ord=-2),
                                ops.VectorNorm(ord=0.5)], ids=lambda op: type(op).__name__)  # fmt: skip
def test_the_gradient_of_a_size_depends_on_no_unit(op, size):
    x = np.array([1.0, 2.0, -4.0, 0.5])
    np.testing.assert_allclose(gradient(op, size * x, 1.0), gradient(op, x, 1.0), rtol=1e-13 if size > 1e-300 else 1e-2)


@pytest.mark.parametrize("op", [ops.Std(), ops.Var(), ops.Average()])
def test_deviations_of_elements_alike_are_zero(op):
    assert not gradient(op, [0.1, 0.1, 0.1], 1.0).any() or isinstance(op, ops.Average)
    weights, x = variable(np.ones(3)), variable(np.full(3, 0.1))
    ops.Average().backward(x, weights, np.array(1.0))
    assert not weights.grad.any()


@pytest.mark.parametrize("shift", [0.0, 800.0, -1e20, 1e200])
def test_softmax_in_a_logarithm_of_sums_ignores_a_shift(shift):
    np.testing.assert_allclose(gradient(ops.Logsumexp(), np.full(3, shift), 1.0), np.full(3, 1 / 3), rtol=1e-15)
    np.testing.assert_allclose(gradient(ops.Logcumsumexp(), np.full(3, shift), [0.0, 0.0, 1.0]), np.full(3, 1 / 3),
                               rtol=1e-15)  # fmt: skip


def test_parts_that_overlap_add_up():
    x = tensor(np.arange(4.0))
    first, none, last = ops.split(x, indices_or_sections=(3, 1))
    (ops.sum(first) + ops.sum(none) + ops.sum(last)).backward()
    assert x.grad.tolist() == [1, 2, 2, 1]
