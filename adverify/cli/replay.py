"""``adverify replay``: ask again what failed once."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import typer
from rich.text import Text

from adverify.cli.asking import asked
from adverify.cli.display import STYLES, console
from adverify.cli.exit_codes import ExitCode, exit_code
from adverify.cli.options import Count, TimeLimit, number_of
from adverify.cli.project import Project
from adverify.runner import Processes
from adverify.targets import Target, TargetError, parse
from adverify.verification import Answer, Outcome, Plan, asked_again

SAID = {Outcome.VERIFIED: "holds now", Outcome.WRONG: "still fails"}


class Stored(NamedTuple):
    """A failure, its file and its op."""

    path: Path
    document: dict[str, Any]
    op: Target


def replay(
    targets: Annotated[
        list[str] | None,
        typer.Argument(metavar="TARGET", help="Only failures of ops whose address begins so.", show_default="all"),
    ] = None,
    processes: Count = "auto",
    time_limit: TimeLimit = 5.0,
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
    plan = Plan(seed=0, time_limit=time_limit, directory=str(project.storage.directory))
    stored, answers = _stored(project, targets or []), list[Answer]()
    with Processes(number_of(processes)) as running:
        for failure, answer in asked(_asked_again, stored, plan, running, where, op_of=lambda failure: failure.op):
            answers.append(answer)
            said = SAID.get(answer.outcome, answer.headline)
            asked_for = f"{failure.document['op']}: {failure.document['property']}: "
            where.print(Text.assemble(asked_for, (said, STYLES[answer.outcome])))
            if forget and answer.outcome in (Outcome.VERIFIED, Outcome.INVALID):
                project.storage.forget(failure.path)
    failing = sum(exit_code([a.outcome]) is ExitCode.WRONG for a in answers)
    where.print(f"{len(answers)} stored failure{'s' * (len(answers) != 1)}: {failing} still there")
    raise typer.Exit(exit_code([a.outcome for a in answers]) if answers else ExitCode.VERIFIED)


def _asked_again(failure: Stored, plan: Plan) -> Answer:
    return asked_again(failure.op, failure.document, plan)


def _stored(project: Project, targets: Sequence[str]) -> list[Stored]:
    found = []
    for path, document in project.storage.failures():
        try:
            op = parse(document["op"], project.root)
        except (TargetError, KeyError, TypeError) as error:
            project.warn(f"{path} cannot be replayed, and is left as it is: {error}")
            continue
        if not targets or any(document["op"].startswith(t) for t in targets):
            found.append(Stored(path, document, op))
    return found
