"""The options that several commands share."""

from __future__ import annotations

import difflib
import random
from typing import Annotated

import typer

from adverify.properties import all_properties
from adverify.runner import cores

Targets = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="TARGET",
        help="A module or package, `mypackage.ops`; a file, `path/to/ops.py`; or one class in it, "
        "`mypackage.ops:MyOp`, `path/to/ops.py:MyOp`.",
        show_default="the targets in pyproject.toml",
    ),
]
Keyword = Annotated[
    str,
    typer.Option(
        "-k", metavar="TEXT", help="Only ops whose address contains this, in upper or lower case.", show_default="all"
    ),
]
Count = Annotated[
    str,
    typer.Option(
        "-n", "--processes", metavar="N", help="How many ops at a time, each in a process of its own; auto: one a core."
    ),
]
Seed = Annotated[
    int | None,
    typer.Option(
        "--seed",
        help="Draw what the run with this seed drew.",
        show_default="as pyproject.toml says, else another each time; it is printed",
    ),
]
MaxExamples = Annotated[
    int | None,
    typer.Option(
        "--max-examples",
        min=1,
        help="How many structures are drawn for an op; each is judged for several sets of values.",
        show_default="as pyproject.toml says, else 100",
    ),
]
Exclude = Annotated[
    list[str] | None,
    typer.Option(
        "--exclude",
        metavar="PROPERTY",
        help="A property that is not checked; can be given several times. `adverify explain` lists them.",
        show_default="those in pyproject.toml",
    ),
]
TimeLimit = Annotated[
    float | None,
    typer.Option(
        "--time-limit",
        metavar="SECONDS",
        min=0.01,
        help="How long one call of an op may take.",
        show_default="as pyproject.toml says, else 5",
    ),
]


def number_of(processes: str) -> int:
    """Read what `-n` says.

    Examples
    --------
    >>> number_of("3")
    3
    """
    if processes == "auto":
        return cores()
    if processes.isdigit() and int(processes) > 0:
        return int(processes)
    raise typer.BadParameter(f"{processes!r} is neither a positive number nor 'auto'", param_hint="-n")


def any_seed() -> int:
    """Draw a seed that is short enough to be typed."""
    return random.SystemRandom().randrange(10**6)


def properties_of(names: list[str]) -> tuple[str, ...]:
    """Check the names of properties before any op is checked."""
    known = [p.name for p in all_properties()]
    for name in names:
        if name not in known:
            near = difflib.get_close_matches(name, known)
            hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(sorted(known))}"
            raise typer.BadParameter(f"there is no property {name!r}; {hint}", param_hint="--exclude")
    return tuple(names)
