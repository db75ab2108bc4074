"""``adverify list``: what would be checked."""

from __future__ import annotations

import typer
from rich.text import Text

from adverify.cli.asking import asked
from adverify.cli.display import console
from adverify.cli.exit_codes import ExitCode
from adverify.cli.options import Count, Keyword, Targets, TimeLimit, number_of
from adverify.cli.project import Project, ops_meant
from adverify.runner import Processes
from adverify.verification import Outcome, Plan, surveyed


def list_ops(
    targets: Targets = None, keyword: Keyword = "", processes: Count = "auto", time_limit: TimeLimit = 5.0
) -> None:
    """List the ops that would be checked, and which inputs were found to suit each: how many, which shapes and domains.

    **Examples**

    `adverify list mypackage.ops`

    `adverify list path/to/ops.py -k matmul`

    **Exit codes**: 0; 2 the command, or what it names, is wrong; 3 for some op nothing was found that suits it.
    """
    project, where = Project(), console()
    plan = Plan(seed=0, time_limit=time_limit, directory=str(project.storage.directory))
    with Processes(number_of(processes)) as running:
        ops = ops_meant(project, targets or [], keyword, running)
        found = dict(asked(surveyed, ops, plan, running, where))
    for op in ops:
        suits = found[op].outcome is Outcome.VERIFIED
        where.print(Text(str(op), style="bold"))
        for said in (found[op].text if suits else found[op].headline).splitlines():
            where.print(f"    {said}", style="" if suits else "yellow")
    all_suit = all(answer.outcome is Outcome.VERIFIED for answer in found.values())
    raise typer.Exit(ExitCode.VERIFIED if all_suit else ExitCode.UNDECIDED)
