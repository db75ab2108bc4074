"""Both numbers are zero on every corpus: wrong gradients missed, right gradients accused."""

import pytest

from tests.conftest import PROFILE
from tests.corpora import ROOTS, ops
from tests.score import judged

# The further corpus doubles the time that the suite takes; a change is held against it once a night.
SOON = tuple(root for root in ROOTS if root != "further" or PROFILE == "nightly")


def pytest_generate_tests(metafunc):
    for kind in ("mutants", "controls"):
        if f"{kind[:-1]}" in metafunc.fixturenames:
            found = dict(ops(kind, SOON))
            metafunc.parametrize(kind[:-1], found.values(), ids=found.keys())


def test_a_wrong_op_is_found_for_the_right_reason(mutant, seed):
    verdict, report = judged(mutant, seed)
    assert report.failures, report.headline
    assert verdict == mutant.violates, str(report)


def test_a_right_op_is_not_accused(control, seed):
    verdict, report = judged(control, seed)
    assert verdict == "verified", str(report)


@pytest.mark.parametrize("kind", ["mutants", "controls"])
@pytest.mark.parametrize("root", [root for root in ROOTS if root != "shared"])
def test_the_corpora_are_there(kind, root):
    assert len(list(ops(kind, [root]))) >= 20


@pytest.mark.parametrize("kind", ["mutants", "controls"])
def test_every_op_says_what_is_wrong_with_it_or_why_it_is_right(kind):
    for name, op in ops(kind):
        assert op.__doc__, name
        assert hasattr(op, "violates") == (kind == "mutants"), name
