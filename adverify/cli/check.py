"""``adverify check``: verify ops."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Annotated

import typer
from rich.console import Console

from adverify.cli.asking import asked
from adverify.cli.display import line, summary
from adverify.cli.exit_codes import ExitCode, exit_code
from adverify.cli.formats import Format, FormatOption, OutputOption, refuse_unwritable, rendered, talk, write
from adverify.cli.options import (
    Count,
    Exclude,
    Keyword,
    MaxExamples,
    Seed,
    Targets,
    TimeLimit,
    any_seed,
    number_of,
    properties_of,
)  # fmt: skip
from adverify.cli.project import Project, ops_meant
from adverify.runner import Processes
from adverify.targets import Target
from adverify.verification import Answer, Outcome, Plan, verified


def check(
    targets: Targets = None,
    keyword: Keyword = "",
    processes: Count = "auto",
    seed: Seed = None,
    max_examples: MaxExamples = 100,
    exclude: Exclude = None,
    time_limit: TimeLimit = 5.0,
    fail_fast: Annotated[bool, typer.Option("--fail-fast", help="Stop at the first op that is wrong.")] = False,
    format: FormatOption = Format.TEXT,
    output: OutputOption = None,
) -> None:
    """Verify that each op's backward gives the gradient of its forward, and keeps the rest of the contract.

    **Examples**

    `adverify check mypackage.ops` - every op in a module, or in a package and all below it

    `adverify check path/to/ops.py:MyOp --seed 7` - one class in a file, the same each time

    `adverify check mypackage -k matmul --fail-fast -n 2`

    **Exit codes**: 0 all verified; 1 an op is wrong, or crashed; 2 the command, or what it names, is wrong; 3 too
    little could be decided about an op; 130 interrupted.
    """
    project, where = Project(), talk(format, output)
    refuse_unwritable(output)
    project.storage.prepare()
    plan = Plan(
        seed=any_seed() if seed is None else seed,
        max_examples=max_examples,
        exclude=properties_of(exclude),
        time_limit=time_limit,
        directory=str(project.storage.directory),
    )
    with Processes(number_of(processes)) as running:
        ops = ops_meant(project, targets or [], keyword, running)
        answers, interrupted = _checked(ops, plan, running, project, where, fail_fast)
    _say_how_it_ended(where, answers, plan)
    document = project.keep_run((a.record for a in answers), plan, command="check", interrupted=interrupted)
    if format is not Format.TEXT:
        write(rendered(document, format, project.root), output)
    elif output is not None:
        _say_how_it_ended(Console(file=(text := io.StringIO()), soft_wrap=True), answers, plan)
        write(text.getvalue(), output)
    raise typer.Exit(_code(answers, interrupted))


def _checked(
    ops: Sequence[Target], plan: Plan, running: Processes, project: Project, where: Console, fail_fast: bool
) -> tuple[list[Answer], bool]:
    """Check ops, print a line for each, and keep what is found; give the answers, and whether Ctrl-C came between."""
    answers: dict[Target, Answer] = {}
    try:
        for op, answer in asked(verified, ops, plan, running, where):
            answers[op] = answer
            project.keep(answer)
            where.print(line(str(op), answer.record))
            if fail_fast and exit_code([answer.outcome]) is ExitCode.WRONG:
                break
    except KeyboardInterrupt:
        return _in_order(answers, ops), True
    return _in_order(answers, ops), False


def _in_order(answers: dict[Target, Answer], ops: Sequence[Target]) -> list[Answer]:
    return [answers[op] for op in ops if op in answers]


def _say_how_it_ended(where: Console, answers: Sequence[Answer], plan: Plan) -> None:
    """Print the report of each op that is not verified, then how many there are of each kind."""
    for answer in answers:
        if answer.outcome is not Outcome.VERIFIED:
            where.rule(style="dim")
            where.print(answer.text)
    where.rule(style="dim")
    where.print(f"{summary(a.record for a in answers)} (seed {plan.seed})")


def _code(answers: Sequence[Answer], interrupted: bool) -> ExitCode:
    code = exit_code([a.outcome for a in answers])
    return ExitCode.INTERRUPTED if interrupted and code is not ExitCode.WRONG else code
