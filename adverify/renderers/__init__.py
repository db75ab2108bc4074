"""What a document of reports is shown as. Each module here is one way, and needs only a `render` of its own."""

from __future__ import annotations

import importlib
import pkgutil
import re
from pathlib import Path

from adverify import schema


def names() -> tuple[str, ...]:
    """Name the ways in which a document can be shown.

    Examples
    --------
    >>> names()
    ('github', 'html', 'sarif')
    """
    return tuple(sorted(module.name for module in pkgutil.iter_modules(__path__)))


def render(document: schema.Document, name: str, root: Path | None = None) -> str:
    """Show a document of reports.

    Parameters
    ----------
    document : dict
        Made by `adverify.record.to_document`, now or earlier.
    name : str
        One of `names()`.
    root : Path, optional
        What paths are relative to: the repository. Default: the working directory.

    Returns
    -------
    str

    Raises
    ------
    ValueError
        If there is no such way.
    MissingExtra
        If a library that it needs is not installed; says how to install it.

    Examples
    --------
    >>> from adverify import Report
    >>> from adverify.record import to_document
    >>> print(render(to_document([Report("Op", "ops.py:3", obstacle="it takes: nothing")]), "github"), end="")
    ::warning file=ops.py,line=3,title=Op is not verified::it takes: nothing
    """
    if name not in names():
        raise ValueError(f"a report can be shown as {', '.join(names())}; not as {name!r}")
    shown: str = importlib.import_module(f"{__name__}.{name}").render(document, root or Path.cwd())
    return shown


class MissingExtra(ImportError):
    """A library is not installed that only some users need."""


def relative(place: schema.Place | None, root: Path) -> str | None:
    """Give the path of a file below the root, with slashes; None if it is elsewhere, or not known."""
    if place is None:
        return None
    path = Path(place["file"])
    if path.is_absolute() and not path.is_relative_to(root):
        return None
    inside = path.relative_to(root) if path.is_absolute() else path
    return None if ".." in inside.parts else inside.as_posix()


def place_of(report: schema.Report, failure: schema.Failure | None, root: Path) -> schema.Place | None:
    """Give the line that a failure is shown at: where the op raised, if that is below the root, or its class."""
    raised = failure["exception"] if failure else None
    if raised and relative(raised["location"], root) is not None:
        return raised["location"]
    return report["location"]


def message_of(failure: schema.Failure) -> str:
    """Say what is wrong in plain text, and how to see it."""
    said = [failure["reason"], *(d["text"] for d in failure["diagnoses"])]
    example = failure["case"]["python"]
    return "\n".join([*said, "", "Falsifying example:", example] if example else said)


def visible(value: str) -> str:
    """Write the characters that only a terminal understands by their numbers.

    Examples
    --------
    >>> print(visible("\\x1b[31mred"))
    \\x1b[31mred
    """
    return re.sub(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]", lambda c: f"\\x{ord(c[0]):02x}", value)
