"""Gradients of which only some elements are wrong: on one side of a threshold, at an edge, off a diagonal."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence

import numpy as np

from adverify.diagnosis.base import GRADIENT, Fault, Mistake
from adverify.diagnosis.factors import _closed_form, _times
from adverify.diagnosis.witness import Witness, gather, measured, slope
from adverify.properties.gradient import _moved_off
from adverify.report import Failure
from adverify.strategies.values import MATRICES, Regime, table

LEAST = 3
"""Elements that must be wrong, and as many right, for a region to be named."""

NEGLIGIBLE = 1e-9
"""Of the largest slope seen: what is smaller tells nothing."""

PLAINLY = 300
"""Error bars."""

Mask = Callable[[Witness, int], np.ndarray | None]


class Region(Mistake):
    """Wrong on one side of a line that an author has in mind."""

    kind = "region"
    complexity = 6

    def explain(self, witnesses: Sequence[Witness], i: int) -> str:
        for where, mask in _regions(witnesses, i):
            how = _inside(witnesses, i, [mask(w, i) for w in witnesses])
            if how or (how is not None and "all but" not in where):
                return f"is wrong only {where}{how}"
        return ""


class Threshold(Mistake):
    """Elementwise ops of one input: where wrong and right values meet."""

    kind = "region"
    complexity = 7

    def explain(self, witnesses: Sequence[Witness], i: int) -> str:
        case = witnesses[0].case
        if len(case.arrays) != 1 or not case.sampling.elementwise or case.sampling.given:
            return ""
        some = [*witnesses, *_scan(witnesses[0])]
        x, wrong, plain = _seen(some)
        bounds = _bounds(x, wrong)
        if bounds is None or wrong.sum() < LEAST or (~wrong).sum() < LEAST or not _starts_at_once(x, wrong, plain):
            return ""
        name, mask = _described(case.names[0], *bounds)
        return f"is wrong only where {name}{_inside(some, i, [mask(w.arrays[0]) for w in some]) or ''}"


def _regions(witnesses: Sequence[Witness], i: int) -> Iterator[tuple[str, Mask]]:
    """Give regions that authors have in mind, of positions and of values, in words and as a mask."""
    if any(w.is_mirrored(i) for w in witnesses):
        return
    ranks = {w.arrays[i].ndim for w in witnesses}
    names = witnesses[0].case.names
    x = names[i]
    yield f"where {x} < 0", lambda w, i: w.arrays[i] < 0
    yield f"where {x} > 0", lambda w, i: w.arrays[i] > 0
    for j, y in enumerate(names):
        if j != i and all(w.arrays[i].shape == w.arrays[j].shape for w in witnesses):
            yield f"where {y} < 0", lambda w, i, j=j: w.arrays[j] < 0
            yield f"where {y} > 0", lambda w, i, j=j: w.arrays[j] > 0
            yield f"where {x} < {y}", lambda w, i, j=j: w.arrays[i] < w.arrays[j]
            yield f"where {x} > {y}", lambda w, i, j=j: w.arrays[i] > w.arrays[j]
            yield f"where {x} and {y} have unlike signs", lambda w, i, j=j: w.arrays[i] * w.arrays[j] < 0
    if min(ranks) >= 1:
        for axis in range(-min(ranks), 0):
            if max(w.arrays[i].shape[axis] for w in witnesses if w.wrong(i).any()) < LEAST:
                continue
            along = "" if ranks == {1} else f" along axis {axis}"
            for which, at in {"index 0": 0, "index -1": -1}.items():
                yield f"at {which}{along}", lambda w, i, a=axis, k=at: _at(w.arrays[i].shape, a, k)
                yield (f"at all but {which}{along}",
                       lambda w, i, a=axis, k=at: ~_at(w.arrays[i].shape, a, k))  # fmt: skip
            yield (
                f"at both ends{along}",
                lambda w, i, a=axis: _at(w.arrays[i].shape, a, 0) | _at(w.arrays[i].shape, a, -1),
            )
    if min(ranks) >= 2:
        yield "off the diagonal", lambda w, i: ~_band(w, i, 0, 0)
        yield "on the diagonal", lambda w, i: _band(w, i, 0, 0)
        yield "above the diagonal", lambda w, i: _band(w, i, 1, None)
        yield "below the diagonal", lambda w, i: _band(w, i, None, -1)
        yield "on and above the diagonal", lambda w, i: _band(w, i, 0, None)
        yield "on and below the diagonal", lambda w, i: _band(w, i, None, 0)


def _at(shape: tuple[int, ...], axis: int, k: int) -> np.ndarray:
    mask = np.zeros(shape, bool)
    if shape[axis]:
        np.moveaxis(mask, axis, 0)[k] = True
    return mask


def _band(w: Witness, i: int, low: int | None, high: int | None) -> np.ndarray:
    """Tell which elements of the last two axes lie between two diagonals."""
    shape = w.arrays[i].shape
    offset = np.arange(shape[-1]) - np.arange(shape[-2])[:, None]
    mask = (offset >= (-np.inf if low is None else low)) & (offset <= (np.inf if high is None else high))
    return np.broadcast_to(mask, shape)


def _inside(witnesses: Sequence[Witness], i: int, masks: Sequence[np.ndarray | None]) -> str | None:
    """Say what the gradient is inside of a region, if it is right everywhere else; None if it is not."""
    if any(m is None for m in masks):
        return None
    actual, expected, mask, wrong = (
        np.concatenate(parts)
        for parts in zip(
            *((w.actual[i].ravel(), w.expected[i].ravel(), np.ravel(m), w.wrong(i).ravel())
              for w, m in zip(witnesses, masks, strict=True) if m is not None), strict=True)
    )  # fmt: skip
    known = np.isfinite(expected)
    if (wrong & ~mask).any() or (wrong & mask).sum() < LEAST or (known & ~mask).sum() < LEAST:
        return None

    def fits(change: Callable[[np.ndarray], np.ndarray]) -> bool:
        changed = [np.where(m, change(w.actual[i]), w.actual[i]) for w, m in zip(witnesses, masks, strict=True)]
        return all(w.agrees(i, c).all() for w, c in zip(witnesses, changed, strict=True))

    if fits(np.zeros_like):
        return ", where it should be 0"
    if fits(np.negative):
        return ", where it has the wrong sign"
    inside = wrong & (expected != 0)
    if not actual[mask & known].any():
        return ", where it is 0 and should not be"
    ratios = actual[inside] / expected[inside]
    if ratios.size and np.isfinite(ratios).all():
        c = float(ratios[np.abs(expected[inside]).argmax()])
        exact = _closed_form(c, witnesses[0])
        value = exact[1] if exact else c
        if value and fits(lambda a: a / value):
            return f", where it {_times(value, exact[0] if exact else '')}"
    return None if (wrong != mask)[known].any() else ""


def _scan(witness: Witness) -> list[Witness]:
    """Measure all over the domain, and more closely around the values of the witness."""
    case = witness.case
    (domain,), (array,) = case.sampling.domains, case.arrays
    spread = np.sort(table(domain, Regime.ORDINARY)[:: len(table(domain, Regime.ORDINARY)) // 48])
    around = np.concatenate([v * np.linspace(0.5, 1.6, 16) for v in np.unique(array)[:2]])
    values = np.concatenate([spread, around[domain.holds(around)]])
    largest = max(case.sampling.telling, key=lambda shapes: int(np.prod(shapes[0])))[0]
    n = int(np.prod(largest))
    found = (measured(case.at((np.resize(values[k : k + n], largest),))) for k in range(0, len(values), n))
    return [w for w in found if w is not None]


def _seen(witnesses: Sequence[Witness]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Give the values at which the gradient is known and not negligible, where it is wrong, and where plainly so."""
    x, g, expected, actual, bar, wrong = (
        np.concatenate([np.ravel(part) for part in parts])
        for parts in zip(*((w.arrays[0], w.cotangents[0], w.expected[0], w.actual[0], w.bar[0], w.wrong(0))
                           for w in witnesses), strict=True)
    )  # fmt: skip
    size = np.maximum(np.abs(np.nan_to_num(expected)), np.abs(actual)) / np.abs(g)
    known = np.isfinite(expected) & (size > NEGLIGIBLE * size.max())
    plain = np.abs(actual - expected) > PLAINLY * bar
    return x[known], wrong[known], plain[known]


