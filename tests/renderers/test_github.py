"""Annotations say what was found, when they are read as GitHub's runner reads them."""

import re
from pathlib import Path

from adverify.renderers import render
from tests import failures

SOURCE = Path(failures.__file__).read_text(encoding="utf-8").splitlines()


def read(line):
    """Read one command as the runner does."""
    level, properties, message = re.fullmatch(r"::(\w+) (.*?)::(.*)", line).groups()

    def plain(value):
        for escaped, character in (("%0D", "\r"), ("%0A", "\n"), ("%3A", ":"), ("%2C", ","), ("%25", "%")):
            value = value.replace(escaped, character)
        return value

    return level, {k: plain(v) for k, v in (p.split("=", 1) for p in properties.split(","))}, plain(message)


def commands(document, shown):
    return [read(line) for line in shown(document, "github").splitlines()]


def test_a_failure_is_an_error_at_the_class(documents, shown):
    ((level, properties, message),) = commands(documents["wrong_number"], shown)
    assert level == "error"
    assert properties["file"] == "tests/failures.py"
    assert properties["title"] == "TensorDotProduct: gradient"
    assert SOURCE[int(properties["line"]) - 1] == "class TensorDotProduct(Function):"
    assert message.startswith("y.grad[0, 0] is 2 and should be 1\n")
    assert "\n\nFalsifying example:\nx = variable(" in message


def test_what_was_raised_is_shown_where_it_was(documents, shown):
    ((_, properties, _),) = commands(documents["raised"], shown)
    assert SOURCE[int(properties["line"]) - 1].strip() == "raise self.error"


def test_an_op_that_is_not_verified_is_a_warning(documents, shown):
    ((level, properties, message),) = commands(documents["undecided"], shown)
    assert (level, properties["file"], properties["line"]) == ("warning", "noise.py", "3")
    assert message == documents["undecided"]["reports"][0]["obstacle"]


def test_a_verified_op_is_not_mentioned(documents, shown):
    assert shown(documents["verified"], "github") == ""


def test_what_would_end_a_command_does_not(documents, shown):
    ((_, properties, message),) = commands(documents["script"], shown)
    assert properties["file"] == "<b>file</b>, 100%: a.py"
    assert properties["title"] == "<script>alert('1')</script>: gradient"
    ((_, _, message),) = commands(documents["lone_surrogate"], shown)
    assert "'a\\udcff'\r\n%25, ::error::" in message


def test_a_file_outside_of_the_repository_is_named_in_the_message(documents, tmp_path):
    ((_, properties, message),) = commands(documents["wrong_number"], lambda d, way: render(d, way, tmp_path))
    assert "file" not in properties
    assert f"Defined at {failures.__file__}:" in message


def test_there_is_one_line_for_each_failure_whatever_is_in_it(everything, shown):
    lines = shown(everything, "github").split("\n")
    expected = sum(len(r["failures"]) + (r["status"] == "undecided") for r in everything["reports"])
    assert len(lines) == expected + 1
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f]", "".join(lines))
