"""Write docs/reference/settings.md from the settings and the plugin: ``python docs/make_settings_reference.py``."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from dataclasses import MISSING, Field, fields
from pathlib import Path
from typing import Any

from adverify import pytest_plugin
from adverify.config import PROFILES, Config

PAGE = Path(__file__).parent / "reference" / "settings.md"

PATTERN = """\
# Settings

<!-- Written by docs/make_settings_reference.py from adverify/config.py and adverify/pytest_plugin.py. -->

What a project says of its ops once and for all is in its `pyproject.toml`. The command line and pytest read it; what is
given to them has precedence. A key that means nothing is an error.

```toml
# pyproject.toml
[tool.adverify]
targets = ["shapes.py"]
exclude = ["precision"]
profile = "fast"

[tool.adverify.xfail]
"Doubled::gradient" = "counts the cotangent twice, to be mended"
```

```python
# shapes.py
from adverify import Function, variable


class Doubled(Function):
    def forward(self, x):
        return variable(x.data.copy())

    def backward(self, x, grad):
        x.grad += 2 * grad
```

```console
$ pytest -q --adverify-examples 10
...
3 passed, 10 skipped, 1 xfailed in ...
```

## `[tool.adverify]`

| key | default | |
| --- | --- | --- |
{keys}

An op, or a property of one, that is expected to fail and does not is a failure: the entry is to be removed.
An entry for an op that is not there is an error whenever all of `targets` are looked at. A class can
[say the same of itself](../how-to/hints.md#leave-a-property-out-or-expect-it-to-fail).

A profile is a number of examples for an op: {profiles}.

## pytest

The plugin comes with adverify. It makes an item of each op and property, `shapes.py::Doubled::gradient`, of what is
named by an option, by the ini-file, or by `targets`.

| option | |
| --- | --- |
{options}
"""


def render() -> str:
    """Give the page."""
    profiles = ", ".join(f"`{name}` {number}" for name, number in PROFILES.items())
    parser = Options()
    pytest_plugin.pytest_addoption(parser)  # type: ignore[arg-type]
    return PATTERN.format(keys="\n".join(_keys()), profiles=profiles, options="\n".join(parser.rows))


class Options:
    """What pytest passes for options to be added to: makes a row of each."""

    def __init__(self) -> None:
        self.rows: list[str] = []

    def getgroup(self, name: str, description: str) -> Options:
        """Give what options are added to."""
        return self

    def addoption(self, name: str, **said: Any) -> None:
        """Make a row of an option."""
        value = said.get("metavar") or "|".join(said.get("choices", ()))
        self.rows.append(_row(f"`{name} {value}`", said["help"]))

    def addini(self, name: str, help: str, **said: Any) -> None:
        """Make a row of a setting."""
        self.rows.append(_row(f"`{name}`, in the ini-file", help))


def _keys() -> Iterator[str]:
    defaults = {f.name: _default(f) for f in fields(Config)}
    attributes = inspect.cleandoc(Config.__doc__ or "").partition("Attributes\n----------\n")[2]
    for names, text in re.findall(r"^(\S.*) : .*\n((?:    .*\n?)+)", attributes, re.MULTILINE):
        default = ", ".join(filter(None, [defaults.pop(name) for name in names.split(", ")]))
        yield _row(f"`{names.replace(', ', '`, `')}`", default, " ".join(text.split()).replace("``", "`"))
    if defaults:
        raise ValueError(f"the docstring of Config says nothing of {', '.join(defaults)}")


def _default(found: Field[Any]) -> str:
    value = found.default if found.default is not MISSING else None
    return "" if value in (None, ()) else f"`{value}`"


def _row(*cells: str) -> str:
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


if __name__ == "__main__":
    PAGE.write_text(render())