def _starts_at_once(x: np.ndarray, wrong: np.ndarray, plain: np.ndarray) -> bool:
    """Whether what is wrong next to what is right is plainly wrong: an error that fades away has no threshold."""
    order = np.argsort(x)
    wrong, plain = wrong[order], plain[order]
    beside = wrong & (np.r_[False, ~wrong[:-1]] | np.r_[~wrong[1:], False])
    return bool(plain[beside].all())


Bounds = tuple[str, float, float, float]


def _bounds(x: np.ndarray, wrong: np.ndarray) -> Bounds | None:
    """Tell whether wrong and right values are apart: above or below a threshold, of the value or its magnitude.

    Gives a pattern and the interval in which the threshold, or the two, lie.
    """
    if not wrong.any() or wrong.all():
        return None
    for pattern, q in (("{x} > {t}", x), ("{x} < {t}", -x), ("|{x}| > {t}", np.abs(x)), ("|{x}| < {t}", -np.abs(x))):
        if q[~wrong].max() < q[wrong].min():
            low, high = sorted(abs(v) if "|" in pattern else v for v in
                               (q[~wrong].max() * _side(pattern), q[wrong].min() * _side(pattern)))  # fmt: skip
            return pattern, float(low), float(high), _round_between(float(low), float(high))
    low, high = float(x[wrong].min()), float(x[wrong].max())
    between = ~wrong & (x >= low) & (x <= high)
    if between.any() or not (x[~wrong] < low).any() or not (x[~wrong] > high).any():
        return None
    below, above = float(x[~wrong & (x < low)].max()), float(x[~wrong & (x > high)].min())
    return "between", below, above, np.nan if high <= low else _round_between(below, low) + 1j * _round_between(
        high, above)  # type: ignore[return-value]  # fmt: skip


