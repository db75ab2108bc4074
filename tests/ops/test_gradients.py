"""Every Function that adverify.ops defines is verified; there is no list to keep."""

import pytest

import adverify.ops
from adverify import check_function
from adverify.discovery import functions_in
from tests.conftest import PROFILE

EXAMPLES = None if PROFILE == "nightly" else 10
"""Sweeps over all shapes come on top, however few are asked for."""


@pytest.mark.parametrize("op", list(functions_in(adverify.ops)), ids=lambda op: op.__name__)
def test_gradient(op, seed):
    report = check_function(op, seed=seed, max_examples=EXAMPLES)
    assert report.ok
    assert report.cases > 0
