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
    """Only elements beyond a threshold are wrong, or between two.

    Examples
    --------
    ::

        class Op(Function):
            def forward(self, x):
                return variable(np.arctan(x.data))

            def backward(self, x, grad):
                x.grad += np.where(x.data > 3, 0, grad / (1 + x.data**2))
    """

    kind = "region"
    complexity = 8
    in_groups = False
    is_slight = True

    def explain(self, witnesses: Sequence[Witness], i: int) -> str:
        case = witnesses[0].case
        if not case.sampling.elementwise or case.sampling.given:
            return ""
        scanned = [*[w for w in witnesses if len({a.shape for a in w.arrays}) == 1], *_scan(witnesses[0])]
        for j in sorted(range(len(case.arrays)), key=lambda j: j != i):
            part = _part(scanned, i, j)
            if part is not None:
                how = None if part.fades else inside(scanned, i, [part.holds(w.arrays[j]) for w in scanned])
                return f"is wrong only where {part.named(case.names[j])}{how or ''}"
        return ""


def _scan(witness: Witness) -> list[Witness]:
    """Measure all over the domain, and more closely around the values of the witness; inputs independently."""
    case = witness.case
    pool = [shapes for shapes in case.sampling.telling if len(set(shapes)) == 1]
    if not pool:
        return []
    rng = np.random.default_rng(case.seed)
    columns = []
    for domain, array in zip(case.sampling.domains, case.arrays, strict=True):
        values = np.sort(table(domain, Regime.ORDINARY))
        evenly = values[np.linspace(0, len(values) - 1, SCANNED).astype(int)]  # with both ends
        around = np.concatenate([v * np.linspace(0.5, 1.6, 12) for v in np.resize(np.unique(array), 2)])
        around = np.concatenate([around, -around])
        around = np.where(domain.holds(around), around, np.resize(values, around.size))
        columns.append(rng.permutation(np.concatenate([evenly, around])))
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


_QUANTITIES: dict[str, Callable[[np.ndarray], np.ndarray]] = {"{x}": lambda x: x, "|{x}|": np.abs}


@dataclass(frozen=True)
class _Part:
    """Values, or magnitudes, between two edges or beyond one; on the side without one the error may fade away."""

    quantity: str
    low: _Edge | None
    high: _Edge | None
    fades: bool

    def named(self, name: str) -> str:
        low, high = ("" if e is None else f"{self._at(e):.4g}" for e in (self.low, self.high))
        q = self.quantity.format(x=name)
        if low and low == f"-{high}":
            where = f"|{q}| < {high}"
        else:
            where = f"{low} < {q} < {high}" if low and high else f"{q} > {low}" if low else f"{q} < {high}"
        exact = "" if all(e is None or e.is_exact for e in (self.low, self.high)) else ", or near to that"
        return where + exact + (", and less so farther off" if self.fades else "")

    def holds(self, x: np.ndarray) -> np.ndarray:
        q = _QUANTITIES[self.quantity](x)
        above = True if self.low is None else q > self._at(self.low)
        return np.asarray(above & (True if self.high is None else q < self._at(self.high)))

    def _at(self, edge: _Edge) -> float:
        return float(_QUANTITIES[self.quantity](np.array(edge.threshold)))


def _part(witnesses: Sequence[Witness], i: int, j: int) -> _Part | None:
    """Find the part of the values of input `j` in which the gradient of input `i` is wrong; None if there is none.

    Where outputs do not move, a gradient of 0 is right: if an error ends there at once, it is because forward becomes
    flat. If it has faded away before, flatness tells nothing.
    """
    seen = [_Seen(w, i) for w in witnesses]
    size = np.concatenate([s.size for s in seen])
    visible = size > NEGLIGIBLE * max(s.scale for s in seen)
    if (size == 0).any():
        part = _part_among(seen, visible | (size == 0), i, j)
        if part is not None and not part.fades:
            return part
    return _part_among(seen, visible, i, j)


def _part_among(seen: Sequence[_Seen], chosen: np.ndarray, i: int, j: int) -> _Part | None:
    """Find it from some of all elements."""
    x, known, wrong = (
        np.concatenate(parts)
        for parts in zip(*((np.ravel(s.witness.arrays[j]), s.known, s.wrong) for s in seen), strict=True)
    )
    known &= chosen
    owner = [s.witness for s in seen for _ in range(s.wrong.size)]
    element = np.concatenate([np.arange(s.wrong.size) for s in seen])
    right, wrong = np.flatnonzero(known & ~wrong), np.flatnonzero(known & wrong)
    if len(right) < LEAST or len(wrong) < LEAST:
        return None
    for name, quantity in _QUANTITIES.items():
        q = quantity(x)
        first, last = wrong[q[wrong].argmin()], wrong[q[wrong].argmax()]
        below, above = right[q[right] < q[first]], right[q[right] > q[last]]
        if below.size + above.size < right.size:
            continue
        sides = ((below[q[below].argmax()], first) if below.size else None,
                 (above[q[above].argmin()], last) if above.size else None)  # fmt: skip
        low, high = (
            None if side is None else
            _narrowed(_Edge(float(q[side[0]] / q[side[1]] * x[side[1]]), float(x[side[1]]), owner[side[1]],
                            int(element[side[1]])), i, j)
            for side in sides
        )  # fmt: skip
        low, high = (e if e is not None and _starts_at_once(e, i, j) else None for e in (low, high))
        return None if low is high else _Part(name, low, high, fades=None in (low, high) and None not in sides)
    return None


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
