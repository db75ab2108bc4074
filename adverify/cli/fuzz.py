"""``adverify fuzz``: check ops, alone and in graphs, with ever new seeds, until time is up or something fails."""

from __future__ import annotations

import itertools
import re
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Annotated

import typer
from rich.console import Console
from rich.text import Text

from adverify.cli.display import console, counted, progress, separate
from adverify.cli.exit_codes import ExitCode, exit_code
from adverify.cli.options import (
    Count,
    Exclude,
    Keyword,
    Seed,
    Targets,
    TimeLimit,
    number_of,
)  # fmt: skip
from adverify.cli.project import Project, ops_meant
from adverify.graph_coverage import GraphCoverage
from adverify.runner import Lost, Processes
from adverify.targets import Target, listed
from adverify.verification import Answer, Outcome, Plan, lost, put_in_graphs, verified

GRAPHS, LEAST_NODES, MOST_NODES = 40, 4, 24
"""Graphs of one round, and their sizes in the first round and in the last ones."""

Round = tuple[Target, Plan, int]
"""An op, how it is verified, and how many nodes graphs have in which it is put; 0 for the op by itself."""

UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def seconds_in(text: str) -> float:
    """Read a duration.

    Examples
    --------
    >>> seconds_in("1h30m")
    5400.0
    """
    if not re.fullmatch(r"(\d+(\.\d+)?[smhd]?)+", text) or not re.search(r"[1-9]", text):
        raise typer.BadParameter(f"{text!r} is no duration; write 30s, 10m or 1h30m", param_hint="--time")
    return float(sum(float(n) * UNITS[unit or "s"] for n, unit in re.findall(r"(\d+(?:\.\d+)?)([smhd]?)", text)))


@dataclass
class Tally:
    """What the rounds have come to, for each op."""

    answers: dict[Target, Answer] = field(default_factory=dict)
    reached: GraphCoverage = field(default_factory=GraphCoverage)
    rounds: int = 0
    started: float = field(default_factory=time.monotonic)

    def add(self, answer: Answer, in_graphs: bool = False) -> None:
        """Add a round: the worst outcome is kept with its report, and cases are added up.

        A round in graphs accuses, but verifies no op: that is for a round of the op by itself.
        """
        self.rounds += 1
        self.reached += answer.reached or GraphCoverage()
        before = self.answers.get(answer.op)
        accused = exit_code([answer.outcome]) is ExitCode.WRONG
        if before is None:
            if accused or not in_graphs:
                self.answers[answer.op] = answer
            return
        if in_graphs and not accused:
            answer = replace(answer, exempt=before.outcome)
        worse = answer if WORST.index(answer.outcome) < WORST.index(before.outcome) else before
        record = worse.record.copy()
        record["cases"] = before.record["cases"] + answer.record["cases"]
        record["undecided"] = before.record["undecided"] + answer.record["undecided"]
        self.answers[answer.op] = replace(worse, record=record)

    @property
    def failed(self) -> bool:
        return exit_code([a.outcome for a in self.answers.values()]) is ExitCode.WRONG

    def __str__(self) -> str:
        cases = sum(a.record["cases"] for a in self.answers.values())
        undecided = sum(a.record["undecided"] for a in self.answers.values())
        failing = sum(exit_code([a.outcome]) is ExitCode.WRONG for a in self.answers.values())
        rate = cases / max(time.monotonic() - self.started, 1e-9)
        return f"{counted(cases, 'case')} ({rate:,.0f} per second), {undecided:,} undecided, {failing} wrong"


WORST = (
    Outcome.VIOLATED, Outcome.CRASHED, Outcome.VERIFIED, Outcome.UNDECIDED, Outcome.EXPECTED, Outcome.SKIPPED,
)  # fmt: skip
"""Of an op's rounds. A round that decides too little is forgiven if another one verifies the op."""


