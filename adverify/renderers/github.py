"""Annotations on the lines of a pull request, as GitHub reads them from the output of a job."""

from __future__ import annotations

import re
from pathlib import Path

from adverify import schema
from adverify.record import text
from adverify.renderers import message_of, place_of, relative

LONGEST = 3_000
"""Of a message: GitHub cuts what is longer."""
NOT_VERIFIED = {"undecided": ("warning", "is not verified"), "crashed": ("error", "crashed")}


def render(document: schema.Document, root: Path) -> str:
    """Write an error for each failure, and a warning for each op that is not verified for another reason."""
    lines = []
    for report in document["reports"]:
        name = report["name"]
        for failure in report["failures"]:
            title = f"{name}: {failure['property']}"
            lines.append(_command("error", place_of(report, failure, root), root, title, message_of(failure)))
        if report["status"] in NOT_VERIFIED:
            level, title = NOT_VERIFIED[report["status"]]
            lines.append(_command(level, report["location"], root, f"{name} {title}", report["obstacle"]))
    return "".join(f"{line}\n" for line in lines)


def _command(level: str, place: schema.Place | None, root: Path, title: str, message: str) -> str:
    path = relative(place, root)
    properties = {"title": text(title, 200)}
    if place is not None and path is not None:
        properties = {"file": path, "line": str(place["line"])} | properties
    elif place is not None:
        message += f"\n\nDefined at {place['file']}:{place['line']}"
    written = ",".join(f"{key}={_escaped(value, ':,')}" for key, value in properties.items())
    return f"::{level} {written}::{_escaped(text(message, LONGEST))}"


def _escaped(value: str, further: str = "") -> str:
    """Escape what would end a command, or a property of one; what only a terminal understands is shown as text."""
    shown = re.sub(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]", lambda c: f"\\x{ord(c[0]):02x}", value)
    return re.sub(f"[%\r\n{further}]", lambda c: f"%{ord(c[0]):02X}", shown)
