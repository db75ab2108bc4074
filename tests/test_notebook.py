"""A report shows itself in a notebook, whatever is in it, without a further library."""

import subprocess
import sys

import pytest

from tests import failures
from tests.renderers.test_html import Page


@pytest.mark.parametrize("name", failures.ALL)
def test_every_report_is_a_small_fragment_of_html(name):
    report = failures.ALL[name]()
    source = report._repr_html_()
    page = Page(source)
    assert page.open == []
    assert source.encode("utf-8")
    assert len(source) < 100_000
    assert " ".join(report.name.split()) in page.words
    allowed = {"section", "p", "strong", "ul", "li", "details", "summary", "pre", "table", "caption", "tr", "th", "td"}
    assert {tag for tag, _ in page.elements} <= allowed


def test_what_is_wrong_is_said():
    words = Page(failures.wrong_number()._repr_html_()).words
    assert "TensorDotProduct: wrong gradient: y.grad[0, 0] is 2 and should be 1" in words
    assert "[1, 1] 1 2" in words
    assert "op.backward(x, y, np.array([1.0, 1.0]))" in words


def test_nothing_but_the_package_is_needed():
    program = """
import sys
sys.modules |= {"matplotlib": None, "jinja2": None}
from tests import failures
print("y.grad[0, 0] is 2 and should be 1" in failures.wrong_number()._repr_html_())
"""
    said = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert said.strip() == "True"