def fuzz(
    targets: Targets = None,
    duration: Annotated[
        str, typer.Option("--time", metavar="DURATION", help="For how long: `30s`, `10m`, `1h30m`.")
    ] = "1m",
    keyword: Keyword = "",
    processes: Count = "auto",
    seed: Seed = None,
    exclude: Exclude = None,
    time_limit: TimeLimit = None,
) -> None:
    """Check ops again and again, each time with another seed, until time is up or something fails.

    Rounds of an op by itself alternate with rounds in which it is put among built-in ops in random graphs, deeper ones
    each time: what is right alone may be wrong together.

    Ctrl-C ends it early, with the report of what was done.

    **Examples**

    `adverify fuzz mypackage.ops --time 10m`

    `adverify fuzz path/to/ops.py:MyOp --time 8h -n 4`

    **Exit codes**: 0 nothing failed; 1 an op is wrong, or crashed; 2 the command, or what it names, is wrong; 3 an op
    could not be decided, or there was no time to try it.
    """
    project, where, lasting = Project(), console(), seconds_in(duration)
    plan = project.plan(where, seed, exclude=exclude or (), time_limit=time_limit)
    with Processes(number_of(processes)) as running:
        ops = ops_meant(project, targets, keyword, running)
        tally = _fuzzed(ops, plan, lasting, running, project, where)
    _say_how_it_ended(ops, tally, plan, where)
    project.keep_run(list(tally.answers.values()), plan, command="fuzz", rounds=tally.rounds)
    untried = [Outcome.UNDECIDED] * (len(ops) - len(tally.answers))
    raise typer.Exit(exit_code([*(a.outcome for a in tally.answers.values()), *untried]))


def _fuzzed(
    ops: Sequence[Target], plan: Plan, lasting: float, running: Processes, project: Project, where: Console
) -> Tally:
    tally = Tally()
    until = tally.started + lasting
    with progress(where, None) as bar:
        try:
            for (op, _, nodes), said in running.run(
                _round, _rounds(ops, plan), seconds=plan.patience, until=until,
                apart=lambda item: item[0].path,
            ):  # fmt: skip
                answer = lost(op, said) if isinstance(said, Lost) else said
                tally.add(answer, in_graphs=nodes > 0)
                if not nodes:  # a graph is in the report of the run, as Python; it is no case of one op
                    project.keep(answer)
                bar.update(bar.task_ids[0], description=f"{tally}; {max(0.0, until - time.monotonic()):.0f} s left")
                if tally.failed:
                    break
        except KeyboardInterrupt:
            where.print("interrupted")
    return tally


def _rounds(ops: Sequence[Target], plan: Plan) -> Iterator[Round]:
    """Give every op a round by itself and one in graphs, then again with other seeds and deeper graphs, without end."""
    for number in itertools.count():
        seeded = replace(plan, seed=plan.seed + number)
        yield from ((op, seeded, 0) for op in ops)
        yield from ((op, seeded, min(LEAST_NODES + number, MOST_NODES)) for op in ops)


def _round(item: Round) -> Answer:
    op, plan, nodes = item
    return put_in_graphs(op, plan, GRAPHS, nodes) if nodes else verified(op, plan)


def _say_how_it_ended(ops: Sequence[Target], tally: Tally, plan: Plan, where: Console) -> None:
    for answer in tally.answers.values():
        if answer.outcome not in (Outcome.VERIFIED, Outcome.EXPECTED, Outcome.SKIPPED):
            separate(where)
            where.print(Text.from_ansi(answer.text))
    if untried := [op.name for op in ops if op not in tally.answers]:
        where.print(f"not tried: {listed(untried)}", style="yellow")
    if tally.reached.graphs:
        separate(where)
        where.print(f"Random graphs: {tally.reached}")
    separate(where)
    where.print(f"{counted(len(ops), 'op')}, {counted(tally.rounds, 'round')}: {tally} (seed {plan.seed})")
