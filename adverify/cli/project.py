"""Where a command is called: the project's root, its configuration, and what it stores."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

import typer
from rich.console import Console

from adverify import schema
from adverify.cli.display import complain, look_of
from adverify.cli.options import any_seed, properties_of
from adverify.config import ConfigError, read
from adverify.exemptions import names_of, unmatched
from adverify.record import to_document
from adverify.replay import to_store
from adverify.runner import Lost, Processes
from adverify.storage import Storage
from adverify.targets import Target, TargetError, listed, load, ops_of, parse
from adverify.verification import Answer, Plan

IMPORT_SECONDS = 120.0


class Project:
    """Where a command is called."""

    def __init__(self) -> None:
        self.root = root_of(Path.cwd())
        self.storage = Storage(self.root, self.warn)
        try:
            self.config = read(self.root)
        except ConfigError as error:
            refuse(str(error))

    def plan(
        self,
        where: Console,
        seed: int | None = None,
        max_examples: int | None = None,
        exclude: Sequence[str] = (),
        time_limit: float | None = None,
    ) -> Plan:
        """Join what the command says with what the project says; the command wins, and excludes further properties."""
        self.storage.prepare()  # before a process writes there
        seed = self.config.seed if seed is None else seed
        return Plan(
            seed=any_seed() if seed is None else seed,
            max_examples=max_examples or self.config.examples,
            exclude=properties_of([*self.config.exclude, *exclude]),
            time_limit=time_limit or self.config.time_limit,
            directory=str(self.storage.directory),
            look=look_of(where),
            config=self.config,
        )

    @staticmethod
    def warn(text: str) -> None:
        """Say what does not go as it should, and changes no verdict."""
        complain(f"warning: {text}")

    def keep(self, answer: Answer) -> None:
        """Store the failures of an op."""
        for failure in to_store(self.address(answer.op), answer.record):
            self.storage.keep_failure(failure)

    def keep_run(self, answers: Sequence[Answer], plan: Plan, **settings: Any) -> schema.Document:
        """Store what a run came to, and give the document; ops whose verdict does not count are in its settings."""
        used = {name: getattr(plan, name) for name in ("seed", "max_examples", "exclude", "time_limit")}
        exempt = {str(a.op): a.text for a in answers if a.exempt}
        records = [a.record for a in answers if not a.exempt]
        document = to_document(records, settings={**settings, **used, "exempt": exempt})
        self.storage.keep_run(document)
        return document

    def address(self, op: Target) -> str:
        """Name an op as one does in the root."""
        if not op.file:
            return str(op)
        return f"{os.path.relpath(op.file, self.root)}:{op.name}"


def root_of(directory: Path) -> Path:
    """Find the directory of the project that a directory belongs to: the nearest with a pyproject.toml, or itself."""
    return next((d for d in (directory, *directory.parents) if (d / "pyproject.toml").is_file()), directory)


def ops_meant(project: Project, texts: Sequence[str] | None, keyword: str, processes: Processes) -> list[Target]:
    """Find the ops that targets mean and a keyword leaves; say what is wrong and exit if there are none."""
    are_all = not texts
    base = project.root if are_all else Path.cwd()
    texts = texts or project.config.targets
    if not texts:
        refuse("nothing to check: name a module, a package or a file, such as `adverify check mypackage.ops`; or set "
               "`targets` under [tool.adverify] in pyproject.toml")  # fmt: skip
    problems, ops, names, targets = list[str](), list[Target](), set[str](), list[Target]()
    for text in texts:
        try:
            targets.append(parse(text, base, project.root))
        except TargetError as error:
            problems.append(str(error))
    found = dict(processes.run(_found, targets, seconds=IMPORT_SECONDS, apart=lambda t: t.path))
    for target in targets:
        answer = found[target]
        if isinstance(answer, Lost):
            problems.append(f"{target} cannot be imported: {answer}")
        elif isinstance(answer, str):
            problems.append(answer)
        else:
            ops += answer.ops
            names |= answer.names
    if are_all and not problems:
        problems += [f"{project.root / 'pyproject.toml'}: {u}" for u in unmatched(project.config, names)]
    if problems:
        refuse(*problems)
    left = [op for op in dict.fromkeys(ops) if keyword.lower() in str(op).lower()]
    if not left:
        refuse(f"-k {keyword!r} leaves none of {listed([op.name for op in ops])}")
    return left


class Found(NamedTuple):
    """The ops of a target, and all that a project may call them."""

    ops: list[Target]
    names: set[str]


def _found(target: Target) -> Found | str:
    """Give the ops of a target, or why there are none."""
    try:
        ops = ops_of(target)
        return Found(ops, {name for op in ops for name in names_of(load(op))})
    except TargetError as error:
        return str(error)


def refuse(*problems: str) -> NoReturn:
    """Say what is wrong with the command, and exit."""
    for problem in problems:
        complain(f"error: {problem}")
    raise typer.Exit(2)
