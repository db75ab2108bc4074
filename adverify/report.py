"""What came out for one Subject, and how it reads in plain text."""

from __future__ import annotations

import textwrap
from collections import Counter
from dataclasses import dataclass, field

import numpy as np

from adverify.case import Case, flat
from adverify.regression import call, script
from adverify.subject import Arrays
from adverify.verdict import Evidence, Verdict

SHOWN = 8
"""Rows and columns of an array that are shown; of a larger one, those around the first wrong element."""
FEW = 256
"""So many elements are counted one by one faster than all at once."""


LONGEST = 4000
"""Characters of one example, or of one message of an exception, that are shown."""


@dataclass(frozen=True)
class Diagnosis:
    """What kind of mistake explains a failure, verified on its numbers.

    Attributes
    ----------
    kind : str
        Stable, for machines: ``"sign"``, ``"factor"``, ...
    text : str
        A sentence for people.
    """

    kind: str
    text: str


@dataclass(frozen=True, eq=False)
class Failure:
    """A violated property with its shrunk case.

    Attributes
    ----------
    property : str
        The name of the rule that does not hold.
    rule : str
        The rule in words.
    case : Case
        The falsifying example, as simple as it could be made.
    verdict : Verdict
        What was found there.
    diagnoses : tuple of Diagnosis
        What explains it, the simplest first; empty if nothing is known to.
    """

    property: str
    rule: str
    case: Case
    verdict: Verdict
    diagnoses: tuple[Diagnosis, ...] = ()

    def __str__(self) -> str:
        lines = [f"{self.property}: {self.rule}", f"    {shortened(self.verdict.reason)}"]
        lines += [f"    diagnosis: {shortened(d.text)}" for d in self.diagnoses]
        lines += ["", "Falsifying example:", *textwrap.indent(shortened(script(self)), "    ").splitlines()]
        for evidence in self.verdict.evidence:
            lines += ["", *_side_by_side(evidence)]
        if self.verdict.exception is not None:
            lines += ["", *raised(self.verdict.exception)]
        lines += ["", "To ask this again:", *textwrap.indent(shortened(call(self)), "    ").splitlines()]
        return _plain(lines)


@dataclass(eq=False)
class Coverage:
    """What the inputs were at which gradients were judged.

    Attributes
    ----------
    shapes : Counter
        The shapes of a case's inputs, with how often.
    magnitudes : Counter
        For each element the power of ten at or below its magnitude, with how often; -inf for zeros, inf for others
        that have none.
    """

    shapes: Counter[tuple[tuple[int, ...], ...]] = field(default_factory=Counter)
    magnitudes: Counter[float] = field(default_factory=Counter)

    def add(self, arrays: Arrays) -> None:
        """Count the inputs of a case."""
        self.shapes[tuple(a.shape for a in arrays)] += 1
        with np.errstate(divide="ignore", invalid="ignore"):
            decades = np.floor(np.log10(np.abs(flat(arrays))))
        decades[np.isnan(decades)] = np.inf
        if decades.size <= FEW:
            self.magnitudes.update(decades.tolist())
        else:
            values, counts = np.unique(decades, return_counts=True)
            self.magnitudes.update(dict(zip(values.tolist(), counts.tolist(), strict=True)))


@dataclass(eq=False)
class Report:
    """All verdicts on one Function.

    Attributes
    ----------
    name, location, target : str
        The Function, the file and line where it is defined, and how to import it: ``"package.module:Class"``.
    inferred : list of str
        What inputs were found to suit it, for each number of inputs and each of its constructor arguments.
    cases : int
        How many gradients were decided.
    undecided : int
        How many could not be.
    reasons : Counter
        Why, with how often.
    verdicts : dict of str to Counter
        Per property, how often it held, was undecided or violated.
    coverage : Coverage
        Which shapes and magnitudes the inputs had.
    failures : list of Failure
        The most telling first.
    resolution : float
        The typical relative error bar of what was decided.
    obstacle : str
        Why it is not verified, where that is not a failure.
    cause : BaseException, optional
        What the op raised that is the obstacle.
    seconds : float
        How long it took.
    """

    name: str
    location: str = ""
    target: str = ""
    inferred: list[str] = field(default_factory=list)
    cases: int = 0
    undecided: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    verdicts: dict[str, Counter[str]] = field(default_factory=dict)
    coverage: Coverage = field(default_factory=Coverage)
    failures: list[Failure] = field(default_factory=list)
    resolution: float = 0.0
    obstacle: str = ""
    cause: BaseException | None = None
    seconds: float = 0.0

    @property
    def ok(self) -> bool:
        """Whether nothing is violated and enough was decided to say so."""
        return not self.failures and not self.obstacle

    def __str__(self) -> str:
        lines = [self.headline]
        if self.location:
            lines.append(f"    defined at {self.location}")
        lines += [f"    takes {text}" for text in self.inferred[:4]]
        if len(self.inferred) > 4:
            lines.append(f"    and {len(self.inferred) - 4} more combinations of arguments and inputs")
        if self.undecided:
            why = "; ".join(f"{n} x {reason}" for reason, n in self.reasons.most_common(3))
            lines.append(f"    undecided: {why}")
        return _plain([*lines, *(line for failure in self.failures for line in ("", str(failure)))])

    def _repr_html_(self) -> str:
        from adverify.notebook import html_of

        return html_of(self)

    @property
    def headline(self) -> str:
        """The first line: what is wrong in words, or that nothing is."""
        if self.failures:
            first = self.failures[0]
            others = [f.property for f in self.failures[1:]]
            also = f" (also: {', '.join(others)})" if others else ""
            kind = "wrong gradient" if first.property in _WRONG else f"breaks {first.property!r}"
            return f"{self.name}: {kind}: {shortened(first.verdict.reason)}{also}"
        if self.obstacle:
            return f"{self.name}: not verified: {self.obstacle}"
        bar = f", typically to {self.resolution:.0e}" if self.resolution else ""
        return f"{self.name}: verified on {self.cases} cases{bar}, {self.undecided} undecided"


