"""Both numbers are zero on every corpus: wrong gradients missed, right gradients accused."""

import pytest

from tests.corpora import ops
from tests.score import judged


def pytest_generate_tests(metafunc):
    for kind in ("mutants", "controls"):
        if f"{kind[:-1]}" in metafunc.fixturenames:
            found = dict(ops(kind))
            metafunc.parametrize(kind[:-1], found.values(), ids=found.keys())


def test_a_wrong_op_is_found_for_the_right_reason(mutant, seed):
    verdict, report = judged(mutant, seed)
    assert report.failures, report.headline
    assert verdict == mutant.violates, str(report)


def test_a_right_op_is_not_accused(control, seed):
    verdict, report = judged(control, seed)
    assert verdict == "verified", str(report)


@pytest.mark.parametrize("kind", ["mutants", "controls"])
def test_the_corpora_are_there(kind):
    assert len(list(ops(kind))) >= 20
