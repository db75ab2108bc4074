"""What an instance holds, in its `__dict__` and in slots."""

from __future__ import annotations

import contextlib
import inspect
from collections.abc import Mapping
from functools import cache
from typing import Any

from adverify.engine import Function


def state_of(instance: Any) -> dict[str, Any]:
    """Give what an instance holds, by name.

    Examples
    --------
    >>> class Scaled:
    ...     __slots__ = ("factor", "offset")
    ...     def __init__(self):
    ...         self.factor = 2.0
    >>> state_of(Scaled())
    {'factor': 2.0}
    """
    held = dict(getattr(instance, "__dict__", {}))
    for name, slot in _slots(type(instance)).items():  # type: ignore[arg-type]
        with contextlib.suppress(AttributeError):  # of a slot that nothing was put in
            held[name] = slot.__get__(instance)
    return held


def set_state(instance: Function, state: Mapping[str, Any]) -> None:
    """Make an instance hold this and nothing else, also one whose class refuses to be assigned to."""
    slots = _slots(type(instance))  # type: ignore[arg-type]
    for name, slot in slots.items():
        if name in state:
            slot.__set__(instance, state[name])
        elif name in state_of(instance):
            slot.__delete__(instance)
    instance.__dict__.clear()
    instance.__dict__.update({n: v for n, v in state.items() if n not in slots} if slots else state)


@cache
def _slots(kind: type) -> dict[str, Any]:
    """Give the descriptors of a class's slots: a subclass may have other attributes of the same names."""
    written = [c for c in reversed(kind.__mro__) if "__slots__" in vars(c)]
    return {name: value for c in written for name, value in vars(c).items() if inspect.ismemberdescriptor(value)}
