from pathlib import Path

import pytest

from adverify import record
from adverify.renderers import render
from tests import failures

ROOT = Path(__file__).parent.parent.parent


@pytest.fixture(scope="session")
def documents():
    """A stored run for each report: what a renderer is given was written and read before."""
    return {
        name: record.loads(record.dumps(record.to_document([make()], settings={"seed": 0})))
        for name, make in failures.ALL.items()
    }


@pytest.fixture(scope="session")
def everything(documents):
    """All reports in one document."""
    return {**documents["verified"], "reports": [d["reports"][0] for d in documents.values()]}


@pytest.fixture(scope="session")
def shown():
    """Show a document, with paths relative to the repository."""
    return lambda document, name: render(document, name, ROOT)
