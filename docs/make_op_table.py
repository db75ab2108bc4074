"""``python docs/make_op_table.py [--quick]``: write docs/reference/ops.md, a table of every op and its verdict.

Everything but the verdicts is read from the classes. What is said of points without a derivative is found in a
docstring by its words: a sentence, or in the first line what a semicolon sets apart, that speaks of a kink, a tie, a
jump, a pole, a subgradient, an infinite slope, or the like (see `CONVENTION`).

With ``--quick`` the verdicts that the table has are kept, and only ops that it lacks are verified.
"""

from __future__ import annotations

import argparse
import inspect
import platform
import re
import sys
from collections.abc import Iterable, Mapping
from importlib.metadata import version
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple

import hypothesis
import numpy as np

import adverify.ops
from adverify import Domain, Function, Undecided, VerificationError, check_function
from adverify.discovery import functions_in

TABLE = Path(__file__).parent / "reference" / "ops.md"
SEED, MAX_EXAMPLES = 0, 60

CONVENTION = re.compile(
    r"subgradient|\bties?\b|\bjumps?\b|\bkinks?\b|\bpoles?\b|infinite|coincide|no derivative|not exist|set to 0"
    r"|singular matri",
    re.IGNORECASE,
)
STRUCTURES = {"distinct": "no two alike", "symmetric": "symmetric matrices",
              "positive definite": "symmetric positive definite matrices"}  # fmt: skip

HEAD = """# Ops

Written by `python docs/make_op_table.py` from the classes in `adverify/ops`, and from what `check_function` says of
them. Each op is a function and a class: `sum(x, axis=0)` is `Sum(axis=0)(x)`. Inputs come first and are given by
position. The parameters are explained in the docstrings: `help(adverify.ops.sum)`.

- *Domain*: where the values of the inputs may lie.
- *No derivative*: what backward gives where there is none, as at a kink or a tie; or where the slope is infinite.
- *Verdict*: what `check_function` says, which also tells the reasons for what is undecided.
- *Cases*: how many gradients were decided. *Undecided*: how many could not be.
- *Resolution*: the typical relative error bar of those decided; exact where it is 0.
"""
COLUMNS = ("Function", "Class", "Computes", "Domain", "No derivative", "Verdict", "Cases", "Undecided", "Resolution")


class Status(NamedTuple):
    """The last four cells of a row: what the last run said."""

    verdict: str
    cases: str
    undecided: str
    resolution: str


class Table(NamedTuple):
    """What of a table is not in the classes: how it was run, and the status of each class."""

    run: str
    statuses: Mapping[str, Status]


def verify(op: type[Function]) -> Status:
    """Ask `check_function`; say which property is violated, if one is."""
    try:
        report, verdict = check_function(op, seed=SEED, max_examples=MAX_EXAMPLES), "verified"
    except Undecided as error:
        report, verdict = error.report, "undecided"
    except VerificationError as error:
        report = error.report
        verdict = ", ".join(f"violates {f.property}" for f in report.failures) or "invalid"
    bar = f"{report.resolution:.0e}" if report.resolution else "exact" * bool(report.cases)
    return Status(verdict, str(report.cases), str(report.undecided), bar)


def describe_run() -> str:
    """Tell what the verdicts depend on."""
    libraries = ", ".join(f"{name} {version(name.lower())}" for name in ("NumPy", "SciPy", "Hypothesis"))
    return (f"Last run: `check_function(op, seed={SEED}, max_examples={MAX_EXAMPLES})`, Python "
            f"{platform.python_version()}, {libraries}.")  # fmt: skip


def signature(op: type[Function], name: str) -> str:
    """Give a call of the function form, without annotations and the mark of positional inputs."""
    kinds = inspect.Parameter
    found = inspect.signature(getattr(adverify.ops, name)).parameters.values()
    shown = [
        p.replace(
            annotation=kinds.empty,
            kind=kinds.POSITIONAL_OR_KEYWORD if p.kind is kinds.POSITIONAL_ONLY else p.kind,
            default=_Literally(p.default) if p.default is not kinds.empty else p.default,
        )
        for p in found
    ]
    return f"{name}{inspect.Signature(shown)}"


class _Literally:
    """A default as one would write it."""

    def __init__(self, value: Any) -> None:
        self.value = value

    def __repr__(self) -> str:
        long = isinstance(self.value, float) and len(repr(self.value)) > 8
        return "..." if self.value is Ellipsis else f"{self.value:.3g}" if long else repr(self.value)


