"""``adverify explain``: a rule of the contract, why it is one, and an op that breaks it."""

from __future__ import annotations

import difflib
import doctest
import inspect
import textwrap
from typing import Annotated

import typer
from rich.console import Console
from rich.markdown import Markdown
from rich.syntax import Syntax

from adverify.cli.display import console
from adverify.cli.project import refuse
from adverify.properties import Property, all_properties


def _names() -> list[str]:
    return sorted(p.name for p in all_properties())


def explain(
    name: Annotated[
        str | None,
        typer.Argument(metavar="PROPERTY", show_default="all, a line each", autocompletion=_names),
    ] = None,
) -> None:
    """Say what a property asks of an op, why, and show an op that breaks it.

    **Examples**

    `adverify explain` - every property in a line

    `adverify explain aliasing`

    `adverify explain "special values"`
    """
    where = console()
    known = {p.name: p for p in all_properties()}
    if name is None:
        for found in known.values():
            where.print(f"{found.name:16}{found.rule}")
    elif name in known:
        _explain(known[name], where)
    else:
        near = difflib.get_close_matches(name, known)
        hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(sorted(known))}"
        refuse(f"there is no property {name!r}; {hint}")


def _explain(found: Property, where: Console) -> None:
    """Print what the docstring of a property says; its example is a doctest, so it is true."""
    why, _, example = inspect.cleandoc(type(found).__doc__ or "").partition("\n\nExamples\n--------\n")
    steps = doctest.DocTestParser().get_examples(example)
    code = "".join(step.source.partition("  # doctest:")[0].rstrip() + "\n" for step in steps)
    where.print(f"{found.name}: {found.rule}\n", style="bold")
    where.print(Markdown(why.replace("``", "`")))
    where.print("\nAn op that breaks it:\n")
    where.print(Syntax(textwrap.indent(code, "    "), "python", background_color="default"))
    said = (steps[-1].exc_msg or "").splitlines()[0].partition(": ")[2]
    where.print(f"of which adverify says:\n\n    {said}")
