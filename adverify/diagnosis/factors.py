"""Gradients that are right but for a factor: a sign, a number, a count of elements."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from functools import partial

import numpy as np

from adverify.case import Case
from adverify.diagnosis.base import Mistake
from adverify.diagnosis.witness import RELATIVE, SLIGHT, Witness, fresh, measured
from adverify.state import state_of
from adverify.strategies.cases import ordinary

LEAST = 6
"""Elements at which a factor must be seen that varies, or is nearly 1."""

MOST_LONGER = 8
"""Inputs of other lengths at which counts are told apart."""

EXACT = 1.05
"""An error bar of so many times what a diagnosis may miss by is hardly the oracle's."""

ALIKE = 0.1
"""Factors that are nearly 1 are one if they differ by less than this share of their distance from 1."""


class LeftOut(Mistake):
    """Nothing is added to an input's gradient.

    Examples
    --------
    ::

        class Op(Function):
            def forward(self, x, y):
                return variable(x.data * y.data.sum())

            def backward(self, x, y, grad):
                x.grad += grad * y.data.sum()
    """

    kind = "left-out"

    def explain(self, witnesses: Sequence[Witness], i: int) -> str:
        if any(w.actual[i].any() for w in witnesses):
            return ""
        if _is_cleared(witnesses[0].case, i):
            return "stays zero: backward sets it to None or to zeros"
        return "stays zero: backward adds nothing to it"


def _is_cleared(case: Case, i: int) -> bool:
    """Whether backward throws away what was in an input's gradient before; None is read as zeros."""
    op, inputs = case.subject.make(), fresh(case)
    case.subject.apply(op, inputs)
    inputs[i].grad = np.ones_like(inputs[i].data)
    left = case.subject.pull_back(op, inputs, case.cotangents)[i]
    return bool(np.size(left)) and not np.any(left)


class Sign(Mistake):
    """The gradient has the wrong sign.

    Examples
    --------
    ::

        class Op(Function):
            def forward(self, x):
                return variable(np.cos(x.data))

            def backward(self, x, grad):
                x.grad += grad * np.sin(x.data)
    """

    kind = "sign"

    def explain(self, witnesses: Sequence[Witness], i: int) -> str:
        return "has the wrong sign" if all(w.fits(i, -w.actual[i]) for w in witnesses) else ""


class Factor(Mistake):
    """The gradient is a constant, or a count of elements, times what it should be.

    Examples
    --------
    ::

        class Op(Function):
            def forward(self, x):
                return variable(x.data**2)

            def backward(self, x, grad):
                x.grad += grad * x.data
    """

    kind = "factor"

    def explain(self, witnesses: Sequence[Witness], i: int) -> str:
        factors = [_factor(w.actual[i], w.expected[i]) for w in witnesses]
        found = [f for f in factors if f is not None]
        if len(found) < 2:
            return ""
        if _alike(found):
            c = float(np.median(found))
            if abs(c - 1) <= SLIGHT:
                return ""
            exact = _closed_form(c, witnesses[0])
            value = exact[1] if exact else c
            return _times(value, exact[0] if exact else "") if _all_fit(witnesses, i, [value] * len(witnesses)) else ""
        fitting = [(n, count) for n, count in _counts(witnesses).items() if _is_count(witnesses, i, count)]
        others = list(_of_other_lengths(witnesses)) if fitting else []
        return next((f"is {n} what it should be" for n, count in fitting if _is_count(others, i, count)), "")


def _is_count(witnesses: Sequence[Witness], i: int, count: Count) -> bool:
    counts = [count(w, i) for w in witnesses]
    return bool(np.isfinite(counts).all()) and _all_fit(witnesses, i, counts)


