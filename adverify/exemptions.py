"""Which ops, and which of their properties, are left out or known to be wrong, and why."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from adverify.config import Config
from adverify.subject import MalformedOp


def exemption(kind: str, op: Any, name: str, config: Config) -> str | None:
    """Give the reason for which a property of an op is left out, or known to be violated; None if it is neither.

    Parameters
    ----------
    kind : str
        ``"skip"`` or ``"xfail"``.
    op : type or Function
        Its own ``adverify_skip`` or ``adverify_xfail`` is a reason, or one for each of some properties.
    name : str
        The property; empty for the op as a whole.
    config : Config
        What the project says of ``"MyOp"``, ``"package.ops:MyOp"``, and the same with ``"::property"`` after it.

    Examples
    --------
    >>> class Rough:
    ...     adverify_skip = {"precision": "works in single precision"}
    >>> exemption("skip", Rough, "precision", Config())
    'works in single precision'
    """
    own, said = hints(kind, op), getattr(config, kind)
    found = (said.get(f"{n}{of}") for of in (f"::{name}", "") for n in names_of(op))
    return next((reason for reason in (own.get(name), own.get(""), *found) if reason), None)


def names_of(op: Any) -> tuple[str, ...]:
    """Give the names by which a project may call an op, the shortest first."""
    owner = op if isinstance(op, type) else type(op)
    return owner.__name__, owner.__qualname__, f"{owner.__module__}:{owner.__qualname__}"


def hints(kind: str, op: Any) -> Mapping[str, str]:
    """Read what an op says of itself: the reason for each property that it names, and under ``""`` for all of it.

    Raises
    ------
    MalformedOp
        If it gives no reason, or names a property that does not exist.

    Examples
    --------
    >>> class Wrong:
    ...     adverify_xfail = "the sign is to be mended"
    >>> hints("xfail", Wrong)
    {'': 'the sign is to be mended'}
    """
    from adverify.properties import all_properties

    given = getattr(op, f"adverify_{kind}", None)
    if given is None:
        return {}
    where = f"{names_of(op)[0]}.adverify_{kind}"
    reasons = given if isinstance(given, Mapping) else {"": given}
    if not reasons or not all(isinstance(why, str) and why for why in reasons.values()):
        raise MalformedOp(f'{where} must be a reason, or one for each of some properties, {{"gradient": "why"}}; '
                          f"got {given!r}")  # fmt: skip
    known = [p.name for p in all_properties()]
    for name in reasons if isinstance(given, Mapping) else ():
        if name not in known:
            raise MalformedOp(f"{where} names a property {name!r}, which does not exist; {_near(str(name), known)}")
    return reasons


def unmatched(config: Config, names: Collection[str]) -> Iterator[str]:
    """Say of each entry of a project's `skip` and `xfail` that is about none of these names that it is not."""
    for kind in ("skip", "xfail"):
        for entry in getattr(config, kind):
            name = entry.split("::")[0]
            if name not in names:
                alike = sorted(n for n in names if (":" in n) == (":" in name))
                yield (f"[tool.adverify] {kind} names {entry!r}, and no op of `targets` is called {name!r}; "
                       f"{_near(name, alike)}")  # fmt: skip


def _near(name: str, known: Collection[str]) -> str:
    near = difflib.get_close_matches(name, known, n=1)
    return f"did you mean {near[0]!r}?" if near else f"there are {', '.join(known)}"
