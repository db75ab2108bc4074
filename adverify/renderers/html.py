"""One page that needs nothing else: no network, no script to read it, no server."""

from __future__ import annotations

import base64
import hashlib
import itertools
from importlib.resources import files
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from adverify import schema
from adverify.elements import MOST_ELEMENTS, elements_of
from adverify.record import number_of, text
from adverify.renderers import MissingExtra, relative, visible

try:
    import jinja2
    from markupsafe import Markup

    from adverify.plots import Picture, jacobian_pictures, slope_pictures
except ImportError as error:
    raise MissingExtra(
        f"the HTML report needs jinja2 and matplotlib, and {error.name} is not installed: pip install 'adverify[html]'"
    ) from error

STATUSES = ("violated", "crashed", "undecided", "verified")
MOST_DRAWN = 40
"""Failures of which there are pictures: each takes a good part of a second, and a tenth of a megabyte."""
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
        drawn=_drawn_keys(document),
        style=_read("report.css"),
        script=script,
        script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
    )


def _environment(root: Path) -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FunctionLoader(_read),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        finalize=lambda value: visible(value) if type(value) is str else value,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals |= {
        "bars": _bars,
        "causes": _causes,
        "MOST_DRAWN": MOST_DRAWN,
        "elements": elements_of,
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


def _drawn_keys(document: schema.Document) -> list[str]:
    """Name the failures of which there are pictures, as the page does."""
    keys = [
        f"op-{i}-{j}"
        for i, report in enumerate(document["reports"], 1)
        for j, failure in enumerate(report["failures"], 1)
        if failure["anatomy"]
    ]
    return keys[:MOST_DRAWN]


def _drawn(picture: Picture) -> Any:
    """Trust what was drawn here: matplotlib escapes the text in it."""
    return Markup(picture.svg)


def _number(written: schema.Number) -> str:
    return f"{number_of(written):.6g}"


def _shapes(shapes: list[list[int]]) -> str:
    return " and ".join(f"({', '.join(map(str, s))}{',' * (len(s) == 1)})" for s in shapes)


class Cause(NamedTuple):
    """What several failures have in common, and which they are: the numbers of a report and of a failure in it."""

    words: str
    members: list[tuple[int, int]]


def _causes(document: schema.Document) -> list[Cause]:
    """Find what several failures have in common: the line that raised, or a property and its diagnoses."""
    found: dict[str, Cause] = {}
    for i, report in enumerate(document["reports"], 1):
        for j, failure in enumerate(report["failures"], 1):
            if words := _cause(failure):
                found.setdefault(words, Cause(words, [])).members.append((i, j))
    shared = [cause for cause in found.values() if len(cause.members) > 1]
    return sorted(shared, key=lambda cause: -len(cause.members))


def _cause(failure: schema.Failure) -> str:
    raised = failure["exception"]
    if raised and raised["location"]:
        return f"{raised['type']} raised by {raised['code'] or 'one line'}"
    return "; ".join([failure["property"], *(d["text"] for d in failure["diagnoses"])]) if failure["diagnoses"] else ""


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