def _of_other_lengths(witnesses: Sequence[Witness]) -> Iterator[Witness]:
    """Measure where an axis or two are longer than at a witness, if forward takes that.

    Lengths that are alike at all witnesses need not be the same axis.
    """
    sampling = witnesses[0].case.sampling
    if sampling.given or any(d.structure for d in sampling.domains):
        return
    w = max(witnesses, key=lambda w: (min((n for a in w.arrays for n in a.shape), default=0), -max(_sizes(w))))
    axes = [(j, axis) for j, a in enumerate(w.arrays) for axis in range(a.ndim)]
    rng = np.random.default_rng(w.case.seed)
    left = MOST_LONGER
    for chosen in (*itertools.combinations(axes, 1), *itertools.combinations(axes, 2)):
        shapes = tuple(
            tuple(n + ((j, axis) in chosen) for axis, n in enumerate(a.shape)) for j, a in enumerate(w.arrays)
        )
        longer = measured(w.case.at(ordinary(shapes, sampling, rng)))
        if longer is not None:
            yield longer
            left -= 1
        if not left:
            return


def _sizes(w: Witness) -> tuple[int, ...]:
    return tuple(a.size for a in w.arrays)


class Rounded(Mistake):
    """A constant of the gradient has few digits.

    Examples
    --------
    ::

        class Op(Function):
            def forward(self, x):
                return variable(np.sin(np.pi * x.data))

            def backward(self, x, grad):
                x.grad += grad * 3.14159 * np.cos(np.pi * x.data)
    """

    kind = "factor"
    in_groups = False
    is_slight = True

    def explain(self, witnesses: Sequence[Witness], i: int) -> str:
        """Compare factors among themselves more closely than with 1: most gradients that are nearly right are so."""
        ratios = np.concatenate([_exact_ratios(w, i) for w in witnesses])
        if ratios.size < LEAST:
            return ""
        c = float(np.median(ratios))
        if not RELATIVE / 2 < abs(c - 1) <= SLIGHT or not (np.abs(ratios - c) <= ALIKE * abs(c - 1)).all():
            return ""
        return _times(c, "") if _all_fit(witnesses, i, [c] * len(witnesses)) else ""


def _exact_ratios(w: Witness, i: int) -> np.ndarray:
    """Give what backward gives, relative to the true gradient, where that is known to the oracle's last digits."""
    expected = np.ravel(w.expected[i])
    with np.errstate(all="ignore"):
        exact = np.isfinite(expected) & (np.ravel(w.bar[i]) <= EXACT * RELATIVE * np.abs(expected))
        return np.asarray(np.ravel(w.actual[i])[exact] / expected[exact])


def _all_fit(witnesses: Sequence[Witness], i: int, factors: Sequence[float]) -> bool:
    return all(w.is_times(i, c) for w, c in zip(witnesses, factors, strict=True))


def _factor(actual: np.ndarray, expected: np.ndarray) -> float | None:
    """Give the ratio at the largest element; None where all is zero or unknown."""
    size = np.where(np.isfinite(expected), np.abs(expected), 0.0)
    if not size.any():
        return None
    at = np.unravel_index(int(size.argmax()), size.shape)
    ratio = float(actual[at] / expected[at])
    return ratio if np.isfinite(ratio) and ratio else None


def _alike(factors: Sequence[float]) -> bool:
    return max(factors) - min(factors) <= 10 * RELATIVE * abs(max(factors))


_BASES: dict[str, float] = {
    **{str(n): float(n) for n in range(2, 11)},
    "pi": math.pi,
    "2 pi": 2 * math.pi,
    "sqrt(2)": math.sqrt(2),
    "sqrt(3)": math.sqrt(3),
    "sqrt(pi)": math.sqrt(math.pi),
    "sqrt(2 pi)": math.sqrt(2 * math.pi),
    "ln 2": math.log(2),
    "ln 10": math.log(10),
    "e": math.e,
    "pi / 180": math.pi / 180,
}
_FORMS: dict[str, float] = {
    **_BASES,
    **{
        f"1 / {name}" if " / " not in name and " " not in name else f"1 / ({name})": 1 / v for name, v in _BASES.items()
    },
    **{f"{a} / {b}": a / b for a in range(2, 10) for b in range(2, 10) if a != b and math.gcd(a, b) == 1},
    "2 / sqrt(pi)": 2 / math.sqrt(math.pi),
    "sqrt(pi) / 2": math.sqrt(math.pi) / 2,
    "2 / pi": 2 / math.pi,
    "pi / 2": math.pi / 2,
    "sqrt(2 / pi)": math.sqrt(2 / math.pi),
    "1000": 1000.0,
    "100": 100.0,
    "1 / 100": 0.01,
    "1 / 1000": 0.001,
}


