"""Failures with one cause are one entry."""

import numpy as np
import pytest

from adverify import Function, VerificationError, check_case, variable
from adverify.grouping import group
from tests.reporting.hostile import report


def refuse(grad):
    raise ValueError(f"a shape that differs each time: {grad.shape}")


class First(Function):
    def forward(self, x):
        return variable(2 * x.data)

    def backward(self, x, grad):
        x.grad += refuse(grad)


class Second(First):
    pass


def raised(op, inputs):
    with pytest.raises(VerificationError) as caught:
        check_case(op, inputs, seed=1)
    return caught.value.report


def test_what_one_line_raises_is_one_cause():
    (cause,) = group([raised(First, [[1.0, 2.0]]), raised(Second, [[[1.0]]])])
    assert cause.count == 2
    assert cause.names == ("Second", "First")


def test_the_same_diagnosis_of_the_same_property_is_one_cause_and_the_smallest_case_is_shown():
    large, small = report(np.ones(9), diagnosis="twice", name="Large"), report([1.0], diagnosis="twice", name="Small")
    other = report([1.0], diagnosis="sign", name="Other")
    first, second = group([other, large, small])
    assert (first.count, second.count) == (2, 1)
    assert first.shown[0] is small
    assert str(first) == "2 x gradient: Small (and Large): twice"


def test_what_is_not_explained_is_not_put_together():
    assert [cause.count for cause in group([report([1.0]), report([1.0])])] == [1, 1]


def test_every_failure_is_in_one_cause():
    reports = [report([1.0], diagnosis=d) for d in ("a", "b", "a", "", "")]
    causes = group(reports)
    assert sum(cause.count for cause in causes) == 5
    assert group([]) == ()
