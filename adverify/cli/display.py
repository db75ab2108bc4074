"""How the commands show what they do: a line for each op, a progress bar where someone watches, the end."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Iterable, Iterator

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.text import Text

from adverify import schema, terminal
from adverify.report import printable
from adverify.verification import Look, Outcome

STYLES = {
    Outcome.VERIFIED: "green",
    Outcome.VIOLATED: "bold red",
    Outcome.CRASHED: "bold red",
    Outcome.UNDECIDED: "yellow",
    Outcome.EXPECTED: "dim",
    Outcome.SKIPPED: "dim",
}


def console(stderr: bool = False) -> Console:
    """Make what text is printed on: lines are wrapped by the terminal, not by line breaks of ours."""
    made = terminal.console(stderr)
    made.soft_wrap = True
    return made


def separate(where: Console) -> None:
    """Draw a line between reports."""
    where.rule(style="dim", characters="─" if where.encoding.startswith("utf") else "-")


def look_of(where: Console) -> Look:
    """Tell what a console can show."""
    if not where.is_terminal:
        return Look(encoding=where.encoding)
    return Look(where.width, not where.no_color, where.encoding)


def complain(text: str) -> None:
    """Print to the standard error output."""
    console(stderr=True).print(Text(text, style="red" if text.startswith("error") else "yellow"))


def line(name: str, record: schema.Report, outcome: Outcome) -> Text:
    """Say in a line what came out for an op."""
    said = printable(record["headline"].removeprefix(f"{record['name']}: "))
    took = f" ({float(record['seconds']):.1f} s)" if record["seconds"] else ""
    return Text.assemble((name, "bold"), ": ", (said, STYLES[outcome]), (took, "dim"))


def summary(outcomes: Iterable[Outcome]) -> str:
    """Count the outcomes.

    Examples
    --------
    >>> summary([Outcome.VERIFIED, Outcome.VIOLATED, Outcome.VERIFIED])
    '3 ops: 2 verified, 1 wrong'
    """
    counts = Counter(outcomes)
    kinds = [f"{counts[o]} {'wrong' if o is Outcome.VIOLATED else o.value}" for o in Outcome if counts[o]]
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
    with contextlib.nullcontext() if bar.disable else bar:  # rich < 14.3 ends a disabled one with an empty line
        bar.add_task("", total=total)
        yield bar
