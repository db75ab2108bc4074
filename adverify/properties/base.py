"""What a property is. Defining a subclass with a name in a module of this package is all it takes to be checked."""

from __future__ import annotations

import graphlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from typing import ClassVar

import numpy as np

from adverify.case import Case, flat
from adverify.strategies.values import Regime
from adverify.subject import Arrays, BackwardRaised, Rejected
from adverify.verdict import Evidence, Status, Verdict, mismatch, undecided, violated

EPS = float(np.finfo(np.float64).eps)

LIBRARIES = 1e6
"""Roundings that another order of additions may cost: libraries choose their algorithm by layout and by size."""

PIECES = 64
"""Roundings of its terms that a sum may cost."""

WAYS, DRIFTS = 4, 16
"""To leave an input by a bit of each element, and how many times what these change other arithmetic may."""


class Property(ABC):
    """One named rule of the contract.

    Attributes
    ----------
    name : str
        Stable: used in reports and in ``exclude=``.
    rule : str
        The rule in words.
    regime : Regime
        The kind of values on which it is judged.
    degenerate : bool
        Whether it is judged on 0-d, empty and one-element shapes.
    needs : tuple of str
        The properties without which its answer means nothing; where one is violated it is not asked.
    everywhere : bool
        Whether it is also judged on all other kinds of values and shapes.
    judges_gradients : bool
        Whether it decides a gradient numerically: such verdicts are what a Subject is verified by.
    leaves_to : str
        The property to which it leaves some cases that it could answer for, undecided; empty if there is none.
    """

    name: ClassVar[str] = ""
    rule: ClassVar[str] = ""
    regime: ClassVar[Regime] = Regime.ORDINARY
    degenerate: ClassVar[bool] = False
    everywhere: ClassVar[bool] = False
    needs: ClassVar[tuple[str, ...]] = ()
    judges_gradients: ClassVar[bool] = False
    leaves_to: ClassVar[str] = ""

    def judge(self, cases: Sequence[Case]) -> Iterator[tuple[Case, Verdict]]:
        """Answer for some cases; unless a property says otherwise, one stands for all of its shapes."""
        for case in {tuple(a.shape for a in case.arrays): case for case in reversed(cases)}.values():
            yield case, self._answer(case)

    def _answer(self, case: Case) -> Verdict:
        try:
            _ = case.vjp
        except BackwardRaised as raised:
            return self.without_gradient(raised)
        try:
            with np.errstate(all="ignore"):  # which the op may change
                return self.check(case)
        except Rejected as rejected:
            return undecided(str(rejected))
        except BackwardRaised as raised:
            return violated(str(raised), exception=raised.cause)

    def without_gradient(self, raised: BackwardRaised) -> Verdict:
        """Answer for a case on which plain backward does not work; `gradient` is what reports that."""
        return undecided(str(raised))

    @abstractmethod
    def check(self, case: Case) -> Verdict:
        """Answer for one case on which plain forward and backward work."""

    def __init_subclass__(cls) -> None:
        if cls.name:
            _REGISTRY[cls.name] = cls()


_REGISTRY: dict[str, Property] = {}


def all_properties() -> tuple[Property, ...]:
    """Give every property, each after those it needs."""
    order = graphlib.TopologicalSorter({name: p.needs for name, p in _REGISTRY.items()}).static_order()
    return tuple(_REGISTRY[name] for name in order)


def dependents(name: str) -> set[str]:
    """Name the property and those that mean nothing without it."""
    found = {name}
    for p in all_properties():
        if found & set(p.needs):
            found.add(p.name)
    return found


def rounding(*arrays: np.ndarray, size: float = 0.0, slack: float = 64.0) -> np.ndarray:
    """Give a bar within which `arrays` may differ if only the order of additions does; `size` is that of the terms."""
    total = sum(np.abs(np.asarray(a, float)) for a in arrays)
    with np.errstate(all="ignore"):
        largest = max(size, float(np.nan_to_num(np.max(total, initial=0.0))))
    return slack * EPS * (total + largest)