def _side(pattern: str) -> float:
    return -1.0 if "<" in pattern else 1.0


def _round_between(low: float, high: float) -> float:
    """Give the roundest number in an interval."""
    for digits in range(12):
        t = np.ceil(low * 10**digits) / 10**digits
        if low <= t <= high:
            return float(t)
    return low


def _described(
    name: str, pattern: str, low: float, high: float, t: float
) -> tuple[str, Callable[[np.ndarray], np.ndarray]]:
    if pattern == "between":
        a, b = np.real(t), np.imag(t)
        return f"{a:.4g} < {name} < {b:.4g}, or near to that", lambda x: (x > a) & (x < b)
    exact = "" if high - low < 1e-3 * abs(t) or t == 0 else ", or near to that"
    masks: dict[str, Callable[[np.ndarray], np.ndarray]] = {
        "{x} > {t}": lambda x: x > t,
        "{x} < {t}": lambda x: x < t,
        "|{x}| > {t}": lambda x: np.abs(x) > t,
        "|{x}| < {t}": lambda x: np.abs(x) < t,
    }
    return pattern.format(x=name, t=f"{t:.4g}") + exact, masks[pattern]


class NotANumber(Fault):
    """NaN or infinity out of a formula that is right elsewhere."""

    kind = "nan"
    properties = (*GRADIENT, "special values", "extremes")

    def explain(self, failure: Failure) -> str:
        if failure.property in GRADIENT and _is_wrong_elsewhere(failure):
            return ""
        parts = []
        for e in failure.verdict.evidence:
            if e.actual.shape != e.expected.shape or np.isfinite(e.actual[e.wrong]).any():
                return ""
            known = e.wrong & np.isfinite(e.expected)
            if not known.any():
                continue
            kinds = {"NaN" if np.isnan(v) else "infinite" for v in e.actual[known]}
            right = np.where(np.abs(e.expected) <= e.error, 0.0, e.expected)[known]
            values = {f"{v:.6g}" for v in right}
            where = f"{values.pop()} is right" if len(values) == 1 else "the true gradient is finite"
            parts.append(f"{e.what} is {' or '.join(sorted(kinds))} where {where}")
        return "; ".join(parts)