_WRONG = ("gradient", "special values", "extremes", "degenerate")


class VerificationError(AssertionError):
    """An op is not verified; `.report` holds everything that was found."""

    def __init__(self, report: Report) -> None:
        super().__init__(str(report))
        self.report = report


class Undecided(VerificationError):
    """Too little could be decided: claims nothing about the gradient, and says what would help."""


class InvalidFunction(VerificationError, TypeError):
    """What was given is not an op that can be called, so there is nothing to verify."""


def _side_by_side(evidence: Evidence) -> list[str]:
    if evidence.expected.shape != evidence.actual.shape or not evidence.expected.size:
        return [f"{evidence.what}: expected shape {evidence.expected.shape}, got {evidence.actual.shape}"]
    rows, window = _window(evidence)
    columns = [
        ["expected", *_cells(evidence.expected[window], rows)],
        ["actual", *_cells(evidence.actual[window], rows, evidence.wrong[window])],
    ]
    width = max(map(len, columns[0]))
    table = [f"    {left:<{width}}    {right}" for left, right in zip(*columns, strict=True)]
    known = evidence.error[np.isfinite(evidence.error) & evidence.wrong]
    bar = f", error bar {known.max():.1g}" if known.size and known.max() else ""
    part = f", from index {tuple(s.start for s in window)} on" if any(s.start for s in window) else ""
    count = int(evidence.wrong.sum())
    return [f"{evidence.what} ({count} of {evidence.wrong.size} wrong, marked *{bar}{part})", *table]


def _window(evidence: Evidence) -> tuple[int, tuple[slice, ...]]:
    """Give how many rows the shown part has, and the part: the neighbourhood of the first wrong element."""
    first = (
        np.unravel_index(int(np.flatnonzero(evidence.wrong)[0]), evidence.wrong.shape) if evidence.wrong.any() else ()
    )
    starts = [max(0, min(int(i) - SHOWN // 2, n - SHOWN)) for i, n in zip(first, evidence.wrong.shape, strict=False)]
    window = tuple(slice(a, a + SHOWN) for a in starts)
    shape = evidence.expected[window].shape
    return int(np.prod(shape[:-1])) if shape else 1, window


def _cells(values: np.ndarray, rows: int, wrong: np.ndarray | None = None) -> list[str]:
    flat = values.reshape(rows, -1)
    marks = np.zeros(flat.shape, bool) if wrong is None else wrong.reshape(rows, -1)
    text = [
        ["?" if np.isnan(v) and wrong is None else f"{v:.6g}{'*' if m else ''}" for v, m in zip(*row, strict=True)]
        for row in zip(flat, marks, strict=True)
    ]
    width = max((len(c) for row in text for c in row), default=0)
    lines = ["  ".join(f"{c:>{width}}" for c in row) for row in text]
    return lines if len(lines) <= 2 * SHOWN else [*lines[: 2 * SHOWN], f"... {len(lines) - 2 * SHOWN} more rows"]


def raised(error: BaseException) -> list[str]:
    """Say what was raised, and where."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    where = f" at {trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}" if trace is not None else ""
    return [f"raised{where}", f"    {type(error).__name__}: {shortened(str(error))}"]


def _plain(parts: list[str]) -> str:
    """Join texts into lines that can be printed anywhere."""
    return "\n".join(printable(line) for part in parts for line in part.split("\n"))


def printable(text: str) -> str:
    """Write out what a terminal would obey in place of showing it."""
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)


def shortened(text: str, most: int = LONGEST) -> str:
    """Leave out the middle of a text that nobody would read."""
    if len(text) <= most:
        return text
    return f"{text[: most // 2]} ... ({len(text) - most} characters left out) ... {text[-most // 2 :]}"
