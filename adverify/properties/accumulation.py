from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from adverify.case import Case, largest
from adverify.engine import Function, variable
from adverify.properties.base import EPS, Property, differing, grads
from adverify.verdict import HOLDS, Verdict, mismatch, violated


class Accumulation(Property):
    """A Variable used in two places gets a share from each.

    If backward assigns `.grad` instead of adding to it, whatever came from another use of the Variable is lost: with
    ``x * x + x`` only the last use counts. If it leaves an array there that something else holds, too, such as the
    cotangent or another input's gradient, the next share is added to both.

    Examples
    --------
    >>> from adverify import Function, check_case, variable
    >>> class Overwrites(Function):
    ...     def forward(self, x):
    ...         return variable(x.data**2)
    ...     def backward(self, x, grad):
    ...         x.grad = 2 * grad * x.data  # must be +=
    >>> check_case(Overwrites, [[1.0]], property="accumulation")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
        ...
    adverify.report.VerificationError: Overwrites: breaks 'accumulation': backward overwrites what .grad...
    ...
    """

    name = "accumulation"
    rule = "backward adds to what .grad already holds, in an array that is the input's own"
    everywhere = True
    needs = ("gradient",)

    def check(self, case: Case) -> Verdict:
        rng = case.rng()
        plain = [np.asarray(v, float) for v in case.vjp]
        if not all(np.isfinite(v).all() for v in plain):
            return HOLDS
        size = [max(float(np.abs(v).max(initial=0.0)), s) or 1.0 for v, s in zip(plain, case.sizes, strict=True)]
        held = [s * rng.uniform(0.5, 2.0, a.shape) for s, a in zip(size, case.arrays, strict=True)]
        verdict = self._adds_to(case, held, plain, size)
        if verdict is not HOLDS:  # parts of a share as large as the cotangent may cancel: does it add to as much?
            more = [max(s, largest(*case.cotangents)) for s in size]
            held = [m / s * h for m, s, h in zip(more, size, held, strict=True)]
            if self._adds_to(case, held, plain, more) is not HOLDS:
                return verdict
        return self._of_nothing(case, held)

    def _adds_to(
        self, case: Case, held: Sequence[np.ndarray], plain: Sequence[np.ndarray], size: Sequence[float]
    ) -> Verdict:
        """Hold each gradient beside what was held and the share that it gets by itself."""
        op, inputs = case.subject.make(), [variable(np.array(a)) for a in case.arrays]
        for x, h in zip(inputs, held, strict=True):
            x.grad = np.array(h)
        case.subject.apply(op, inputs)
        after = case.subject.pull_back(op, inputs, case.cotangents)
        for name, h, v, s, a in zip(grads(case), held, plain, size, after, strict=True):
            if np.shape(a) != v.shape:
                return violated(f"{name} has shape {np.shape(a)} where it held one of {v.shape}")
            evidence = mismatch(name, h + v, a, 1e4 * EPS * s)
            if evidence.wrong.any():
                how = "overwrites what .grad held" if np.allclose(a, v) else "does not add its share to what .grad held"
                return violated(f"backward {how}: before {_brief(h)}, share {_brief(v)}, after {_brief(a)}", evidence)
        return HOLDS

    def _of_nothing(self, case: Case, held: Sequence[np.ndarray]) -> Verdict:
        """Pull back a cotangent of zeros, which changes nothing that is held."""
        op, inputs = case.subject.make(), [variable(np.array(a)) for a in case.arrays]
        for x, h in zip(inputs, held, strict=True):
            x.grad = np.array(h)
        case.subject.apply(op, inputs)
        after = case.subject.pull_back(op, inputs, tuple(np.zeros_like(g) for g in case.cotangents))
        for name, h, a in zip(grads(case), held, after, strict=True):
            if np.shape(a) == h.shape and np.isfinite(a).all() and not np.array_equal(a, h):
                evidence = mismatch(name, h, np.asarray(a), 0.0)
                return violated(f"backward of a cotangent of zeros changes what .grad held: before {_brief(h)}, "
                                f"after {_brief(a)}", evidence)  # fmt: skip
        return self._goes_on(case)

    def _goes_on(self, case: Case) -> Verdict:
        """Add to each gradient in place, as the next op's backward will; nothing else may change."""
        op, inputs = case.subject.make(), [variable(np.array(a)) for a in case.arrays]
        outputs = case.subject.apply(op, inputs)
        cotangents = tuple(np.array(g) for g in case.cotangents)
        left = [np.asarray(a) for a in case.subject.pull_back(op, inputs, cotangents)]
        others = [("the cotangent", cotangents), ("the output", [y.data for y in outputs]),
                  *((name, [x.data]) for name, x in zip(case.names, inputs, strict=True)),
                  *((name, [a]) for name, a in zip(grads(case), left, strict=True))]  # fmt: skip
        for name, gradient in zip(grads(case), left, strict=True):
            if gradient.size and not gradient.flags.writeable:
                return violated(f"backward leaves a read-only array as {name}, to which the next share cannot be added")
            for other, arrays in others:
                for array in arrays:
                    if other != name and np.may_share_memory(gradient, array) and _changes_with(gradient, array):
                        return violated(f"backward leaves one array as {name} and as {other}: what is added to one "
                                        "changes the other")  # fmt: skip
        return self._keeps_none(case)

    def _keeps_none(self, case: Case) -> Verdict:
        """Use the op twice, and the same once more with something added in between to what the first use left."""
        expected, actual = self._second_use(case, 0.0), self._second_use(case, 1.0)
        evidence = differing(grads(case), expected, actual, case.terms)
        return violated("backward leaves an array as .grad that it keeps: what is added to it changes the next use",
                        *evidence) if evidence else HOLDS  # fmt: skip

    @staticmethod
    def _second_use(case: Case, added: float) -> list[np.ndarray]:
        op = case.subject.make()
        first = _used(op, case)
        for gradient in first:
            gradient += added
        second = [np.array(a) for a in _used(op, case)]
        for gradient in first:
            gradient -= added
        return second


def _used(op: Function, case: Case) -> list[np.ndarray]:
    """Call forward and backward; give what they leave on the inputs."""
    inputs = [variable(np.array(a)) for a in case.arrays]
    case.subject.apply(op, inputs)
    return [np.asarray(a) for a in case.subject.pull_back(op, inputs, [np.array(g) for g in case.cotangents])]


def _changes_with(gradient: np.ndarray, other: np.ndarray) -> bool:
    before = np.array(other)
    gradient += 1.0
    changed = not np.array_equal(before, other, equal_nan=True)
    gradient -= 1.0
    return changed


def _brief(array: np.ndarray) -> str:
    return np.array2string(np.asarray(array), precision=4, threshold=8, separator=", ").replace("\n", "")
