"""Both numbers are zero: wrong gradients missed, right gradients accused.

By default a share of the corpora is judged, and all that is shared with others; ADVERIFY_PROFILE=nightly judges all, as
``python -m tests.score`` does.
"""

import hypothesis
import pytest

from tests.conftest import PROFILE
from tests.corpora import ROOTS, ops
from tests.score import judged

SHARE = 1 if PROFILE == "nightly" else 4
SOON = tuple(root for root in ROOTS if root != "further" or PROFILE == "nightly")


def pytest_generate_tests(metafunc):
    for kind in ("mutants", "controls"):
        if f"{kind[:-1]}" in metafunc.fixturenames:
            known = enumerate(ops(kind, SOON))
            found = {name: op for i, (name, op) in known if i % SHARE == 0 or name.startswith("shared")}
            metafunc.parametrize(kind[:-1], found.values(), ids=found.keys())


@pytest.fixture(autouse=True)
def _as_users_call_it():
    """The corpora ask what check_function does by default, whatever the profile."""
    profile = hypothesis.settings.get_current_profile_name()
    hypothesis.settings.load_profile("default")
    yield
    hypothesis.settings.load_profile(profile)


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
