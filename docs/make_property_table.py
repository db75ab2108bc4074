"""Write docs/reference/properties.md from the rules in adverify/properties: ``python docs/make_property_table.py``."""

from __future__ import annotations

import doctest
import inspect
import re
from pathlib import Path

from adverify import VerificationError
from adverify.properties import Property, all_properties

PAGE = Path(__file__).parent / "reference" / "properties.md"

OPENING = """\
# Properties

<!-- Written by docs/make_property_table.py from adverify/properties. -->

What is checked of an op. The names are stable: for `check_function(op, exclude=["layout"])`, `check_case(op, inputs,
property="layout")`, `adverify check --exclude layout` and `adverify explain layout`. A property is asked only where
those that it needs hold, so that one mistake is reported once.

| name | rule | needs |
| --- | --- | --- |
"""


def render() -> str:
    """Give the page."""
    rows = [f"| [`{p.name}`](#{anchor(p)}) | {p.rule} | {_needs(p)} |" for p in all_properties()]
    return OPENING + "\n".join(rows) + "\n\n" + "\n".join(map(_section, all_properties()))


def anchor(found: Property) -> str:
    """Name the heading of a property, as links do."""
    return found.name.replace(" ", "-")


def _needs(found: Property) -> str:
    return ", ".join(f"`{name}`" for name in found.needs)


def _section(found: Property) -> str:
    """Say of a property what it asks, why, and which op breaks it."""
    why, _, example = inspect.cleandoc(type(found).__doc__ or "").partition("\n\nExamples\n--------\n")
    steps = doctest.DocTestParser().get_examples(example)
    code = "".join(step.source.partition("  # doctest:")[0].rstrip() + "\n" for step in steps)
    return "\n".join(
        [
            f"## {found.name}\n",
            f"{found.rule[0].upper()}{found.rule[1:]}.\n",
            f"{why.replace('``', '`')}\n",
            "An op that breaks it:\n",
            f"```python\n{_spaced(code)}```\n",
            f"```text\n{_said_of(code)}\n...\n```\n",
        ]
    )


def _spaced(code: str) -> str:
    """Set the class and its methods apart."""
    return re.sub(r"(?<!:)\n(?=    def )", "\n\n", re.sub(r"\n(?=class |check_case)", "\n\n\n", code))


def _said_of(code: str) -> str:
    """Give the first line of what adverify says of an op."""
    try:
        exec(code, {"__name__": "ops"})
    except VerificationError as error:
        return error.report.headline
    raise AssertionError(f"nothing is said of\n{code}")


if __name__ == "__main__":
    PAGE.write_text(render())
