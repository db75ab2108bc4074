"""Ask again what failed once: a failure as it is stored, and the question in it."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any

import msgspec

from adverify import schema
from adverify.choices import choices
from adverify.record import Unreadable, array_of, as_written


def to_store(op: str, record: schema.Report) -> Iterator[dict[str, Any]]:
    """Give each failure of a report as it is stored.

    Parameters
    ----------
    op : str
        How a person names it in the project's root: ``"package.module:Class"``, ``"path/to/ops.py:Class"``.
    record : dict
        As `adverify.record.record_of` makes it.
    """
    for failure in record["failures"]:
        yield {
            "op": op,
            "property": failure["property"],
            "case": failure["case"],
            "reason": failure["reason"],
            "found": datetime.now(UTC).isoformat(timespec="seconds"),
            "adverify": version("adverify"),
        }


def question_in(stored: Mapping[str, Any], op: Any) -> dict[str, Any]:
    """Give the arguments with which `check_case` asks again.

    Raises
    ------
    Unreadable
        If what is stored is no failure, or cannot be asked any more.
    """
    try:
        case = msgspec.convert(stored["case"], schema.Case)
        name = msgspec.convert(stored["property"], str)
    except (KeyError, TypeError, msgspec.ValidationError) as error:
        raise Unreadable(f"it is no failure as adverify {version('adverify')} stores it: {error}") from error
    partner, relative = case["partner"], case["relative"]
    return {
        "op": op,
        "inputs": _whole(case["inputs"]),
        "property": name,
        "seed": case["seed"],
        "arguments": _arguments(case["arguments"], op),
        "partner": None if partner is None else _whole(partner["inputs"]),
        "relative": None if relative is None else _arguments(relative, op),
    }


def _whole(inputs: list[schema.NamedArray]) -> list[Any]:
    if cut := [a["name"] for a in inputs if a["window"] is not None]:
        raise Unreadable(f"of {', '.join(cut)} a part was stored only, because of its size")
    return [array_of(a) for a in inputs]


def _arguments(written: Mapping[str, str], op: Any) -> dict[str, Any] | None:
    """Find the constructor arguments among those the op declares; else read them, if they are literals."""
    if not written:
        return None
    for chosen in choices(op):
        if as_written(chosen) == written:
            return chosen
    try:
        return {name: ast.literal_eval(text) for name, text in written.items()}
    except (ValueError, SyntaxError) as error:
        gone = ", ".join(f"{name}={text}" for name, text in written.items())
        raise Unreadable(f"the op no longer declares its constructor arguments {gone}") from error
