"""``adverify list``: what would be checked."""

from __future__ import annotations

import typer
from rich.text import Text

from adverify.cli.asking import asked
from adverify.cli.display import STYLES, console
from adverify.cli.exit_codes import exit_code
from adverify.cli.options import Count, Keyword, Targets, TimeLimit, number_of
from adverify.cli.project import Project, ops_meant
from adverify.report import printable
from adverify.runner import Processes
from adverify.verification import surveyed


def list_ops(
    targets: Targets = None, keyword: Keyword = "", processes: Count = "auto", time_limit: TimeLimit = None
) -> None:
    """List the ops that would be checked, and which inputs were found to suit each: how many, which shapes and domains.

    **Examples**

    `adverify list mypackage.ops`

    `adverify list path/to/ops.py -k matmul`

    **Exit codes**: 0; 1 an op crashed; 2 the command, or what it names, is wrong; 3 nothing was found that suits an op.
    """
    project, where = Project(), console()
    plan = project.plan(where, time_limit=time_limit)
    with Processes(number_of(processes)) as running:
        ops = ops_meant(project, targets, keyword, running)
        found = dict(asked(surveyed, ops, plan, running, where))
    for op in ops:
        record = found[op].record
        where.print(Text(str(op), style="bold"))
        for suits in record["inferred"]:
            where.print(f"    {suits}")
        if record["obstacle"]:
            where.print(f"    {printable(record['obstacle'])}", style=STYLES[found[op].outcome])
    raise typer.Exit(exit_code([answer.outcome for answer in found.values()]))
