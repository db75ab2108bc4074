"""SARIF 2.1.0, for code scanning: a result for each failure, a rule for each property."""

from __future__ import annotations

import hashlib
import json
from importlib.metadata import version
from pathlib import Path
from typing import Any
from urllib.parse import quote

from adverify import schema
from adverify.properties import all_properties
from adverify.record import text
from adverify.renderers import message_of, place_of, relative

SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
NOT_VERIFIED = {
    "undecided": ("enough can be decided to call an op verified", "warning"),
    "crashed": ("an op leaves its process alive", "error"),
}
ROOT = "%SRCROOT%"
LONGEST = 3_000
"""Of a message."""


def render(document: schema.Document, root: Path) -> str:
    """Write a SARIF log with one run."""
    rules = _rules(document)
    results = [
        result
        for report in document["reports"]
        for result in (
            *(_failure(report, failure, root) for failure in report["failures"]),
            *([_not_verified(report, root)] if report["status"] in NOT_VERIFIED else []),
        )
    ]
    for result in results:
        result["ruleIndex"] = list(rules).index(result["ruleId"])
    run = {
        "tool": {"driver": {"name": "adverify", "version": version("adverify"), "rules": list(rules.values())}},
        "invocations": [{"executionSuccessful": True, "endTimeUtc": document["created"].replace("+00:00", "Z")}],
        "originalUriBaseIds": {ROOT: {"uri": f"{root.resolve().as_uri().rstrip('/')}/"}},
        "columnKind": "unicodeCodePoints",
        "results": results,
    }
    return json.dumps({"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}, indent=1) + "\n"


def _rules(document: schema.Document) -> dict[str, dict[str, Any]]:
    """Describe the properties that there are, and those that the document knows."""
    found = {p.name: p.rule for p in all_properties()}
    found |= {f["property"]: f["rule"] for report in document["reports"] for f in report["failures"]}
    rules = {_identifier(name): _rule(name, rule, "error") for name, rule in found.items()}
    return rules | {name: _rule(name, rule, level) for name, (rule, level) in NOT_VERIFIED.items()}


def _rule(name: str, rule: str, level: str) -> dict[str, Any]:
    said = text(rule, 1_000)
    sentence = f"{said[:1].upper()}{said[1:]}."
    return {
        "id": _identifier(name),
        "name": "".join(word.capitalize() for word in name.split()),
        "shortDescription": {"text": sentence},
        "fullDescription": {"text": sentence},
        "defaultConfiguration": {"level": level},
        "properties": {"tags": ["gradient", "correctness"], "precision": "very-high"},
    }


def _failure(report: schema.Report, failure: schema.Failure, root: Path) -> dict[str, Any]:
    place = place_of(report, failure, root)
    return _result(report, failure["property"], "error", message_of(failure), place, root)


def _not_verified(report: schema.Report, root: Path) -> dict[str, Any]:
    _, level = NOT_VERIFIED[report["status"]]
    return _result(report, report["status"], level, report["obstacle"], report["location"], root)


def _result(
    report: schema.Report, name: str, level: str, message: str, place: schema.Place | None, root: Path
) -> dict[str, Any]:
    identity = f"{report['target'] or report['name']} {name}"
    return {
        "ruleId": _identifier(name),
        "level": level,
        "message": {"text": text(f"{report['name']}: {message}", LONGEST)},
        "locations": [] if place is None else [{"physicalLocation": _location(place, root)}],
        "partialFingerprints": {"op/v1": hashlib.sha256(identity.encode()).hexdigest()},
    }


def _location(place: schema.Place, root: Path) -> dict[str, Any]:
    path = relative(place, root)
    artifact = {"uri": quote(place["file"])} if path is None else {"uri": quote(path), "uriBaseId": ROOT}
    return {"artifactLocation": artifact, "region": {"startLine": max(1, place["line"])}}


def _identifier(name: str) -> str:
    return name.replace(" ", "-")
