"""``adverify replay``: ask again what failed once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import typer
from rich.console import Console
from rich.text import Text

from adverify.cli.asking import asked
from adverify.cli.display import STYLES, console, counted
from adverify.cli.exit_codes import ExitCode, exit_code
from adverify.cli.options import Count, TimeLimit, number_of
from adverify.cli.project import Project
from adverify.record import Unreadable
from adverify.runner import Processes
from adverify.targets import Target, TargetError, parse
from adverify.verification import Answer, Outcome, Plan, asked_again

SAID = {Outcome.VERIFIED: "holds now", Outcome.VIOLATED: "still fails"}
GONE = "cannot be asked any more"


class Stored(NamedTuple):
    """A failure with its file and its op; or why there is no such op any more."""

    path: Path
    document: dict[str, Any]
    op: Target | str


def replay(
    targets: Annotated[
        list[str] | None,
        typer.Argument(metavar="TARGET", help="Only failures of ops whose address begins so.", show_default="all"),
    ] = None,
    processes: Count = "auto",
    time_limit: TimeLimit = None,
    forget: Annotated[
        bool, typer.Option("--forget", help="Remove failures that hold now, or that cannot be asked any more.")
    ] = False,
) -> None:
    """Ask every failure that is stored again: the same op at the same inputs.

    **Examples**

    `adverify replay` - all

    `adverify replay mypackage.ops:MyOp`

    `adverify replay --forget` - and remove those that hold now

    **Exit codes**: 0 all hold now, or none is stored; 1 one still fails; 2 the command is wrong; 3 one could not be
    decided, or its op is gone; 130 interrupted.
    """
    project, where = Project(), console()
    plan = project.plan(where, time_limit=time_limit)
    stored = list(_stored(project, targets or []))
    outcomes: list[Outcome] = []
    with Processes(number_of(processes)) as running:
        for failure, outcome, said in _asked_again(stored, plan, running, where):
            outcomes.append(outcome)
            name = f"{failure.document['op']}: {failure.document['property']}: "
            where.print(Text.assemble(name, (said, STYLES[outcome])))
            if forget and (outcome is Outcome.VERIFIED or said.startswith(GONE)):
                project.storage.forget(failure.path)
    failing = sum(exit_code([o]) is ExitCode.WRONG for o in outcomes)
    where.print(f"{counted(len(stored), 'stored failure')}, {failing} still there")
    raise typer.Exit(exit_code(outcomes) if outcomes else ExitCode.VERIFIED)


def _stored(project: Project, targets: Sequence[str]) -> Iterator[Stored]:
    for path, document in project.storage.failures():
        if not targets or str(document["op"]).startswith(tuple(targets)):
            try:
                yield Stored(path, document, parse(str(document["op"]), project.root))
            except TargetError as error:
                yield Stored(path, document, str(error))


def _asked_again(
    stored: Sequence[Stored], plan: Plan, running: Processes, where: Console
) -> Iterator[tuple[Stored, Outcome, str]]:
    """Ask each failure again; give what came out, and how to say it."""
    there = [failure for failure in stored if isinstance(failure.op, Target)]
    yield from ((failure, Outcome.UNDECIDED, f"{GONE}: {failure.op}") for failure in stored if failure not in there)
    for failure, answer in asked(_ask, there, plan, running, where, op_of=lambda failure: failure.op):
        if isinstance(answer, str):
            yield failure, Outcome.UNDECIDED, f"{GONE}: {answer}"
        else:
            yield failure, answer.outcome, SAID.get(answer.outcome, answer.record["headline"])


def _ask(failure: Stored, plan: Plan) -> Answer | str:
    assert isinstance(failure.op, Target)
    try:
        return asked_again(failure.op, failure.document, plan)
    except (TargetError, Unreadable) as error:
        return str(error)
