"""The page as text: everything that comes from an op is escaped, and the markup says what it is."""

import itertools
import re
from html.parser import HTMLParser

import numpy as np
import pytest

from adverify import record
from tests import failures

VOID = {"meta", "link", "img", "input", "br", "hr"}


class Page(HTMLParser):
    """The elements of a page, each with its attributes, and its text."""

    def __init__(self, source):
        super().__init__(convert_charrefs=True)
        self.elements, self.text, self.open = [], [], []
        self.feed(source)
        self.close()

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if not set(self.open) & {"script", "style"}:
            self.text.append(data)

    def named(self, tag):
        return [attributes for found, attributes in self.elements if found == tag]

    @property
    def words(self):
        return " ".join(" ".join(self.text).split())


@pytest.fixture(scope="module")
def source(everything, shown):
    return shown(everything, "html")


@pytest.fixture(scope="module")
def page(source):
    return Page(source)


def test_elements_are_closed_in_order(page):
    assert page.open == []


def test_what_comes_from_an_op_is_text(page):
    assert len(page.named("script")) == 1
    assert not any(name.startswith("on") for _, attributes in page.elements for name in attributes)
    assert not page.named("b")
    assert not [i for i in page.named("img") if not i["src"].startswith("data:image/svg+xml;base64,")]
    for text in ("<script>alert('1')</script>", "it is </script><script>alert(2)</script> transposed & \"'quoted'\"",
                 "<img src=x onerror=alert(3)>", "<b>file</b>, 100%: a.py:7"):  # fmt: skip
        assert text in page.words


def test_nothing_is_loaded(source, page):
    addresses = [a[name] for _, a in page.elements for name in ("src", "href", "xlink:href") if name in a]
    assert [a for a in addresses if not a.startswith(("#", "data:"))] == []
    assert not re.search(r"url\((?!#)|@import", source)
    assert "default-src 'none'" in page.named("meta")[1]["content"]


def test_identifiers_are_unique_and_those_referred_to_exist(page):
    identifiers = [a["id"] for _, a in page.elements if "id" in a]
    assert len(identifiers) == len(set(identifiers))
    referred = [a[name] for _, a in page.elements for name in ("aria-labelledby", "for") if name in a]
    referred += [a["href"][1:] for _, a in page.elements if a.get("href", "").startswith("#")]
    assert set(referred) <= set(identifiers)


def test_headings_go_down_by_one(page):
    levels = [int(tag[1]) for tag, _ in page.elements if re.fullmatch(r"h[1-6]", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in itertools.pairwise(levels))


def test_landmarks_and_table_headers(page):
    tags = [tag for tag, _ in page.elements]
    assert [tags.count(t) for t in ("header", "main", "footer")] == [1, 1, 1]
    assert all("scope" in th for th in page.named("th"))
    assert page.named("html")[0]["lang"] == "en"


def test_pictures_have_words(page):
    assert all(a.get("aria-label") or a.get("aria-hidden") for a in page.named("svg"))
    assert all(a.get("alt") for a in page.named("img"))
    pictures = [a for _, a in page.elements if a.get("class") == "picture"]
    assert pictures
    assert all(a["role"] == "img" and a["aria-label"] for a in pictures)


def test_no_character_is_there_that_a_page_cannot_hold(source):
    assert not re.search(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]", source)
    assert "\\x1b[31m" in source


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("wrong_number", ["y.grad[0, 0] is 2 and should be 1", "[0, 0] 1 ±4e-07 2",
                          "Along the worst direction: y[0, 0]", "Jacobian of output by y", "op = TensorDotProduct()",
                          "defined at tests/failures.py:"]),
        ("wrong_at_a_kink", ["between -1 and 1", "and is 5"]),
        ("nan", ["[0] 1 ±2e-14 nan"]),
        ("zero_size", ["there are no elements to look at"]),
        ("another_shape", ["expected float64 of shape (2, 3), got float64 of shape (2,): 0.0, 0.0"]),
        ("not_numbers", ["got object of shape (2,): <i>, None"]),
        ("huge", ["[700, 900] 700900 ±1e-09 nan", "3 wrong", "x of shape (1000, 1000): too large to be written"]),
        ("long_repr", ["x.grad[0] is 3 and should be 2", " … "]),
        ("not_ascii", ["Größe_梯度", "∂y/∂x ≠ 1 — nämlich ½ 🙂"]),
        ("raised", ["What was raised ValueError : plain", "raise self.error"]),
        ("lone_surrogate", ["no such file: 'a\\udcff'"]),
        ("unprintable", ["its text cannot be had"]),
        ("undecided", ["1 of 1 ops undecided", "forward is not repeatable"]),
        ("verified", ["Identity is verified", "Magnitudes of the inputs", "Shapes of the inputs", "seed: 0"]),
    ],
)  # fmt: skip
def test_what_was_found_is_said(documents, shown, name, words):
    said = Page(shown(documents[name], "html")).words
    assert [w for w in words if w not in said] == []


