"""How a `backward` is called: with the cotangent last, or by its name where it is written ``(*variables, grad)``."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any


def call_backward(op: Any, inputs: Sequence[Any], grad: Any) -> None:
    """Call an op's `backward` with what its `forward` took and the output's cotangent.

    Examples
    --------
    >>> from adverify import Function, tensor
    >>> class Add(Function):
    ...     def backward(self, *variables, grad):
    ...         for x in variables:
    ...             x.grad += grad
    >>> x, y = tensor(1.0), tensor(2.0)
    >>> call_backward(Add(), [x, y], 3.0)
    >>> print(x.grad, y.grad)
    3.0 3.0
    """
    name = _name_of_cotangent(type(op).backward)
    if name:
        op.backward(*inputs, **{name: grad})
    else:
        op.backward(*inputs, grad)


def cotangent_as_written(op: type, grad: str) -> str:
    """Write a cotangent as an argument of the `backward` of a class."""
    name = _name_of_cotangent(op.backward)  # type: ignore[attr-defined]
    return f"{name}={grad}" if name else grad


def refusal(op: Any, arity: int) -> str:
    """Say why `backward` cannot be called with as many inputs and a cotangent; nothing if it can."""
    name = _name_of_cotangent(type(op).backward)
    try:
        inspect.signature(op.backward).bind(*range(arity if name else arity + 1), **({name: 0} if name else {}))
    except TypeError as error:
        return str(error)
    return "" if name else _misplaced(op, arity)


def _misplaced(op: Any, arity: int) -> str:
    """Say that the cotangent would be taken for an optional input that is left out; nothing if it would not."""
    *taken, place = [*inspect.signature(op.backward).parameters.values()][: arity + 1]
    inputs = inspect.signature(op.forward).parameters
    if len(taken) < arity or place.kind is place.VAR_POSITIONAL or place.name not in inputs:
        return ""
    return f"of {arity} inputs, the cotangent would be taken for {place.name!r}; write backward(self, ..., *, grad)"


def inputs_named(op: Any) -> int | None:
    """How many inputs `backward` names; None if it takes any number."""
    kinds, parameters = inspect.Parameter, inspect.signature(op.backward).parameters.values()
    if any(p.kind is kinds.VAR_POSITIONAL for p in parameters):
        return None
    named = sum(p.kind in (kinds.POSITIONAL_ONLY, kinds.POSITIONAL_OR_KEYWORD) for p in parameters)
    return named if _name_of_cotangent(type(op).backward) else named - 1


@cache
def _name_of_cotangent(backward: Callable[..., None]) -> str:
    """Name the one parameter that can only be given by its name; nothing if there is none."""
    try:
        parameters = inspect.signature(backward).parameters.values()
    except (TypeError, ValueError):  # of what is written in C
        return ""
    by_name = [p.name for p in parameters if p.kind is p.KEYWORD_ONLY and p.default is p.empty]
    return by_name[0] if len(by_name) == 1 else ""