def _closed_form(c: float, witness: Witness) -> tuple[str, float] | None:
    """Find a number that a person would write for a factor: of the op's own attributes, or a constant."""
    own = {f"{name} of the op": v for name, v in _attributes(witness)}
    own |= {f"1 / {name}": 1 / v for name, v in own.items()}
    simple = {name: v for name, v in _FORMS.items() if name.isdigit()}
    for forms in (simple, own, _FORMS):
        for name, value in forms.items():
            for sign in (1.0, -1.0):
                if abs(c - sign * value) <= 10 * RELATIVE * abs(value):
                    return ("" if name.isdigit() else ("-" if sign < 0 else "") + name), sign * value
    return None


def _attributes(witness: Witness) -> Iterator[tuple[str, float]]:
    for name, value in state_of(witness.case.subject.make()).items():
        if isinstance(value, float) and value and abs(value) not in (0.5, 1, 2) and np.isfinite(value):
            yield name, value


def _times(c: float, form: str) -> str:
    if abs(c - 1) < 1e-2:
        digits = 3 - math.floor(math.log10(abs(c - 1)))
        return f"is {c:.{digits}g} times what it should be: a constant is rounded, or slightly off"
    if form:
        return f"is {form} times what it should be ({c:.6g})"
    return f"is {c:.6g} times what it should be"


def _size(w: Witness, i: int) -> float:
    return float(w.arrays[i].size)


def _outputs(w: Witness, i: int) -> float:
    return float(sum(g.size for g in w.cotangents))


def _shared(w: Witness, i: int) -> float:
    """How many output elements an element of the input is spread over."""
    return _outputs(w, i) / max(1.0, _size(w, i))


def _last(w: Witness, i: int) -> float:
    return float(w.arrays[i].shape[-1]) if w.arrays[i].ndim else np.nan


def _first(w: Witness, i: int) -> float:
    return float(w.arrays[i].shape[0]) if w.arrays[i].ndim else np.nan


def _variance(w: Witness, i: int) -> float:
    n = _size(w, i) / _outputs(w, i)
    return (n - 1) / n if n > 1 else np.nan


Count = Callable[[Witness, int], float]

_COUNTS: dict[str, Count] = {
    "1 / n times, for n outputs,": lambda w, i: 1 / _outputs(w, i),
    "n times, for n outputs,": _outputs,
    "1 / n times, for an input of n elements,": lambda w, i: 1 / _size(w, i),
    "n times, for an input of n elements,": _size,
    "1 / n times, for each element broadcast to n outputs,": lambda w, i: 1 / _shared(w, i),
    "n times, for each element broadcast to n outputs,": _shared,
    "1 / n times, for n elements per output,": _shared,
    "n times, for n elements per output,": lambda w, i: 1 / _shared(w, i),
    "1 / n times, for a last axis of length n,": lambda w, i: 1 / _last(w, i),
    "n times, for a last axis of length n,": _last,
    "1 / n times, for a first axis of length n,": lambda w, i: 1 / _first(w, i),
    "n times, for a first axis of length n,": _first,
    "(n - 1) / n times, for n elements per output,": _variance,
    "n / (n - 1) times, for n elements per output,": lambda w, i: 1 / _variance(w, i),
}


def _counts(witnesses: Sequence[Witness]) -> dict[str, Count]:
    """Give, by what is said of them, the counts that a factor may be; of inputs of as many axes also their lengths."""
    found = dict(_COUNTS)
    for j, name in enumerate(witnesses[0].case.names):
        ranks = {w.arrays[j].ndim for w in witnesses}
        for axis in range(min(ranks) if len(ranks) == 1 else 0):
            found[f"1 / n times, for axis {axis} of {name} of length n,"] = partial(_inverse_length, j=j, axis=axis)
            found[f"n times, for axis {axis} of {name} of length n,"] = partial(_length, j=j, axis=axis)
    return found


def _length(w: Witness, i: int, j: int, axis: int) -> float:
    return float(w.arrays[j].shape[axis])


def _inverse_length(w: Witness, i: int, j: int, axis: int) -> float:
    return 1 / _length(w, i, j, axis)
