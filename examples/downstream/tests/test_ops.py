"""What the ops compute, which adverify does not know; that their gradients are right is asked in pyproject.toml."""

import numpy as np
import pytest
from signals import ops

from adverify import variable


def test_a_hundredfold_power_is_twenty_decibels():
    """What Decibel computes."""
    assert ops.Decibel()(variable(100.0)).data == pytest.approx(20)


def test_a_mixture_of_one_source_is_that_source():
    """What Mix computes."""
    sources = np.array([[1.0, 2.0], [3.0, 4.0]])
    assert ops.Mix()(variable([[0.0, 1.0]]), variable(sources)).data.tolist() == [[3.0, 4.0]]
