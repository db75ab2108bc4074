"""Profiles: by default runs are repeatable; ADVERIFY_PROFILE=nightly fuzzes far longer, with new seeds."""

import os

import pytest

# Before NumPy is imported: every worker has a core of its own, and threads of BLAS would only get in the others' way.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

from hypothesis import settings

collect_ignore_glob = ["corpus/*", "corpus_further/*"]  # loaded by path, by those who ask about them

PROFILE = os.environ.get("ADVERIFY_PROFILE", "default")

settings.register_profile("adverify-default", max_examples=20)
settings.register_profile("adverify-nightly", max_examples=1000)
settings.register_profile("adverify-quick", max_examples=10)
settings.load_profile(f"adverify-{PROFILE}")


@pytest.fixture(scope="session")
def seed():
    """What makes a run repeatable: a build fails because of a change to the code, or not at all."""
    return None if PROFILE == "nightly" else 0
