"""``adverify check``: verify ops."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.text import Text

from adverify.cli.asking import asked
from adverify.cli.display import complain, line, separate, summary
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
    number_of,
)  # fmt: skip
from adverify.cli.project import Project, ops_meant, refuse
from adverify.regression import identifier
from adverify.runner import Processes
from adverify.targets import Target, listed
from adverify.verification import Answer, Outcome, Plan, verified


def check(
    targets: Targets = None,
    keyword: Keyword = "",
    processes: Count = "auto",
    seed: Seed = None,
    max_examples: MaxExamples = None,
    exclude: Exclude = None,
    time_limit: TimeLimit = None,
    write_test: Annotated[
        Path | None,
        typer.Option(
            "--write-test",
            metavar="DIRECTORY",
            help="Where a test is written for each op that is wrong.",
            show_default="none",
        ),
    ] = None,
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
    if write_test is not None and not write_test.is_dir():
        refuse(f"--write-test needs a directory that is there; {write_test} is not")
    plan = project.plan(where, seed, max_examples, exclude or (), time_limit)
    with Processes(number_of(processes)) as running:
        ops = ops_meant(project, targets, keyword, running)
        answers, interrupted = _checked(ops, plan, running, project, where, fail_fast)
    _say_how_it_ended(where, answers, plan)
    if left := [op.name for op in ops if op not in {a.op for a in answers}]:
        where.print(f"{'interrupted' if interrupted else 'stopped'}; not checked: {listed(left)}", style="yellow")
    if write_test is not None:
        _write_tests(answers, write_test, where)
    document = project.keep_run(answers, plan, command="check", interrupted=interrupted)
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
            where.print(line(str(op), answer.record, answer.outcome))
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
        if answer.outcome not in (Outcome.VERIFIED, Outcome.EXPECTED, Outcome.SKIPPED):
            separate(where)
            where.print(Text.from_ansi(answer.text))
    separate(where)
    where.print(f"{summary(a.outcome for a in answers)} (seed {plan.seed})")


def _write_tests(answers: Sequence[Answer], directory: Path, where: Console) -> None:
    """Write a test file for each wrong op; one that is there may have been edited, and is left as it is."""
    for answer in answers:
        if not answer.test:
            continue
        path = directory / f"test_{identifier(answer.record['name'])}.py"
        try:
            with path.open("x", encoding="utf-8") as file:
                file.write(answer.test)
        except FileExistsError:
            complain(f"warning: {path} is there already, and is left as it is")
        else:
            where.print(f"written: {path}, which fails as long as {answer.op} is wrong")


def _code(answers: Sequence[Answer], interrupted: bool) -> ExitCode:
    code = exit_code([a.outcome for a in answers])
    return ExitCode.INTERRUPTED if interrupted and code is not ExitCode.WRONG else code
