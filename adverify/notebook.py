"""A report in a notebook: HTML that takes the notebook's colours, and needs no library."""

from __future__ import annotations

from html import escape

from adverify import schema
from adverify.elements import elements_of
from adverify.record import record_of, text
from adverify.renderers import visible
from adverify.report import Report

LONGEST = 5_000
"""Of one text."""


def html_of(report: Report) -> str:
    """Write a report as a fragment of HTML.

    Examples
    --------
    >>> html_of(Report("<Op>", cases=3))
    '<section><p><strong>&lt;Op&gt;: verified on 3 cases, 0 undecided</strong></p></section>'
    """
    record = record_of(report, anatomy=False)
    lines = [f"takes {said}" for said in record["inferred"][:4]]
    lines += [f"undecided: {n} x {reason}" for reason, n in list(record["reasons"].items())[:3]]
    items = "".join(f"<li>{_escaped(line)}</li>" for line in lines)
    facts = f"<ul>{items}</ul>" if items else ""
    failures = "".join(map(_failure, record["failures"]))
    return f"<section><p><strong>{_escaped(record['headline'])}</strong></p>{facts}{failures}</section>"


def _failure(failure: schema.Failure) -> str:
    summary = f"<summary>{_escaped(failure['property'])}: {_escaped(failure['rule'])}</summary>"
    said = [failure["reason"], *(d["text"] for d in failure["diagnoses"])]
    paragraphs = "".join(f"<p>{_escaped(line)}</p>" for line in said)
    example = f"<pre>{_escaped(failure['case']['python'])}</pre>" if failure["case"]["python"] else ""
    return f"<details open>{summary}{paragraphs}{''.join(map(_evidence, failure['evidence']))}{example}</details>"


def _evidence(evidence: schema.Evidence) -> str:
    """Write the wrong elements as a table; nothing if there are none to be named."""
    rows = "".join(
        f"<tr><th>{_escaped(e.place)}</th><td>{_escaped(e.expected)}</td><td>{_escaped(e.actual)}</td></tr>"
        for e in elements_of(evidence)
    )
    head = "<tr><th></th><th>expected</th><th>actual</th></tr>"
    return f"<table><caption>{_escaped(evidence['what'])}</caption>{head}{rows}</table>" if rows else ""


def _escaped(value: str) -> str:
    return escape(visible(text(value, LONGEST)))
