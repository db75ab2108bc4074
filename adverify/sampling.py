"""Where the cases of one Subject come from: the shapes it takes and the domains of its inputs."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from adverify.domains import Domain
from adverify.evaluation import Memory
from adverify.shapes import Shapes, elements, is_bare, is_degenerate
from adverify.signatures import Signature

MOST_SHOWN = 8
"""Combinations of ranks that are named one by one."""


@dataclass(frozen=True, repr=False)
class Sampling:
    """Where the cases of one Subject come from.

    Attributes
    ----------
    shapes : tuple of tuple of shape
        Combinations of input shapes that forward takes, the smallest first.
    domains : tuple of Domain
        One per input.
    scale : float
        The typical size of an output element.
    noise : float
        What forward rounds inside, as seen at ordinary inputs.
    elementwise : bool
        Each output element depends on one element of each input only: magnitudes may then be mixed freely.
    convention : tuple of bool
        Per input: forward reads one triangle of it only, so a symmetric gradient is as right as a triangular one.
    signature : Signature, optional
        The one that was declared.
    given : bool
        The caller gives the inputs.
    jump : float
        By how much forward jumps at ordinary inputs, if it is an iteration that stops early.
    homogeneous : bool
        Bounds are bounds of inputs to each other, so that all of them may be scaled together.
    together : ndarray, shape (n, arity), optional
        Tuples of values to draw from, instead of the domains, where what is taken of one input depends on the others.
    memory : Memory
        How forward is called for many points at once, as found on the way.
    """

    shapes: tuple[Shapes, ...]
    domains: tuple[Domain, ...]
    scale: float
    noise: float
    elementwise: bool
    convention: tuple[bool, ...]
    signature: Signature | None = None
    given: bool = False
    jump: float = 0.0
    homogeneous: bool = False
    together: np.ndarray | None = field(default=None, compare=False)
    memory: Memory = field(default_factory=Memory, compare=False)

    @property
    def arity(self) -> int:
        return len(self.domains)

    @cached_property
    def degenerate(self) -> tuple[Shapes, ...]:
        """The shapes in which an input is 0-d, empty, or of a single element."""
        return tuple(s for s in self.shapes if is_degenerate(s))

    @cached_property
    def telling(self) -> tuple[Shapes, ...]:
        """Those in which no input is empty and some input has two elements; all, if there are none."""
        return tuple(s for s in self.shapes if not is_bare(s)) or self.shapes

    def __str__(self) -> str:
        if self.given:
            return "the inputs that were given"
        kinds = sorted({tuple(len(s) for s in shapes) for shapes in self.shapes})
        shown = "; ".join(", ".join(f"{n}-d" for n in kind) for kind in kinds)
        most = max(map(max, kinds), default=0)
        axes = shown if len(kinds) <= MOST_SHOWN else f"up to {most}-d, in {len(kinds)} combinations"
        sample = " x ".join(str(s) for s in min(self.telling, key=unlikeness))
        domains = "taken together" if self.together is not None else ", ".join(str(d) for d in self.domains)
        return f"{self.arity} input{'s' * (self.arity > 1)} of {axes}, such as {sample}; values: {domains}"

    def __repr__(self) -> str:
        return f"<Sampling: {self}>"


def unlikeness(shapes: Shapes) -> tuple[int, int, int]:
    """Order shapes by how little they tell a person: matrices of unlike axes and few elements tell most."""
    return max(2, *map(len, shapes)), -len({n for s in shapes for n in s if n > 1}), elements(shapes)
