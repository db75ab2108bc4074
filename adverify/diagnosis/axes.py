"""Gradients that are right but in the wrong place: transposed, flipped, moved, or of the wrong input."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from functools import partial

import numpy as np

from adverify.diagnosis.base import Mistake
from adverify.diagnosis.witness import Witness, is_same
from adverify.subject import Arrays

Move = Callable[[np.ndarray], np.ndarray | None]
_Part = Callable[[Witness], np.ndarray]
_Given = Callable[[Witness, np.ndarray], np.ndarray | None]


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
    verb = ""
    of_input = True

    def explain(self, witnesses: Sequence[Witness], i: int) -> str:
        if any(w.is_mirrored(i) for w in witnesses) or all(w.vanishes(i) for w in witnesses):
            return ""
        for says, of, gradient in self._ways(witnesses, i):
            ranks = {of(w).ndim for w in witnesses}
            for how, move in type(self).moves(ranks.pop()) if len(ranks) == 1 else self.common(min(ranks)):
                if all(_fits(w, i, of(w), move, gradient) for w in witnesses):
                    return says.format(how=f"{self.verb} {how}".strip())
        return ""

    def common(self, ndim: int) -> Iterator[tuple[str, Move]]:
        """Give what may be done to arrays of several numbers of axes, `ndim` or more."""
        return iter(())

    def _ways(self, witnesses: Sequence[Witness], i: int) -> Iterator[tuple[str, _Part, _Given]]:
        """Give what may be in the wrong order, and the gradient that comes of it in another."""
        yield "would be right if it were {how}", lambda w: w.actual[i], lambda w, moved: moved
        if all(w.cotangent is not None for w in witnesses):
            says = "would be right if the cotangent were {how} first"
            yield says, lambda w: w.cotangents[0], lambda w, moved: _of(w.backward(cotangents=(moved,)), i)
        for j, name in enumerate(witnesses[0].case.names) if self.of_input else ():
            says = f"would be right if backward read {name} {{how}}"
            yield says, partial(_input, j=j), partial(_with_input, i=i, j=j)


def _fits(w: Witness, i: int, array: np.ndarray, move: Move, gradient: _Given) -> bool:
    moved = move(array)
    if moved is None or moved.shape != array.shape:
        return not w.wrong(i).any()
    return w.fits(i, gradient(w, np.ascontiguousarray(moved)))


def _of(gradients: Arrays | None, i: int) -> np.ndarray | None:
    return None if gradients is None else gradients[i]


def _input(w: Witness, j: int) -> np.ndarray:
    return w.arrays[j]


def _with_input(w: Witness, moved: np.ndarray, i: int, j: int) -> np.ndarray | None:
    return _of(w.backward(arrays=tuple(moved if k == j else a for k, a in enumerate(w.arrays))), i)


class Transposed(_Moved):
    """Axes of the gradient, of the cotangent or of an input are in the wrong order.

    Examples
    --------
    ::

        class Op(Function):
            def forward(self, x):
                return variable(np.linalg.det(x.data))

            def backward(self, x, grad):
                det, inverse = np.linalg.det(x.data), np.linalg.inv(x.data)
                x.grad += (grad * det)[..., None, None] * inverse
    """

    kind = "transposed"
    complexity = 2
    moves = staticmethod(_permutations)

    def common(self, ndim: int) -> Iterator[tuple[str, Move]]:
        if ndim >= 2:
            yield "transposed in its last two axes", partial(np.swapaxes, axis1=-1, axis2=-2)


class Flipped(_Moved):
    """The gradient, the cotangent or an input is reversed along an axis.

    Examples
    --------
    ::

        class Op(Function):
            def forward(self, x):
                return variable(x.data[::-1])

            def backward(self, x, grad):
                x.grad += grad
    """

    kind = "flipped"
    complexity = 3
    moves = staticmethod(_flips)


class Shifted(_Moved):
    """The gradient or the cotangent is moved along an axis.

    Examples
    --------
    ::

        class Op(Function):
            def forward(self, x):
                return variable(np.roll(x.data, 1, axis=-1))

            def backward(self, x, grad):
                x.grad += np.roll(grad, 1, axis=-1)
    """

    kind = "shifted"
    complexity = 4
    moves = staticmethod(_shifts)
    verb = "shifted by"
    of_input = False


class Swapped(Mistake):
    """Two inputs get each other's gradient.

    Examples
    --------
    ::

        class Op(Function):
            def forward(self, x, y):
                return variable(np.vdot(x.data, y.data))

            def backward(self, x, y, grad):
                x.grad += grad * x.data
                y.grad += grad * y.data
    """

    kind = "swapped"
    complexity = 1

    def explain(self, witnesses: Sequence[Witness], i: int) -> str:
        for j in range(len(witnesses[0].arrays)):
            alike = [w for w in witnesses if j != i and w.arrays[i].shape == w.arrays[j].shape]
            if sum(bool(w.wrong(i).any()) for w in alike) < 2:
                continue
            if all(w.fits(i, w.actual[j]) and w.fits(j, w.actual[i]) for w in alike):
                both = " and ".join(witnesses[0].case.names[k] for k in sorted((i, j)))
                where = "" if len(alike) == len(witnesses) else ", seen where both have one shape"
                return f"is the other's: the gradients of {both} are swapped{where}"
        return ""


class Axis(Mistake):
    """The cotangent is added up along another axis than it should be.

    Examples
    --------
    ::

        class Op(Function):
            def forward(self, x):
                return variable(np.broadcast_to(x.data, (len(x.data), *x.data.shape)))

            def backward(self, x, grad):
                x.grad += grad.sum(axis=1)
    """

    kind = "axis"
    complexity = 1

    def explain(self, witnesses: Sequence[Witness], i: int) -> str:
        if any(w.cotangent is None for w in witnesses):
            return ""
        ranks = {(w.cotangents[0].ndim, w.arrays[i].ndim) for w in witnesses}
        ndim, own = ranks.pop()
        if ranks or own >= ndim:
            return ""
        choices = [axes for k in range(1, ndim) for axes in itertools.combinations(range(ndim), k)]
        right = [axes for axes in choices if all(w.fits(i, w.cotangents[0].sum(axes)) for w in witnesses)]
        taken = [axes for axes in choices if all(is_same(w.actual[i], w.cotangents[0].sum(axes)) for w in witnesses)]
        if len(right) != 1 or len(taken) != 1:
            return ""
        return f"adds up the cotangent along {_axes(taken[0])} where it should along {_axes(right[0])}"


class Slice(Mistake):
    """Of an input only the first, or the last, slice along an axis is read.

    Examples
    --------
    ::

        class Op(Function):
            def forward(self, x):
                return variable(x.data**2)

            def backward(self, x, grad):
                x.grad += 2 * grad * x.data[0]
    """

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
