"""One page that needs nothing else: no network, no script to read it, no server."""

from __future__ import annotations

import base64
import hashlib
import itertools
import re
from importlib.resources import files
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from adverify import schema
from adverify.record import array_of, number_of, text
from adverify.renderers import MissingExtra, relative

try:
    import jinja2
    from markupsafe import Markup

    from adverify.plots import Picture, jacobian_pictures, slope_pictures
except ImportError as error:
    raise MissingExtra(
        f"the HTML report needs jinja2 and matplotlib, and {error.name} is not installed: pip install 'adverify[html]'"
    ) from error

STATUSES = ("violated", "crashed", "undecided", "verified")
MOST_ELEMENTS = 12
"""Wrong elements that are listed."""
EDGES = (-100, -30, *range(-10, 11), 30, 100)
"""Decades at which a bar of the magnitudes begins; comparable from op to op."""
LABELS = {-10: "1e-10", -5: "1e-5", 0: "1", 5: "1e5", 10: "1e10"}


def render(document: schema.Document, root: Path) -> str:
    """Write a page about all reports of a document."""
    template = _environment(root).get_template("report.html.jinja")
    script = _read("report.js")
    return template.render(
        document=document,
        counts={s: sum(r["status"] == s for r in document["reports"]) for s in STATUSES},
        style=_read("report.css"),
        script=script,
        script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
    )


def _environment(root: Path) -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FunctionLoader(_read),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        finalize=_visible,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals |= {
        "bars": _bars,
        "elements": _elements,
        "jacobians": jacobian_pictures,
        "slopes": slope_pictures,
        "MOST_ELEMENTS": MOST_ELEMENTS,
    }
    environment.filters |= {
        "number": _number,
        "count": "{:,}".format,
        "cut": text,
        "bar": lambda written: f"{number_of(written):.1g}",
        "seconds": lambda s: f"{number_of(s):,.1f} s",
        "place": lambda place: f"{relative(place, root) or place['file']}:{place['line']}",
        "shapes": _shapes,
        "data_uri": lambda svg: f"data:image/svg+xml;base64,{base64.b64encode(svg.encode()).decode()}",
        "drawn": _drawn,
    }
    return environment


def _read(name: str) -> str:
    return files("adverify").joinpath("page", name).read_text(encoding="utf-8")


def _visible(value: Any) -> Any:
    """Show the characters that a page cannot hold by their numbers."""
    if type(value) is not str:
        return value
    return re.sub(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]", lambda c: f"\\x{ord(c[0]):02x}", value)


def _drawn(picture: Picture) -> Any:
    """Trust what was drawn here: matplotlib escapes the text in it."""
    return Markup(picture.svg)


def _number(written: schema.Number) -> str:
    return f"{number_of(written):.6g}"


def _shapes(shapes: list[list[int]]) -> str:
    return " and ".join(f"({', '.join(map(str, s))}{',' * (len(s) == 1)})" for s in shapes)


class Element(NamedTuple):
    """One element of an array that is wrong."""

    place: str
    expected: str
    error: str
    actual: str


def _elements(evidence: schema.Evidence) -> list[Element]:
    """List the elements that are wrong, the first of them; none if the arrays are not alike in shape."""
    if not evidence["expected"]["shape"] == evidence["actual"]["shape"] == evidence["wrong"]["shape"]:
        return []
    expected, actual, error, wrong = (array_of(evidence[k]) for k in ("expected", "actual", "error", "wrong"))
    starts = [start for start, _ in evidence["wrong"]["window"] or [(0, 0)] * wrong.ndim]
    found = []
    for index in list(zip(*np.nonzero(np.atleast_1d(wrong)), strict=True))[:MOST_ELEMENTS]:
        at = index if wrong.ndim else ()
        where = ", ".join(str(int(i) + start) for i, start in zip(at, starts, strict=True))
        found.append(Element(where, *_told_apart(expected[at], error[at], actual[at])))
    return found


def _told_apart(expected: Any, error: Any, actual: Any) -> tuple[str, str, str]:
    """Write numbers with as many digits as tell them apart."""
    if expected.dtype.kind != "f" or actual.dtype.kind != "f":
        return str(expected), "", str(actual)
    texts = ((f"{expected:.{n}g}", f"{actual:.{n}g}") for n in range(6, 18))
    right, claimed = next((pair for pair in texts if pair[0] != pair[1]), (repr(float(expected)), repr(float(actual))))
    bar = f"{error:.1g}" if np.isfinite(error) else "unknown"
    return ("unknown" if np.isnan(expected) else right), ("" if np.isnan(expected) else bar), claimed


class Bar(NamedTuple):
    """One bar of a histogram; its height is a share of the highest, on a logarithmic scale."""

    words: str
    elements: int
    height: float
    label: str


def _bars(coverage: schema.Coverage) -> list[Bar]:
    """Count input elements by magnitude: zeros, bins of decades, what is not finite."""
    starts = (-400, *EDGES)
    counts = [0] * len(starts)
    for decade in coverage["magnitudes"]:
        counts[int(np.searchsorted(starts, decade["decade"], side="right")) - 1] += decade["count"]
    words = [
        f"below 1e{stop}" if start == -400 else f"1e{start} to 1e{stop}" for start, stop in itertools.pairwise(starts)
    ]
    bins = [
        ("zero", coverage["zeros"], "0"),
        *zip([*words, "1e100 and above"], counts, map(_label, starts), strict=True),
    ]
    if coverage["not_finite"]:
        bins.append(("not finite", coverage["not_finite"], "inf"))
    highest = max(count for _, count, _ in bins) or 1
    return [Bar(w, n, float(np.log1p(n) / np.log1p(highest)), label) for w, n, label in bins]


def _label(start: int) -> str:
    return LABELS.get(start, "")
