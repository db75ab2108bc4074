"""Elementwise ops that are wrong beyond a threshold, whatever it is: located by a scan, then by bisection."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from adverify.diagnosis.base import Mistake
from adverify.diagnosis.regions import LEAST, inside
from adverify.diagnosis.witness import Witness, measured
from adverify.strategies.values import Regime, table
from adverify.subject import Arrays

NEGLIGIBLE = 1e-9
"""Of the largest slope seen: what is smaller tells nothing."""

PLAINLY = 300
"""Error bars."""

AT_ONCE = 0.05
"""So far beyond the threshold, relative to it, there has to be a plain error: one that fades away has no threshold."""

SCANNED = 48
"""Values all over the domain."""

NARROWINGS, PARTS = 3, 13
"""How often the interval in which a threshold lies is narrowed, and by how much each time."""

NEAR_ZERO = 1e-3
EXACT = 1e-3
"""An interval as narrow as this, relative to the threshold, needs no caveat."""


class Threshold(Mistake):
    """Where values of an input, or magnitudes, at which it is wrong and right meet."""

    kind = "region"
    complexity = 7

    def explain(self, witnesses: Sequence[Witness], i: int) -> str:
        case = witnesses[0].case
        if not case.sampling.elementwise or case.sampling.given:
            return ""
        alike = [w for w in witnesses if len({a.shape for a in w.arrays}) == 1]
        scanned = [*alike, *_scan(witnesses[0], i)]
        for j in sorted(range(len(case.arrays)), key=lambda j: j != i):
            part = _part(scanned, i, j)
            how = None if part is None else inside(scanned, i, [part.holds(w.arrays[j]) for w in scanned])
            if part is not None and how is not None:
                return f"is wrong only where {part.named(case.names[j])}{how}"
        return ""


def _scan(witness: Witness, i: int) -> list[Witness]:
    """Measure all over the domain, and more closely around the values of the witness; inputs independently."""
    case = witness.case
    pool = [shapes for shapes in case.sampling.telling if len(set(shapes)) == 1]
    if not pool:
        return []
    rng = np.random.default_rng(case.seed)
    columns = []
    for domain, array in zip(case.sampling.domains, case.arrays, strict=True):
        values = table(domain, Regime.ORDINARY)
        around = np.concatenate([v * np.linspace(0.5, 1.6, 16) for v in np.resize(np.unique(array), 2)])
        around = np.where(domain.holds(around), around, np.resize(values, around.size))
        columns.append(rng.permutation(np.concatenate([np.sort(values[:: len(values) // SCANNED]), around])))
    largest = max(pool, key=lambda shapes: int(np.prod(shapes[0])))
    n = int(np.prod(largest[0]))
    found = (
        measured(case.at(tuple(np.resize(c[k : k + n], s) for c, s in zip(columns, largest, strict=True))))
        for k in range(0, len(columns[0]), n)
    )
    return [w for w in found if w is not None]


@dataclass(frozen=True)
class _Edge:
    """Two values of an input between which right turns to wrong, in a witness and at an element of it."""

    right: float
    wrong: float
    witness: Witness
    at: int

    @property
    def threshold(self) -> float:
        return _round_between(*sorted((self.right, self.wrong)))

    def inwards(self, share: float) -> np.ndarray:
        """Give values from the threshold up to so far into the wrong side."""
        reach = share * max(abs(self.wrong), share)
        return self.wrong + np.copysign(reach, self.wrong - self.right) * np.linspace(0, 1, PARTS)

    @property
    def is_exact(self) -> bool:
        return abs(self.wrong - self.right) <= EXACT * abs(self.threshold) or self.threshold == 0


@dataclass(frozen=True)
class _Part:
    """Values beyond a threshold, or between two."""

    pattern: str
    edges: tuple[_Edge, ...]

    def named(self, name: str) -> str:
        low, *high = sorted(abs(e.threshold) if "|" in self.pattern else e.threshold for e in self.edges)
        exact = "" if all(e.is_exact for e in self.edges) else ", or near to that"
        return self.pattern.format(x=name, t=f"{low:.4g}", high=f"{high[0]:.4g}" if high else "") + exact

    def holds(self, x: np.ndarray) -> np.ndarray:
        if self.pattern == _BETWEEN:
            low, high = sorted(e.threshold for e in self.edges)
            return (x > low) & (x < high)
        q = _BEYOND[self.pattern]
        return np.asarray(q(x) > q(np.array(self.edges[0].threshold)))


_BEYOND: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "{x} > {t}": lambda x: x,
    "{x} < {t}": lambda x: -x,
    "|{x}| > {t}": np.abs,
    "|{x}| < {t}": lambda x: -np.abs(x),
}
_BETWEEN = "{t} < {x} < {high}"


def _part(witnesses: Sequence[Witness], i: int, j: int) -> _Part | None:
    """Find the part of the values of input `j` in which the gradient of input `i` is wrong; None if there is none."""
    seen = [_Seen(w, i) for w in witnesses]
    x, known, wrong = (
        np.concatenate(parts)
        for parts in zip(*((np.ravel(s.witness.arrays[j]), s.known, s.wrong) for s in seen), strict=True)
    )
    scale = max((s.scale for s in seen), default=0.0)
    known &= np.concatenate([s.size for s in seen]) > NEGLIGIBLE * scale
    owner = np.concatenate([np.full(s.wrong.size, k) for k, s in enumerate(seen)])
    element = np.concatenate([np.arange(s.wrong.size) for s in seen])
    right, wrong = np.flatnonzero(known & ~wrong), np.flatnonzero(known & wrong)
    if len(right) < LEAST or len(wrong) < LEAST:
        return None

    def edge(pattern: str, r: int, w: int) -> _Edge:
        start = np.copysign(x[r], x[w]) if "|" in pattern else x[r]
        return _narrowed(_Edge(float(start), float(x[w]), witnesses[owner[w]], int(element[w])), i, j)

    pattern, edges = _BETWEEN, []
    for one_sided, q in _BEYOND.items():
        if q(x[right]).max() < q(x[wrong]).min():
            pattern, edges = one_sided, [(right[q(x[right]).argmax()], wrong[q(x[wrong]).argmin()])]
            break
    else:
        first, last = wrong[x[wrong].argmin()], wrong[x[wrong].argmax()]
        below, above = right[x[right] < x[first]], right[x[right] > x[last]]
        if below.size and above.size and below.size + above.size == right.size:
            edges = [(below[x[below].argmax()], first), (above[x[above].argmin()], last)]
    found = _Part(pattern, tuple(edge(pattern, r, w) for r, w in edges))
    return found if edges and all(_starts_at_once(e, i, j) for e in found.edges) else None


class _Seen:
    """What is known of each element of a witness, flat: the size of its slope, and whether that is wrong."""

    def __init__(self, witness: Witness, i: int) -> None:
        self.witness = witness
        expected, actual, bar = (np.ravel(part[i]) for part in (witness.expected, witness.actual, witness.bar))
        self.known, self.wrong = np.isfinite(expected), np.ravel(witness.wrong(i))
        self.plain = np.abs(actual - expected) > PLAINLY * bar
        self.size = np.maximum(np.abs(np.nan_to_num(expected)), np.abs(actual)) / np.abs(witness.cotangents[0].ravel())
        self.scale = float(self.size.max(initial=0.0))


def _starts_at_once(edge: _Edge, i: int, j: int) -> bool:
    witness = _along(edge, edge.inwards(AT_ONCE), j)
    return witness is not None and bool(_Seen(witness, i).plain.any())


def _narrowed(edge: _Edge, i: int, j: int) -> _Edge:
    """Narrow the interval in which the threshold lies; the other inputs stay what they are at the wrong element."""
    for _ in range(NARROWINGS):
        line = np.linspace(edge.right, edge.wrong, PARTS + 1)[1:-1]
        witness = _along(edge, line, j)
        if witness is None:
            return edge
        seen = _Seen(witness, i)
        wrong = np.resize(seen.wrong & seen.known, line.size)
        right = np.resize(~seen.wrong & seen.known, line.size)
        first = int(wrong.argmax()) if wrong.any() else line.size
        before = np.flatnonzero(right[:first])
        edge = _Edge(
            float(line[before[-1]]) if before.size else edge.right,
            float(line[first]) if wrong.any() else edge.wrong,
            edge.witness,
            edge.at,
        )
    return edge


def _along(edge: _Edge, line: np.ndarray, j: int) -> Witness | None:
    """Measure at values of input `j`."""
    case = edge.witness.case
    shapes = [s for s in case.sampling.telling if len(set(s)) == 1 and np.prod(s[0]) >= line.size]
    if not shapes:
        return None
    arrays: Arrays = tuple(
        np.resize(line, s) if k == j else np.full(s, np.ravel(a)[edge.at])
        for k, (a, s) in enumerate(zip(edge.witness.arrays, shapes[0], strict=True))
    )
    return measured(case.at(arrays))


def _round_between(low: float, high: float) -> float:
    """Give the roundest number in an interval; 0, if that is so close that slopes may be too small to tell."""
    if max(abs(low), abs(high)) < NEAR_ZERO:
        return 0.0
    for digits in range(12):
        t = np.ceil(low * 10**digits) / 10**digits
        if low <= t <= high:
            return float(t) + 0.0
    return low
