"""``adverify report``: a stored run in another format."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from adverify import schema
from adverify.cli.display import console, line, summary
from adverify.cli.formats import Format, FormatOption, OutputOption, refuse_unwritable, rendered, write
from adverify.cli.project import Project, refuse
from adverify.record import Unreadable, loads
from adverify.targets import listed


def _names() -> list[str]:
    return [path.stem for path, _ in Project().storage.runs()]


def report(
    run: Annotated[
        str | None,
        typer.Argument(
            metavar="RUN",
            help="A stored run, or how its name begins; or a file that `--format json` wrote.",
            show_default="the last one",
            autocompletion=_names,
        ),
    ] = None,
    format: FormatOption = Format.TEXT,
    output: OutputOption = None,
) -> None:
    """Show a run again, or write it in another format. Every run of `check` and `fuzz` is stored.

    **Examples**

    `adverify report` - the last run, a line for each op

    `adverify report --format html -o report.html`

    `adverify report 2026-01-31T12 --format sarif -o adverify.sarif`

    **Exit codes**: 0; 2 there is no such run.
    """
    refuse_unwritable(output)
    project = Project()
    document = _run(run, project)
    if format is not Format.TEXT:
        write(rendered(document, format, project.root), output)
        return
    where = console()
    for record in document["reports"]:
        where.print(line(record["target"], record))
    where.print(f"{summary(document['reports'])} ({document['created']}, seed {document['settings'].get('seed')})")


def _run(name: str | None, project: Project) -> schema.Document:
    """Find a stored run, or read one from a file."""
    if name is not None and Path(name).is_file():
        try:
            return loads(Path(name).read_bytes())
        except Unreadable as error:
            refuse(f"{name}: {error}")
    runs = {path.stem: document for path, document in project.storage.runs()}
    found = [stem for stem in runs if name is None or stem.startswith(name)]
    if not runs:
        refuse("no run is stored here; `adverify check` stores one")
    if not found:
        refuse(f"there is no run {name!r}; there are {listed(sorted(runs, reverse=True))}")
    return runs[max(found)]
