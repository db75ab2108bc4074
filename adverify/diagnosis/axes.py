"""Gradients that are right but in the wrong place: transposed, flipped, moved, or of the wrong input."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from functools import partial

import numpy as np

from adverify.diagnosis.base import Mistake
from adverify.diagnosis.witness import Witness

Move = Callable[[np.ndarray], np.ndarray | None]


def _permutations(ndim: int) -> Iterator[tuple[str, Move]]:
    for order in itertools.permutations(range(ndim)):
        if order != tuple(range(ndim)):
            how = "transposed" if ndim == 2 else f"transposed by {order}"
            yield how, partial(np.transpose, axes=order)


def _flips(ndim: int) -> Iterator[tuple[str, Move]]:
    for count in range(1, ndim + 1):
        for axes in itertools.combinations(range(-ndim, 0), count):
            where = "" if ndim == 1 else f" along {_axes(axes)}"
            yield f"reversed{where}", partial(np.flip, axis=axes)


def _axes(axes: tuple[int, ...]) -> str:
    return f"axis {axes[0]}" if len(axes) == 1 else "axes " + " and ".join(map(str, axes))


def _shift(a: np.ndarray, by: int, axis: int, filled: bool) -> np.ndarray:
    moved = np.roll(a, by, axis)
    if filled:
        ends = [slice(None)] * a.ndim
        ends[axis] = slice(0, by) if by > 0 else slice(by, None)
        moved[tuple(ends)] = 0.0
    return moved


def _shifts(ndim: int) -> Iterator[tuple[str, Move]]:
    for by, axis, filled in itertools.product((1, -1, 2, -2), range(-ndim, 0), (True, False)):
        where = "" if ndim == 1 else f" along axis {axis}"
        yield f"{by:+d}{where}", partial(_shift, by=by, axis=axis, filled=filled)


class _Moved(Mistake):
    """Fits if something, moved about, gives the true gradient: the gradient, the cotangent, or an input."""

    moves: Callable[[int], Iterator[tuple[str, Move]]]
    of_gradient = ""
    of_cotangent = ""
    of_input = ""

    def explain(self, witnesses: Sequence[Witness], i: int) -> str:
        if any(w.is_mirrored(i) for w in witnesses):
            return ""
        kind = type(self)
        for how, move in kind.moves(_rank(witnesses, lambda w: w.arrays[i])):
            if all(_with_gradient(w, i, move) for w in witnesses):
                return self.of_gradient.format(how=how)
        if all(w.cotangent is not None for w in witnesses):
            for how, move in kind.moves(_rank(witnesses, lambda w: w.cotangents[0])):
                if all(_with_cotangent(w, i, move) for w in witnesses):
                    return self.of_cotangent.format(how=how)
        for j, name in enumerate(witnesses[0].case.names):
            for how, move in kind.moves(_rank(witnesses, lambda w, j=j: w.arrays[j])) if self.of_input else ():
                if all(_with_input(w, i, j, move) for w in witnesses):
                    return self.of_input.format(how=how, name=name)
        return ""


def _rank(witnesses: Sequence[Witness], of: Callable[[Witness], np.ndarray]) -> int:
    """Give the number of axes that an array has at all witnesses; 0 if it varies, for then no one order fits."""
    ranks = {of(w).ndim for w in witnesses}
    return ranks.pop() if len(ranks) == 1 else 0


def _with_gradient(w: Witness, i: int, move: Move) -> bool:
    moved = move(w.actual[i])
    return w.fits(i, moved) if moved is not None and moved.shape == w.actual[i].shape else not w.wrong(i).any()


def _with_cotangent(w: Witness, i: int, move: Move) -> bool:
    moved = move(w.cotangents[0])
    if moved is None or moved.shape != w.cotangents[0].shape:
        return not w.wrong(i).any()
    gradients = w.backward(cotangents=(np.ascontiguousarray(moved),))
    return gradients is not None and w.fits(i, gradients[i])


def _with_input(w: Witness, i: int, j: int, move: Move) -> bool:
    moved = move(w.arrays[j])
    if moved is None or moved.shape != w.arrays[j].shape:
        return not w.wrong(i).any()
    arrays = tuple(np.ascontiguousarray(moved) if k == j else a for k, a in enumerate(w.arrays))
    gradients = w.backward(arrays=arrays)
    return gradients is not None and w.fits(i, gradients[i])


class Transposed(_Moved):
    """Axes in the wrong order."""

    kind = "transposed"
    complexity = 2
    moves = staticmethod(_permutations)
    of_gradient = "would be right if it were {how}"
    of_cotangent = "would be right if the cotangent were {how} first"
    of_input = "would be right if backward read {name} {how}"


class Flipped(_Moved):
    """Axes read backwards."""

    kind = "flipped"
    complexity = 3
    moves = staticmethod(_flips)
    of_gradient = "would be right if it were {how}"
    of_cotangent = "would be right if the cotangent were {how} first"
    of_input = "would be right if backward read {name} {how}"


class Shifted(_Moved):
    """Indices that are off by one or two."""

    kind = "shifted"
    complexity = 4
    moves = staticmethod(_shifts)
    of_gradient = "would be right if it were shifted by {how}"
    of_cotangent = "would be right if the cotangent were shifted by {how} first"


class Swapped(Mistake):
    """Two inputs with each other's gradients."""

    kind = "swapped"
    complexity = 1

    def explain(self, witnesses: Sequence[Witness], i: int) -> str:
        for j in range(len(witnesses[0].arrays)):
            alike = [w for w in witnesses if j != i and w.arrays[i].shape == w.arrays[j].shape]
            unlike_ranks = any(w.arrays[i].ndim != w.arrays[j].ndim for w in witnesses if w.wrong(i).any())
            if unlike_ranks or sum(bool(w.wrong(i).any()) for w in alike) < 2:
                continue
            if all(w.fits(i, w.actual[j]) and w.fits(j, w.actual[i]) for w in alike):
                both = " and ".join(witnesses[0].case.names[k] for k in sorted((i, j)))
                return f"is the other's: the gradients of {both} are swapped"
        return ""


