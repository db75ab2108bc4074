"""The wrong elements of an array, in words."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from adverify import schema
from adverify.record import array_of

MOST_ELEMENTS = 12
"""How many are listed."""


class Element(NamedTuple):
    """One element of an array that is wrong."""

    place: str
    expected: str
    error: str
    actual: str


def elements_of(evidence: schema.Evidence) -> list[Element]:
    """List the elements that are wrong, the first of them; none if the arrays are not alike in shape."""
    if not evidence["expected"]["shape"] == evidence["actual"]["shape"] == evidence["wrong"]["shape"]:
        return []
    expected, actual, error, wrong = (array_of(evidence[k]) for k in ("expected", "actual", "error", "wrong"))
    starts = [start for start, _ in evidence["wrong"]["window"] or [(0, 0)] * wrong.ndim]
    found = []
    for index in list(zip(*np.nonzero(np.atleast_1d(wrong)), strict=True))[:MOST_ELEMENTS]:
        at = index if wrong.ndim else ()
        where = ", ".join(str(int(i) + start) for i, start in zip(at, starts, strict=True))
        found.append(Element(f"[{where}]" if where else "itself", *_told_apart(expected[at], error[at], actual[at])))
    return found


def _told_apart(expected: Any, error: Any, actual: Any) -> tuple[str, str, str]:
    """Write numbers with as many digits as tell them apart."""
    if expected.dtype.kind != "f" or actual.dtype.kind != "f":
        return str(expected), "", str(actual)
    texts = ((f"{expected:.{n}g}", f"{actual:.{n}g}") for n in range(6, 18))
    right, claimed = next((pair for pair in texts if pair[0] != pair[1]), (repr(float(expected)), repr(float(actual))))
    bar = f"{error:.1g}" if np.isfinite(error) else "unknown"
    return ("unknown" if np.isnan(expected) else right), ("" if np.isnan(expected) else bar), claimed
