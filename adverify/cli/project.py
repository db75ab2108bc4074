"""Where a command is called: the project's root, its configuration, and what it stores."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, NoReturn

import typer

from adverify import schema
from adverify.cli.display import complain
from adverify.record import to_document
from adverify.replay import to_store
from adverify.runner import Lost, Processes
from adverify.storage import Storage
from adverify.targets import Target, TargetError, listed, ops_of, parse
from adverify.verification import Answer, Plan

IMPORT_SECONDS = 300.0


class Project:
    """Where a command is called."""

    def __init__(self) -> None:
        self.root = root_of(Path.cwd())
        self.storage = Storage(self.root, self.warn)

    @staticmethod
    def warn(text: str) -> None:
        """Say what does not go as it should, and changes no verdict."""
        complain(f"warning: {text}")

    def keep(self, answer: Answer) -> None:
        """Store the failures of an op."""
        for failure in to_store(self.address(answer.op), answer.record):
            self.storage.keep_failure(failure)

    def keep_run(self, records: Iterable[schema.Report], plan: Plan, **settings: Any) -> schema.Document:
        """Store what a run came to, and give the document."""
        used = {name: value for name, value in asdict(plan).items() if name != "directory"}
        document = to_document(records, settings={**settings, **used})
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


def ops_meant(project: Project, texts: Sequence[str], keyword: str, processes: Processes) -> list[Target]:
    """Find the ops that targets mean and a keyword leaves; say what is wrong and exit if there are none."""
    if not texts:
        refuse("nothing to check: name a module, a package or a file, such as `adverify check mypackage.ops`; or set "
               "`targets` under [tool.adverify] in pyproject.toml")  # fmt: skip
    problems, ops, targets = list[str](), list[Target](), list[Target]()
    for text in texts:
        try:
            targets.append(parse(text, Path.cwd(), project.root))
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
            ops += answer
    if problems:
        refuse(*problems)
    left = [op for op in dict.fromkeys(ops) if keyword.lower() in str(op).lower()]
    if not left:
        refuse(f"-k {keyword!r} leaves none of {listed([op.name for op in ops])}")
    return left


def _found(target: Target) -> list[Target] | str:
    """Give the ops of a target, or why there are none."""
    try:
        return ops_of(target)
    except TargetError as error:
        return str(error)


def refuse(*problems: str) -> NoReturn:
    """Say what is wrong with the command, and exit."""
    for problem in problems:
        complain(f"error: {problem}")
    raise typer.Exit(2)