class Axis(Mistake):
    """A bias, say: the sum of the cotangent over some axes."""

    kind = "axis"
    complexity = 1

    def explain(self, witnesses: Sequence[Witness], i: int) -> str:
        if any(w.cotangent is None for w in witnesses):
            return ""
        ndim = _rank(witnesses, lambda w: w.cotangents[0])
        if not ndim or _rank(witnesses, lambda w: w.arrays[i]) >= ndim:
            return ""
        choices = [axes for k in range(1, ndim) for axes in itertools.combinations(range(ndim), k)]
        right = [axes for axes in choices if all(w.fits(i, w.cotangents[0].sum(axes)) for w in witnesses)]
        taken = [axes for axes in choices if all(_is(w.actual[i], w.cotangents[0].sum(axes)) for w in witnesses)]
        if len(right) != 1 or len(taken) != 1:
            return ""
        return f"adds up the cotangent along {_axes(taken[0])} where it should along {_axes(right[0])}"


def _is(a: np.ndarray, b: np.ndarray) -> bool:
    return a.shape == b.shape and bool(np.allclose(a, b, rtol=1e-9, atol=1e-12))


class Slice(Mistake):
    """One slice of a batch stands for all."""

    kind = "slice"
    complexity = 5

    def explain(self, witnesses: Sequence[Witness], i: int) -> str:
        for j, name in enumerate(witnesses[0].case.names):
            for axis, (which, at) in itertools.product(range(2), (("first", 0), ("last", -1))):
                if all(_reads_one_slice(w, i, j, axis, at) for w in witnesses):
                    return f"reads the {which} slice of {name} along axis {axis} for all of them"
        return ""


def _reads_one_slice(w: Witness, i: int, j: int, axis: int, at: int) -> bool:
    a = w.arrays[j]
    if a.ndim < 2 or a.shape[axis] < 1:
        return False
    one = np.array(np.broadcast_to(np.take(a, [at], axis), a.shape))
    if np.array_equal(one, a):
        return not w.wrong(i).any()
    truth = w.truth(arrays=tuple(one if k == j else b for k, b in enumerate(w.arrays)))
    return truth is not None and truth.fits(i, w.actual[i])
