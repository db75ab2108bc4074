"""Which ops, and which of their properties, are left out or known to be wrong, and why."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from adverify.config import Config


def exemption(kind: str, op: Any, name: str, config: Config) -> str | None:
    """Give the reason for which a property of an op is left out, or known to be violated; None if it is neither.

    Parameters
    ----------
    kind : str
        ``"skip"`` or ``"xfail"``.
    op : type or Function
        Its own ``adverify_skip`` or ``adverify_xfail`` is a reason, or one for each of some properties.
    name : str
        The property.
    config : Config
        What the project says of ``"MyOp"``, ``"package.ops:MyOp"``, and the same with ``"::property"`` after it.

    Examples
    --------
    >>> class Rough:
    ...     adverify_skip = {"precision": "works in single precision"}
    >>> exemption("skip", Rough, "precision", Config())
    'works in single precision'
    """
    owner = op if isinstance(op, type) else type(op)
    hint = getattr(op, f"adverify_{kind}", None)
    if isinstance(hint, Mapping):
        hint = hint.get(name)
    said: Mapping[str, str] = getattr(config, kind)
    names = (owner.__name__, owner.__qualname__, f"{owner.__module__}:{owner.__qualname__}")
    found = (said.get(f"{n}{of}") for of in (f"::{name}", "") for n in names)
    return next((reason for reason in (hint, *found) if reason), None)
