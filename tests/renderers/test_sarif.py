"""SARIF that code scanning takes: what it requires, and what GitHub asks for beyond that."""

import json
from urllib.parse import unquote

import pytest

from adverify.properties import all_properties
from adverify.renderers import render

jsonschema = pytest.importorskip("jsonschema")

TEXT = {
    "type": "object",
    "required": ["text"],
    "additionalProperties": False,
    "properties": {"text": {"type": "string"}},
}
LEVEL = {"enum": ["none", "note", "warning", "error"]}
RULE = {
    "type": "object", "required": ["id", "shortDescription", "fullDescription", "defaultConfiguration"],
    "additionalProperties": False,
    "properties": {
        "id": {"type": "string"}, "name": {"type": "string"}, "shortDescription": TEXT, "fullDescription": TEXT,
        "defaultConfiguration": {"type": "object", "properties": {"level": LEVEL}, "additionalProperties": False},
        "properties": {"type": "object", "properties": {"tags": {"type": "array", "uniqueItems": True}}},
    },
}  # fmt: skip
LOCATION = {
    "type": "object", "required": ["physicalLocation"], "additionalProperties": False,
    "properties": {"physicalLocation": {
        "type": "object", "required": ["artifactLocation", "region"], "additionalProperties": False,
        "properties": {
            "artifactLocation": {
                "type": "object", "required": ["uri"], "additionalProperties": False,
                "properties": {"uri": {"type": "string", "pattern": "^[!-~]+$"}, "uriBaseId": {"const": "%SRCROOT%"}},
            },
            "region": {
                "type": "object", "additionalProperties": False, "required": ["startLine"],
                "properties": {"startLine": {"type": "integer", "minimum": 1}},
            },
        },
    }},
}  # fmt: skip
RESULT = {
    "type": "object", "required": ["ruleId", "ruleIndex", "level", "message", "locations", "partialFingerprints"],
    "additionalProperties": False,
    "properties": {
        "ruleId": {"type": "string"}, "ruleIndex": {"type": "integer", "minimum": 0}, "level": LEVEL, "message": TEXT,
        "locations": {"type": "array", "items": LOCATION, "maxItems": 1},
        "partialFingerprints": {"type": "object", "additionalProperties": {"type": "string"}},
    },
}  # fmt: skip
DRIVER = {
    "type": "object", "required": ["name", "version", "rules"], "additionalProperties": False,
    "properties": {
        "name": {"type": "string"}, "version": {"type": "string"},
        "rules": {"type": "array", "items": RULE, "uniqueItems": True},
    },
}  # fmt: skip
RUN = {
    "type": "object", "required": ["tool", "results"], "additionalProperties": False,
    "properties": {
        "tool": {"type": "object", "required": ["driver"], "additionalProperties": False,
                 "properties": {"driver": DRIVER}},
        "results": {"type": "array", "items": RESULT},
        "columnKind": {"enum": ["utf16CodeUnits", "unicodeCodePoints"]},
        "originalUriBaseIds": {"type": "object", "additionalProperties": {
            "type": "object", "additionalProperties": False,
            "properties": {"uri": {"type": "string", "pattern": "^file:///.*/$"}},
        }},
        "invocations": {"type": "array", "items": {
            "type": "object", "required": ["executionSuccessful"], "additionalProperties": False,
            "properties": {"executionSuccessful": {"type": "boolean"},
                           "endTimeUtc": {"type": "string", "pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$"}},
        }},
    },
}  # fmt: skip
LOG = {
    "type": "object", "required": ["version", "$schema", "runs"], "additionalProperties": False,
    "properties": {"$schema": {"type": "string"}, "version": {"const": "2.1.0"},
                   "runs": {"type": "array", "items": RUN, "maxItems": 1}},
}  # fmt: skip
"""The part of the schema of SARIF 2.1.0 that is used, with nothing else allowed."""


@pytest.fixture(scope="module")
def log(everything, shown):
    return json.loads(shown(everything, "sarif"))


def test_the_log_keeps_to_the_schema(log):
    assert list(jsonschema.validators.validator_for(LOG)(LOG).iter_errors(log)) == []


def test_there_is_a_rule_for_each_property(log):
    rules = {r["id"]: r for r in log["runs"][0]["tool"]["driver"]["rules"]}
    assert {p.name.replace(" ", "-") for p in all_properties()} <= set(rules)
    assert rules["special-values"]["shortDescription"]["text"].startswith("At zeros, ties and ends of the domain")


def test_each_result_is_of_the_rule_that_it_names(log):
    (run,) = log["runs"]
    assert run["results"]
    for result in run["results"]:
        assert run["tool"]["driver"]["rules"][result["ruleIndex"]]["id"] == result["ruleId"]


def test_each_failure_is_a_result(log, everything):
    expected = [(r["name"][:20], f["property"].replace(" ", "-")) for r in everything["reports"] for f in r["failures"]]
    found = [(r["message"]["text"], r["ruleId"]) for r in log["runs"][0]["results"] if r["ruleId"] != "undecided"]
    assert len(found) == len(expected)
    for (name, rule), (message, found_rule) in zip(expected, found, strict=True):
        assert message.startswith(name)
        assert rule == found_rule


def test_paths_are_relative_to_the_repository(documents, shown):
    (result,) = json.loads(shown(documents["wrong_number"], "sarif"))["runs"][0]["results"]
    artifact = result["locations"][0]["physicalLocation"]["artifactLocation"]
    assert artifact == {"uri": "tests/failures.py", "uriBaseId": "%SRCROOT%"}


def test_a_path_is_a_uri(documents, shown, tmp_path):
    (result,) = json.loads(shown(documents["script"], "sarif"))["runs"][0]["results"]
    uri = result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]
    assert unquote(uri) == "<b>file</b>, 100%: a.py"
    (result,) = json.loads(render(documents["wrong_number"], "sarif", tmp_path))["runs"][0]["results"]
    assert result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"].startswith("file:///")


def test_the_same_failure_is_known_again_and_another_is_not(log, everything, shown):
    again = json.loads(shown(everything, "sarif"))["runs"][0]["results"]
    assert [r["partialFingerprints"] for r in log["runs"][0]["results"]] == [r["partialFingerprints"] for r in again]
    named = {r["message"]["text"].split(":")[0]: r["partialFingerprints"]["op/v1"] for r in again}
    assert len(set(named.values())) == len(named)
