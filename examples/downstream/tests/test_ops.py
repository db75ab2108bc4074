"""Gradients, one test an op; and what an op computes, which adverify does not know."""

import numpy as np
import pytest
from adverify import check_function, variable
from adverify.discovery import functions_in
from signals import ops


@pytest.mark.parametrize("op", functions_in(ops))
def test_gradient(op):
    check_function(op)


def test_a_hundredfold_power_is_twenty_decibels():
    assert ops.Decibel()(variable(100.0)).data == pytest.approx(20)


def test_a_mixture_of_one_source_is_that_source():
    sources = np.array([[1.0, 2.0], [3.0, 4.0]])
    assert ops.Mix()(variable([[0.0, 1.0]]), variable(sources)).data.tolist() == [[3.0, 4.0]]
