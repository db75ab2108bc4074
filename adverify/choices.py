"""The constructor arguments with which an op is tried."""

from __future__ import annotations

import inspect
import itertools
import math
from collections.abc import Mapping, Sequence
from typing import Any

import hypothesis
import numpy as np
from hypothesis import strategies as st

BESIDE = (0.6, 0.8, 0.3), (1.7, 1.2, 0.9)
"""Times a default, times more for each that comes after it, and what is tried in place of 0: probabilities often stay
such, and a bound below another stays below."""
MOST_BESIDE = 4
MAX_ARGUMENTS = 20
"""Combinations of constructor arguments that are tried."""
CANDIDATES = 500
"""Combinations among which these are looked for."""


def choices(op: Any, arguments: Mapping[str, Any] | None = None) -> list[dict[str, Any]]:
    """Give the constructor arguments to try: all, or as many as it takes to bring any two values together.

    Parameters
    ----------
    op : type or Function
    arguments : mapping of str to sequence or strategy, optional
        Default: the class's `arguments`; where there are none, the constructor's own defaults, and other floats in
        place of those among them.
    """
    if not isinstance(op, type):
        return [{}]
    if arguments is None and not getattr(op, "arguments", None):
        return [{}, *_beside_defaults(op)]
    given = getattr(op, "arguments", {}) if arguments is None else arguments
    options = [_values(v) for v in given.values()]
    return [
        {name: values[i] for name, values, i in zip(given, options, places, strict=True)}
        for places in _pairwise([len(values) for values in options])
    ]


def _beside_defaults(kind: type) -> list[dict[str, Any]]:
    """Give other floats than a constructor's defaults, as it takes them: a factor of 1 that backward forgets is one.

    All smaller, then all larger, each by a factor of its own, so that equal defaults become unlike; each alone if the
    constructor refuses them together. Only floats: other integers, flags and texts may make an op of other shapes.

    Examples
    --------
    >>> class Scaled:
    ...     def __init__(self, factor=1.0, offset=0.0, axis=-1):
    ...         self.factor, self.offset, self.axis = factor, offset, axis
    >>> _beside_defaults(Scaled)
    [{'factor': 0.6, 'offset': 0.3}, {'factor': 1.7, 'offset': 0.9}]
    """
    floats = {n: float(v) for n, v in defaults(kind).items() if isinstance(v, float) and math.isfinite(v)}
    found: list[dict[str, Any]] = []
    for factor, step, instead_of_zero in BESIDE:
        others = {
            name: round(value * factor * step**k, 12) if value else instead_of_zero
            for k, (name, value) in enumerate(floats.items())
        }
        if others and _is_taken(kind, others):
            found.append(others)
        elif len(others) > 1:
            found += [{name: value} for name, value in others.items() if _is_taken(kind, {name: value})]
    return found[:MOST_BESIDE]


def _is_taken(kind: type, arguments: Mapping[str, Any]) -> bool:
    try:
        kind(**arguments)
    except Exception:  # whatever it refuses them with is its right
        return False
    return True


def defaults(op: Any) -> dict[str, Any]:
    """Give the constructor's arguments that have defaults, with those; none of an instance."""
    try:
        parameters = inspect.signature(op).parameters.values() if isinstance(op, type) else ()
    except (TypeError, ValueError):  # of classes written in C, and of others that hide it
        return {}
    return {p.name: p.default for p in parameters if p.default is not p.empty}


def _pairwise(lengths: Sequence[int]) -> list[tuple[int, ...]]:
    """Choose from a product so that any two places of different factors meet, the first combination first.

    Most faults need one value or two together (Kuhn, Wallace and Gallo, Software fault interactions and implications
    for software testing, 2004).

    Examples
    --------
    >>> _pairwise([2, 2])
    [(0, 0), (0, 1), (1, 0), (1, 1)]
    """
    if math.prod(lengths) <= MAX_ARGUMENTS:
        return list(itertools.product(*map(range, lengths)))
    rng = np.random.default_rng(0)
    candidates = [tuple(0 for _ in lengths), *(tuple(rng.integers(lengths).tolist()) for _ in range(CANDIDATES))]
    if math.prod(lengths) <= CANDIDATES:
        candidates = list(itertools.product(*map(range, lengths)))
    meetings = {c: {*enumerate(c), *itertools.combinations(enumerate(c), 2)} for c in dict.fromkeys(candidates)}
    chosen = [candidates[0]]
    met = set(meetings.pop(candidates[0]))
    while len(chosen) < MAX_ARGUMENTS and meetings:
        best = max(meetings, key=lambda c: len(meetings[c] - met))
        if not meetings[best] - met:
            break
        chosen.append(best)
        met |= meetings.pop(best)
    return chosen


def _values(given: Any) -> list[Any]:
    if isinstance(given, st.SearchStrategy):
        drawn: list[Any] = []

        @hypothesis.settings(max_examples=MAX_ARGUMENTS, derandomize=True, database=None, deadline=None)
        @hypothesis.given(given)
        def collect(value: Any) -> None:
            drawn.append(value)

        collect()
        return drawn
    return list(given) if isinstance(given, Sequence) and not isinstance(given, str) else [given]