def _is_wrong_elsewhere(failure: Failure) -> bool:
    """Whether gradients are wrong that are finite, so that NaN or infinity is not all that is wrong."""
    witnesses = gather(failure.case, time.thread_time() + 0.1)
    return any((w.wrong(i) & np.isfinite(w.actual[i])).any() for w in witnesses for i in range(len(w.arrays)))


class Tie(Fault):
    """All of several equal elements get what belongs to one, or none of them does."""

    kind = "tie"
    properties = ("special values", "extremes")

    def explain(self, failure: Failure) -> str:
        case = failure.case
        matrices = any(case.sampling.convention) or any(d.structure in MATRICES for d in case.sampling.domains)
        if matrices or not _is_right_nearby(failure):
            return ""
        x = np.concatenate([a.ravel() for a in case.arrays])
        v = np.concatenate([np.ravel(g) for g in case.vjp])
        wrong = _wrong(failure)
        values, counts = np.unique(x, return_counts=True)
        if wrong is None or not np.isin(x[wrong], values[counts > 1]).all() or not np.isfinite(v).all():
            return ""
        tied = ", ".join(f"{t:.6g}" for t in np.unique(x[wrong])[:3])
        apart = case.at(_pulled_apart(case.arrays))
        whole = np.abs(np.concatenate([np.ravel(g) for g in apart.vjp])).max(initial=0.0)
        group = np.abs(v[wrong])
        right, bar = slope(case, wrong)
        if group.size < 2 or not bar <= 1e-3 * abs(right):
            return ""
        if np.allclose(group, whole, rtol=1e-3) and np.allclose(v[wrong], right, rtol=1e-3):
            return f"where elements tie (at {tied}), each of them gets the whole gradient"
        if not group.any():
            return f"where elements tie (at {tied}), none of them gets a gradient"
        return ""


class Point(Fault):
    """A formula that fails at one value."""

    kind = "point"
    properties = ("special values",)

    def explain(self, failure: Failure) -> str:
        wrong = _wrong(failure)
        if wrong is None or not _is_right_nearby(failure):
            return ""
        x = np.concatenate([a.ravel() for a in failure.case.arrays])
        values, counts = np.unique(x, return_counts=True)
        special = np.unique(np.abs(x[wrong]))
        if special.size != 1 or counts[values == x[wrong][0]].sum() > 1:
            return ""
        return f"only the value {x[wrong][0] + 0.0:.6g} itself is wrong; right next to it the gradient is right"


def _wrong(failure: Failure) -> np.ndarray | None:
    """Tell which elements of all inputs are wrong."""
    by_name = {e.what: e.wrong for e in failure.verdict.evidence}
    parts = [np.ravel(by_name.get(f"{n}.grad", np.zeros(a.shape, bool)))
             for n, a in zip(failure.case.names, failure.case.arrays, strict=True)]  # fmt: skip
    wrong = np.concatenate(parts)
    return wrong if wrong.any() else None


def _is_right_nearby(failure: Failure) -> bool:
    witness = measured(_moved_off(failure.case))
    return witness is not None and not any(witness.wrong(i).any() for i in range(len(witness.arrays)))


def _pulled_apart(arrays: tuple[np.ndarray, ...]) -> tuple[np.ndarray, ...]:
    start, found = 0, []
    for a in arrays:
        found.append(a + 1e-3 * (1 + start + np.arange(a.size)).reshape(a.shape) * np.maximum(np.abs(a), 1))
        start += a.size
    return tuple(found)
