"""The formats in which a run can be had, and where they are written to."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from adverify import schema
from adverify.cli.display import console
from adverify.cli.project import refuse
from adverify.record import dumps
from adverify.renderers import MissingExtra, render


class Format(StrEnum):
    """How a run is written."""

    TEXT = "text"
    JSON = "json"
    HTML = "html"
    SARIF = "sarif"
    GITHUB = "github"


FormatOption = Annotated[
    Format,
    typer.Option(
        "--format",
        help="text: for people; json: everything, for programs; html: a page; sarif: for code scanning; github: for "
        "the log of a workflow.",
    ),
]
OutputOption = Annotated[
    Path | None,
    typer.Option(
        "--output",
        "-o",
        metavar="FILE",
        help="Where it is written.",
        show_default="the standard output",
        dir_okay=False,
    ),
]


def refuse_unwritable(output: Path | None) -> None:
    """Say so at the start, rather than after a long run, if a file could not be written."""
    if output is None:
        return
    if not output.parent.is_dir():
        refuse(f"{output} cannot be written: there is no directory {output.parent}")
    if output.is_dir():
        refuse(f"{output} cannot be written: it is a directory")


def rendered(document: schema.Document, format: Format, root: Path) -> str:
    """Write a run in a format; paths are relative to `root`."""
    if format is Format.JSON:
        return dumps(document)
    try:
        return render(document, format.value, root)
    except MissingExtra as error:
        refuse(str(error))


def talk(format: Format, output: Path | None) -> Console:
    """Give the console for what people read: not the standard output, if a program reads that."""
    return console(stderr=format is not Format.TEXT and output is None)


def write(text: str, output: Path | None) -> None:
    """Write to a file, or to the standard output."""
    if output is None:
        typer.echo(text, nl=not text.endswith("\n"))
    else:
        output.write_text(text if text.endswith("\n") else f"{text}\n", encoding="utf-8")