def test_failures_with_one_cause_are_named_together(documents, shown):
    reports = [documents[name]["reports"][0] for name in ("raised", "wrong_number", "lone_surrogate", "raised")]
    said = Page(shown({**documents["verified"], "reports": reports}, "html")).words
    assert "2 \N{MULTIPLICATION SIGN} ValueError raised by raise self.error: Raises , Raises" in said
    assert "OSError raised by" not in said


def test_of_many_failures_some_have_pictures_and_the_others_say_so(documents, shown, monkeypatch):
    monkeypatch.setattr("adverify.renderers.html.MOST_DRAWN", 2)
    many = [documents["wrong_number"]["reports"][0]] * 5
    source = shown({**documents["verified"], "reports": many}, "html")
    page = Page(source)
    pictures = [a for _, a in page.elements if a.get("class") == "picture"]
    assert len(pictures) == 2 * 10
    assert page.words.count("There are pictures of the first 2 failures only") == 3
    assert len(source) < 250_000


def test_a_drawing_is_an_image_that_can_run_nothing(shown):
    report = failures.wrong_number()

    class Expression:
        def svg(self):
            return "<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'><script>alert(2)</script></svg>"

    object.__setattr__(report.failures[0], "expression", Expression())
    page = Page(shown(record.to_document([report]), "html"))
    (image,) = page.named("img")
    assert image["alt"]
    assert len(page.named("script")) == 1


@pytest.mark.parametrize("scale", [1e-300, 1.0, 1e300])
@pytest.mark.parametrize("claimed", [np.nan, np.inf, 0.0, 1.0])
def test_pictures_of_any_magnitude(scale, claimed):
    from adverify.plots import slope_pictures

    t = np.linspace(-1, 1, 5)
    slope = {
        "direction": "$x_1^$", "analytic": record.number(claimed * scale), "low": record.number(scale),
        "high": record.number(scale), "error": "inf", "steps": record.numbers(0.5 ** np.arange(5)),
        "windows": [{"t": record.numbers(t), "phi": record.numbers(np.where(t > 0.5, np.nan, t * scale))}] * 2,
        "left": record.numbers(np.full(5, scale)), "right": record.numbers(np.full(5, np.nan)),
    }  # fmt: skip
    pictures = slope_pictures(slope, "key")
    assert len(pictures) == 3
    assert all("$x_1^$" in p.svg for p in pictures[:2])


def test_pictures_of_what_is_not_known():
    from adverify.plots import jacobian_pictures, slope_pictures

    unknown = record.array(np.full((2, 3), np.nan))
    bars = record.array(np.full((2, 3), np.inf))
    jacobian = {
        "input": "x", "output": "output", "rows": (0, 2), "columns": (0, 3), "size": (2, 3), "analytic": None,
        "numerical": unknown, "error": bars,
    }  # fmt: skip
    assert len(jacobian_pictures(jacobian, "key")) == 3
    nothing = ["nan"] * 4
    slope = {
        "direction": "x", "analytic": "nan", "low": "nan", "high": "nan", "error": "inf", "steps": [1.0, 0.5, 0.2, 0.1],
        "windows": [{"t": [0.0, 0.0], "phi": ["nan", "nan"]}], "left": nothing, "right": nothing,
    }  # fmt: skip
    assert len(slope_pictures(slope, "key")) == 2
