"""How the commands show what they do: a line for each op, a progress bar where someone watches, the end."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Iterable, Iterator

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.text import Text

from adverify import schema
from adverify.verification import Outcome

STYLES = {
    Outcome.VERIFIED: "green",
    Outcome.VIOLATED: "bold red",
    Outcome.CRASHED: "bold red",
    Outcome.UNDECIDED: "yellow",
}
SUMMARY = {
    Outcome.VERIFIED: "verified",
    Outcome.VIOLATED: "wrong",
    Outcome.CRASHED: "crashed",
    Outcome.UNDECIDED: "undecided",
}


def console(stderr: bool = False) -> Console:
    """Make what text is printed on: never wrapped, coloured only where someone looks at it."""
    return Console(stderr=stderr, soft_wrap=True, highlight=False, markup=False, emoji=False)


def complain(text: str) -> None:
    """Print to the standard error output."""
    console(stderr=True).print(Text(text, style="red" if text.startswith("error") else "yellow"))


def line(name: str, record: schema.Report) -> Text:
    """Say in a line what came out for an op."""
    said = record["headline"].removeprefix(f"{record['name']}: ")
    took = f" ({float(record['seconds']):.1f} s)"
    return Text.assemble((name, "bold"), ": ", (said, STYLES[Outcome(record["status"])]), (took, "dim"))


def summary(records: Iterable[schema.Report]) -> str:
    """Count the outcomes.

    Examples
    --------
    >>> summary([])
    '0 ops'
    """
    counts = Counter(Outcome(r["status"]) for r in records)
    kinds = [f"{counts[o]} {SUMMARY[o]}" for o in Outcome if counts[o]]
    return ": ".join(filter(None, (counted(counts.total(), "op"), ", ".join(kinds))))


def counted(number: int, what: str) -> str:
    """Write a number of things.

    Examples
    --------
    >>> counted(1, "op"), counted(1200, "case")
    ('1 op', '1,200 cases')
    """
    return f"{number:,} {what}{'s' * (number != 1)}"


@contextlib.contextmanager
def progress(where: Console, total: int | None) -> Iterator[Progress]:
    """Show how far it is, if someone watches; without a total, only that it goes on."""
    columns = [SpinnerColumn(), TimeElapsedColumn(), TextColumn("{task.description}")]
    if total is not None:
        columns[1:1] = [BarColumn(), MofNCompleteColumn()]
    bar = Progress(*columns, console=where, transient=True, disable=not where.is_terminal)
    with bar:
        bar.add_task("", total=total)
        yield bar
