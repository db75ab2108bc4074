"""Ops with gradients, in families. Each class is also a function: ``Sum(axis=0)(x)`` is ``sum(x, axis=0)``.

A function takes first what `forward` takes, then what the constructor takes: ``sum(x, 0)`` is the same again. Where
the number of inputs is open, the constructor's arguments are to be named.
"""

from __future__ import annotations

import difflib
import inspect
import re
import sys
from collections.abc import Callable
from typing import Any

from adverify.discovery import functions_in
from adverify.engine import Function
from adverify.ops.methods import bind

__all__: list[str] = []


def _names_of(op: type[Function]) -> tuple[str, ...]:
    snake = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", op.__name__).lower()
    return (getattr(op, "name", snake), *vars(op).get("aliases", ()))


def _function_of(op: type[Function]) -> Callable[..., Any]:
    kinds = inspect.Parameter
    _, *inputs = inspect.signature(op.forward).parameters.values()
    options = list(inspect.signature(op).parameters.values())
    variadic = inputs[-1].kind is kinds.VAR_POSITIONAL
    open_ended = variadic or any(p.default is not kinds.empty for p in inputs)
    count = None if open_ended else len(inputs)

    def apply(*args: Any, **kwargs: Any) -> Any:
        if variadic and len(args) == 1 and isinstance(args[0], list | tuple):  # concatenate([x, y]), as in NumPy
            args = tuple(args[0])
        return op(*(args[count:] if count else ()), **kwargs)(*args[:count])

    if open_ended:
        options = [p.replace(kind=kinds.KEYWORD_ONLY) for p in options]
    if not variadic:
        inputs = [p.replace(kind=kinds.POSITIONAL_ONLY) for p in inputs]
    apply.__name__ = apply.__qualname__ = _names_of(op)[0]
    apply.__module__, apply.__doc__ = op.__module__, _help_on(op)
    apply.__signature__ = inspect.Signature([*inputs, *options])  # type: ignore[attr-defined]
    return apply


def _help_on(op: type[Function]) -> str:
    """The docstring of an op, with what siblings share: the parameters of a constructor that it inherits."""
    text, source = inspect.getdoc(op) or "", next(c for c in op.__mro__ if "__init__" in vars(c))
    _, heading, parameters = (inspect.getdoc(source) or "").partition("\n\nParameters\n")
    return text if heading in text else text + heading + parameters


def __getattr__(name: str) -> Any:
    # Also what tells type checkers that the names bound below are here.
    close = [] if name.startswith("__") else difflib.get_close_matches(name, __all__)
    hint = f"; did you mean {' or '.join(close)}?" if close else ""
    raise AttributeError(f"adverify.ops has no op named {name!r}{hint}", name=name, obj=sys.modules[__name__])


for _op in functions_in(sys.modules[__name__]):
    _names = (_op.__name__, *_names_of(_op))
    globals().update(dict.fromkeys(_names[1:], _function_of(_op)) | {_op.__name__: _op})
    __all__.extend(_names)


bind(globals())
