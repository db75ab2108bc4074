"""A failure as a document, and the question that is asked again because of it."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any

import numpy as np

from adverify.case import Case
from adverify.check import choices
from adverify.report import Failure

FORMAT = 1


class Unreadable(ValueError):
    """A document is no failure, or of an op that has changed since; the message says why."""


def document_of(failure: Failure) -> dict[str, Any]:
    """Write down what is needed to ask the same op again."""
    return {
        "format": FORMAT,
        "property": failure.property,
        "case": _written(failure.case),
        "reason": failure.verdict.reason,
        "found": datetime.now(UTC).isoformat(timespec="seconds"),
        "adverify": version("adverify"),
    }


def question_in(document: Mapping[str, Any], op: Any) -> dict[str, Any]:
    """Give the arguments with which `check_case` asks again.

    Raises
    ------
    Unreadable
    """
    try:
        return _question(document["property"], document["case"], op)
    except Unreadable:
        raise
    except (KeyError, TypeError, ValueError) as error:
        raise Unreadable(f"this is not a failure as adverify {version('adverify')} stores it: {error!r}") from error


def _question(name: str, case: Mapping[str, Any], op: Any) -> dict[str, Any]:
    return {
        "op": op,
        "inputs": _arrays(case["inputs"]),
        "property": name,
        "seed": case["seed"],
        "arguments": _arguments(case["arguments"], op),
        "partner": None if case["partner"] is None else _arrays(case["partner"]),
        "relative": None if case["relative"] is None else _arguments(case["relative"], op),
    }


def _written(case: Case) -> dict[str, Any]:
    return {
        "inputs": [_array(a) for a in case.arrays],
        "seed": case.seed,
        "arguments": _reprs(case.subject.arguments),
        "partner": None if case.partner is None else [_array(a) for a in case.partner.arrays],
        "relative": None if case.relative is None else _reprs(case.relative.arguments),
    }


def _array(array: np.ndarray) -> dict[str, Any]:
    return {"shape": list(array.shape), "values": np.ravel(array).tolist()}


def _arrays(documents: Iterable[Mapping[str, Any]]) -> list[np.ndarray]:
    return [np.array(d["values"], dtype=float).reshape(d["shape"]) for d in documents]


def _reprs(arguments: Mapping[str, Any]) -> dict[str, str]:
    return {name: repr(value) for name, value in arguments.items()}


def _arguments(written: Mapping[str, str], op: Any) -> dict[str, Any] | None:
    """Find the constructor arguments among those the op declares; else read them, if they are literals."""
    if not written:
        return None
    for chosen in choices(op, None):
        if _reprs(chosen) == written:
            return chosen
    try:
        return {name: ast.literal_eval(text) for name, text in written.items()}
    except (ValueError, SyntaxError) as error:
        raise Unreadable(
            f"its constructor arguments {dict(written)} are no longer among those the op declares"
        ) from error
