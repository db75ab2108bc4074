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
from adverify.diagnosis.base import descriptions
from adverify.properties import Property, all_properties


def _names() -> list[str]:
    return [*(p.name for p in all_properties()), *descriptions()]


def explain(
    name: Annotated[
        str | None,
        typer.Argument(metavar="NAME", show_default="all, a line each", autocompletion=_names),
    ] = None,
) -> None:
    """Say what a property asks of an op, why, and show an op that breaks it; or say what a diagnosis means.

    **Examples**

    `adverify explain` - every property and diagnosis in a line

    `adverify explain aliasing`

    `adverify explain "special values"`

    **Exit codes**: 0; 2 there is no such property or diagnosis.
    """
    where = console()
    rules, diagnoses = {p.name: p for p in all_properties()}, descriptions()
    if name is None:
        where.print("Properties, the rules that an op keeps:", style="bold")
        for found in rules.values():
            where.print(f"    {found.name:18}{found.rule}")
        where.print("\nDiagnoses, the mistakes that are recognised:", style="bold")
        for kind, said in diagnoses.items():
            where.print(f"    {kind:18}{said.text.partition('. ')[0].rstrip('.')}")
        return
    if name not in {*rules, *diagnoses}:
        near = difflib.get_close_matches(name, _names())
        hint = f"did you mean {near[0]!r}?" if near else "`adverify explain` lists all"
        refuse(f"there is no property or diagnosis {name!r}; {hint}")
    if name in rules:
        _explain(rules[name], where)
    if name in diagnoses:
        said = diagnoses[name]
        where.print(f"The diagnosis {name}: {said.text} It may explain a failure of {', '.join(said.properties)}.")
        where.print("\nAn op of which it is said:\n")
        for example in said.examples:
            where.print(Syntax(textwrap.indent(example, "    "), "python", background_color="default"))


def _explain(found: Property, where: Console) -> None:
    """Print what the docstring of a property says; its example is a doctest, so it is true."""
    why, _, example = inspect.cleandoc(type(found).__doc__ or "").partition("\n\nExamples\n--------\n")
    steps = doctest.DocTestParser().get_examples(example)
    code = "".join(_spaced(step.source.partition("  # doctest:")[0].rstrip()) for step in steps)
    where.print(f"{found.name}: {found.rule}\n", style="bold")
    where.print(Markdown(why.replace("``", "`")))
    where.print("\nAn op that breaks it:\n")
    where.print(Syntax(textwrap.indent(code, "    "), "python", background_color="default"))
    said = (steps[-1].exc_msg or "").splitlines()[0].partition(": ")[2]
    where.print(f"of which adverify says:\n\n    {said}")


def _spaced(source: str) -> str:
    """Set what is no import apart."""
    return f"{source}\n" if source.startswith(("import", "from")) else f"\n{source}\n"
