"""Sharing calls of forward changes no sample, and hides no mistake."""

import numpy as np
import pytest

from adverify import Function, VerificationError, check_function, ops, oracle, variable
from adverify.case import Case
from adverify.inference import infer
from adverify.ladders import sampled, screened
from adverify.properties.gradient import question_of
from adverify.subject import subject_of

STRUCTURES = [
    (ops.Exp, [(2, 3)]),
    (ops.Multiply, [(3, 1), (4,)]),
    (ops.Multiply, [(), (2, 2)]),
    (ops.Matmul, [(2, 3), (3, 2)]),
    (ops.Solve, [(2, 2), (2,)]),
]


def questions(op, shapes, count=5):
    subject = subject_of(op, {})
    sampling = infer(subject, len(shapes))[0]
    rng = np.random.default_rng(0)
    for seed in range(count):
        yield question_of(Case(subject, tuple(rng.normal(size=s) for s in shapes), seed + 1, sampling))


@pytest.mark.parametrize(("op", "shapes"), STRUCTURES, ids=lambda value: getattr(value, "__name__", str(value)))
def test_samples_are_those_of_each_question_by_itself(op, shapes):
    asked = list(questions(op, shapes))
    together = screened(asked, oracle.SCREEN_RUNGS)
    full = sampled([(q, q.directions(np.arange(2))) for q in asked], oracle.FULL_RUNGS)
    for q, first, second in zip(asked, together, full, strict=True):
        for samples, directions in (
            (first, q.directions(np.arange(q.along.size))),
            (second, q.directions(np.arange(2))),
        ):
            alone = oracle.sample(q.evaluate, q.x, q.g, directions, samples.rungs, q.resolution)
            np.testing.assert_array_equal(np.isnan(samples.phi), np.isnan(alone.phi))
            np.testing.assert_allclose(samples.phi, alone.phi, rtol=0, atol=16 * oracle.EPS * np.nanmax(alone.size))
            np.testing.assert_allclose(samples.size, alone.size, rtol=1e-12)


class FirstOfAll(Function):
    """Elementwise as it seems, but the first element scales the others once it is above two."""

    def factor(self, x):
        return np.where(x.flat[0] > 2, x.flat[0], 1.0) if x.size else 1.0

    def forward(self, x):
        return variable(np.sin(x.data) * self.factor(x.data))

    def backward(self, x, grad):
        x.grad += grad * np.cos(x.data) * self.factor(x.data)


def test_an_op_that_only_seems_elementwise_is_found_out():
    with pytest.raises(VerificationError) as raised:
        check_function(FirstOfAll, seed=0, max_examples=300)  # however busy the machine is
    assert raised.value.report.failures[0].property in ("gradient", "degenerate")


class OneOfMany(Function):
    """Wrong in one element of however many there are."""

    def forward(self, x, y):
        return variable(x.data * y.data)

    def backward(self, x, y, grad):
        share = grad * y.data
        share.flat[-1] *= 1 + 1e-5
        x.grad += share
        y.grad += grad * x.data


@pytest.mark.parametrize("n", [10, 1_000, 20_000])
def test_every_element_of_a_large_input_is_looked_at(n):
    inputs = np.random.default_rng(0).normal(size=(2, n))
    assert check_function(ops.Multiply, inputs=inputs, max_examples=1).cases == 1
    with pytest.raises(VerificationError, match=rf"x\.grad\[{n - 1}\] is"):
        check_function(OneOfMany, inputs=inputs, max_examples=1)
