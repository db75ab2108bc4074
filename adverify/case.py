"""One concrete question: a Subject, its inputs, a cotangent."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from typing import Any

import numpy as np

from adverify.calling import cotangent_as_written
from adverify.engine import variable
from adverify.oracle import EPS
from adverify.subject import Arrays, BackwardRaised, Rejected, Subject, input_names

NEARLY_ONE = tuple(1 + 2.0**-46 * k for k in (0.31, -0.47, 0.83, -0.71))
"""Factors with other last digits, which hardly ever cross a stair, be it one of single precision."""


@dataclass(frozen=True, eq=False)
class Case:
    """A Subject at a point, with the cotangent and the seed of whatever else a property draws.

    Attributes
    ----------
    subject : Subject
    arrays : tuple of ndarray
        The inputs.
    seed : int
        0 makes a cotangent of ones; others make it of quarters between -1 and 1.
    sampling : Sampling
        Where the inputs were drawn from.
    partner : Case, optional
        Another question to the same Subject, for what one call may do to another.
    relative : Subject, optional
        The same op with other constructor arguments, for what one instance may do to another.
    """

    subject: Subject
    arrays: Arrays
    seed: int
    sampling: Any
    partner: Case | None = None
    relative: Subject | None = None

    @cached_property
    def outputs(self) -> Arrays:
        """What forward gives; raises Rejected if it does not take the inputs."""
        return self.subject.forward(self.arrays)

    @cached_property
    def cotangents(self) -> Arrays:
        sizes = [y.size for y in self.outputs]
        parts = np.split(_quarters(self.seed, sum(sizes)), np.cumsum(sizes)[:-1])
        return tuple(np.array(p.reshape(y.shape), dtype=y.dtype) for p, y in zip(parts, self.outputs, strict=True))

    @cached_property
    def vjp(self) -> Arrays:
        """What backward gives, for inputs whose gradient starts at zero."""
        return self.subject.vjp(self.arrays, self.cotangents)

    @cached_property
    def generic(self) -> Arrays:
        """A cotangent of no simple numbers, for which nothing cancels and nothing is exact."""
        rng = np.random.default_rng([self.seed, 2])
        return tuple(rng.normal(size=g.shape).astype(g.dtype) for g in self.cotangents)

    @cached_property
    def sizes(self) -> tuple[float, ...]:
        """How large gradients are for a generic cotangent: for the case's own they may cancel to nothing."""
        try:
            generic = self.subject.vjp(self.arrays, self.generic)
        except BackwardRaised:  # whether it may is for a property to say
            generic = ()
        seen = max(largest(*self.vjp), largest(*generic))
        natural = largest(*self.outputs) / max(1.0, largest(*self.arrays))
        return (max(seen, natural),) * len(self.arrays)

    @cached_property
    def terms(self) -> tuple[float, ...]:
        """How large what is added up to gradients is, where most of it cancels: as its rounding shows."""
        return tuple(max(size, self._scatter_for(self.cotangents) / EPS) for size in self.sizes)

    def _scatter_for(self, cotangents: Arrays) -> float:
        """By how much gradients change with the last digits of a cotangent, beyond being in proportion to it."""
        most = 0.0
        try:
            here = self.subject.vjp(self.arrays, cotangents)
            for factor in NEARLY_ONE:
                there = self.subject.vjp(self.arrays, tuple(factor * g for g in cotangents))
                most = max(most, largest(*(v - factor * w for v, w in zip(there, here, strict=True))))
        except (BackwardRaised, Rejected):  # whether it may is for a property to say
            return 0.0
        return most

    @cached_property
    def scatter(self) -> float:
        """By how much gradients change with the last digits of a generic cotangent; simple ones may be on a stair."""
        return self._scatter_for(self.generic)

    @property
    def names(self) -> tuple[str, ...]:
        return input_names(self.subject, len(self.arrays))

    @cached_property
    def sibling(self) -> Case:
        """The same shapes with other values."""
        domains = self.sampling.domains
        return self.at(
            tuple(
                0.75 * a if d.structure not in ("", "distinct") else np.roll(a.ravel()[::-1], 1).reshape(a.shape)
                for a, d in zip(self.arrays, domains, strict=True)
            )
        )

    def rng(self) -> np.random.Generator:
        """Randomness that belongs to the case: the same in each run."""
        return np.random.default_rng([self.seed, 1])

    def at(self, arrays: Arrays) -> Case:
        """Ask the same at another point."""
        return replace(self, arrays=arrays, partner=None)

    def __str__(self) -> str:
        """Python that runs, once the op's class is imported."""
        example = getattr(self.subject.kind, "example", None)
        if example is not None:
            return str(example(self))
        lines = [f"{n} = variable({literal(a)})" for n, a in zip(self.names, self.arrays, strict=True)]
        inputs = ", ".join(self.names)
        op = self.subject.name if self.subject.name.endswith(")") else f"{self.subject.name}()"
        lines += [f"op = {op}", f"op.forward({inputs})"]
        given = self.subject.as_given([literal(g) for g in self.cotangents])
        grad = given if isinstance(given, str) else f"({', '.join(given)}{',' * (len(given) == 1)})"
        lines += [f"op.backward({inputs}, {cotangent_as_written(self.subject.kind, grad)})"]
        return "\n".join(lines)


@lru_cache(maxsize=1024)
def _quarters(seed: int, size: int) -> np.ndarray:
    """Give multiples of a quarter between -1 and 1, none of them 0; for seed 0 ones."""
    if not seed:
        return np.ones(size)
    quarters = np.array([0.25, 0.5, 0.75, 1.0, -0.25, -0.5, -0.75, -1.0])
    return np.random.default_rng(seed).choice(quarters, size)


def largest(*arrays: np.ndarray) -> float:
    """Give the largest magnitude of those that are finite."""
    return max((float(np.abs(a).max(initial=0.0, where=np.isfinite(a))) for a in arrays), default=0.0)


def literal(array: np.ndarray) -> str:
    """Write an array as an expression that gives back its shape, dtype and every bit of its values.

    Examples
    --------
    >>> literal(np.array([[1.0, 2.0]]))
    'np.array([[1.0, 2.0]])'
    """
    if array.size == 0:
        return f"np.zeros({array.shape})"
    suffix = "" if array.dtype == np.float64 else f", dtype=np.{array.dtype}"
    body = repr(array.tolist()).replace("nan", "np.nan").replace("inf", "np.inf")
    return f"np.array({body}{suffix})"


def flat(arrays: Arrays) -> np.ndarray:
    """Join arrays into one vector."""
    return np.concatenate([np.ravel(a) for a in arrays]) if arrays else np.zeros(0)


def unflat(vector: np.ndarray, like: Arrays) -> Arrays:
    """Cut a vector into arrays of the shapes of `like`; the inverse of `flat`."""
    ends = np.cumsum([a.size for a in like])
    return tuple(v.reshape(a.shape) for v, a in zip(np.split(vector, ends[:-1]), like, strict=True))


__all__ = ["Case", "flat", "literal", "unflat", "variable"]
