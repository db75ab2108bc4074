"""Every Function that adverify.ops defines is verified; there is no list to keep."""

import pytest

import adverify.ops
from adverify import check_function
from adverify.discovery import functions_in


@pytest.mark.parametrize("op", list(functions_in(adverify.ops)), ids=lambda op: op.__name__)
def test_gradient(op, seed):
    report = check_function(op, seed=seed)
    assert report.ok
    assert report.cases > 0
