"""Gradients of which only some elements are wrong: of one sign, at an edge, off a diagonal."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial

import numpy as np

from adverify.diagnosis.base import Mistake
from adverify.diagnosis.factors import _closed_form, _times
from adverify.diagnosis.witness import SLIGHT, Witness

LEAST = 5
"""Elements that must be wrong, and as many right, away from the falsifying example."""

LONG = 3
"""The length of an axis whose ends are told from its middle."""

Mask = Callable[[Witness, int], np.ndarray]


class Region(Mistake):
    """Only some elements are wrong: of one sign, at an edge, off a diagonal.

    Examples
    --------
    ::

        class Op(Function):
            def forward(self, x):
                return variable(np.abs(x.data))

            def backward(self, x, grad):
                x.grad += grad
    """

    kind = "region"
    complexity = 6
    is_slight = True

    def explain(self, witnesses: Sequence[Witness], i: int) -> str:
        for where, mask in _regions(witnesses, i):
            how = inside(witnesses, i, [mask(w, i) for w in witnesses])
            if how or (how is not None and "all but" not in where):
                return f"is wrong only {where}{how}"
        return ""


def _regions(witnesses: Sequence[Witness], i: int) -> Iterator[tuple[str, Mask]]:
    """Give regions that authors have in mind, of values and of positions, in words and as a mask."""
    if not any(w.is_mirrored(i) for w in witnesses):
        yield from _of_values(witnesses, i)
        yield from _of_positions(witnesses, i)


def _of_values(witnesses: Sequence[Witness], i: int) -> Iterator[tuple[str, Mask]]:
    names = witnesses[0].case.names
    x = names[i]
    yield f"where {x} < 0", lambda w, i: w.arrays[i] < 0
    yield f"where {x} > 0", lambda w, i: w.arrays[i] > 0
    for j, y in enumerate(names):
        if j != i and all(w.arrays[i].shape == w.arrays[j].shape for w in witnesses):
            yield from _of_pairs(x, y, j)


def _of_pairs(x: str, y: str, j: int) -> Iterator[tuple[str, Mask]]:
    yield f"where {y} < 0", lambda w, i: w.arrays[j] < 0
    yield f"where {y} > 0", lambda w, i: w.arrays[j] > 0
    yield f"where {x} < {y}", lambda w, i: w.arrays[i] < w.arrays[j]
    yield f"where {x} > {y}", lambda w, i: w.arrays[i] > w.arrays[j]
    yield f"where {x} and {y} have unlike signs", lambda w, i: w.arrays[i] * w.arrays[j] < 0


def _of_positions(witnesses: Sequence[Witness], i: int) -> Iterator[tuple[str, Mask]]:
    ranks = {w.arrays[i].ndim for w in witnesses}
    for axis in range(-min(ranks), 0):
        if max(w.arrays[i].shape[axis] for w in witnesses if w.wrong(i).any()) >= LONG:
            yield from _of_ends(axis, "" if ranks == {1} else f" along axis {axis}")
    if min(ranks) >= 2:
        yield "off the diagonal", lambda w, i: ~_band(w, i, 0, 0)
        yield "on the diagonal", lambda w, i: _band(w, i, 0, 0)
        yield "above the diagonal", lambda w, i: _band(w, i, 1, None)
        yield "below the diagonal", lambda w, i: _band(w, i, None, -1)
        yield "on and above the diagonal", lambda w, i: _band(w, i, 0, None)
        yield "on and below the diagonal", lambda w, i: _band(w, i, None, 0)


def _of_ends(axis: int, along: str) -> Iterator[tuple[str, Mask]]:
    for which in ((0,), (-1,), (0, -1)):
        name = f"at index {which[0]}" if len(which) == 1 else "at both ends"
        at = partial(_at, axis=axis, which=which)
        yield f"{name}{along}", at
        if len(which) == 1:
            yield f"at all but index {which[0]}{along}", partial(_elsewhere, axis=axis, which=which)


def _at(w: Witness, i: int, axis: int, which: tuple[int, ...]) -> np.ndarray:
    """Tell which elements are at some indices of an axis."""
    mask = np.zeros(w.arrays[i].shape, bool)
    np.moveaxis(mask, axis, 0)[list(which)] = True
    return mask


def _elsewhere(w: Witness, i: int, axis: int, which: tuple[int, ...]) -> np.ndarray:
    return ~_at(w, i, axis, which)


def _band(w: Witness, i: int, low: int | None, high: int | None) -> np.ndarray:
    """Tell which elements of the last two axes lie between two diagonals."""
    shape = w.arrays[i].shape
    offset = np.arange(shape[-1]) - np.arange(shape[-2])[:, None]
    mask = (offset >= (-np.inf if low is None else low)) & (offset <= (np.inf if high is None else high))
    return np.broadcast_to(mask, shape)


def inside(witnesses: Sequence[Witness], i: int, masks: Sequence[np.ndarray]) -> str | None:
    """Say what the gradient is inside of a region, if it is right everywhere else; None if it is not."""
    actual, expected, mask, wrong, far = (
        np.concatenate(parts)
        for parts in zip(
            *((w.actual[i].ravel(), w.expected[i].ravel(), np.ravel(m), w.wrong(i).ravel(),
               np.full(m.size, not w.near or w.case.sampling.given))
              for w, m in zip(witnesses, masks, strict=True)), strict=True)
    )  # fmt: skip
    known = np.isfinite(expected)
    if (wrong & ~mask).any() or (wrong & mask & far).sum() < LEAST or (known & ~mask & far).sum() < LEAST:
        return None

    def fits(change: Callable[[np.ndarray], np.ndarray]) -> bool:
        changed = [np.where(m, change(w.actual[i]), w.actual[i]) for w, m in zip(witnesses, masks, strict=True)]
        return all(w.agrees(i, c).all() for w, c in zip(witnesses, changed, strict=True))

    if fits(np.zeros_like):
        return ", where it should be 0"
    if fits(np.negative):
        return ", where it has the wrong sign"
    inside = wrong & (expected != 0)
    if not actual[mask & known].any() and wrong[mask & known].all():
        return ", where it is 0 and should not be"
    ratios = actual[inside] / expected[inside]
    if ratios.size and np.isfinite(ratios).all():
        c = float(ratios[np.abs(expected[inside]).argmax()])
        exact = _closed_form(c, witnesses[0])
        value = exact[1] if exact else c
        if value and abs(value - 1) > SLIGHT and fits(lambda a: a / value):
            return f", where it {_times(value, exact[0] if exact else '')}"
    return None if (wrong != mask)[known].any() else ""
