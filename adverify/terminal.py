"""How a report looks in a terminal: colour and width are the terminal's; anywhere else it is plain text."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence

import numpy as np
from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.syntax import Syntax
from rich.table import Table
from rich.text import Text

from adverify.regression import call, script
from adverify.report import Failure, Report, printable, raised, shortened
from adverify.verdict import Evidence

LEAST_CELLS = 3
"""Columns of an array that are always shown, however narrow the terminal is."""

ROWS = 12
"""Rows of an array that are shown; of a longer one, those around the first wrong element."""


def console(stderr: bool = False) -> Console:
    """Make a console that is plain wherever colour is not wanted: no terminal, ``NO_COLOR``, or a CI service.

    Parameters
    ----------
    stderr : bool
        Whether it writes to the standard error.
    """
    plain = any(os.environ.get(name) for name in ("NO_COLOR", "CI")) and not os.environ.get("FORCE_COLOR")
    return Console(stderr=stderr, highlight=False, force_terminal=False if plain else None, soft_wrap=False)


def show(report: Report, to: Console | None = None, replay: str = "") -> None:
    """Print a report.

    Parameters
    ----------
    report : Report
    to : Console, optional
        Default: the standard output.
    replay : str
        The command that replays the failures, if they were stored; without it the call of `check_case` is shown.
    """
    to = to or console()
    to.print(rendered(report, to.width, replay, to.encoding))


def rendered(report: Report, width: int, replay: str = "", encoding: str = "utf-8") -> Group:
    """Lay out a report for a width.

    Parameters
    ----------
    report : Report
    width : int
        Characters in a line.
    replay : str
        As for `show`.
    encoding : str
        What characters there are; others are written as escapes.
    """
    page = _Page(width, encoding)
    parts: list[RenderableType] = [page.title(report)]
    for failure in report.failures:
        parts += ["", *page.failure(failure, replay)]
    parts += ["", page.inferred(report)]
    if replay and report.failures:
        parts += ["", page.line(("Replay: ", "bold"), (replay, "cyan"))]
    return Group(*parts)


class _Page:
    """What all parts of a page have in common: its width, and its characters."""

    def __init__(self, width: int, encoding: str) -> None:
        self.width, self.encoding = width, encoding

    def text(self, content: str) -> str:
        """Give text that can be shown: no control characters, and none that the encoding does not have."""
        shown = "\n".join(printable(line) for line in content.split("\n"))
        return shown.encode(self.encoding, "backslashreplace").decode(self.encoding)

    def line(self, *parts: tuple[str, str]) -> Text:
        return Text.assemble(*((self.text(content), style) for content, style in parts))

    def title(self, report: Report) -> RenderableType:
        mark, style = ("PASSED", "bold green") if report.ok else ("FAILED", "bold red")
        if not report.failures and report.obstacle:
            mark, style = "NOT VERIFIED", "bold yellow"
        head = self.line((f"{mark} ", style), (report.name, "bold"), (f"  {report.location}", "dim"))
        lines: list[RenderableType] = [head]
        if not report.failures:
            said = report.obstacle or report.headline.removeprefix(f"{report.name}: ")
            lines.append(self.indented(self.line((shortened(said), ""))))
        return Group(*lines)

    def inferred(self, report: Report) -> RenderableType:
        lines: list[RenderableType] = []
        taken = [*report.inferred[:3], *([f"{len(report.inferred) - 3} more"] if len(report.inferred) > 3 else [])]
        lines += [self.indented(self.line((f"takes {text}", "dim"))) for text in taken]
        if report.undecided:
            why = "; ".join(f"{n} x {reason}" for reason, n in report.reasons.most_common(3))
            lines.append(self.indented(self.line((f"undecided: {why}", "dim"))))
        return Group(*lines)

    def indented(self, part: RenderableType) -> Padding:
        return Padding(part, (0, 0, 0, 2), expand=False)

    def failure(self, failure: Failure, replay: str) -> list[RenderableType]:
        verdict = failure.verdict
        parts: list[RenderableType] = [
            self.line((f"{failure.property}: ", "bold red"), (failure.rule, "")),
            self.indented(self.line((shortened(verdict.reason), "red"))),
            *(
                self.indented(self.line(("diagnosis: ", "bold"), (shortened(d.text), "bold")))
                for d in failure.diagnoses
            ),
        ]
        if verdict.exception is not None:
            where, what = raised(verdict.exception)
            parts += ["", self.line((where, "")), self.indented(self.line((what.strip(), "")))]
        for evidence in verdict.evidence:
            parts += ["", self.evidence(evidence)]
        parts += ["", self.line(("Falsifying example", "bold")), self.code(script(failure))]
        if not replay:
            parts += ["", self.line(("To ask this again", "bold")), self.code(call(failure))]
        return parts

    def code(self, source: str) -> Padding:
        """Show Python as it may be copied: long lines are wrapped by the terminal, not by line breaks of ours."""
        shown = self.text(shortened(source))
        syntax = Syntax(shown, "python", theme="ansi_dark", background_color="default", word_wrap=True)
        return Padding(syntax, (0, 0, 0, 2), expand=False)

    def evidence(self, e: Evidence) -> RenderableType:
        if e.expected.shape != e.actual.shape or not e.expected.size:
            return self.line((f"{e.what}: expected shape {e.expected.shape}, got {e.actual.shape}", "bold"))
        rows, columns, where = _window(e, max(LEAST_CELLS, self._cells_that_fit()))
        known = e.error[np.isfinite(e.error) & e.wrong]
        bar = f", error bar {known.max():.1g}" if known.size and known.max() else ""
        head = self.line((e.what, "bold"), (f"  {int(e.wrong.sum())} of {e.wrong.size} wrong{bar}{where}", ""))
        matrices = [_as_matrix(a, e.wrong)[rows, columns] for a in (e.expected, e.actual, e.wrong)]
        return Group(head, self.indented(_side_by_side(*matrices)))

    def _cells_that_fit(self) -> int:
        """How many numbers of usual length go beside each other, twice."""
        return (self.width - 10) // 2 // 12


def _as_matrix(a: np.ndarray, wrong: np.ndarray) -> np.ndarray:
    """Give the matrix of the last two axes in which the first wrong element is."""
    if a.ndim <= 2:
        return np.atleast_2d(a)
    return np.asarray(a[np.unravel_index(_first(wrong), wrong.shape)[:-2]])


def _first(wrong: np.ndarray) -> int:
    found = np.flatnonzero(wrong)
    return int(found[0]) if found.size else 0


def _window(e: Evidence, most: int) -> tuple[slice, slice, str]:
    """Give the rows and columns around the first wrong element, and say which they are if not all are shown."""
    matrix = _as_matrix(e.wrong, e.wrong)
    first = np.unravel_index(_first(matrix), matrix.shape)
    slices = []
    for at, length, size in zip(first, matrix.shape, (ROWS, most), strict=True):
        start = max(0, min(int(at) - size // 2, length - size))
        slices.append(slice(start, min(start + size, length)))
    rows, columns = slices
    index = [str(int(i)) for i in np.unravel_index(_first(e.wrong), e.wrong.shape)[:-2]]
    shown = [f"{s.start}:{s.stop}" for s in slices][-min(2, e.wrong.ndim) or 2 :]
    whole = e.wrong.ndim <= 2 and all(s.stop - s.start == n for s, n in zip(slices, matrix.shape, strict=True))
    return rows, columns, "" if whole else f", here [{', '.join([*index, *shown])}]"


def _side_by_side(expected: np.ndarray, actual: np.ndarray, wrong: np.ndarray) -> Table:
    columns = expected.shape[1]
    table = Table.grid(padding=(0, 2, 0, 0))
    for _ in range(2 * columns + 1):
        table.add_column(justify="right", no_wrap=True)
    table.add_row(*_titled("expected", columns), "", *_titled("actual", columns))
    for e_row, a_row, w_row in zip(expected, actual, wrong, strict=True):
        cells = [*_cells(e_row, a_row, w_row, "green"), Text(""), *_cells(a_row, e_row, w_row, "bold red", "*")]
        table.add_row(*cells)
    return table


def _titled(title: str, columns: int) -> list[Text]:
    return [Text(title, style="dim"), *(Text("") for _ in range(columns - 1))]


def _cells(
    values: Iterable[float], others: Iterable[float], wrong: Sequence[bool] | np.ndarray, style: str, mark: str = ""
) -> list[Text]:
    """Write a row with as many digits as tell it from another."""
    cells = []
    for value, other, is_wrong in zip(values, others, wrong, strict=True):
        digits = next((n for n in (6, 9, 12, 17) if f"{value:.{n}g}" != f"{other:.{n}g}"), 6) if is_wrong else 6
        shown = "?" if np.isnan(value) and not mark else f"{value:.{digits}g}"
        cells.append(Text(shown + (mark if is_wrong else " " * len(mark)), style=style if is_wrong else "dim"))
    return cells
