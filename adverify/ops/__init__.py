"""Ops with gradients, in families. Each class is also a function: ``Sum(axis=0)(x)`` is ``sum(x, axis=0)``."""

from __future__ import annotations

import importlib
import pkgutil
import re
from typing import Any

from adverify.engine import Function, Variable

__all__: list[str] = []


def _function_of(op: type[Function]) -> Any:
    def apply(*variables: Any, **arguments: Any) -> Any:
        return op(**arguments)(*variables)

    apply.__name__ = apply.__qualname__ = _name_of(op)
    apply.__doc__ = op.__doc__
    return apply


def _name_of(op: type[Function]) -> str:
    return getattr(op, "name", "") or re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", op.__name__).lower()


for _module in pkgutil.iter_modules(__path__):
    _found = importlib.import_module(f"{__name__}.{_module.name}")
    for _op in list(vars(_found).values()):
        if isinstance(_op, type) and issubclass(_op, Function) and _op.__module__ == _found.__name__:
            globals()[_op.__name__] = _op
            globals()[_name_of(_op)] = _function_of(_op)
            __all__ += [_op.__name__, _name_of(_op)]

for _method, _name in {"add": "Add", "sub": "Subtract", "mul": "Multiply", "truediv": "Divide", "pow": "Power",
                       "matmul": "Matmul", "neg": "Negative", "abs": "Absolute"}.items():  # fmt: skip
    setattr(Variable, f"__{_method}__", globals()[_name]())
