"""Gradients, one test an op; and what an op computes, which adverify does not know."""

import numpy as np
import pytest
from signals import ops

from adverify import check_function, variable
from adverify.testing import over_functions


@over_functions(ops)
def test_gradient(op):
    """Whatever is in the module is verified."""
    check_function(op)


def test_a_hundredfold_power_is_twenty_decibels():
    """What Decibel computes."""
    assert ops.Decibel()(variable(100.0)).data == pytest.approx(20)


def test_a_mixture_of_one_source_is_that_source():
    """What Mix computes."""
    sources = np.array([[1.0, 2.0], [3.0, 4.0]])
    assert ops.Mix()(variable([[0.0, 1.0]]), variable(sources)).data.tolist() == [[3.0, 4.0]]
