"""The command line: one module for each command."""

from __future__ import annotations

import io
import sys
from importlib.metadata import version
from typing import Annotated

import typer

from adverify.cli import check, explain, fuzz, listing, replay, report

app = typer.Typer(
    name="adverify",
    help="Is this gradient right? Verify hand-written derivatives.",
    epilog="Exit codes: 0 verified; 1 a gradient is wrong; 2 usage; 3 not enough could be decided; 130 interrupted.",
    no_args_is_help=True,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("check")(check.check)
app.command("list")(listing.list_ops)
app.command("fuzz")(fuzz.fuzz)
app.command("replay")(replay.replay)
app.command("report")(report.report)
app.command("explain")(explain.explain)


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"adverify {version('adverify')}")
        raise typer.Exit


@app.callback()
def _main(
    show_version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Options that come before a command."""


def main() -> None:
    """Run the command line."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # an op's message may have any characters
    app()