def description(op: type[Function]) -> tuple[str, str]:
    """Split a docstring into what is computed, its first line, and what holds where there is no derivative."""
    text = (inspect.getdoc(op) or "").partition("\n\nParameters\n")[0]
    first, _, rest = text.partition("\n")
    parts = re.sub(r"(?<!\.)\.$", "", first).split("; ")
    paragraphs = [" ".join(p.split()) for p in rest.split("\n\n") if "====" not in p]
    sentences = [s for p in paragraphs for s in re.split(r"(?<=\.)\s+(?=[A-Z])", p)]
    aside = [p[:1].upper() + p[1:] + "." * (not p.endswith(".")) for p in parts]
    return ("; ".join(p for p in parts if not CONVENTION.search(p)),
            " ".join(s for s in [*aside, *sentences] if CONVENTION.search(s)))  # fmt: skip


def domain(op: type[Function]) -> str:
    """Say where inputs may lie: once, or for each where that differs."""
    declared = getattr(op, "domain", None)
    if not isinstance(declared, tuple):
        return in_words(declared or Domain())
    names = list(inspect.signature(op.forward).parameters)[1:]
    return "; ".join(f"{name}: {in_words(d)}" for name, d in zip(names, declared, strict=True))


def in_words(d: Domain) -> str:
    """Say which numbers, or arrays, are in a domain."""
    low = f"{'at least' if d.closed_low else 'above'} {d.low:g}" if np.isfinite(d.low) else ""
    high = f"{'at most' if d.closed_high else 'below'} {d.high:g}" if np.isfinite(d.high) else ""
    numbers = " and ".join(filter(None, (low, high)))
    points = [f"{p:g}" for p in d.without]
    if len(points) > 4:
        points = [*points[:3], "...", points[-1]]
    numbers = (numbers or "all reals") + (f" but {', '.join(points)}" if points else "")
    return STRUCTURES[d.structure] + ("" if numbers == "all reals" else f", {numbers}") if d.structure else numbers


def row(op: type[Function], status: Status) -> str:
    """Give an op's line of the table."""
    name, *aliases = adverify.ops._names_of(op)
    also = f", also `{'`, `'.join(aliases)}`" if aliases else ""
    computes, convention = description(op)
    cells = (f"`{signature(op, name)}`{also}", f"`{op.__name__}`", _escaped(computes), domain(op), _escaped(convention))
    return f"| {' | '.join(c.replace('|', chr(92) + '|') for c in (*cells, *status))} |"


def _escaped(text: str) -> str:
    """Keep Markdown from reading stars and angle brackets in a formula."""
    return re.sub(r"`[^`]*`|([*<])", lambda m: f"\\{m[1]}" if m[1] else m[0], text)


def render(table: Table) -> str:
    """Make the page: a table for each family."""
    ops = list(functions_in(adverify.ops))
    verified = sum(table.statuses[op.__name__].verdict == "verified" for op in ops)
    cases, undecided = (sum(int(getattr(table.statuses[op.__name__], name)) for op in ops)
                        for name in ("cases", "undecided"))  # fmt: skip
    lines = [HEAD, table.run, f"{verified} of {len(ops)} ops verified, on {cases:,} cases; {undecided:,} undecided."]
    for module, family in groupby(ops, lambda op: op.__module__):
        title = (sys.modules[module].__doc__ or "").partition("\n")[0]
        lines += ["", f"## {module.rpartition('.')[2]}", "", _escaped(title), "", f"| {' | '.join(COLUMNS)} |"]
        lines += ["| --- | --- | --- | --- | --- | --- | ---: | ---: | ---: |"]
        lines += [row(op, table.statuses[op.__name__]) for op in family]
    return "\n".join(lines) + "\n"


def read(text: str) -> Table:
    """Give the statuses that a page has."""
    run = next((line for line in text.splitlines() if line.startswith("Last run:")), "")
    rows = ([c.strip() for c in re.split(r"(?<!\\)\|", line)[1:-1]] for line in text.splitlines()
            if line.startswith("| `"))  # fmt: skip
    return Table(run, {cells[1].strip("`"): Status(*cells[-4:]) for cells in rows})


def completed(table: Table, ops: Iterable[type[Function]]) -> Table:
    """Verify those ops that have no status; drop statuses of ops that are no more."""
    statuses = {}
    for op in ops:
        known = table.statuses.get(op.__name__)
        statuses[op.__name__] = known or verify(op)
        if known is None:
            print(op.__name__, *statuses[op.__name__], flush=True)
    return Table(table.run or describe_run(), statuses)


def main() -> None:
    """Write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="keep the verdicts that are there")
    keep = parser.parse_args().quick and TABLE.exists()
    hypothesis.settings.register_profile("table", database=None)
    hypothesis.settings.load_profile("table")
    table = completed(read(TABLE.read_text() if keep else ""), functions_in(adverify.ops))
    TABLE.parent.mkdir(exist_ok=True)
    TABLE.write_text(render(table))


if __name__ == "__main__":
    main()
