"""Write the JSON Schema of a document of reports, and its reference: `python docs/make_json_reference.py`."""

from __future__ import annotations

import inspect
import json
import typing
from pathlib import Path
from typing import Annotated, Any, get_args, get_origin, get_type_hints

import adverify
from adverify import schema

SCHEMA = Path(adverify.__file__).parent / "report.schema.json"
PAGE = Path(__file__).parent / "reference" / "json-report.md"
HEAD = """# The JSON document of reports

<!-- Written by docs/make_json_reference.py from adverify/schema.py. -->

`adverify.record` writes one or many reports as JSON, and reads them back:

```python
from adverify import check_function, ops, record

report = check_function(ops.Exp, max_examples=5)
document = record.to_document([report])
text = record.dumps(document)
assert record.loads(text) == document
```

Whatever shows reports is made of such a document, now or later: the HTML page, SARIF, annotations. The package holds
its JSON Schema (draft 2020-12), `adverify/report.schema.json`. `loads` raises `Unreadable` for what is no such
document, is damaged, or is of another version. A field may be added within a version, and readers ignore those that
they do not know; any other change makes a new version.

**Numbers** are JSON numbers, or strings where JSON has none: `"nan"`, `"inf"`, `"-inf"`, and
`"nan:7ff8000000000001"` for a NaN with other bits than usual. All bits survive, those of -0.0 too.
`record.array_of` gives an array back. **Text** is valid Unicode; a very long one is cut, with … where it is.
"""


def json_schema() -> str:
    """Give the text of the schema."""
    return json.dumps(schema.json_schema(), indent=2, ensure_ascii=False) + "\n"


def page() -> str:
    """Give the text of the reference."""
    return HEAD + "".join(_section(kind) for kind in _kinds())


def _kinds() -> list[type]:
    """List the types, each after the one that mentions it first."""
    found: list[type] = [schema.Document]
    for kind in found:
        for hint in get_type_hints(kind).values():
            found += [k for k in _mentioned(hint) if k not in found]
    return found


def _mentioned(hint: Any) -> list[type]:
    if typing.is_typeddict(hint):
        return [hint]
    return [kind for inner in get_args(hint) for kind in _mentioned(inner)]


def _section(kind: type) -> str:
    about = " ".join((inspect.getdoc(kind) or "").split())
    rows = [
        f"| `{name}` | {_in_words(hint)} | {_description(hint)} |"
        for name, hint in get_type_hints(kind, include_extras=True).items()
    ]
    return "\n".join(["", f"## {kind.__name__}", "", about, "", "| field | type | |", "| --- | --- | --- |", *rows, ""])


def _description(hint: Any) -> str:
    return next((m.description for m in getattr(hint, "__metadata__", ()) if m.description), "")


def _in_words(hint: Any) -> str:
    if hint == schema.Number:
        return "number"
    if get_origin(hint) is Annotated:
        return _in_words(get_args(hint)[0])
    if typing.is_typeddict(hint):
        return f"[{hint.__name__}](#{hint.__name__.lower()})"
    inner = [_in_words(h) for h in get_args(hint)]
    match get_origin(hint):
        case typing.Literal:
            return " or ".join(f"`{json.dumps(value)}`" for value in get_args(hint))
        case origin if origin is list:
            return f"list of {inner[0]}"
        case origin if origin is tuple:
            return f"pair of {inner[0]}"
        case origin if origin is dict:
            return f"object of {inner[1]}"
        case None:
            return {str: "text", int: "integer", float: "number", bool: "boolean", type(None): "null"}.get(hint, "any")
    return " or ".join(dict.fromkeys(inner))


if __name__ == "__main__":
    SCHEMA.write_text(json_schema(), encoding="utf-8")
    PAGE.write_text(page(), encoding="utf-8")