def differing(
    names: Sequence[str],
    expected: Sequence[np.ndarray],
    actual: Sequence[np.ndarray],
    sizes: Sequence[float] | None = None,
    slack: float = 64.0,
) -> tuple[Evidence, ...]:
    """Compare arrays that should be alike but for rounding; give those that are not."""
    found = []
    for name, e, a, size in zip(names, expected, actual, sizes or [0.0] * len(names), strict=True):
        if np.shape(e) != np.shape(a):
            found.append(Evidence(name, np.asarray(e), np.asarray(a), np.zeros(()), np.ones((), bool)))
            continue
        evidence = mismatch(name, e, a, rounding(e, a, size=size, slack=slack))
        if evidence.wrong.any():
            found.append(evidence)
    return tuple(found)


def differing_in_arithmetic(
    case: Case, of: Callable[[Case], Arrays], names: Sequence[str], expected: Sequence[np.ndarray],
    actual: Sequence[np.ndarray], sizes: Sequence[float],
) -> tuple[Evidence, ...]:  # fmt: skip
    """Compare what other arithmetic gave, which is inexact where the last bits of the inputs decide.

    `of` gives, of a case, what is compared.
    """
    found = differing(names, expected, actual, sizes, LIBRARIES)
    if not found:
        return ()
    lost = [(DRIFTS * d + in_pieces(case)) / (LIBRARIES * EPS) for d in drift(case, of)]
    return differing(names, expected, actual, [s + d for s, d in zip(sizes, lost, strict=True)], LIBRARIES)


def drift(case: Case, of: Callable[[Case], Arrays]) -> list[float]:
    """By how much arrays change where each element is off by a unit in the last place, up or down by itself."""
    rng, here = case.rng(), of(case)
    most = [0.0] * len(here)
    for _ in range(WAYS):
        try:
            there = of(case.at(tuple(nudged(a, rng) for a in case.arrays)))
        except (Rejected, BackwardRaised):
            continue
        changes = (np.abs(np.asarray(v) - w).max(initial=0.0) for v, w in zip(there, here, strict=True))
        most = [max(m, float(np.nan_to_num(c))) for m, c in zip(most, changes, strict=True)]
    return most


def in_pieces(case: Case) -> float:
    """What rounding costs where a share is added piece by piece and little is left."""
    return PIECES * EPS * max(case.terms, default=0.0)


def is_unstable(case: Case) -> bool:
    """Whether the last bits of the inputs decide what forward gives, or whether it gives anything."""
    rng = case.rng()
    for _ in range(8):
        near = tuple(a + rng.choice([-2.0, -1.0, 1.0, 2.0], a.shape) * np.spacing(np.abs(a)) for a in case.arrays)
        try:
            change = np.abs(flat(case.subject.forward(near)) - flat(case.outputs))
        except Rejected:
            return True
        if change.max(initial=0.0) > 1e-3 * np.abs(flat(case.outputs)).max(initial=0.0):
            return True
    return False


def nudged(a: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Move each element of an array by a unit in the last place, up or down."""
    moved: np.ndarray = a + rng.choice([-1, 1], a.shape).astype(a.dtype) * np.spacing(a)
    return moved


def gradients(case: Case) -> Arrays:
    """Give the gradients of a case's inputs."""
    return case.vjp


def grads(case: Case) -> tuple[str, ...]:
    """Name the gradients of a case's inputs."""
    return tuple(f"{n}.grad" for n in case.names)


def output_names(case: Case) -> tuple[str, ...]:
    """Name the outputs of a case."""
    return ("output",) if len(case.outputs) == 1 else tuple(f"output[{i}]" for i in range(len(case.outputs)))


def is_usable(case: Case) -> bool:
    """Whether plain forward and backward work: a case that breaks another rule says nothing about this one."""
    try:
        return case.vjp is not None
    except Exception:  # what it is, the property that owns it reports
        return False


__all__ = [
    "Property", "Status", "all_properties", "dependents", "differing", "differing_in_arithmetic", "drift", "gradients",
    "grads", "in_pieces", "is_usable", "nudged", "output_names", "rounding",
]  # fmt: skip
