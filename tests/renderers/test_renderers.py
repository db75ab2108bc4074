"""What holds for every way to show a report."""

import subprocess
import sys

import pytest

from adverify import renderers
from tests import failures


@pytest.mark.parametrize("way", renderers.names())
@pytest.mark.parametrize("name", failures.ALL)
def test_every_report_can_be_shown(documents, shown, way, name):
    text = shown(documents[name], way)
    assert bool(text) == ((way, name) != ("github", "verified"))
    assert len(text.encode("utf-8")) < 1_000_000


@pytest.mark.parametrize("way", renderers.names())
def test_no_report_at_all_can_be_shown(documents, shown, way):
    assert isinstance(shown({**documents["verified"], "reports": []}, way), str)


def test_a_way_that_there_is_not_is_refused(documents):
    with pytest.raises(ValueError, match="github, html, sarif; not as 'pdf'"):
        renderers.render(documents["verified"], "pdf")


@pytest.mark.parametrize("missing", ["jinja2", "matplotlib"])
def test_a_missing_library_is_named_with_its_extra(missing):
    program = f"""
import sys
sys.modules[{missing!r}] = None
from adverify import record, renderers
try:
    renderers.render(record.to_document([]), "html")
except renderers.MissingExtra as error:
    print(error)
"""
    said = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert f"{missing} is not installed" in said
    assert "adverify[html]" in said


def test_the_package_does_not_import_what_only_pages_need():
    program = "import sys, adverify; print(sorted({'jinja2', 'matplotlib', 'msgspec'} & set(sys.modules)))"
    said = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert said.strip() == "[]"
