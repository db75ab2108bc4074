"""What a mistake is. Defining a subclass with a kind in a module of this package is all it takes to be looked for.

Its docstring says what is wrong, with an op of which it is true as its example, for the reference and
``adverify explain``.
"""

from __future__ import annotations

import inspect
import textwrap
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar, NamedTuple

from adverify.diagnosis.witness import Witness
from adverify.report import Failure

GRADIENT = ("gradient", "degenerate")
"""The properties that hold a gradient against the numerical one, at values where it exists."""


class Mistake(ABC):
    """One kind of mistake, and how it shows in the numbers of one input's gradient.

    Attributes
    ----------
    kind : str
        Stable, for machines.
    complexity : int
        The simplest mistake that fits is the one that is named; the first defined, where several are as simple.
    properties : tuple of str
        The properties whose failures it may explain.
    in_groups : bool
        Whether it is also looked for at inputs of some ranks or sizes only, where it does not fit all.
    is_slight : bool
        Whether it may leave a gradient that is right to five digits; what would change more is then not the mistake,
        though it may fit.
    """

    kind: ClassVar[str] = ""
    complexity: ClassVar[int] = 0
    properties: ClassVar[tuple[str, ...]] = GRADIENT
    in_groups: ClassVar[bool] = True
    is_slight: ClassVar[bool] = False

    @abstractmethod
    def explain(self, witnesses: Sequence[Witness], i: int) -> str:
        """Say, of the gradient of input `i`, what is wrong with it at every witness; nothing if this does not fit."""

    def __init_subclass__(cls) -> None:
        if cls.kind:
            _MISTAKES.append(cls())


class Fault(ABC):
    """One kind of fault of an op as a whole, that a property's failure shows by itself or by asking the op again."""

    kind: ClassVar[str] = ""
    complexity: ClassVar[int] = 0
    properties: ClassVar[tuple[str, ...]] = ()

    @abstractmethod
    def explain(self, failure: Failure) -> str:
        """Say what is wrong; nothing if this does not fit."""

    def __init_subclass__(cls) -> None:
        if cls.kind:
            _FAULTS.append(cls())


_MISTAKES: list[Mistake] = []
_FAULTS: list[Fault] = []


def mistakes_of(property: str) -> list[Mistake]:
    """Give the mistakes that may explain a property's failure, the simplest first."""
    return sorted((m for m in _MISTAKES if property in m.properties), key=lambda m: m.complexity)


def faults_of(property: str) -> list[Fault]:
    """Give the faults that may explain a property's failure, the simplest first."""
    return sorted((f for f in _FAULTS if property in f.properties), key=lambda f: f.complexity)


def kinds() -> set[str]:
    """Name all kinds of diagnoses."""
    return {m.kind for m in _MISTAKES} | {f.kind for f in _FAULTS}


class Description(NamedTuple):
    """What a kind of diagnosis says, which properties' failures it may explain, and ops of which it is said."""

    text: str
    properties: tuple[str, ...]
    examples: tuple[str, ...]


def descriptions() -> dict[str, Description]:
    """Describe each kind of diagnosis, from the docstrings of its classes."""
    found: dict[str, Description] = {}
    every: list[Mistake | Fault] = [*_MISTAKES, *_FAULTS]
    for m in every:
        text, _, example = (inspect.getdoc(type(m)) or "").partition("\n\nExamples\n--------\n::\n\n")
        known = found.get(m.kind, Description("", (), ()))
        found[m.kind] = Description(
            f"{known.text} {text}".strip(),
            tuple(dict.fromkeys((*known.properties, *m.properties))),
            (*known.examples, *([textwrap.dedent(example) + "\n"] if example else [])),
        )
    return found
